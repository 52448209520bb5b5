//! What is wrong with a release.

use crate::release::ObjectId;
use crate::release::mode;

/// A fault of a release's name, of what a chart rendered, or of a stored record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A release without a name; in Helm's words.
    #[error("no name provided")]
    NoReleaseName,
    /// A name that Helm refuses; in Helm's words.
    #[error(
        "invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the \
         length must not be longer than 53"
    )]
    ReleaseName,
    /// A text that is no [`ObjectId`].
    #[error("expected an object like `apps/Deployment namespace/name`, found `{text}`")]
    ObjectId {
        /// What was found.
        text: String,
    },
    /// A rendered file that is no YAML, or no manifest; in Helm's words, cause included.
    #[error("YAML parse error on {path}: {message}")]
    Yaml {
        /// The template, for instance `demo/templates/x.yaml`.
        path: String,
        /// What Helm says of it.
        message: String,
    },
    /// A rendered document that is no object.
    #[error("{path}: expected an object, found {found}")]
    NoObject {
        /// The template.
        path: String,
        /// What the document is: `a list`, `a string`, …
        found: &'static str,
    },
    /// A rendered object without one of the fields that every object has.
    #[error("{path}: expected `{field}` to be a non-empty string in {what}")]
    MissingField {
        /// The template.
        path: String,
        /// `apiVersion`, `kind` or `metadata.name`.
        field: &'static str,
        /// As much of the object's name as is known.
        what: String,
    },
    /// A field that must be a map and is none.
    #[error("{path}: expected `{field}` of {id} to be a map of {of}, found {found}")]
    WrongType {
        /// The template.
        path: String,
        /// The object.
        id: Box<ObjectId>,
        /// The field.
        field: &'static str,
        /// What it should hold: `strings`, …
        of: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// One object rendered twice.
    #[error("{id} is rendered twice, by {first} and by {second}")]
    RenderedTwice {
        /// The object.
        id: Box<ObjectId>,
        /// The template that comes first in install order.
        first: String,
        /// The other one.
        second: String,
    },
    /// Two actions of one name.
    #[error("action `{name}` is rendered twice, by {first} and by {second}")]
    ActionTwice {
        /// Its name.
        name: String,
        /// The template that comes first in install order.
        first: String,
        /// The other one.
        second: String,
    },
    /// An annotation of a rendered object that says what there is not.
    #[error("{path}: {what}: {fault}")]
    Placement {
        /// The template.
        path: String,
        /// The object: kind and name.
        what: String,
        /// What is wrong.
        fault: Box<mode::Fault>,
    },
    /// A Secret that holds no record of a release.
    #[error("Secret `{secret}` holds no record of a release: {found}")]
    NoRecord {
        /// Name of the Secret.
        secret: String,
        /// What is wrong with it.
        found: &'static str,
    },
    /// A record's data that is not base64.
    #[error("the record in Secret `{secret}` is not base64")]
    RecordBase64 {
        /// Name of the Secret.
        secret: String,
        /// Where it fails.
        #[source]
        source: base64::DecodeError,
    },
    /// A record that cannot be decompressed, or is larger than a record may be.
    #[error("the record in Secret `{secret}` cannot be decompressed")]
    RecordGzip {
        /// Name of the Secret.
        secret: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A record that is not Helm's JSON.
    #[error("the record in Secret `{secret}` is not a release of Helm")]
    RecordJson {
        /// Name of the Secret.
        secret: String,
        /// Where it fails.
        #[source]
        source: serde_json::Error,
    },
    /// A record that cannot be written.
    #[error("cannot encode the record of release `{release}`, revision {revision}")]
    Encode {
        /// Name of the release.
        release: String,
        /// Its revision.
        revision: u32,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A record that does not fit into a Secret.
    #[error("the record of release `{release}`, revision {revision}, has {size} bytes; a Secret holds at most {limit}")]
    RecordSize {
        /// Name of the release.
        release: String,
        /// Its revision.
        revision: u32,
        /// Bytes of the encoded record.
        size: usize,
        /// How many a Secret holds.
        limit: usize,
    },
}
