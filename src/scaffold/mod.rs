//! Files of projects: those of a new one, and what a kind adds to one that is there.
//!
//! The tree is that of operator-sdk v1.42's helm plugin, so that either program can go on with the other's projects; what is
//! in the files is ours. A user's edits are kept: texts are added to and never written anew. Nothing here reads or writes a
//! disk: a [`Tree`] says what is to be written.

mod api;
mod bundle;
mod comments;
mod convert;
mod definition;
mod edit;
mod infer;
mod names;
mod project;
mod sample;
mod tree;

#[cfg(test)]
mod tests;

pub use api::{Api, EDITED, Schema, api, chart_of_kind};
pub use bundle::{Bundle, bundle};
pub use names::{Kind, kind_of_chart};
pub use project::{Project, init, read};
pub use tree::Tree;

use crate::{chart, yaml};

/// Why nothing is scaffolded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that Kubernetes would not take.
    #[error("`{found}` is no {what}: expected {expected}")]
    Name {
        /// What it was to be.
        what: &'static str,
        /// What was given.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A file that a project has is not there.
    #[error("`{0}` is not there")]
    Missing(&'static str),
    /// A file that a project has cannot be read.
    #[error("cannot read `{file}`")]
    Yaml {
        /// Its path.
        file: &'static str,
        /// Why.
        #[source]
        source: yaml::Error,
    },
    /// A file that a project has says something else than it should.
    #[error("`{file}` is not what was expected: {found}")]
    Unexpected {
        /// Its path.
        file: &'static str,
        /// What is odd.
        found: String,
    },
    /// The chart made for a kind is none.
    #[error(transparent)]
    Chart(chart::Error),
    /// The kind is served already.
    #[error("`{kind}` of `{group}` is there already, in version `{version}`")]
    Taken {
        /// The kind.
        kind: String,
        /// Its group.
        group: String,
        /// The version it is there in.
        version: String,
    },
    /// A text of the user's has no place where something could be added.
    #[error("cannot add to `{file}`: write there\n{wanted}")]
    NoPlace {
        /// The file.
        file: &'static str,
        /// What should be added.
        wanted: String,
    },
    /// What was to be written is no YAML.
    #[error("cannot write")]
    Write(#[source] yaml::Error),
}
