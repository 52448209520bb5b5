//! What a pass over a chart with a policy came to, as `operator/status.yaml` sees it: `.Outcome`.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::release::ObjectId;
use crate::release::mode::Mode;
use crate::status::Reason;
use crate::status::conditions::seconds;

/// Everything that can be told of a pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Why nothing was done, if the user has to act.
    pub failed: Option<(Reason, String)>,
    /// What the chart waits for, in its own words: reason and message.
    pub waiting: Option<(String, String)>,
    /// The phases in their order.
    pub phases: Vec<Phase>,
    /// The objects in install order.
    pub objects: Vec<Object>,
    /// What was deleted and is not gone yet.
    pub leaving: Vec<(ObjectId, String)>,
}

/// A phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// Its name; empty for the only one of a chart that names none.
    pub name: String,
    /// When this process first entered it for what is rendered now.
    pub entered: Option<Timestamp>,
    /// Whether all of its objects are ready.
    pub ready: bool,
    /// Why not.
    pub message: String,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The object.
    pub id: ObjectId,
    /// The version it was rendered in.
    pub version: String,
    /// Empty where there is none.
    pub uid: String,
    /// What is done with it.
    pub mode: Mode,
    /// Index of its phase.
    pub phase: usize,
    /// Whether it is as rendered, and passes its probes.
    pub ready: bool,
    /// Why not.
    pub message: String,
}

impl Picture {
    /// Whether every phase is ready.
    pub fn is_ready(&self) -> bool {
        self.failed.is_none() && self.waiting.is_none() && self.phases.iter().all(|phase| phase.ready)
    }

    /// The first phase that is not ready.
    pub fn phase(&self) -> Option<&Phase> {
        self.phases.iter().find(|phase| !phase.ready)
    }

    /// The first cause; empty when everything is ready.
    pub fn message(&self) -> String {
        match (&self.failed, &self.waiting, self.phase()) {
            (None, Some((reason, message)), _) if message.is_empty() => reason.clone(),
            (Some((_, message)), ..) | (None, Some((_, message)), _) => message.clone(),
            (None, None, Some(phase)) => phase.told(),
            (None, None, None) => String::new(),
        }
    }

    /// `.Outcome`; `actions` are those of the resource.
    pub fn to_json(&self, actions: &Json) -> Json {
        let name = |index: usize| self.phases.get(index).map_or("", |phase| phase.name.as_str());
        let told = |(reason, message): (&str, &str)| json!({"reason": reason, "message": message});
        let objects = self.objects.iter().map(|object| object.to_json(name(object.phase)));
        json!({
            "ready": self.is_ready(),
            "phase": self.phase().map_or("", |phase| phase.name.as_str()),
            "message": self.message(),
            "failed": self.failed.as_ref().map(|(reason, message)| told((reason.name(), message))),
            "waiting": self.waiting.as_ref().map(|(reason, message)| told((reason, message))),
            "phases": self.phases.iter().map(Phase::to_json).collect::<Vec<_>>(),
            "objects": objects.collect::<Vec<_>>(),
            "leaving": self.leaving.iter().map(|(id, message)| leaving(id, message)).collect::<Vec<_>>(),
            "actions": actions,
        })
    }
}

impl Phase {
    /// Why it is not ready, with its name, if it has one.
    pub fn told(&self) -> String {
        let Self { name, message, .. } = self;
        if name.is_empty() { message.clone() } else { format!("phase `{name}`: {message}") }
    }

    fn to_json(&self) -> Json {
        let Self { name, entered, ready, message } = self;
        json!({"name": name, "entered": entered.map(seconds), "ready": ready, "message": message})
    }
}

impl Object {
    fn to_json(&self, phase: &str) -> Json {
        let Self { id, version, uid, mode, ready, message, .. } = self;
        json!({
            "group": id.group, "version": version, "kind": id.kind, "namespace": id.namespace, "name": id.name,
            "uid": uid, "mode": mode.name(), "phase": phase, "ready": ready, "message": message,
        })
    }
}

fn leaving(id: &ObjectId, message: &str) -> Json {
    json!({"group": id.group, "kind": id.kind, "namespace": id.namespace, "name": id.name, "message": message})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let phase =
            |name: &str, ready| Phase { name: name.to_owned(), ready, message: "x".to_owned(), ..Phase::default() };
        let object = Object {
            id: "apps/Deployment shop/web".parse().unwrap(),
            version: "v1".to_owned(),
            uid: String::new(),
            mode: Mode::Manage,
            phase: 1,
            ready: false,
            message: "not found".to_owned(),
        };
        Picture { phases: vec![phase("a", true), phase("b", false)], objects: vec![object], ..Picture::default() }
    }

    #[test]
    fn the_first_phase_that_is_not_ready_is_the_cause() {
        let told = picture().to_json(&json!({}));
        assert_eq!((&told["ready"], &told["phase"]), (&json!(false), &json!("b")));
        assert_eq!(told["message"], "phase `b`: x");
        assert_eq!(told["objects"][0]["phase"], "b");
        assert_eq!((&told["failed"], &told["waiting"]), (&Json::Null, &Json::Null));
    }

    #[test]
    fn a_failure_comes_before_a_wait_and_a_wait_before_phases() {
        let waiting = Some(("MissingDependency".to_owned(), "no api".to_owned()));
        let mut picture = Picture { waiting, ..picture() };
        assert_eq!(picture.message(), "no api");
        picture.failed = Some((Reason::CollisionDetected, "taken".to_owned()));
        assert_eq!(picture.message(), "taken");
        assert_eq!(picture.to_json(&json!({}))["failed"]["reason"], "CollisionDetected");
        assert!(!picture.is_ready());
        let ready = Picture::default();
        assert_eq!((ready.is_ready(), ready.message()), (true, String::new()));
    }
}
