//! What a render was made of beside chart and values, and whether it would be made of the same now.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::Error;
use crate::cluster::lookup::{Contents, Lookup};
use crate::cluster::world::{Denied, Looked};
use crate::metrics::DeniedLookup;
use crate::reconcile::context::{Context, Memo, WatchState};
use crate::reconcile::objects::SetId;
use crate::reconcile::observe::SYNC_DEADLINE;
use crate::reconcile::pass::{Pass, log};
use crate::release::{Digest, Gvk, ObjectId};
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
}

impl Stored {
    pub(crate) fn is_empty(&self) -> bool {
        self.has.is_empty() && self.api_versions.is_none() && self.kube_version.is_none() && self.lookups.is_empty()
    }
}

impl Trace {
    /// What templates asked of Helm's objects, and of the cluster.
    pub(crate) fn new(trace: render::Trace, looked: &Looked) -> Self {
        let mut asked = trace.asked;
        asked.has.extend(looked.served.clone());
        let lookups = looked.found.iter().map(|(lookup, contents)| (lookup.clone(), contents.digest())).collect();
        Self { asked, lookups, denied: looked.denied.clone(), due: trace.due }
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

    /// Whether `capabilities` give the same answers.
    pub(crate) fn holds(&self, capabilities: &render::Capabilities) -> bool {
        self.asked.holds(capabilities)
    }

    pub(crate) fn stored(&self) -> Stored {
        let lookup = |(lookup, digest): (&Lookup, &Digest)| {
            let Lookup { api_version, kind, namespace, name } = lookup.clone();
            (api_version, kind, namespace, name, digest.to_base64())
        };
        Stored {
            has: self.asked.has.clone(),
            api_versions: self.asked.api_versions.map(|digest| digest.to_base64()),
            kube_version: self.asked.kube_version.clone(),
            lookups: self.lookups.iter().map(lookup).collect(),
        }
    }
}

impl From<Stored> for Trace {
    /// What cannot be read is taken for changed.
    fn from(stored: Stored) -> Self {
        let digest = |text: &str| Digest::from_base64(text).unwrap_or(Digest([0; 16]));
        let lookups = stored.lookups.into_iter().map(|(api_version, kind, namespace, name, found)| {
            (Lookup { api_version, kind, namespace, name }, digest(&found))
        });
        let asked = Asked {
            has: stored.has,
            api_versions: stored.api_versions.as_deref().map(digest),
            kube_version: stored.kube_version,
        };
        Self { asked, lookups: lookups.collect(), denied: BTreeMap::new(), due: None }
    }
}

impl Pass<'_> {
    /// Whether everything that a render asked has the same answer now. A watch only tells where to look: what seems to
    /// have changed is read before it is believed.
    ///
    /// What somebody has changed of our own objects is put back and not rendered anew.
    pub(crate) async fn holds(&self, trace: &Trace, memo: &Memo) -> Result<bool, Error> {
        let blind = self.follow(trace, &memo.beside).await?;
        if !trace.holds(&self.context.capabilities.borrow()) {
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
    /// Starts and ends watches on these kinds, by API version and name, as look-ups need them.
    pub(crate) async fn look(&self, kinds: BTreeSet<(String, String)>) {
        for (api_version, kind) in kinds {
            let lookup = Lookup { api_version, kind, namespace: String::new(), name: String::new() };
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
            if ![Some(memo.trace.clone()), unrendered, failed].into_iter().flatten().all(|trace| trace.holds(now)) {
                controller.queue.add(key);
            }
        }
    }

    /// Asks for a pass of these sets, whose look-ups have changed, not more often than rendering them is cheap.
    pub fn wake_readers(&self, sets: impl IntoIterator<Item = SetId>) {
        for set in sets {
            let due = self.lookups.due(&set);
            if let Some((controller, key)) = self.owner(&set) {
                controller.queue.add_at(key, due);
            }
        }
    }
}

fn describe(lookup: &Lookup) -> String {
    let Lookup { api_version, kind, namespace, name } = lookup;
    format!("{api_version} {kind} {namespace}/{name}")
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
                let (api_version, kind) = ("v1".to_owned(), kind.to_owned());
                let lookup = Lookup { api_version, kind, namespace: "n".to_owned(), name: name.to_owned() };
                trace.set(&lookup, Digest::of(name));
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
