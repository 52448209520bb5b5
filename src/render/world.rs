//! The world as one render sees it, and what it asked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value as Json;

use crate::functions::World;

/// What a template looked up: an object, or with an empty name a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lookup {
    /// For instance `apps/v1`.
    pub api_version: String,
    /// For instance `Deployment`.
    pub kind: String,
    /// Empty for a cluster-scoped kind, and for a list over all namespaces.
    pub namespace: String,
    /// Empty for a list.
    pub name: String,
}

/// Writes down what is asked of the world within.
pub(crate) struct Witness {
    world: Rc<dyn World>,
    chance_or_clock: Cell<bool>,
    lookups: RefCell<BTreeSet<Lookup>>,
}

impl Witness {
    pub(crate) fn new(world: Rc<dyn World>) -> Self {
        Self { world, chance_or_clock: Cell::new(false), lookups: RefCell::default() }
    }

    /// Whether the time, randomness or a name server was asked.
    pub(crate) fn used_chance_or_clock(&self) -> bool {
        self.chance_or_clock.get()
    }

    /// What was looked up until now.
    pub(crate) fn take_lookups(&self) -> BTreeSet<Lookup> {
        self.lookups.take()
    }
}

impl World for Witness {
    fn now(&self) -> jiff::Timestamp {
        self.chance_or_clock.set(true);
        self.world.now()
    }

    fn elapsed(&self) -> Option<Duration> {
        self.world.elapsed()
    }

    fn random(&self, buffer: &mut [u8]) {
        self.chance_or_clock.set(true);
        self.world.random(buffer);
    }

    fn resolve_host(&self, name: &str) -> Option<String> {
        let address = self.world.resolve_host(name);
        if address.is_some() {
            self.chance_or_clock.set(true);
        }
        address
    }

    fn lookup(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Json, String> {
        self.lookups.borrow_mut().insert(Lookup {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        });
        self.world.lookup(api_version, kind, namespace, name)
    }
}
