//! Executing templates with the functions of Helm, in a world that never changes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use chart_operator::functions::{Host, World, table};
use chart_operator::template::function::{Function, FunctionError, Functions};
use chart_operator::template::{Limits, Run, Set};
use chart_operator::value::{Map, MapType, Str, Value};

/// No cluster, no names, a clock that stands still and bytes that count up.
pub(crate) struct Nowhere;

impl World for Nowhere {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn random(&self, buffer: &mut [u8]) {
        for (byte, next) in buffer.iter_mut().zip((0..=250).cycle()) {
            *byte = next;
        }
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }

    fn lookup(&self, _: &str, _: &str, _: &str, _: &str) -> Result<serde_json::Value, String> {
        Ok(serde_json::json!({}))
    }
}

/// Functions whose arithmetic takes as long as it is meant to.
const SLOW: [&str; 11] = [
    "bcrypt",
    "buildCustomCert",
    "derivePassword",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htpasswd",
];

static FUNCTIONS: LazyLock<Arc<Functions>> = LazyLock::new(|| {
    let mut functions = table();
    functions.extend(SLOW.map(|name| Function::new(name, || Err::<Value, FunctionError>("left out".into()))));
    Arc::new(functions)
});

/// Few steps, and no deeper than a thread's usual stack allows.
pub(crate) fn limits() -> Limits {
    Limits { steps: 3_000, depth: 100, ..Limits::default() }
}

/// An empty set with all functions but the slow ones.
pub(crate) fn set() -> Set {
    Set::new(Arc::clone(&FUNCTIONS))
}

/// What the template `name` writes, and its error.
pub(crate) fn execute(set: &Set, name: &str, dot: Value) -> (Vec<u8>, Option<chart_operator::template::Error>) {
    let host = Host { world: Rc::new(Nowhere) };
    let mut out = Vec::new();
    let error = set.execute(name, dot, Run { host: &host, limits: limits() }, &mut out).err();
    (out, error)
}

/// What `text` writes about texts with names.
///
/// # Errors
/// The message of the error.
pub(crate) fn evaluate<const N: usize>(text: &str, texts: [(&str, &[u8]); N]) -> Result<String, String> {
    let mut set = set();
    set.parse("t", text).unwrap();
    let entries: BTreeMap<Str, Value> = texts.map(|(name, text)| (name.into(), Value::string(text))).into();
    let (out, error) = execute(&set, "t", Value::Map(Map::from_entries(MapType::Any, entries)));
    match error {
        None => Ok(String::from_utf8_lossy(&out).into_owned()),
        Some(error) => Err(error.message()),
    }
}
