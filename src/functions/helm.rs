//! What Helm v4.3.1 adds to Sprig (`pkg/engine/funcs.go`), and Sprig's own JSON functions.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::functions::json::{self, Html};
use crate::value::{Str, Value};

/// `toJson`: "" where it cannot be written.
pub(crate) fn to_json(value: Value) -> Str {
    json::line(&value, Html::Escaped).unwrap_or_default().into()
}

/// `mustToJson`
pub(crate) fn must_to_json(value: Value) -> Result<Str, String> {
    Ok(json::line(&value, Html::Escaped)?.into())
}

/// `toPrettyJson`: "" where it cannot be written.
pub(crate) fn to_pretty_json(value: Value) -> Str {
    json::pretty(&value).unwrap_or_default().into()
}

/// `mustToPrettyJson`
pub(crate) fn must_to_pretty_json(value: Value) -> Result<Str, String> {
    Ok(json::pretty(&value)?.into())
}

/// `toRawJson` and `mustToRawJson`: `<`, `>` and `&` as they are.
pub(crate) fn to_raw_json(value: Value) -> Result<Str, String> {
    Ok(json::line(&value, Html::Plain)?.into())
}
