//! A semantic version, read as loosely as Helm reads one.

use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

/// Longest text that is looked at, in bytes.
const MAX_LENGTH: usize = 256;

/// How the version got its value; decides which methods Go finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// `*semver.Version`: what `semver` returns.
    ByPointer,
    /// `semver.Version`: what `IncPatch` and its kin return; the methods of the pointer are not found on it.
    ByValue,
}

/// A semantic version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    /// Without the `-`; empty for a release.
    pub(crate) prerelease: String,
    /// Without the `+`.
    pub(crate) metadata: String,
    /// The text it was read from.
    pub(crate) original: String,
    pub(crate) held: Held,
}

static LOOSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let parts = r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?";
    let extras = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?";
    Regex::new(&format!("^{parts}{extras}$")).ok()
});

impl Version {
    /// Reads `v1`, `1.2` or `1.2.3-pre+meta`.
    ///
    /// # Errors
    /// The library's text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("version string is too long (max {MAX_LENGTH} bytes)"));
        }
        let captures = LOOSE.as_ref().and_then(|loose| loose.captures(text)).ok_or("invalid semantic version")?;
        let group = |index| captures.get(index).map_or("", |group| group.as_str());
        let prerelease = group(4).to_owned();
        let version = Self {
            major: segment(group(1))?,
            minor: segment(group(2))?,
            patch: segment(group(3))?,
            prerelease,
            metadata: group(5).to_owned(),
            original: text.to_owned(),
            held: Held::ByPointer,
        };
        check_prerelease(&version.prerelease)?;
        Ok(version)
    }

    /// A version with the text it prints as its original, which keeps the `v` of `before`.
    pub(crate) fn derived(before: &Self, changed: Self) -> Self {
        let prefix = if before.original.starts_with('v') { "v" } else { "" };
        let original = format!("{prefix}{changed}");
        Self { original, held: Held::ByValue, ..changed }
    }

    /// Order by precedence; metadata does not count.
    pub(crate) fn precedence(&self, other: &Self) -> Ordering {
        let release = |version: &Self| (version.major, version.minor, version.patch);
        release(self).cmp(&release(other)).then_with(|| {
            match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (false, false) => compare_prereleases(&self.prerelease, &other.prerelease),
                (ours, theirs) => ours.cmp(&theirs),
            }
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

fn segment(digits: &str) -> Result<u64, String> {
    if digits.is_empty() {
        return Ok(0);
    }
    let out_of_range =
        |_| format!("error parsing version segment: strconv.ParseUint: parsing \"{digits}\": value out of range");
    digits.parse().map_err(out_of_range)
}

/// Refuses characters that do not belong, and numbers that begin with 0.
pub(crate) fn check_prerelease(prerelease: &str) -> Result<(), String> {
    if prerelease.is_empty() {
        return Ok(());
    }
    for part in prerelease.split('.') {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            if part.len() > 1 && part.starts_with('0') {
                return Err("version segment starts with 0".to_owned());
            }
        } else if part.is_empty() || !is_allowed(part) {
            return Err("invalid prerelease string".to_owned());
        }
    }
    Ok(())
}

/// Refuses characters that do not belong.
pub(crate) fn check_metadata(metadata: &str) -> Result<(), String> {
    let fits = |part: &str| !part.is_empty() && is_allowed(part);
    if metadata.is_empty() || metadata.split('.').all(fits) {
        Ok(())
    } else {
        Err("invalid metadata string".to_owned())
    }
}

fn is_allowed(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Part by part; a missing part is lower.
pub(crate) fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let (mut ours, mut theirs) = (a.split('.'), b.split('.'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return Ordering::Equal,
            (ours, theirs) => match compare_parts(ours.unwrap_or(""), theirs.unwrap_or("")) {
                Ordering::Equal => {}
                different => return different,
            },
        }
    }
}

/// Numbers are lower than words, and compared as numbers.
fn compare_parts(a: &str, b: &str) -> Ordering {
    let number = |part: &str| part.parse::<u64>().ok();
    match (a.is_empty(), b.is_empty(), number(a), number(b)) {
        (true, _, _, _) | (_, true, _, _) => b.is_empty().cmp(&a.is_empty()),
        (_, _, Some(a), Some(b)) => a.cmp(&b),
        (_, _, Some(_), None) => Ordering::Less,
        (_, _, None, Some(_)) => Ordering::Greater,
        (_, _, None, None) => a.cmp(b),
    }
}
