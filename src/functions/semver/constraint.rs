//! Constraints on versions: `>=1.20-0`, `^1.2 || ~3`, `1.2 - 2.3`, `1.x`.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;

use crate::functions::semver::Version;
use crate::functions::semver::version::compare_prereleases;
use crate::functions::unicode::quoted;

/// Longest constraint, in bytes.
const MAX_LENGTH: usize = 512;

/// Most alternatives.
const MAX_GROUPS: usize = 32;

const OPERATORS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";
const SPACE: &str = r"[\t\n\f\r ]";
const VERSION: &str = concat!(
    r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?",
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?",
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
);

/// The library's four expressions.
struct Grammar {
    whole: Regex,
    find: Regex,
    one: Regex,
    range: Regex,
}

static GRAMMAR: LazyLock<Option<Grammar>> = LazyLock::new(|| {
    let (s, op, version) = (SPACE, OPERATORS, VERSION);
    Some(Grammar {
        whole: Regex::new(&format!("^({s}*({op}){s}*({version}){s}*)((?:{s}+|,{s}*)({op}){s}*({version}){s}*)*$"))
            .ok()?,
        find: Regex::new(&format!("({op}){s}*({version})")).ok()?,
        one: Regex::new(&format!("^{s}*({op}){s}*({version}){s}*$")).ok()?,
        range: Regex::new(&format!("{s}*({version}){s}+-{s}+({version}){s}*")).ok()?,
    })
});

/// Alternatives, each a list of constraints that must all hold.
#[derive(Debug)]
pub(crate) struct Constraints(Vec<Group>);

#[derive(Debug)]
struct Group {
    constraints: Vec<Constraint>,
    /// One of them names a prerelease: prereleases are looked at.
    prereleases: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    TildeOrEqual,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Which part of the version is the first that is a wildcard or missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    Major,
}

#[derive(Debug)]
struct Constraint {
    operator: Operator,
    version: Version,
    open: Open,
}

impl Constraints {
    /// Reads a constraint.
    ///
    /// # Errors
    /// The library's text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("constraint string is too long (max {MAX_LENGTH} bytes)"));
        }
        let grammar = GRAMMAR.as_ref().ok_or("constraint parser error")?;
        let text = rewrite_ranges(text, grammar);
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > MAX_GROUPS {
            return Err(format!("too many constraint groups (max {MAX_GROUPS})"));
        }
        groups.into_iter().map(|group| Group::parse(group, grammar)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `version` satisfies one of the alternatives.
    pub(crate) fn check(&self, version: &Version) -> bool {
        self.0.iter().any(|group| {
            (version.prerelease.is_empty() || group.prereleases)
                && group.constraints.iter().all(|constraint| constraint.check(version))
        })
    }
}

/// `1.2 - 2.3` as `>= 1.2, <= 2.3`.
fn rewrite_ranges(text: &str, grammar: &Grammar) -> String {
    let mut out = text.to_owned();
    for range in grammar.range.captures_iter(text) {
        let group = |index| range.get(index).map_or("", |group| group.as_str());
        // The second version follows the first and its nine groups.
        out = out.replacen(group(0), &format!(">= {}, <= {} ", group(1), group(11)), 1);
    }
    out
}

impl Group {
    fn parse(text: &str, grammar: &Grammar) -> Result<Self, String> {
        if !grammar.whole.is_match(text) {
            return Err(format!("improper constraint: {}", quoted(text.as_bytes())));
        }
        let constraints: Vec<Constraint> = grammar
            .find
            .find_iter(text)
            .map(|part| Constraint::parse(part.as_str(), grammar))
            .collect::<Result<_, _>>()?;
        let prereleases = constraints.iter().any(|constraint| !constraint.version.prerelease.is_empty());
        Ok(Self { constraints, prereleases })
    }
}

impl Constraint {
    fn parse(text: &str, grammar: &Grammar) -> Result<Self, String> {
        let parts =
            grammar.one.captures(text).ok_or_else(|| format!("improper constraint: {}", quoted(text.as_bytes())))?;
        let group = |index| parts.get(index).map_or("", |group| group.as_str());
        let (major, minor, patch, prerelease) = (group(3), group(4), group(5), group(6));
        let is_open = |part: &str| matches!(part.trim_start_matches('.'), "" | "x" | "X" | "*");
        let (version, open) = if is_open(major) {
            (format!("0.0.0{prerelease}"), Open::Major)
        } else if is_open(minor) {
            (format!("{major}.0.0{prerelease}"), Open::Minor)
        } else if is_open(patch) {
            (format!("{major}{minor}.0{prerelease}"), Open::Patch)
        } else {
            (group(2).to_owned(), Open::Nothing)
        };
        let version = Version::parse(&version).map_err(|_reason| "constraint parser error")?;
        Ok(Self { operator: Operator::of(group(1)), version, open })
    }

    fn check(&self, version: &Version) -> bool {
        let order = version.precedence(&self.version);
        match self.operator {
            Operator::TildeOrEqual if self.open == Open::Nothing => order.is_eq(),
            Operator::TildeOrEqual | Operator::Tilde => order.is_ge() && self.same_minor(version),
            Operator::NotEqual => self.differs(version, order),
            Operator::Greater => self.is_below(version, order),
            Operator::Less => order.is_lt(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::LessOrEqual => self.is_at_least(version, order),
            Operator::Caret => order.is_ge() && self.compatible(version),
        }
    }

    /// `~`: the same major and, unless it is open, minor version. `~0.0.0` is satisfied by all.
    fn same_minor(&self, version: &Version) -> bool {
        let ours = &self.version;
        let any = ours.major == 0 && ours.minor == 0 && ours.patch == 0;
        if any && !matches!(self.open, Open::Minor | Open::Patch) {
            return true;
        }
        version.major == ours.major && (version.minor == ours.minor || self.open == Open::Minor)
    }

    /// `!=`; what is open is not compared.
    fn differs(&self, version: &Version, order: Ordering) -> bool {
        let ours = &self.version;
        match self.open {
            Open::Nothing => order.is_ne(),
            _ if ours.major != version.major => true,
            Open::Minor => false,
            _ if ours.minor != version.minor => true,
            Open::Patch => {
                let named = !version.prerelease.is_empty() || !ours.prerelease.is_empty();
                named && compare_prereleases(&version.prerelease, &ours.prerelease).is_ne()
            }
            Open::Major => ours.patch != version.patch || order.is_ne(),
        }
    }

    /// `>`: `>11` wants 12, `>11.1` wants 11.2.
    fn is_below(&self, version: &Version, order: Ordering) -> bool {
        let ours = &self.version;
        match (self.open, version.major.cmp(&ours.major)) {
            (Open::Patch, Ordering::Equal) => version.minor > ours.minor,
            (Open::Patch | Open::Minor, majors) => majors.is_gt(),
            (Open::Nothing | Open::Major, _) => order.is_gt(),
        }
    }

    /// `<=`: `<=11` allows 11.9.
    fn is_at_least(&self, version: &Version, order: Ordering) -> bool {
        let ours = &self.version;
        match (self.open, version.major.cmp(&ours.major)) {
            (Open::Nothing, _) => order.is_le(),
            (_, Ordering::Greater) => false,
            (open, Ordering::Equal) => open == Open::Minor || version.minor <= ours.minor,
            (_, Ordering::Less) => true,
        }
    }

    /// `^`: the leftmost part that is not 0 stays.
    fn compatible(&self, version: &Version) -> bool {
        let ours = &self.version;
        if ours.major > 0 || self.open == Open::Minor {
            return version.major == ours.major;
        }
        if version.major > 0 {
            return false;
        }
        if ours.minor > 0 || self.open == Open::Patch {
            return version.minor == ours.minor;
        }
        version.minor == 0 && version.patch == ours.patch
    }
}

impl Operator {
    fn of(text: &str) -> Self {
        match text {
            "!=" => Self::NotEqual,
            ">" => Self::Greater,
            "<" => Self::Less,
            ">=" | "=>" => Self::GreaterOrEqual,
            "<=" | "=<" => Self::LessOrEqual,
            "~" | "~>" => Self::Tilde,
            "^" => Self::Caret,
            _ => Self::TildeOrEqual,
        }
    }
}
