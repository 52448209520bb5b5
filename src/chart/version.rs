//! Versions and version constraints as Helm reads them in `Chart.yaml`: semantic versions with some freedom (`v1`, `1.2`,
//! `01.2`), constraints such as `^1.2`, `>=1.19.0-0`, `1.x || 2.0 - 2.4`.
//!
//! Mirrors Masterminds/semver v3.5.0: `NewVersion`, `NewConstraint`, `Check`.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Longest version that is read.
const MAX_VERSION: usize = 256;
/// Longest constraint that is read.
const MAX_CONSTRAINT: usize = 512;
/// Most alternatives (`||`) of a constraint.
const MAX_ALTERNATIVES: usize = 32;

/// A version. Build metadata is dropped: it never decides anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    pre: String,
}

/// A condition on versions: any of its groups, of which all comparisons must hold.
#[derive(Clone, Debug)]
pub struct Constraint(Vec<Vec<Comparison>>);

#[derive(Clone, Debug)]
struct Comparison {
    operator: Operator,
    version: Version,
    /// How much of the version was written.
    precision: Precision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    /// `*`
    Nothing,
    /// `1` or `1.x`
    Major,
    /// `1.2` or `1.2.x`
    Minor,
    /// `1.2.3`
    Full,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Whether `version` is one and meets `constraint`, which is one.
pub fn meets(constraint: &str, version: &str) -> bool {
    match (Constraint::parse(constraint), Version::parse(version)) {
        (Some(constraint), Some(version)) => constraint.check(&version),
        _ => false,
    }
}

impl Version {
    /// Reads a version; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_VERSION {
            return None;
        }
        let captures = VERSION.captures(text)?;
        let number = |index: usize| match captures.get(index) {
            Some(digits) => digits.as_str().trim_start_matches('.').parse().ok(),
            None => Some(0),
        };
        let pre = captures.get(4).map_or("", |pre| pre.as_str());
        let leading_zero = |part: &str| part.len() > 1 && part.starts_with('0') && is_number(part);
        if pre.split('.').any(leading_zero) {
            return None;
        }
        Some(Self { major: number(1)?, minor: number(2)?, patch: number(3)?, pre: pre.to_owned() })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_pre(&self.pre, &other.pre),
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Constraint {
    /// Reads a constraint; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_CONSTRAINT {
            return None;
        }
        let text = RANGE.replace_all(text, |found: &Captures<'_>| {
            format!(">= {}, <= {} ", group(found, 1), group(found, VERSION_GROUPS + 2))
        });
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > MAX_ALTERNATIVES {
            return None;
        }
        groups.into_iter().map(parse_group).collect::<Option<_>>().map(Self)
    }

    /// Whether `version` meets it. A pre-release only meets a group that names one.
    pub fn check(&self, version: &Version) -> bool {
        self.0.iter().any(|group| {
            let wants_pre = group.iter().any(|comparison| !comparison.version.pre.is_empty());
            (version.pre.is_empty() || wants_pre) && group.iter().all(|comparison| comparison.holds(version))
        })
    }
}

fn parse_group(group: &str) -> Option<Vec<Comparison>> {
    if !GROUP.is_match(group) {
        return None;
    }
    COMPARISONS.find_iter(group).map(|found| Comparison::parse(found.as_str())).collect()
}

impl Comparison {
    fn parse(text: &str) -> Option<Self> {
        let captures = COMPARISON.captures(text)?;
        let part = |index| Some(group(&captures, index).trim_start_matches('.')).filter(|part| !is_wildcard(part));
        let pre = group(&captures, 6);
        let (precision, version) = match (part(3), part(4), part(5)) {
            (None, ..) => (Precision::Nothing, format!("0.0.0{pre}")),
            (Some(major), None, _) => (Precision::Major, format!("{major}.0.0{pre}")),
            (Some(major), Some(minor), None) => (Precision::Minor, format!("{major}.{minor}.0{pre}")),
            (Some(_), Some(_), Some(_)) => (Precision::Full, group(&captures, 2).to_owned()),
        };
        Some(Self { operator: Operator::parse(group(&captures, 1)), version: Version::parse(&version)?, precision })
    }

    fn holds(&self, found: &Version) -> bool {
        let (wanted, precision) = (&self.version, self.precision);
        let full = precision == Precision::Full;
        match self.operator {
            Operator::Equal if full => found.cmp(wanted).is_eq(),
            Operator::Equal | Operator::Tilde => self.tilde(found),
            Operator::NotEqual => self.differs(found),
            Operator::Greater => match precision {
                Precision::Major => found.major > wanted.major,
                Precision::Minor => (found.major, found.minor) > (wanted.major, wanted.minor),
                Precision::Nothing | Precision::Full => found > wanted,
            },
            Operator::Less => found < wanted,
            Operator::GreaterOrEqual => found >= wanted,
            Operator::LessOrEqual if full => found <= wanted,
            Operator::LessOrEqual => {
                let later_minor = found.major == wanted.major && found.minor > wanted.minor;
                found.major <= wanted.major && !(later_minor && precision != Precision::Major)
            }
            Operator::Caret => self.caret(found),
        }
    }

    fn differs(&self, found: &Version) -> bool {
        let wanted = &self.version;
        match self.precision {
            Precision::Full | Precision::Nothing => found.cmp(wanted).is_ne(),
            Precision::Major => found.major != wanted.major,
            Precision::Minor => (found.major, found.minor) != (wanted.major, wanted.minor) || found.pre != wanted.pre,
        }
    }

    fn tilde(&self, found: &Version) -> bool {
        let wanted = &self.version;
        let zero = (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0);
        if found < wanted {
            return false;
        }
        match self.precision {
            Precision::Nothing | Precision::Full if zero => true,
            Precision::Major => found.major == wanted.major,
            _ => (found.major, found.minor) == (wanted.major, wanted.minor),
        }
    }

    fn caret(&self, found: &Version) -> bool {
        let wanted = &self.version;
        if found < wanted || found.major != wanted.major {
            return false;
        }
        if wanted.major > 0 || self.precision == Precision::Major {
            return true;
        }
        if wanted.minor > 0 || self.precision == Precision::Minor {
            return found.minor == wanted.minor;
        }
        (found.minor, found.patch) == (0, wanted.patch)
    }
}

impl Operator {
    fn parse(text: &str) -> Self {
        match text {
            "!=" => Self::NotEqual,
            ">" => Self::Greater,
            "<" => Self::Less,
            ">=" | "=>" => Self::GreaterOrEqual,
            "<=" | "=<" => Self::LessOrEqual,
            "~" | "~>" => Self::Tilde,
            "^" => Self::Caret,
            _ => Self::Equal,
        }
    }
}

fn compare_pre(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => compare_part(a.unwrap_or(""), b.unwrap_or("")),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Numbers by value and before words; nothing before anything.
fn compare_part(a: &str, b: &str) -> Ordering {
    if a.is_empty() || b.is_empty() {
        return a.len().cmp(&b.len());
    }
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

fn is_number(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_wildcard(part: &str) -> bool {
    matches!(part, "" | "x" | "X" | "*")
}

fn group<'a>(captures: &'a Captures<'_>, index: usize) -> &'a str {
    captures.get(index).map_or("", |found| found.as_str())
}

/// A version within a constraint, wildcards allowed; it has [`VERSION_GROUPS`] groups of its own.
const PATTERN: &str = r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";
const VERSION_GROUPS: usize = 9;
const OPERATORS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";

static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\Av?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(?:-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?(?:\+[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*)?\z",
    )
});
/// What Go's `\s` is; Rust's has the spaces of Unicode too.
const SPACE: &str = r"[\t\n\f\r ]";

static COMPARISON: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"\A{SPACE}*({OPERATORS}){SPACE}*({PATTERN}){SPACE}*\z")));
static COMPARISONS: LazyLock<Regex> = LazyLock::new(|| regex(&format!(r"({OPERATORS}){SPACE}*({PATTERN})")));
static RANGE: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"{SPACE}*({PATTERN}){SPACE}+-{SPACE}+({PATTERN}){SPACE}*")));
static GROUP: LazyLock<Regex> = LazyLock::new(|| {
    let one = format!("({OPERATORS}){SPACE}*({PATTERN}){SPACE}*");
    regex(&format!(r"\A({SPACE}*{one})((?:{SPACE}+|,{SPACE}*){one})*\z"))
});

#[expect(clippy::expect_used, reason = "the patterns are constants, and a test compiles each of them")]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a regular expression")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_helms_freedom() {
        for text in ["1.2.3", "v1.2.3", "1", "1.2", "01.02.3", "1.2.3-alpha.1+b.01", "1.2.3+20130313144700"] {
            assert!(Version::parse(text).is_some(), "{text}");
        }
        for text in ["", "x", "1.2.3.4", "1.2.3-01", "1.2.3-", "1.2.3-a..b", " 1.2.3", "1.2.3\n", "vv1"] {
            assert!(Version::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_version_meets_a_constraint_as_in_helm() {
        for (constraint, met, missed) in [
            ("*", "0.0.1 1.2.3 v9", "1.2.3-alpha"),
            ("1.2.3", "1.2.3 1.2.3+meta", "1.2.4 1.2.3-a"),
            ("1.x", "1.0.0 1.9.9", "2.0.0 0.9.0"),
            ("1.2", "1.2.0 1.2.9", "1.3.0"),
            ("^1.2", "1.2.0 1.9.0", "2.0.0 1.1.9"),
            ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"),
            ("^0.0.3", "0.0.3", "0.0.4 0.1.0"),
            ("^0", "0.0.1 0.9.0", "1.0.0"),
            ("~1.2.3", "1.2.3 1.2.9", "1.3.0"),
            ("~1", "1.0.0 1.9.0", "2.0.0"),
            ("~0.0.0", "0.0.0 3.1.0", ""),
            (">1", "2.0.0", "1.1.0"),
            (">1.2", "1.3.0 2.0.0", "1.2.9"),
            ("<=1", "1.9.9", "2.0.0"),
            ("<=1.2", "1.2.9", "1.3.0"),
            ("!=1.2", "1.3.0", "1.2.0 1.2.9"),
            ("!=1", "2.0.0", "1.5.0"),
            (">=1.19.0-0", "1.20.0 1.20.0-gke.1 1.19.0", "1.18.9"),
            (">=1.19.0", "1.20.0", "1.20.0-gke.1"),
            (">=1.0, <2.0 || 3.x", "1.5.0 3.1.0", "2.0.0"),
            (">=1.0 <2.0", "1.5.0", "2.1.0"),
            ("1.2 - 1.4", "1.2.0 1.4.9", "1.5.0"),
            (">=1.0.0-alpha.9", "1.0.0-alpha.10 1.0.0-beta", "1.0.0-alpha.8"),
        ] {
            for version in met.split_whitespace() {
                assert!(meets(constraint, version), "{version} meets {constraint}");
            }
            for version in missed.split_whitespace() {
                assert!(!meets(constraint, version), "{version} does not meet {constraint}");
            }
        }
        for constraint in ["", "foo", ">> 1", "1.2.3.4", "1 ||", ">=1.0\u{a0}", "<\u{2003}2", "1\u{b}"] {
            assert!(!meets(constraint, "1.0.0"), "{constraint:?} is no constraint");
        }
    }
}
