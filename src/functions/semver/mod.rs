//! `semver` and `semverCompare`: what `Masterminds/semver` 3.5.0 takes for a version and for a constraint.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

mod constraint;
mod object;
mod version;

use std::rc::Rc;

pub(crate) use constraint::Constraints;
pub(crate) use version::Version;

use crate::value::{Str, Value};

/// `semver`: the version as an object, `1.2` and `v1.2.3` included.
pub(crate) fn semver(text: Str) -> Result<Value, String> {
    Ok(Value::Object(Rc::new(Version::parse(&text.to_text())?)))
}

/// `semverCompare`: whether the version satisfies the constraint.
pub(crate) fn compare(constraint: Str, version: Str) -> Result<bool, String> {
    let constraints = Constraints::parse(&constraint.to_text())?;
    Ok(constraints.check(&Version::parse(&version.to_text())?))
}
