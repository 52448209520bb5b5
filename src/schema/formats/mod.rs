//! What texts of a `format` must be, and why one is not: in the words of Helm's validator, and where that asks Go's library,
//! in Go's.

mod internet;
mod times;

use crate::functions::{Expression, date_fault};
use crate::value::{Alphabet, quote_rune};

/// A format that is known; others are not looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    name: &'static str,
    check: fn(&str) -> Checked,
}

/// Nothing, or why not.
type Checked = Result<(), String>;

const FORMATS: [Format; 19] = [
    Format { name: "json-pointer", check: json_pointer },
    Format { name: "relative-json-pointer", check: relative_json_pointer },
    Format { name: "uuid", check: uuid },
    Format { name: "duration", check: times::duration },
    Format { name: "period", check: times::period },
    Format { name: "ipv4", check: internet::ipv4 },
    Format { name: "ipv6", check: internet::ipv6 },
    Format { name: "hostname", check: internet::hostname },
    Format { name: "email", check: internet::email },
    Format { name: "date", check: date },
    Format { name: "time", check: times::time },
    Format { name: "date-time", check: times::date_time },
    Format { name: "uri", check: internet::uri },
    Format { name: "iri", check: internet::uri },
    Format { name: "uri-reference", check: internet::uri_reference },
    Format { name: "iri-reference", check: internet::uri_reference },
    Format { name: "uri-template", check: internet::uri_template },
    Format { name: "semver", check: semver },
    Format { name: "regex", check: regex },
];

impl Format {
    pub(super) fn named(name: &str) -> Option<Self> {
        FORMATS.into_iter().find(|format| format.name == name)
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// Why a text is not of this format, if it is not.
    pub(super) fn fault(self, text: &str) -> Option<String> {
        (self.check)(text).err()
    }
}

fn fault<T>(text: &str) -> Result<T, String> {
    Err(text.to_owned())
}

/// Go's `%q` of a character.
fn quoted(c: char) -> String {
    quote_rune(c, Alphabet::Unicode)
}

/// How many ASCII digits it begins with.
fn leading_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn regex(text: &str) -> Checked {
    Expression::read(text).map(drop)
}

fn date(text: &str) -> Checked {
    date_fault(text).map_or(Ok(()), Err)
}

fn json_pointer(text: &str) -> Checked {
    if text.is_empty() {
        return Ok(());
    }
    let Some(tokens) = text.strip_prefix('/') else { return fault("not starting with /") };
    for token in tokens.split('/') {
        for after in token.split('~').skip(1) {
            if !after.starts_with(['0', '1']) {
                return fault("~ must be followed by 0 or 1");
            }
        }
    }
    Ok(())
}

fn relative_json_pointer(text: &str) -> Checked {
    let digits = leading_digits(text);
    if digits == 0 {
        return fault("must start with non-negative integer");
    }
    if digits > 1 && text.starts_with('0') {
        return fault("starts with zero");
    }
    match text.get(digits..).unwrap_or_default() {
        "#" => Ok(()),
        pointer => json_pointer(pointer),
    }
}

fn uuid(text: &str) -> Checked {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != LENGTHS.len() {
        return fault("must have 5 elements");
    }
    for (index, (group, length)) in groups.into_iter().zip(LENGTHS).enumerate() {
        if group.len() != length {
            return Err(format!("element {} must be {length} characters long", index + 1));
        }
        if let Some(c) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("non-hex character {}", quoted(c)));
        }
    }
    Ok(())
}

fn semver(text: &str) -> Checked {
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    if let Some(build) = build {
        identifiers(build, "build", "build is empty")?;
    }
    let (core, pre_release) = text.split_once('-').map_or((text, None), |(core, rest)| (core, Some(rest)));
    if let Some(pre_release) = pre_release {
        identifiers(pre_release, "pre-release", "pre-release identifier is empty")?;
    }
    let versions: Vec<&str> = core.split('.').collect();
    if versions.len() != 3 {
        return fault("versionCore must have 3 numbers separated by dot");
    }
    for (name, version) in ["major", "minor", "patch"].into_iter().zip(versions) {
        if version.is_empty() {
            return Err(format!("{name} is empty"));
        }
        if version.len() > 1 && version.starts_with('0') {
            return Err(format!("{name} starts with zero"));
        }
        if !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{name} contains non-digit"));
        }
    }
    Ok(())
}

fn identifiers(text: &str, what: &str, empty: &str) -> Checked {
    if text.is_empty() {
        return fault(empty);
    }
    for identifier in text.split('.') {
        if identifier.is_empty() {
            return Err(format!("{what} identifier is empty"));
        }
        if let Some(c) = identifier.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(format!("invalid character {} in {what} identifier", quoted(c)));
        }
        let is_number = identifier.bytes().all(|byte| byte.is_ascii_digit());
        if what == "pre-release" && is_number && identifier.len() > 1 && identifier.starts_with('0') {
            return fault("pre-release numeric identifier starts with zero");
        }
    }
    Ok(())
}
