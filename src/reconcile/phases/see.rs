//! Objects that are not ours: read where they are observed, merged into where they are patched.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::cluster::Error;
use crate::cluster::lookup::{self, Contents, Lookup};
use crate::cluster::objects::{Part, Target};
use crate::reconcile::pass::{Failure, Pass};
use crate::reconcile::phases::course::Seen;
use crate::reconcile::phases::walk::{Scene, Walk, not_served};
use crate::release::plan::{Plan, Refused};
use crate::release::staged::{Item, Task};
use crate::release::{Digest, merge};

impl Pass<'_> {
    /// Merges `patch` into the object, if that is there and differs. It is sent with the UID that was seen.
    pub(crate) async fn bring_patch(
        &self,
        scene: Scene<'_>,
        item: &Item,
        patch: &Json,
        walk: &mut Walk,
    ) -> Result<(), Error> {
        // What was seen of it since, was seen after the patch.
        if walk.course.seen(&item.id, self.shown(scene, item)).is_some() {
            return Ok(());
        }
        let Some(live) = self.see(item).await? else { return Ok(()) };
        if !merge::differs(&live, patch) {
            note_seen(scene, item, &live, walk);
            return Ok(());
        }
        let served = self.context.discovery.resolve(&item.gvk()).await?;
        let target = Target { served: &served, namespace: &item.id.namespace, name: &item.id.name };
        let mut patch = patch.clone();
        if let Some(metadata) = patch.as_object_mut().map(|patch| patch.entry("metadata").or_insert_with(|| json!({})))
        {
            metadata["uid"] = live.pointer("/metadata/uid").cloned().unwrap_or_default();
        }
        let answer = self.cluster.merge_patch(target, Part::Main, &patch).await;
        self.count("patch");
        match answer {
            Ok(answer) => {
                let lookup = beside(item);
                self.context.lookups.learn(&self.set, &lookup, Contents::of(&lookup, &answer));
                self.wrote(&item.id, &item.version, &answer);
                note_seen(scene, item, &answer, walk);
                Ok(())
            }
            // It went, or another one came: what is told of that wakes us.
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// UID of an object that is observed or patched, and why it is not ready.
    pub(crate) async fn judge_seen(
        &self,
        scene: Scene<'_>,
        item: &Item,
        walk: &mut Walk,
    ) -> Result<(String, Option<String>), Failure> {
        if let Some(error) = walk.outcome.failures.get(&item.id) {
            return Ok((String::new(), Some(error.message())));
        }
        if !self.is_served(&item.gvk()).await? {
            let missing = matches!(item.task, Task::Observe).then(|| not_served(&item.gvk()));
            return Ok((String::new(), missing));
        }
        let known = walk.course.seen(&item.id, self.shown(scene, item)).cloned();
        let seen = match known {
            Some(seen) => Some(seen),
            None => self.see(item).await?.map(|live| note_seen(scene, item, &live, walk)),
        };
        Ok(match seen {
            Some(seen) => (seen.uid, (!seen.messages.is_empty()).then(|| seen.messages.join(", "))),
            None => (String::new(), matches!(item.task, Task::Observe).then(|| "not found".to_owned())),
        })
    }

    /// Digest of what a watch shows of the object, where there is one.
    fn shown(&self, scene: Scene<'_>, item: &Item) -> Option<Digest> {
        let lookup = beside(item);
        if scene.blind.contains(&lookup) { None } else { self.context.lookups.digest(&lookup) }
    }

    /// The object, read now.
    async fn see(&self, item: &Item) -> Result<Option<Json>, Error> {
        let served = match self.context.discovery.resolve(&item.gvk()).await {
            Err(Error::NotServed { .. }) => return Ok(None),
            served => served?,
        };
        let target = Target { served: &served, namespace: &item.id.namespace, name: &item.id.name };
        let found = self.cluster.get(target).await?;
        let lookup = beside(item);
        let contents = Contents::of(&lookup, found.as_ref().unwrap_or(&Json::Null));
        self.context.lookups.learn(&self.set, &lookup, contents);
        Ok(found)
    }
}

fn note_seen(scene: Scene<'_>, item: &Item, live: &Json, walk: &mut Walk) -> Seen {
    let messages = scene.at_hand.policy.probes.as_ref().map(|probes| probes.judge(live)).unwrap_or_default();
    let uid = live.pointer("/metadata/uid").and_then(Json::as_str).unwrap_or_default().to_owned();
    let seen = Seen { uid, messages };
    let contents = Contents::Object(lookup::digest(live));
    walk.course.saw(&item.id, contents.digest(), seen.clone());
    seen
}

/// What is looked at of an object that is observed or patched.
pub(crate) fn beside(item: &Item) -> Lookup {
    Lookup::new(&item.gvk().api_version(), &item.id.kind, &item.id.namespace, &item.id.name)
}

/// What is looked at beside what templates look up, and beside what is ours.
pub(crate) fn all_beside<'a>(items: impl Iterator<Item = &'a Item>) -> BTreeSet<Lookup> {
    items.filter(|item| matches!(item.task, Task::Observe | Task::Patch(_))).map(beside).collect()
}

/// Objects that stand in the way of a plan.
pub(crate) fn collided(refused: &Refused, items: &[Item]) -> BTreeSet<Lookup> {
    let stands = |item: &&Item| refused.collisions.iter().any(|collision| collision.id == item.id);
    items.iter().filter(stands).map(beside).collect()
}

/// Whether a plan writes to, or there is, anything that has to be taken down one day.
pub(crate) fn owns(items: &[Item], plan: &Plan) -> bool {
    items.iter().any(|item| matches!(item.task, Task::Manage(_) | Task::Act(..))) || !plan.steps.is_empty()
}
