//! What a call to the API server can end in, and who has to do something about it.

use std::time::Duration;

use serde_json::Value as Json;

use crate::diagnostic::chain;
use crate::metrics::Forbidden;
use crate::release::secret::Secrets;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server, or the way to it, said no.
    #[error("cannot {call}")]
    Call {
        /// What was tried, such as ``apply `apps/Deployment shop/web` ``.
        call: String,
        /// What kube says of it.
        #[source]
        source: Box<kube::Error>,
    },
    /// No answer came.
    #[error("cannot {call}: no answer within {} s", after.as_secs())]
    Timeout {
        /// What was tried.
        call: String,
        /// How long an answer was waited for.
        after: Duration,
    },
    /// Nothing was sent: another process may lead by now, and writing is for the leader.
    #[error("this process no longer leads")]
    NotLeading,
    /// Nothing was tried: what was to be done cannot be done.
    #[error("cannot {call}")]
    Impossible {
        /// What was to be done.
        call: String,
        /// Why not.
        #[source]
        source: crate::release::ignore::Error,
    },
    /// An object cannot become what it should be, because what is set in it for ever is another.
    #[error(
        "cannot change {fields} of `{object}`, which can only be made anew; annotate it with `chart-operator.dev/recreate: \"true\"`, \
         or the resource with `helm.sdk.operatorframework.io/upgrade-force: \"true\"`, to have it deleted and created again"
    )]
    Immutable {
        /// As [`crate::release::ObjectId`] shows it.
        object: String,
        /// What [`Error::immutable`] gives.
        fields: String,
    },
    /// A list, or an event, has shown an older state than the API server has.
    #[error("`{object}` has changed since it was listed")]
    Outdated {
        /// Kind, namespace and name.
        object: String,
    },
    /// No such kind is served.
    #[error("the API server does not serve `{api_version} {kind}`")]
    NotServed {
        /// As the object gives it, such as `apps/v1`.
        api_version: String,
        /// The kind asked for.
        kind: String,
    },
}

/// Who can make it succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Time: the same call may succeed later.
    Retry,
    /// The user: the same call will be refused again until something else changes.
    User,
}

impl Error {
    /// The API server's own answer, if it gave one.
    fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Call { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            _ => None,
        }
    }

    /// There is no such object (or no such kind: the path is unknown).
    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(|status| status.code == 404)
    }

    /// The object has changed since it was read, or a precondition does not hold.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Outdated { .. }) || self.status().is_some_and(|status| status.code == 409)
    }

    /// How long the API server asks to be left alone, if it does. kube keeps what the Status says, not the header.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.status()?.details.as_ref()?.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// The API server takes the object for invalid.
    pub fn is_invalid(&self) -> bool {
        self.status().is_some_and(|status| status.code == 422)
    }

    /// The fields that keep the API server from taking an object for a new version of the one that is there, as users read
    /// them; `None` if it is not that. Their values are not shown: a Job's are its whole pod template.
    pub fn immutable(&self) -> Option<String> {
        let status = self.status().filter(|status| status.code == 422)?;
        let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
        let is_immutable = |text: &str| IMMUTABLE.iter().any(|words| text.contains(words));
        let fields: Vec<_> = causes.iter().filter(|cause| is_immutable(&cause.message)).map(told).collect();
        match (fields.is_empty(), is_immutable(&status.message)) {
            (false, _) => Some(fields.join(", ")),
            (true, true) => Some("a field".to_owned()),
            (true, false) => None,
        }
    }

    /// What RBAC refused, as a role would grant it.
    pub fn forbidden(&self) -> Option<Forbidden> {
        self.status().and_then(forbidden)
    }

    /// RBAC or an admission plugin says no.
    pub fn is_forbidden(&self) -> bool {
        self.status().is_some_and(|status| status.code == 403)
    }

    /// The namespace is on its way out: nothing can be created in it any more.
    pub fn is_of_terminating_namespace(&self) -> bool {
        let terminating = |status: &kube::core::Status| status.message.contains("because it is being terminated");
        self.is_forbidden() && self.status().is_some_and(terminating)
    }

    /// Whether to try again, or to wait for the user.
    ///
    /// Malformed manifests are answered with a reason-less 500 by server-side apply; without this they would be retried for
    /// ever (measured on 1.35: `failed to create typed patch object`, `duplicate entries for key`).
    pub fn fate(&self) -> Fate {
        let Some(status) = self.status() else {
            let is_users = matches!(self, Self::NotServed { .. } | Self::Impossible { .. } | Self::Immutable { .. });
            return if is_users { Fate::User } else { Fate::Retry };
        };
        match status.code {
            // Quota is given back by others; everything else that is forbidden needs a role.
            403 if status.message.contains("exceeded quota") => Fate::Retry,
            400 | 401 | 403..=406 | 413 | 415 | 422 => Fate::User,
            500 if MALFORMED.iter().any(|text| status.message.contains(text)) => Fate::User,
            _ => Fate::Retry,
        }
    }

    /// The error without what may be secret in `body`, which was sent: the API server repeats what it does not like.
    #[must_use]
    pub fn without_secrets(mut self, body: &Json) -> Self {
        if let Self::Call { source, .. } = &mut self
            && let kube::Error::Api(status) = source.as_mut()
        {
            let secrets = Secrets::of(body);
            status.message = secrets.redact(&status.message);
            let causes = status.details.iter_mut().flat_map(|details| &mut details.causes);
            causes.for_each(|cause| cause.message = secrets.redact(&cause.message));
        }
        self
    }

    /// The API server's message, or the error with its causes: what a condition tells the user.
    pub fn message(&self) -> String {
        match self.status() {
            Some(status) if !status.message.is_empty() => format!("{self}: {}", status.message),
            _ => chain(self),
        }
    }
}

/// What server-side apply says, with status 500, of a manifest that does not fit its schema.
const MALFORMED: [&str; 4] =
    ["failed to create typed patch object", "duplicate entries for key", "field not declared in schema", "errors:\n"];

/// What validations of Kubernetes 1.35 say where a field keeps its first value.
const IMMUTABLE: [&str; 6] = [
    "field is immutable",
    "is immutable after creation",
    "may not change once set",
    "updates to ",
    "cannot change roleRef",
    "may not change fields other than",
];

/// A field, with the reason where that shows no value.
fn told(cause: &kube::core::response::StatusCause) -> String {
    let field = &cause.field;
    match cause.message.strip_prefix("Forbidden: ") {
        Some(why) => format!("`{field}` ({why})"),
        None => format!("`{field}`"),
    }
}

/// What RBAC refused: `… cannot list resource "pods" in API group "apps" …` (Kubernetes 1.35,
/// `apiserver/pkg/endpoints/handlers/responsewriters/errors.go`).
pub(crate) fn forbidden(status: &kube::core::Status) -> Option<Forbidden> {
    let (_, said) = status.message.split_once(" cannot ").filter(|_| status.code == 403)?;
    let (verb, said) = said.split_once(" resource \"")?;
    let (resource, said) = said.split_once("\" in API group \"")?;
    let (group, _) = said.split_once('"')?;
    Some(Forbidden { group: group.to_owned(), resource: resource.to_owned(), verb: verb.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn refused(code: u16, message: &str) -> Error {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        Error::Call { call: "apply `Service a/b`".to_owned(), source: Box::new(kube::Error::Api(status.boxed())) }
    }

    #[test]
    fn the_fate_of_an_answer_follows_from_who_can_mend_it() {
        for (code, message, fate) in [
            (422, "Service \"b\" is invalid", Fate::User),
            (403, "services is forbidden", Fate::User),
            (403, "exceeded quota: small", Fate::Retry),
            (409, "the object has been modified", Fate::Retry),
            (429, "too many requests", Fate::Retry),
            (500, "etcdserver: request timed out", Fate::Retry),
            (
                500,
                "failed to create typed patch object (a/b; v1, Kind=Service): .spec.x: field not declared",
                Fate::User,
            ),
            (503, "the server is currently unable to handle the request", Fate::Retry),
        ] {
            assert_eq!(refused(code, message).fate(), fate, "{code} {message}");
        }
        let not_served = Error::NotServed { api_version: "a/v1".to_owned(), kind: "B".to_owned() };
        assert_eq!(not_served.fate(), Fate::User);
    }

    #[test]
    fn fields_that_cannot_be_changed_are_named_without_their_values() {
        let cause = |field: &str, message: &str| serde_json::json!({"field": field, "message": message, "reason": "FieldValueInvalid"});
        for (causes, fields) in [
            (
                vec![cause("spec.selector", "Invalid value: {\"a\":\"secret\"}: field is immutable")],
                Some("`spec.selector`"),
            ),
            (
                vec![cause(
                    "spec",
                    "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
                )],
                Some("`spec` (updates to statefulset spec for fields other than 'replicas' are forbidden)"),
            ),
            (
                vec![
                    cause("spec.clusterIPs[0]", "Invalid value: [\"10.0.0.1\"]: may not change once set"),
                    cause("spec.ports", "Required value"),
                    cause("roleRef", "Invalid value: {}: cannot change roleRef"),
                ],
                Some("`spec.clusterIPs[0]`, `roleRef`"),
            ),
            (vec![cause("spec.replicas", "Invalid value: -1: must be greater than or equal to 0")], None),
        ] {
            let status = serde_json::json!({"code": 422, "message": "is invalid", "details": {"causes": causes}});
            let status: Status = serde_json::from_value(status).unwrap();
            let error = Error::Call { call: String::new(), source: Box::new(kube::Error::Api(status.boxed())) };
            assert_eq!(error.immutable().as_deref(), fields);
        }
        assert_eq!(refused(500, "field is immutable").immutable(), None);
    }

    #[test]
    fn what_rbac_refuses_is_told_as_a_role_grants_it() {
        let text = "services is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"services\" in API group \"\" in the namespace \"c\"";
        let expected = Forbidden { group: String::new(), resource: "services".into(), verb: "list".into() };
        assert_eq!(refused(403, text).forbidden(), Some(expected));
        assert_eq!(refused(403, "exceeded quota: small").forbidden(), None);
        assert_eq!(refused(422, text).forbidden(), None);
    }

    #[test]
    fn only_a_status_that_says_so_asks_to_be_left_alone() {
        for (details, asked) in [
            (serde_json::json!(null), None),
            (serde_json::json!({}), None),
            (serde_json::json!({"retryAfterSeconds": 0}), None),
            (serde_json::json!({"retryAfterSeconds": 3}), Some(3)),
        ] {
            let status = Status { code: 429, details: serde_json::from_value(details).unwrap(), ..Status::default() };
            let source = Box::new(kube::Error::Api(status.boxed()));
            let error = Error::Call { call: "apply `Service a/b`".to_owned(), source };
            assert_eq!(error.retry_after(), asked.map(Duration::from_secs));
        }
    }

    #[test]
    fn the_message_names_the_call_and_what_the_server_said() {
        let error = refused(422, "Service \"b\" is invalid: spec.ports: Required value");
        assert_eq!(error.message(), "cannot apply `Service a/b`: Service \"b\" is invalid: spec.ports: Required value");
    }
}
