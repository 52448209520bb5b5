//! The world that templates see when they are rendered for a resource.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;

use crate::cluster::discovery::{Discovery, Served};
use crate::cluster::lookup::{Contents, Lookup};
use crate::cluster::{Cluster, Error, fields};
use crate::functions::{Selection, World};

/// Whether objects of a kind in a namespace, empty for all of them, may be looked up.
pub type Permits = dyn Fn(&Served, &str) -> bool + Send;

/// What of the cluster templates may see.
pub struct Sight {
    /// Which objects may be looked up.
    pub permits: Box<Permits>,
    /// Whether by a text that `tpl` renders too.
    pub in_tpl: bool,
}

/// Clock and chance of a render. Two renders with the same see the same, file by file.
#[derive(Clone, Debug)]
pub struct Chance {
    now: Timestamp,
    seed: [u8; 32],
}

impl Chance {
    /// This time, and randomness that nobody has seen.
    pub fn draw() -> Self {
        Self { now: Timestamp::now(), seed: rand::rng().random() }
    }

    /// What a file draws does not depend on what other files drew.
    fn of_file(&self, path: &str) -> StdRng {
        StdRng::from_seed(Sha256::new().chain_update(self.seed).chain_update(path).finalize().into())
    }
}

/// Why a look-up was answered as if there were nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// The watch's `lookup` does not permit it.
    Rule,
    /// It was asked for by a text that `tpl` renders.
    Tpl,
    /// The API server does not permit it.
    Forbidden,
}

/// What templates looked up.
#[derive(Debug, Default)]
pub struct Looked {
    /// What was read, by what was asked for.
    pub found: BTreeMap<Lookup, Contents>,
    /// Whether the kinds that were asked for are served: `apps/v1/Deployment`.
    pub served: BTreeMap<String, bool>,
    /// Look-ups that were answered with nothing because they are not permitted.
    pub denied: BTreeMap<Lookup, Denied>,
    /// The call that a look-up failed with.
    pub failed: Option<Error>,
}

/// The cluster, the clock and chance. Its look-ups block the thread: renders have threads of their own.
pub struct ClusterWorld {
    cluster: Cluster,
    discovery: Discovery,
    runtime: Handle,
    sight: Sight,
    chance: Chance,
    random: RefCell<StdRng>,
    /// When the render began: what `chance` holds may be kept from an earlier one.
    began: Timestamp,
    start: Instant,
    /// How long calls took.
    waited: Cell<Duration>,
    looked: RefCell<Looked>,
    /// Answers given: a render sees one state of an object.
    answers: RefCell<BTreeMap<Lookup, Json>>,
}

impl ClusterWorld {
    /// The world within `sight`; calls run on `runtime`.
    pub fn new(cluster: Cluster, discovery: Discovery, runtime: Handle, sight: Sight, chance: Chance) -> Self {
        Self {
            cluster,
            discovery,
            runtime,
            sight,
            random: RefCell::new(chance.of_file("")),
            chance,
            began: Timestamp::now(),
            start: Instant::now(),
            waited: Cell::default(),
            looked: RefCell::default(),
            answers: RefCell::default(),
        }
    }

    /// What has been looked up until now.
    pub fn take_looked(&self) -> Looked {
        self.looked.take()
    }

    async fn find(&self, mut lookup: Lookup) -> Result<Json, Error> {
        let kind = format!("{}/{}", lookup.api_version, lookup.kind);
        let served = match self.discovery.resolve(&lookup.gvk()).await {
            Ok(served) => served,
            // As in Helm, what is not served is not there.
            Err(Error::NotServed { .. }) => {
                self.looked.borrow_mut().served.insert(kind, false);
                return Ok(json!({}));
            }
            Err(error) => return Err(error),
        };
        self.looked.borrow_mut().served.insert(kind, true);
        if !served.namespaced {
            lookup.namespace.clear();
        }
        if !(self.sight.permits)(&served, &lookup.namespace) {
            return Ok(self.deny(lookup, Denied::Rule));
        }
        if let Some(answer) = self.answers.borrow().get(&lookup) {
            return Ok(answer.clone());
        }
        let found = match self.cluster.look_up(&served, &lookup).await {
            Err(error) if error.is_forbidden() => self.deny(lookup.clone(), Denied::Forbidden),
            found => found?,
        };
        self.looked.borrow_mut().found.insert(lookup.clone(), Contents::of(&lookup, &found));
        self.answers.borrow_mut().insert(lookup, found.clone());
        Ok(found)
    }

    /// As [`ClusterWorld::find`], waited for.
    fn find_now(&self, lookup: Lookup) -> Result<Json, String> {
        let start = Instant::now();
        let found = self.runtime.block_on(self.find(lookup));
        self.waited.set(self.waited.get() + start.elapsed());
        found.map_err(|error| {
            let message = error.message();
            self.looked.borrow_mut().failed = Some(error);
            message
        })
    }

    fn deny(&self, lookup: Lookup, why: Denied) -> Json {
        self.looked.borrow_mut().denied.insert(lookup, why);
        json!({})
    }
}

impl World for ClusterWorld {
    fn now(&self) -> Timestamp {
        self.chance.now
    }

    fn has_come(&self, instant: Timestamp) -> bool {
        self.began >= instant
    }

    fn elapsed(&self) -> Option<Duration> {
        Some(self.start.elapsed().saturating_sub(self.waited.get()))
    }

    fn begin(&self, path: &str) {
        self.random.replace(self.chance.of_file(path));
    }

    fn random(&self, buffer: &mut [u8]) {
        self.random.borrow_mut().fill_bytes(buffer);
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        // As in Helm without --enable-dns.
        None
    }

    fn lookup(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Json, String> {
        self.find_now(Lookup::new(api_version, kind, namespace, name))
    }

    fn lookup_in_tpl(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Json, String> {
        if self.sight.in_tpl {
            return self.lookup(api_version, kind, namespace, name);
        }
        Ok(self.deny(Lookup::new(api_version, kind, namespace, name), Denied::Tpl))
    }

    fn select(&self, wanted: &Selection) -> Result<Vec<Json>, String> {
        let mut found = self.find_now(Lookup::selected(wanted))?;
        let items = found.get_mut("items").and_then(Json::as_array_mut).map(std::mem::take).unwrap_or_default();
        Ok(items.iter().map(|item| fields::only(item, &wanted.fields).into_owned()).collect())
    }

    fn select_in_tpl(&self, wanted: &Selection) -> Result<Vec<Json>, String> {
        if self.sight.in_tpl {
            return self.select(wanted);
        }
        self.deny(Lookup::selected(wanted), Denied::Tpl);
        Ok(Vec::new())
    }
}
