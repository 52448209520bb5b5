//! Events on a resource. core/v1 and by create only: that is all that operator-sdk's role allows.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::core::params::PostParams;

use crate::cluster::Cluster;

/// Longest note Kubernetes takes, in bytes.
const MAX_NOTE: usize = 1_024;

/// How an event is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Something went as it should.
    Normal,
    /// Somebody should look.
    Warning,
}

/// One event to publish.
#[derive(Clone, Debug)]
pub struct News {
    /// How it is marked.
    pub event_type: EventType,
    /// `UpperCamelCase`, usually the reason of a condition.
    pub reason: String,
    /// For people; cut at 1 KiB.
    pub message: String,
}

impl Cluster {
    /// Publishes an event about `resource` as `component`. Whether it arrives is nobody's condition for going on: a refusal
    /// is logged and forgotten.
    pub async fn publish(&self, resource: &ObjectReference, component: &str, news: &News, now: Timestamp) {
        let namespace = resource.namespace.clone().filter(|namespace| !namespace.is_empty());
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        let name = resource.name.clone().unwrap_or_default();
        let event = Event {
            metadata: ObjectMeta {
                // Names must differ; client-go uses the clock too.
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            type_: Some(format!("{:?}", news.event_type)),
            reason: Some(news.reason.clone()),
            message: Some(cut(&news.message, MAX_NOTE).to_owned()),
            involved_object: resource.clone(),
            count: Some(1),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            source: Some(EventSource { component: Some(component.to_owned()), host: None }),
            reporting_component: Some(component.to_owned()),
            ..Event::default()
        };
        let api = Api::<Event>::namespaced(self.client(), &namespace);
        let params = PostParams::default();
        let what = || format!("publish an event about `{namespace}/{name}`");
        if let Err(error) = self.write(what, api.create(&params, &event)).await {
            tracing::debug!(target: "events", error = error.message(), reason = news.reason, "Event not published");
        }
    }
}

/// The longest part of `text` that has at most `limit` bytes and ends between characters.
fn cut(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(cut("héé", 4), "hé");
        assert_eq!(cut("short", 100), "short");
    }
}
