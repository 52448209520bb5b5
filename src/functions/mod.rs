//! The functions that templates call: Sprig 3.3.0 and Helm v4.3.1, one file per Sprig chapter.
//!
//! They are plain functions of converted arguments. Not here: `include`, `tpl`, `required`, `fail` and `lookup`, which
//! need the engine and the chart, and Go's own builtins. The module never reads a clock, chance, the environment or a
//! socket; what it must know of the world it asks [`World`].

mod world;

pub use world::{Host, World};

use crate::template::function::Functions;

/// All functions by name.
pub fn table() -> Functions {
    Functions::default()
}
