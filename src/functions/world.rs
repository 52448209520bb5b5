//! What functions may ask of the world: nothing but these questions.
//!
//! The module itself has no clock, no chance, no sockets and no cluster; a render is given them, so that it can be traced,
//! pinned and repeated.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::template::function::Engine;

/// Objects of a kind that a template wants to see, chosen by their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// For instance `apps/v1`.
    pub api_version: String,
    /// For instance `Deployment`.
    pub kind: String,
    /// Empty for all of them.
    pub namespace: String,
    /// A label selector as the API server reads it; empty for everything.
    pub selector: String,
    /// Dotted paths, where `[]` steps into a list: only these are wanted, beside name, namespace, uid and labels. Empty for
    /// whole objects.
    pub fields: Vec<String>,
}

/// The world outside a render.
pub trait World {
    /// The time, for `now`, `ago` and the validity of certificates.
    fn now(&self) -> jiff::Timestamp;

    /// Whether it is `instant`, or later. Who is told no may want to know when to ask again.
    fn has_come(&self, instant: jiff::Timestamp) -> bool {
        self.now() >= instant
    }

    /// How long the render has been at work, waiting for answers of the world left out: for [`crate::template::Limits::time`].
    /// `None`, unless implemented: nobody measures it, and it may take as long as it takes.
    fn elapsed(&self) -> Option<Duration> {
        None
    }

    /// The template file `path` is about to be rendered.
    fn begin(&self, _path: &str) {}

    /// Fills `buffer` with random bytes. Everything random in a render comes from here.
    fn random(&self, buffer: &mut [u8]);

    /// An address of the host `name`; `None` where names are not resolved (Helm's default).
    fn resolve_host(&self, name: &str) -> Option<String>;

    /// The object `name`, or with an empty name the list of objects, as the cluster has it now; an empty object where
    /// there is none.
    ///
    /// # Errors
    /// The text of the error that the template shows.
    fn lookup(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<serde_json::Value, String>;

    /// As [`World::lookup`], asked for by a text that `tpl` renders, or by what that text includes. Such a text may be a
    /// value that a user wrote.
    ///
    /// # Errors
    /// As [`World::lookup`].
    fn lookup_in_tpl(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<serde_json::Value, String> {
        self.lookup(api_version, kind, namespace, name)
    }

    /// The objects that the cluster has now, in any order. None, unless implemented: there is no cluster.
    ///
    /// # Errors
    /// As [`World::lookup`].
    fn select(&self, _wanted: &Selection) -> Result<Vec<serde_json::Value>, String> {
        Ok(Vec::new())
    }

    /// As [`World::select`], asked for as in [`World::lookup_in_tpl`].
    ///
    /// # Errors
    /// As [`World::lookup`].
    fn select_in_tpl(&self, wanted: &Selection) -> Result<Vec<serde_json::Value>, String> {
        self.select(wanted)
    }
}

/// What [`Engine::host`] must be for the functions of this module.
#[derive(Clone)]
pub struct Host {
    /// The world as this render sees it.
    pub world: Rc<dyn World>,
}

impl Host {
    /// The host of a running template.
    ///
    /// # Errors
    /// If the engine was given another host: a fault of the caller, not of the template.
    pub fn of(engine: &dyn Engine) -> Result<&Self, String> {
        engine.host().downcast_ref().ok_or_else(|| "the engine was not given a world".to_owned())
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}
