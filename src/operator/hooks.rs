//! Takes the events of hooks' objects: only their ends matter, and that they are gone.

use std::sync::{Arc, Weak};

use kube::core::DynamicObject;
use serde_json::Value as Json;

use crate::cluster::discovery::Served;
use crate::operator::follow::Follower;
use crate::reconcile::Context;
use crate::release::hook::run::State;
use crate::release::{ObjectId, labels};

/// Follows the objects of one kind.
pub(crate) struct Hooks {
    pub(crate) context: Weak<Context>,
    pub(crate) served: Arc<Served>,
}

impl Hooks {
    fn take(&self, object: DynamicObject, gone: bool) {
        let Some(context) = self.context.upgrade() else { return };
        let resource = &self.served.resource;
        let label = |name| object.metadata.labels.as_ref().and_then(|labels| labels.get(name)).cloned();
        let (Some(set), Some(mark)) = (label(labels::HOOK_OF), label(labels::HOOK_RUN)) else { return };
        let id = ObjectId {
            group: resource.group.clone(),
            kind: resource.kind.clone(),
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            name: object.metadata.name.clone().unwrap_or_default(),
        };
        let Ok(mut object) = serde_json::to_value(object) else { return };
        // Items of a list do not say what they are.
        if let Some(object) = object.as_object_mut() {
            object.insert("apiVersion".to_owned(), Json::from(resource.api_version.as_str()));
            object.insert("kind".to_owned(), Json::from(resource.kind.as_str()));
        }
        let news = context.hooks.observe(&set, &id, &mark, State::of(&object));
        if news || gone {
            context.wake_for_hook(&set);
        }
    }
}

impl Follower for Hooks {
    fn listing(&mut self) {}

    fn applied(&mut self, object: DynamicObject) {
        self.take(object, false);
    }

    fn deleted(&mut self, object: DynamicObject) {
        self.take(object, true);
    }

    fn listed(&mut self) {}
}
