//! What functions may ask of the world: nothing but these questions.
//!
//! The module itself has no clock, no chance, no sockets and no cluster; a render is given them, so that it can be traced,
//! pinned and repeated.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::template::function::Engine;

/// The world outside a render.
pub trait World {
    /// The time, for `now`, `ago` and the validity of certificates.
    fn now(&self) -> jiff::Timestamp;

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
