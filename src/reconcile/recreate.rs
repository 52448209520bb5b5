//! Objects whose new content the API server does not take for a change of the old: made anew where that is allowed.

use kube::core::params::Preconditions;
use serde_json::Value as Json;

use crate::cluster::Error;
use crate::cluster::events::EventType;
use crate::cluster::objects::Target;
use crate::reconcile::carry_out::Sent;
use crate::reconcile::pass::{Pass, log};
use crate::release::labels;
use crate::release::prepare::Prepared;

impl Pass<'_> {
    /// Applies `body`, the object or a part of what it takes to adopt it. Where that would change what cannot be changed,
    /// the object that is there is deleted, and applied now or, if it does not go at once, when it is gone.
    pub(crate) async fn apply(&self, target: Target<'_>, object: &Prepared, body: &Json) -> Result<Sent, Error> {
        let refused = match self.cluster.apply(target, body).await {
            Ok(answer) => return Ok(Sent::Now(answer, Vec::new())),
            Err(error) => error,
        };
        self.recreate(target, object, refused).await
    }

    /// As [`Pass::apply`], after the API server has refused it.
    pub(crate) async fn recreate(&self, target: Target<'_>, object: &Prepared, refused: Error) -> Result<Sent, Error> {
        let Some(immutable) = refused.immutable() else { return Err(refused) };
        if !self.may_recreate(object) {
            return Err(Error::Immutable { object: object.id.to_string(), fields: immutable });
        }
        let Some(live) = self.cluster.get(target).await? else { return Err(refused) };
        let uid = live.pointer("/metadata/uid").and_then(Json::as_str).map(str::to_owned);
        // It is told when it is gone, also if that is before we look.
        self.remove(&object.id, Preconditions { uid, resource_version: None }).await?;
        self.context.objects.want(&object.id, &self.set);
        log!(info, self, "Deleted object to make it anew", object = object.id.to_string(), fields = immutable.as_str());
        let message = format!("`{}` is made anew: {immutable} cannot be changed", object.id);
        self.publish(EventType::Normal, "Recreated", message);
        if self.cluster.get(target).await?.is_some() {
            return Ok(Sent::WhenGone);
        }
        Ok(Sent::Now(self.cluster.apply(target, &object.body).await?, Vec::new()))
    }

    fn may_recreate(&self, object: &Prepared) -> bool {
        let own = object.directives.get(labels::RECREATE).and_then(|text| labels::parse_bool(text));
        own.unwrap_or_else(|| self.is_asked_for(labels::UPGRADE_FORCE))
    }
}
