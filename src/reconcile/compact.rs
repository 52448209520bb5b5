//! What is kept of an object, at rest: an operator may know tens of thousands of them. Texts that have one usual form are kept
//! as what they say, and given back letter for letter.

use crate::readiness::{Readiness, Status};
use crate::reconcile::objects::Known;
use crate::release::action::job::Progress;
use crate::release::plan::Live;
use crate::release::{Digest, ObjectId};

/// An object, a third the size of its [`ObjectId`] and [`Known`].
#[derive(Debug)]
pub(crate) struct Compact {
    /// The id as text.
    id: Box<str>,
    uid: Text,
    version: Text,
    projection: Option<Digest>,
    keep: bool,
    deleting: bool,
    action: Option<Progress>,
    may_have_cause: bool,
    status: Status,
    /// Empty where it is ready: there is nothing to tell then.
    message: Box<str>,
}

/// A UID or a version.
#[derive(Debug)]
pub(crate) enum Text {
    Uuid([u8; 16]),
    Number(u64),
    Other(Box<str>),
}

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        if let Some(number) = text.parse::<u64>().ok().filter(|number| number.to_string() == text) {
            return Self::Number(number);
        }
        match uuid::Uuid::parse_str(text).ok().filter(|uuid| uuid.to_string() == text) {
            Some(uuid) => Self::Uuid(uuid.into_bytes()),
            None => Self::Other(text.into()),
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Uuid(bytes) => uuid::Uuid::from_bytes(*bytes).to_string(),
            Self::Number(number) => number.to_string(),
            Self::Other(text) => text.to_string(),
        }
    }
}

impl Compact {
    /// `id` is the text of an [`ObjectId`].
    pub(crate) fn new(id: &str, known: &Known) -> Self {
        let Readiness { status, message } = &known.readiness;
        Self {
            id: id.into(),
            uid: Text::new(&known.live.uid),
            version: Text::new(&known.live.resource_version),
            projection: known.live.projection,
            keep: known.live.keep,
            deleting: known.live.deleting,
            action: known.live.action,
            may_have_cause: known.may_have_cause,
            status: *status,
            message: if *status == Status::Current { Box::default() } else { message.as_str().into() },
        }
    }

    /// The text of its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Its id. There is always one: the text was made of it.
    pub(crate) fn object_id(&self) -> Option<ObjectId> {
        self.id.parse().ok()
    }

    /// What is known of it.
    pub(crate) fn known(&self) -> Known {
        let live = Live {
            uid: self.uid.text(),
            resource_version: self.version.text(),
            projection: self.projection,
            keep: self.keep,
            deleting: self.deleting,
            action: self.action,
        };
        let readiness = Readiness { status: self.status, message: self.message.to_string() };
        Known { live, readiness, may_have_cause: self.may_have_cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::action::On;

    #[test]
    fn what_is_kept_comes_back_as_it_was_but_for_the_message_of_what_is_ready() {
        for (id, uid, version, readiness) in [
            ("apps/Deployment shop/web", "8088e824-c402-4371-93bc-6dd50bad90f7", "329", Readiness::in_progress("0/1")),
            ("rbac.authorization.k8s.io/ClusterRole system:a b", "U-1", "", Readiness::failed("gone")),
            ("ConfigMap shop/a.b", "8088E824-C402-4371-93BC-6DD50BAD90F7", "007", Readiness::not_found()),
            ("Namespace shop", "8088e824c402437193bc6dd50bad90f7", "99999999999999999999", Readiness::current("")),
        ] {
            let (uid, resource_version) = (uid.to_owned(), version.to_owned());
            let (projection, action) = (Some(Digest::of("x")), Some(Progress { on: On::PreDelete, has_ended: true }));
            let live = Live { uid, resource_version, projection, keep: true, deleting: false, action };
            let known = Known { live, readiness, may_have_cause: true };
            let compact = Compact::new(id, &known);
            assert_eq!((compact.id(), compact.object_id().unwrap().to_string().as_str()), (id, id));
            assert_eq!(compact.known(), known);
        }
        let ready = Known { readiness: Readiness::current("is ready"), ..Compact::new("A b", &known()).known() };
        assert_eq!(Compact::new("A b", &ready).known().readiness, Readiness::current(""));
    }

    fn known() -> Known {
        let (uid, resource_version) = (String::new(), String::new());
        let live = Live { uid, resource_version, projection: None, keep: false, deleting: false, action: None };
        Known { live, readiness: Readiness::not_found(), may_have_cause: false }
    }
}
