//! What a render has asked of the world beside its values: with the answers, that is what its result depends on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::functions::{Selection, World};
use crate::release::Digest;
use crate::render::{Capabilities, Context, KubeVersion};
use crate::value::Str;
use crate::value::reads::Reads;

/// What a render asked, whether it succeeded or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// What it asked of `.Capabilities`.
    pub asked: Asked,
    /// Whether it asked the time, randomness or a name server: it would then come out different the next time.
    pub chance_or_clock: bool,
    /// What it read of the [`crate::render::Context`], but for `.Deleting`, by its place.
    pub read: BTreeMap<String, Digest>,
    /// When something that it waited for comes to pass, by `elapsed`: the earliest.
    pub due: Option<Timestamp>,
}

impl Trace {
    /// Adds what was asked later; of the same question this answer counts.
    pub fn add(&mut self, later: Self) {
        self.asked.has.extend(later.asked.has);
        self.asked.api_versions = later.asked.api_versions.or(self.asked.api_versions);
        self.asked.kube_version = later.asked.kube_version.or_else(|| self.asked.kube_version.take());
        self.chance_or_clock |= later.chance_or_clock;
        self.read.extend(later.read);
        self.due = self.due.into_iter().chain(later.due).min();
    }
}

/// Questions to `.Capabilities`, with the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `.Capabilities.APIVersions.Has`, by its argument.
    pub has: BTreeMap<String, bool>,
    /// Digest of all API versions, where the whole list was read.
    pub api_versions: Option<Digest>,
    /// `.Capabilities.KubeVersion`, where it was read: the version as the cluster says it.
    pub kube_version: Option<String>,
}

impl Asked {
    /// Whether `capabilities` give the same answers.
    pub fn holds(&self, capabilities: &Capabilities) -> bool {
        let versions = capabilities.api_versions();
        let is_served = |name: &String| versions.iter().any(|version| **version == *name.as_bytes());
        self.has.iter().all(|(name, answer)| is_served(name) == *answer)
            && self.api_versions.is_none_or(|digest| digest == list(versions))
            && self.kube_version.as_ref().is_none_or(|version| *version == capabilities.kube_version().version)
    }
}

fn list(versions: &[Str]) -> Digest {
    let mut text = Vec::new();
    for version in versions {
        text.extend_from_slice(version);
        text.push(b'\n');
    }
    Digest::of(text)
}

/// Where questions are written down while templates run.
#[derive(Debug, Default)]
pub(crate) struct Witnessed {
    asked: RefCell<Asked>,
    chance_or_clock: Cell<bool>,
    due: Cell<Option<Timestamp>>,
    pub(crate) reads: Rc<Reads>,
}

impl Witnessed {
    /// Whether `wanted` is among `versions`.
    pub(crate) fn has(&self, versions: &[Str], wanted: &Str) -> bool {
        let answer = versions.contains(wanted);
        self.asked.borrow_mut().has.insert(wanted.to_text().into_owned(), answer);
        answer
    }

    pub(crate) fn read_api_versions(&self, versions: &[Str]) {
        self.asked.borrow_mut().api_versions.get_or_insert_with(|| list(versions));
    }

    pub(crate) fn read_kube_version(&self, version: &KubeVersion) {
        self.asked.borrow_mut().kube_version.get_or_insert_with(|| version.version.clone());
    }

    /// What has been asked until now, of `context` too.
    pub(crate) fn trace(&self, context: Option<&Context>) -> Trace {
        Trace {
            asked: self.asked.borrow().clone(),
            chance_or_clock: self.chance_or_clock.get(),
            read: context.map(|context| context.digests(&self.reads.all())).unwrap_or_default(),
            due: self.due.get(),
        }
    }
}

/// The world as one render sees it: whether it asks for what is different each time is written down.
pub(crate) struct Witness {
    pub(crate) world: Rc<dyn World>,
    pub(crate) witnessed: Rc<Witnessed>,
}

impl World for Witness {
    fn now(&self) -> Timestamp {
        self.witnessed.chance_or_clock.set(true);
        self.world.now()
    }

    fn has_come(&self, instant: Timestamp) -> bool {
        let has_come = self.world.has_come(instant);
        if !has_come {
            let due = self.witnessed.due.get();
            self.witnessed.due.set(Some(due.map_or(instant, |due| due.min(instant))));
        }
        has_come
    }

    fn elapsed(&self) -> Option<Duration> {
        self.world.elapsed()
    }

    fn begin(&self, file: &str) {
        self.world.begin(file);
    }

    fn random(&self, buffer: &mut [u8]) {
        self.witnessed.chance_or_clock.set(true);
        self.world.random(buffer);
    }

    fn resolve_host(&self, name: &str) -> Option<String> {
        let address = self.world.resolve_host(name);
        if address.is_some() {
            self.witnessed.chance_or_clock.set(true);
        }
        address
    }

    fn lookup(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Json, String> {
        self.world.lookup(api_version, kind, namespace, name)
    }

    fn lookup_in_tpl(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Json, String> {
        self.world.lookup_in_tpl(api_version, kind, namespace, name)
    }

    fn select(&self, wanted: &Selection) -> Result<Vec<Json>, String> {
        self.world.select(wanted)
    }

    fn select_in_tpl(&self, wanted: &Selection) -> Result<Vec<Json>, String> {
        self.world.select_in_tpl(wanted)
    }
}
