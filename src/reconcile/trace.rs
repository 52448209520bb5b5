//! What a render was made of beside chart and values, and whether it would be made of the same now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::cluster::Error;
use crate::cluster::lookup::{Contents, Filter, Lookup};
use crate::cluster::world::{Denied, Looked};
use crate::metrics::DeniedLookup;
use crate::reconcile::context::{Context, Controller, Memo, WatchState};
use crate::reconcile::objects::SetId;
use crate::reconcile::observe::SYNC_DEADLINE;
use crate::reconcile::pass::{Pass, log};
use crate::reconcile::resource::Resource;
use crate::reconcile::unstable::By;
use crate::release::action::Runs;
use crate::release::{Digest, Gvk, ObjectId, labels};
use crate::render::{self, Asked};

/// What a render has asked, with digests of the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// Of `.Capabilities`, and which kinds were looked up.
    asked: Asked,
    /// Of the cluster.
    lookups: BTreeMap<Lookup, Digest>,
    /// What was asked of the cluster in vain.
    denied: BTreeMap<Lookup, Denied>,
    /// Of what templates see of the resource, by its place in [`render::Context`].
    read: BTreeMap<String, Digest>,
    /// When something that was waited for comes to pass.
    due: Option<Timestamp>,
}

/// A [`Trace`] in the annotation of a record; digests are in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Stored {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    has: BTreeMap<String, bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_versions: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kube_version: Option<String>,
    /// API version, kind, namespace, name, and what was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lookups: Vec<(String, String, String, String, String)>,
    /// API version, kind, namespace, which objects and fields, and what was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    selected: Vec<(String, String, String, Filter, String)>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    read: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
}

impl Stored {
    pub(crate) fn is_empty(&self) -> bool {
        Trace::from(self.clone()).is_empty()
    }
}

impl Trace {
    /// What templates asked of Helm's objects, and of the cluster.
    pub(crate) fn new(trace: render::Trace, looked: &Looked) -> Self {
        let mut asked = trace.asked;
        asked.has.extend(looked.served.clone());
        let lookups = looked.found.iter().map(|(lookup, contents)| (lookup.clone(), contents.digest())).collect();
        Self { asked, lookups, denied: looked.denied.clone(), read: trace.read, due: trace.due }
    }

    /// What was looked up.
    pub(crate) fn lookups(&self) -> impl Iterator<Item = &Lookup> {
        self.lookups.keys()
    }

    /// What was asked in vain, for people.
    pub(crate) fn denied(&self) -> impl Iterator<Item = String> {
        self.denied.keys().map(describe)
    }

    /// What was found, by what was looked up.
    pub(crate) fn digests(&self) -> impl Iterator<Item = (&Lookup, Digest)> {
        self.lookups.iter().map(|(lookup, digest)| (lookup, *digest))
    }

    /// `lookup` finds this now.
    pub(crate) fn set(&mut self, lookup: &Lookup, found: Digest) {
        self.lookups.insert(lookup.clone(), found);
    }

    /// When it may come out different without anybody's doing.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// It is told by that `kind` is not served.
    pub(crate) fn lacks(&mut self, kind: &Gvk) {
        self.asked.has.insert(format!("{}/{}", kind.api_version(), kind.kind), false);
    }

    /// Without the look-ups that such objects are in.
    pub(crate) fn without(mut self, objects: &BTreeSet<ObjectId>) -> Self {
        let is_of = |lookup: &Lookup, object: &ObjectId| {
            (&object.group, &object.kind) == (&id(lookup).group, &lookup.kind)
                && lookup.covers(&object.namespace, &object.name)
        };
        self.lookups.retain(|lookup, _| !objects.iter().any(|object| is_of(lookup, object)));
        self
    }

    /// Whether it asked for something that may change.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether templates would read the same of `context`.
    pub(crate) fn sees_the_same(&self, context: impl FnOnce() -> render::Context) -> bool {
        self.read.is_empty() || context().holds(&self.read)
    }

    /// Whether what was waited for has come to pass.
    fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Whether `capabilities` give the same answers.
    pub(crate) fn holds(&self, capabilities: &render::Capabilities) -> bool {
        self.asked.holds(capabilities)
    }

    pub(crate) fn stored(&self) -> Stored {
        let (mut lookups, mut selected) = (Vec::new(), Vec::new());
        for (lookup, digest) in &self.lookups {
            let Lookup { api_version, kind, namespace, name, filter } = lookup.clone();
            if filter == Filter::default() {
                lookups.push((api_version, kind, namespace, name, digest.to_base64()));
            } else {
                selected.push((api_version, kind, namespace, filter, digest.to_base64()));
            }
        }
        Stored {
            has: self.asked.has.clone(),
            api_versions: self.asked.api_versions.map(|digest| digest.to_base64()),
            kube_version: self.asked.kube_version.clone(),
            lookups,
            selected,
            read: self.read.iter().map(|(place, digest)| (place.clone(), digest.to_base64())).collect(),
            due: self.due.map(|due| due.to_string()),
        }
    }
}

impl From<Stored> for Trace {
    /// What cannot be read is taken for changed.
    fn from(stored: Stored) -> Self {
        let digest = |text: &str| Digest::from_base64(text).unwrap_or(Digest([0; 16]));
        let lookups = stored.lookups.into_iter().map(|(api_version, kind, namespace, name, found)| {
            (Lookup::new(&api_version, &kind, &namespace, &name), digest(&found))
        });
        let selected = stored.selected.into_iter().map(|(api_version, kind, namespace, filter, found)| {
            (Lookup { filter, ..Lookup::new(&api_version, &kind, &namespace, "") }, digest(&found))
        });
        let asked = Asked {
            has: stored.has,
            api_versions: stored.api_versions.as_deref().map(digest),
            kube_version: stored.kube_version,
        };
        Self {
            asked,
            lookups: lookups.chain(selected).collect(),
            denied: BTreeMap::new(),
            read: stored.read.into_iter().map(|(place, found)| (place, digest(&found))).collect(),
            due: stored.due.map(|due| due.parse().unwrap_or(Timestamp::MIN)),
        }
    }
}

impl Pass<'_> {
    /// Whether everything that a render asked has the same answer now. A watch only tells where to look: what seems to
    /// have changed is read before it is believed.
    ///
    /// What somebody has changed of our own objects is put back and not rendered anew.
    pub(crate) async fn holds(&self, trace: &Trace, memo: &Memo) -> Result<bool, Error> {
        let blind = self.follow(trace, &memo.beside).await?;
        self.stands(trace, memo, &blind).await
    }

    /// The same of a trace that is followed already; `blind` is what no watch shows.
    pub(crate) async fn stands(&self, trace: &Trace, memo: &Memo, blind: &BTreeSet<Lookup>) -> Result<bool, Error> {
        let same =
            trace.holds(&self.context.capabilities.borrow()) && trace.sees_the_same(|| self.seen(&self.resource));
        if !same || trace.is_due(Timestamp::now()) {
            return Ok(false);
        }
        for (lookup, digest) in &trace.lookups {
            let drifted = |applied| !self.is_as_applied(&id(lookup), applied);
            if memo.applied.get(&id(lookup)).is_some_and(drifted) {
                continue;
            }
            let known = self.context.lookups.digest(lookup);
            if (blind.contains(lookup) || known != Some(*digest)) && self.read_again(lookup).await? != *digest {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What templates see of `resource`.
    pub(crate) fn seen(&self, resource: &Resource) -> render::Context {
        let memo = self.controller.memo(&self.key).filter(|memo| memo.uid == resource.uid());
        self.context.seen(resource, memo.as_deref())
    }

    /// Reads what a render has looked up.
    pub(crate) async fn read_again(&self, lookup: &Lookup) -> Result<Digest, Error> {
        let contents = match self.context.discovery.resolve(&lookup.gvk()).await {
            Ok(served) => match self.cluster.look_up(&served, lookup).await {
                Err(error) if error.is_forbidden() => Contents::of(lookup, &serde_json::Value::Null),
                found => Contents::of(lookup, &found?),
            },
            Err(Error::NotServed { .. }) => Contents::of(lookup, &serde_json::Value::Null),
            Err(error) => return Err(error),
        };
        let digest = contents.digest();
        self.context.lookups.learn(&self.set, lookup, contents);
        Ok(digest)
    }

    /// Sees to it that what was looked up is watched, and nothing else for this resource. Gives what cannot be.
    pub(crate) async fn follow(&self, trace: &Trace, beside: &BTreeSet<Lookup>) -> Result<BTreeSet<Lookup>, Error> {
        let all: BTreeSet<_> = trace.lookups().chain(beside).collect();
        // What is due already is no reason to come back: this pass renders.
        let left = trace.due.and_then(|due| Duration::try_from(due.duration_since(Timestamp::now())).ok());
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            self.controller.queue.add_at(self.key.clone(), tokio::time::Instant::now() + left);
        }
        let owned = |lookup: &Lookup| !lookup.name.is_empty() && self.context.objects.owner(&id(lookup)).is_some();
        let lookups = all.iter().map(|lookup| (*lookup, owned(lookup)));
        let changed = self.context.lookups.read_by(&self.set, lookups);
        self.context.look(changed).await;
        let mut blind = BTreeSet::new();
        let deadline = tokio::time::Instant::now() + SYNC_DEADLINE;
        for lookup in all {
            let mut states = self.states(lookup, owned(lookup)).await?;
            let synced = async {
                for state in &mut states {
                    // A watch that ends tells nothing.
                    let _known = state.wait_for(|state| *state != WatchState::Starting).await;
                }
            };
            let _in_time = tokio::time::timeout_at(deadline, synced).await;
            if states.is_empty() || states.iter().any(|state| *state.borrow() != WatchState::Synced) {
                blind.insert(lookup.clone());
            }
        }
        Ok(blind)
    }

    async fn states(
        &self,
        lookup: &Lookup,
        owned: bool,
    ) -> Result<Vec<tokio::sync::watch::Receiver<WatchState>>, Error> {
        if !owned {
            return Ok(self.context.watching.looking(lookup).into_iter().collect());
        }
        match self.context.discovery.resolve(&lookup.gvk()).await {
            Ok(served) => Ok(self.context.watching.ensure(&served)),
            Err(Error::NotServed { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Tells once what templates were not shown.
    pub(crate) fn tell_denied(&self, trace: &Trace, former: &Trace) {
        let news = trace.denied.iter().filter(|(lookup, why)| former.denied.get(lookup) != Some(why));
        for (lookup, why) in news {
            let what = describe(lookup);
            let (reason, hint) = match why {
                Denied::Rule => ("rule", "permit it by `lookup` in watches.yaml"),
                Denied::Tpl => ("tpl", "permit it by `lookup: {inTpl: true}` in watches.yaml"),
                Denied::Forbidden => ("forbidden", "grant the operator the right to read it"),
            };
            log!(warn, self, "Look-up answered as if there were nothing", lookup = what, reason = reason, hint = hint);
            let labels = DeniedLookup { controller: self.controller.name.clone(), reason };
            self.context.metrics.lookups_denied.get_or_create(&labels).inc();
        }
    }
}

impl Context {
    /// What templates see of `resource`.
    fn seen(&self, resource: &Resource, memo: Option<&Memo>) -> render::Context {
        let mut seen = render::Context::new(resource.json(), &self.namespace).of_version(self.version.as_deref());
        if let Some(previous) = memo.and_then(|memo| memo.previous.as_ref()) {
            seen.previous = Json::clone(&previous.values);
        }
        seen.results = Runs::read(resource.annotation(labels::ACTIONS)).results();
        seen
    }

    /// Whether a chart rendered something else if it were rendered for `resource` as it is now, not as it was then.
    pub fn is_read_anew(&self, controller: &Controller, resource: &Resource) -> bool {
        let Some(memo) = controller.memo(&resource.key()) else { return false };
        let failed = memo.unrendered.as_ref().map(|unrendered| &unrendered.trace);
        let kept = memo.kept.as_ref().map(|kept| &kept.attempt.trace);
        let at_hand = memo.at_hand.as_ref().map(|at_hand| &at_hand.desired.trace);
        let last = failed.or(at_hand).or(kept).unwrap_or(&memo.trace);
        ![last, &memo.told_by].into_iter().all(|trace| trace.sees_the_same(|| self.seen(resource, Some(&memo))))
    }

    /// Starts and ends watches on these kinds, by API version and name, as look-ups need them.
    pub(crate) async fn look(&self, kinds: BTreeSet<(String, String)>) {
        for (api_version, kind) in kinds {
            let lookup = Lookup::new(&api_version, &kind, "", "");
            // What cannot be resolved is not watched, and read again in each pass.
            if let Ok(served) = self.discovery.resolve(&lookup.gvk()).await {
                self.watching.look(&served);
            }
        }
    }

    /// Asks for a pass of the resources whose charts have asked the capabilities something that `now` answers otherwise.
    pub fn wake_askers(&self, now: &render::Capabilities) {
        for (controller, key) in self.owners() {
            let Some(memo) = controller.memo(&key) else { continue };
            let unrendered = memo.unrendered.as_ref().map(|unrendered| unrendered.trace.clone());
            let failed = memo.failed.as_ref().map(|failed| Trace::from(failed.trace.clone()));
            let at_hand = memo.at_hand.as_ref().map(|at_hand| at_hand.desired.trace.clone());
            if ![Some(memo.trace.clone()), unrendered, failed, at_hand]
                .into_iter()
                .flatten()
                .all(|trace| trace.holds(now))
            {
                controller.queue.add(key);
            }
        }
    }

    /// Asks for a pass of these sets, whose look-ups have changed, not more often than rendering them is cheap.
    pub fn wake_readers(&self, sets: impl IntoIterator<Item = SetId>, by: By) {
        for set in sets {
            let due = self.lookups.due(&set);
            if let Some((controller, key)) = self.owner(&set) {
                controller.caused(&key, by);
                controller.queue.add_at(key, due);
            }
        }
    }
}

fn describe(lookup: &Lookup) -> String {
    let Lookup { api_version, kind, namespace, name, filter } = lookup;
    let selector = if filter.selector.is_empty() { String::new() } else { format!(" with {}", filter.selector) };
    format!("{api_version} {kind} {namespace}/{name}{selector}")
}

/// The object that is looked up.
pub(crate) fn id(lookup: &Lookup) -> ObjectId {
    let group = lookup.gvk().group;
    ObjectId { group, kind: lookup.kind.clone(), namespace: lookup.namespace.clone(), name: lookup.name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_ups_that_own_objects_are_in_are_left_out() {
        let trace = || {
            let mut trace = Trace::default();
            for (kind, name) in [("Secret", "own"), ("Secret", "other"), ("Secret", ""), ("Service", "own")] {
                trace.set(&Lookup::new("v1", kind, "n", name), Digest::of(name));
            }
            trace
        };
        for (own, left) in [
            ("Secret n/own", "v1 Secret n/other, v1 Service n/own"),
            ("Secret m/own", "v1 Secret n/, v1 Secret n/other, v1 Secret n/own, v1 Service n/own"),
            ("x/Secret n/own", "v1 Secret n/, v1 Secret n/other, v1 Secret n/own, v1 Service n/own"),
        ] {
            let found = trace().without(&[own.parse().unwrap()].into());
            assert_eq!(found.lookups().map(describe).collect::<Vec<_>>().join(", "), left, "{own}");
            assert_eq!(Trace::from(found.stored()), found);
        }
    }
}
