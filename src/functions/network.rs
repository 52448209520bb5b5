//! Sprig's `network.go`.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::functions::Host;
use crate::template::function::Engine;
use crate::value::Str;

/// `getHostByName`: "" where names are not resolved.
pub(crate) fn host_by_name(engine: &mut dyn Engine, name: Str) -> Result<String, String> {
    Ok(Host::of(engine)?.world.resolve_host(&name.to_text()).unwrap_or_default())
}
