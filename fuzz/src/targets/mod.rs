//! The bodies of the fuzz targets: one function of bytes each, which panics where a promise is broken.
//!
//! The fuzzer runs them on what it makes up, and the test `fuzz` on every input kept in `tests/golden/fuzz/<target>`.

mod archive;
mod chart;
mod dates;
mod evaluate;
mod ignore;
mod json;
mod manifests;
mod printf;
mod regex;
mod schema;
mod semver;
mod strvals;
mod template;
mod toml;
mod yaml;

/// What a target does with some bytes.
type Body = fn(&[u8]);

/// Every target by its name.
pub(crate) const TARGETS: [(&str, Body); 14] = [
    ("archive", archive::run),
    ("chart", chart::run),
    ("dates", dates::run),
    ("ignore", ignore::run),
    ("json", json::run),
    ("manifests", manifests::run),
    ("printf", printf::run),
    ("regex", regex::run),
    ("schema", schema::run),
    ("semver", semver::run),
    ("strvals", strvals::run),
    ("template", template::run),
    ("toml", toml::run),
    ("yaml", yaml::run),
];

/// Runs the target `target` on `data`.
pub(crate) fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    found.unwrap_or_else(|| panic!("there is no target `{target}`")).1(data);
}

/// The parts of `data` between line ends; empty ones where it has too few. The last holds all the rest.
fn lines<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = data.splitn(N, |byte| *byte == b'\n');
    [(); N].map(|()| parts.next().unwrap_or_default())
}
