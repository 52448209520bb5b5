//! Sends objects some of whose fields are left to others.

use serde_json::{Value as Json, json};

use crate::cluster::Error;
use crate::cluster::objects::{Part, Target};
use crate::reconcile::pass::Pass;
use crate::release::FIELD_MANAGER;
use crate::release::ignore::{self, Ignored};
use crate::release::plan::Reason;
use crate::release::prepare::Prepared;
use crate::release::projection::{self, Change};

/// How often the object is read again because somebody was faster.
const TRIES: usize = 5;

impl Pass<'_> {
    /// Sends all of an object that is not there, and gives up what is ignored of it at once; of one that is there, only the
    /// rest, after what we own of the ignored was given up: what its only owner no longer sends would be removed.
    pub(crate) async fn send_leaving(
        &self,
        object: &Prepared,
        ignored: &Ignored,
        reason: &Reason,
        target: Target<'_>,
    ) -> Result<(Json, Vec<Change>), Error> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.try_leaving(object, ignored, reason, target).await {
                Err(error) if error.is_conflict() && tried < TRIES => {}
                answer => return answer,
            }
        }
    }

    async fn try_leaving(
        &self,
        object: &Prepared,
        ignored: &Ignored,
        reason: &Reason,
        target: Target<'_>,
    ) -> Result<(Json, Vec<Change>), Error> {
        let Some(found) = self.cluster.get(target).await? else {
            let made = self.cluster.apply(target, &ignored.whole).await?;
            return Ok((self.give_up(made, ignored, target).await?, Vec::new()));
        };
        let mut body = object.body.clone();
        let mut of_metadata = |field: &str, value: Json| {
            let metadata = body.get_mut("metadata").and_then(Json::as_object_mut);
            metadata.map(|metadata| metadata.insert(field.to_owned(), value));
        };
        if let Reason::Adopt(adoption) = reason {
            // Only the object that was looked at is taken over.
            of_metadata("uid", json!(adoption.uid));
            if found.pointer("/metadata/resourceVersion") != Some(&json!(adoption.resource_version)) {
                of_metadata("resourceVersion", json!(adoption.resource_version));
            }
        }
        let live = self.give_up(found, ignored, target).await?;
        let answer = self.cluster.apply(target, &body).await?;
        let is_drift = *reason == Reason::Drifted;
        let changes = if is_drift { projection::changes(&live, &answer, FIELD_MANAGER) } else { Vec::new() };
        Ok((answer, changes))
    }

    /// The object after our ownership of what is ignored was given up, if we had any.
    async fn give_up(&self, live: Json, ignored: &Ignored, target: Target<'_>) -> Result<Json, Error> {
        let given_up = ignore::given_up(&live, ignored, FIELD_MANAGER);
        let Some(fields) = given_up.map_err(|error| target.refused(error))? else { return Ok(live) };
        let version = live.pointer("/metadata/resourceVersion");
        let patch = json!({"metadata": {"resourceVersion": version, "managedFields": fields}});
        let answer = self.cluster.merge_patch(target, Part::Main, &patch).await?;
        self.count("patch");
        Ok(answer)
    }
}
