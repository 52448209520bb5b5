//! The functions that need the running engine or the cluster: `include`, `tpl`, `required`, `fail` and `lookup`.
//!
//! Mirrors Helm v4.3.1, `pkg/engine/engine.go` and `lookup_func.go`.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use memchr::memmem;

use crate::functions::{self, Host};
use crate::render::operator;
use crate::template::function::{Engine, Function, FunctionError, Functions};
use crate::template::quote;
use crate::value::{MapType, Str, Value};

/// How often a template may include itself.
const MAX_NESTED: usize = 1_000;

/// What `{{ .missing }}` prints, which Helm removes from everything rendered.
const NO_VALUE: &[u8] = b"<no value>";

/// Finds it; made once, because that takes longer than most searches.
static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(NO_VALUE));

/// The name Helm gives its set of templates, and with it the text that `tpl` executes.
pub(crate) const SET_NAME: &str = "gotpl";

/// Every function of Helm's templates, and ours.
pub(crate) static FUNCTIONS: LazyLock<Arc<Functions>> = LazyLock::new(|| {
    let mut table = functions::table();
    table.extend([
        Function::new("include", include),
        Function::new("tpl", tpl),
        Function::new("required", required),
        Function::new("fail", fail),
        // Costs nothing but time: the clock is looked at.
        Function::new("lookup", lookup).priced(|_| Duration::ZERO),
    ]);
    operator::extend(&mut table);
    Arc::new(table)
});

fn include(engine: &mut dyn Engine, name: Str, data: Value) -> Result<Str, FunctionError> {
    if engine.nesting(&name) > MAX_NESTED {
        return Err(
            format!("rendering template has a nested reference name: {name}: unable to execute template").into()
        );
    }
    engine.execute(&name, data)
}

fn tpl(engine: &mut dyn Engine, text: Str, data: Value) -> Result<Str, FunctionError> {
    match engine.execute_text(SET_NAME, &text, data) {
        Ok(rendered) => Ok(without_no_value(rendered)),
        Err(FunctionError::Message(message)) => {
            Err(format!("cannot parse template {}: {message}", quote(shown(&text))).into())
        }
        Err(FunctionError::Template(error)) => {
            let context = format!("error during tpl function execution for {}", quote(shown(&text)));
            Err(FunctionError::Template(Box::new(error.within(context))))
        }
        Err(other) => Err(other),
    }
}

/// What is told of a text: all of it, unless it is longer than an error may be.
fn shown(text: &Str) -> &[u8] {
    const MAX: usize = 256 << 10;
    text.get(..MAX).unwrap_or(text)
}

fn required(message: Str, value: Value) -> Result<Value, FunctionError> {
    let missing = match &value {
        Value::Nil => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if missing { fail(message).map(Value::String) } else { Ok(value) }
}

fn fail(message: Str) -> Result<Str, FunctionError> {
    Err(FunctionError::Fail(message.to_text().into_owned()))
}

fn lookup(
    engine: &mut dyn Engine,
    api_version: Str,
    kind: Str,
    namespace: Str,
    name: Str,
) -> Result<Value, FunctionError> {
    let in_tpl = engine.in_text();
    let world = &Host::of(engine)?.world;
    let (api_version, kind) = (api_version.to_text(), kind.to_text());
    let (namespace, name) = (namespace.to_text(), name.to_text());
    let found = if in_tpl {
        world.lookup_in_tpl(&api_version, &kind, &namespace, &name)?
    } else {
        world.lookup(&api_version, &kind, &namespace, &name)?
    };
    Ok(Value::Map(Value::map_from_json(&found, MapType::Any)))
}

/// The text without [`NO_VALUE`], wherever it came from.
fn without_no_value(text: Str) -> Str {
    if contains(&text) { remove_no_value(&text).into() } else { text }
}

/// How large a text is whose memory is kept for it; a smaller one is copied out of the buffer, which goes on growing.
const MOVED: usize = 64 << 10;

/// What was rendered into `buffer`, without [`NO_VALUE`], as text.
pub(crate) fn to_text(buffer: &mut Vec<u8>) -> String {
    let text = if contains(buffer) {
        String::from_utf8(remove_no_value(buffer))
    } else if buffer.len() < MOVED {
        String::from_utf8(buffer.as_slice().to_vec())
    } else {
        buffer.shrink_to_fit();
        String::from_utf8(std::mem::take(buffer))
    };
    text.unwrap_or_else(|error| Str::from(error.into_bytes()).to_text().into_owned())
}

fn contains(text: &[u8]) -> bool {
    FINDER.find(text).is_some()
}

fn remove_no_value(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = FINDER.find(rest) {
        let (before, found) = rest.split_at(at);
        kept.extend_from_slice(before);
        rest = found.strip_prefix(NO_VALUE).unwrap_or_default();
    }
    kept.extend_from_slice(rest);
    kept
}
