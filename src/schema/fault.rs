//! Why a text is no schema.

use std::fmt;

use crate::schema::location::scheme;
use crate::schema::violation::{Shown, Violation};
use crate::value::quote;

/// Why a text is no schema that can be used. Displayed in the words of Helm's validator.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is not JSON; Go's text, and that of our own reader, which has the place.
    Json {
        /// Go's.
        go: String,
        /// Ours.
        text: String,
    },
    /// `$schema` names a dialect that lies elsewhere.
    Dialect {
        /// The name.
        url: String,
    },
    /// A reference to what lies elsewhere.
    Elsewhere {
        /// The address.
        url: String,
    },
    /// `$schema` of a document names this document.
    UnsupportedDraft(String),
    /// Metaschemas that name each other.
    MetaschemaCycle(String),
    /// `$vocabulary` asks for what is not known.
    Vocabulary {
        /// The vocabulary.
        name: String,
        /// The metaschema.
        url: String,
    },
    /// An address that is none.
    Url {
        /// The address.
        url: String,
        /// Go's text.
        why: String,
    },
    /// An identifier that is no address.
    Id(String),
    /// An anchor that is none.
    ParseAnchor(String),
    /// Two schemas have the same identifier.
    DuplicateId {
        /// The identifier.
        id: String,
        /// The document.
        url: String,
        /// Where the schemas are.
        pointers: [String; 2],
    },
    /// Two schemas have the same anchor.
    DuplicateAnchor {
        /// The anchor.
        anchor: String,
        /// The document.
        url: String,
        /// Where the schemas are.
        pointers: [String; 2],
    },
    /// A reference to an anchor that is nowhere.
    AnchorNotFound {
        /// The reference.
        reference: String,
        /// The document.
        url: String,
    },
    /// A reference with a malformed JSON pointer.
    InvalidPointer(String),
    /// A reference to what is not there.
    PointerNotFound(String),
    /// A regular expression that is none.
    Regex {
        /// Where it is.
        url: String,
        /// The expression.
        regex: String,
        /// Go's text.
        why: String,
    },
    /// It does not meet the schema of schemas.
    Metaschema {
        /// The document.
        url: String,
        /// In what way.
        violation: Box<Violation>,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |text: &str| quote(text.as_bytes());
        match self {
            Self::Json { go, .. } => f.write_str(go),
            Self::Dialect { url } | Self::Elsewhere { url } => {
                write!(f, "failing loading {}: {}", quote(url), refusal(url))
            }
            Self::UnsupportedDraft(url) => write!(f, "draft {} is not supported", quote(url)),
            Self::MetaschemaCycle(url) => write!(f, "cycle in resolving $schema in {}", quote(url)),
            Self::Vocabulary { name, url } => write!(f, "unsupported vocabulary {} in {}", quote(name), quote(url)),
            Self::Url { url, why } => write!(f, "error in parsing {}: {why}", quote(url)),
            Self::Id(url) => write!(f, "error in parsing id at {}", quote(url)),
            Self::ParseAnchor(url) => write!(f, "error in parsing anchor at {}", quote(url)),
            Self::DuplicateId { id, url, pointers: [one, other] } => {
                write!(f, "duplicate id {} in {} at {} and {}", quote(id), quote(url), quote(one), quote(other))
            }
            Self::DuplicateAnchor { anchor, url, pointers: [one, other] } => {
                write!(f, "duplicate anchor {} in {} at {} and {}", quote(anchor), quote(url), quote(one), quote(other))
            }
            Self::AnchorNotFound { reference, url } => {
                write!(f, "anchor in {} not found in schema {}", quote(reference), quote(url))
            }
            Self::InvalidPointer(url) => write!(f, "invalid json-pointer {}", quote(url)),
            Self::PointerNotFound(url) => write!(f, "json-pointer in {} not found", quote(url)),
            Self::Regex { url, regex, why } => write!(f, "invalid regex {} at {}: {why}", quote(regex), quote(url)),
            Self::Metaschema { url, violation } => {
                write!(f, "{} is not valid against metaschema: {}", quote(url), violation.to_text(Shown::Everything))
            }
        }
    }
}

/// Why that address is not loaded. No chart may have a file of this machine read, so none is there.
fn refusal(url: &str) -> String {
    match scheme(url) {
        Some("file") => {
            let path = url.strip_prefix("file://").unwrap_or(url);
            format!("open {path}: no such file or directory")
        }
        Some("http" | "https") => format!("`{url}` is not loaded: put what it holds under `$defs` of the schema"),
        _ => format!("no URLLoader registered for {}", quote(url.as_bytes())),
    }
}
