//! What a call to the API server can end in, and who has to do something about it.

use std::time::Duration;

use serde_json::Value as Json;

use crate::diagnostic::chain;
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
        self.status().is_some_and(|status| status.code == 409)
    }

    /// The API server takes the object for invalid.
    pub fn is_invalid(&self) -> bool {
        self.status().is_some_and(|status| status.code == 422)
    }

    /// RBAC or an admission plugin says no.
    pub fn is_forbidden(&self) -> bool {
        self.status().is_some_and(|status| status.code == 403)
    }

    /// Whether to try again, or to wait for the user.
    ///
    /// Malformed manifests are answered with a reason-less 500 by server-side apply; without this they would be retried for
    /// ever (measured on 1.35: `failed to create typed patch object`, `duplicate entries for key`).
    pub fn fate(&self) -> Fate {
        let Some(status) = self.status() else {
            return if matches!(self, Self::NotServed { .. } | Self::Impossible { .. }) {
                Fate::User
            } else {
                Fate::Retry
            };
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
    fn the_message_names_the_call_and_what_the_server_said() {
        let error = refused(422, "Service \"b\" is invalid: spec.ports: Required value");
        assert_eq!(error.message(), "cannot apply `Service a/b`: Service \"b\" is invalid: spec.ports: Required value");
    }
}
