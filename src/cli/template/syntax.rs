//! Flags as Helm takes them: pflag's syntax, its kinds of values and its complaints.
//!
//! clap describes the flags that do something, and reads what [`read`] has brought into one form: `--name=value`, and
//! positional arguments behind `--`. Flags of Helm that change nothing without a cluster are taken and dropped here.
//!
//! Mirrors pflag v1.0.10 (`flag.go`, `string_slice.go`, `string_to_string.go`) and cobra v1.10.2 (`flag_groups.go`).

use std::ffi::OsString;

use clap::Command;

use crate::cli::template::csv;
use crate::value::period;

/// What kind of value a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `--flag` and `--flag=false`, never `--flag false`.
    Bool,
    Text,
    /// Several, in one record of CSV.
    List,
    /// `key=value`, several in one record of CSV.
    Pairs,
    Int,
    Float,
    Duration,
    /// `--wait`, alone or with the name of a strategy.
    Wait,
    /// `--dry-run`, alone or with a side.
    DryRun,
}

/// Flags whose value is a list; all others that clap knows are texts or booleans.
const LISTS: [&str; 2] = ["values", "api-versions"];

/// Flags of `helm template` that change nothing where there is no cluster and the chart is on disk.
const WITHOUT_EFFECT: &[(Kind, &[&str])] = &[
    (
        Kind::Bool,
        &[
            "add-dir-header",
            "alsologtostderr",
            "atomic",
            "create-namespace",
            "devel",
            "disable-openapi-validation",
            "force",
            "force-conflicts",
            "force-replace",
            "hide-notes",
            "insecure-skip-tls-verify",
            "kube-insecure-skip-tls-verify",
            "logtostderr",
            "one-output",
            "pass-credentials",
            "plain-http",
            "render-subchart-notes",
            "replace",
            "rollback-on-failure",
            "server-side",
            "skip-crds",
            "skip-headers",
            "skip-log-headers",
            "take-ownership",
            "wait-for-jobs",
        ],
    ),
    (
        Kind::Text,
        &[
            "color",
            "colour",
            "content-cache",
            "description",
            "keyring",
            "kube-apiserver",
            "kube-as-group",
            "kube-as-user",
            "kube-ca-file",
            "kube-tls-server-name",
            "kube-token",
            "log-backtrace-at",
            "log-dir",
            "log-file",
            "log-file-max-size",
            "password",
            "post-renderer-args",
            "registry-config",
            "repository-cache",
            "repository-config",
            "stderrthreshold",
            "username",
            "version",
            "vmodule",
        ],
    ),
    (Kind::Int, &["burst-limit", "v"]),
    (Kind::Float, &["qps"]),
    (Kind::Duration, &["timeout"]),
    (Kind::Wait, &["wait"]),
    (Kind::DryRun, &["dry-run"]),
];

/// Flags of `helm template` that ask for what this program does not do, and what to do instead.
const REFUSED: &[(Kind, &str, &str)] = &[
    (
        Kind::Bool,
        "validate",
        "only a cluster can validate: apply the output with `kubectl apply --dry-run=server -f -`",
    ),
    (Kind::Bool, "verify", "check the signature with `helm verify`, then render the archive"),
    (Kind::Text, "repo", "fetch the chart with `helm pull --repo`, then render the archive"),
    (Kind::Text, "post-renderer", "pipe the output through the program"),
    (Kind::Text, "ca-file", "charts are read from disk; fetch them with `helm pull`"),
    (Kind::Text, "cert-file", "charts are read from disk; fetch them with `helm pull`"),
    (Kind::Text, "key-file", "charts are read from disk; fetch them with `helm pull`"),
];

/// Flags of which only one may be set.
const GROUPS: [[&str; 2]; 3] =
    [["force-replace", "force-conflicts"], ["force", "force-conflicts"], ["validate", "dry-run"]];

/// What is wrong with a command line, in pflag's words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    #[error("unknown flag: --{0}")]
    Unknown(String),
    #[error("unknown shorthand flag: {short:?} in -{all}")]
    UnknownShort { short: char, all: String },
    #[error("flag needs an argument: --{0}")]
    NoValue(String),
    #[error("flag needs an argument: {short:?} in -{all}")]
    NoShortValue { short: char, all: String },
    #[error("invalid argument {value:?} for {flag:?} flag: {cause}")]
    Value { value: String, flag: String, cause: String },
    #[error("if any flags in the group [{group}] are set none of the others can be; [{set}] were all set")]
    Group { group: String, set: String },
    #[error("invalid dry-run value ({value:?}). Must be {known}")]
    DryRun { value: String, known: &'static str },
    /// Not of Helm.
    #[error("--{flag} is not supported")]
    Refused { flag: String, hint: &'static str },
}

impl Error {
    /// What to do instead.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused { hint, .. } => Some(hint),
            _ => None,
        }
    }
}

/// A command line in clap's form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The arguments behind the name of the command.
    Arguments(Vec<OsString>),
    /// Help is asked for.
    Help,
}

/// Brings the arguments behind the name of `command` into a form that clap reads without a complaint.
pub(super) fn read(command: &Command, arguments: &[OsString]) -> Result<Read, Error> {
    let mut reader = Reader { command, read: Vec::new(), positional: Vec::new(), set: Vec::new() };
    let mut rest = arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = rest.next() {
        let long = argument.strip_prefix("--");
        let short = argument.strip_prefix('-').filter(|short| !short.is_empty());
        match (long, short) {
            (Some(""), _) => reader.positional.extend(rest.by_ref()),
            (Some(long), _) => {
                if !reader.long(long, &mut rest)? {
                    return Ok(Read::Help);
                }
            }
            (None, Some(short)) => {
                if !reader.short(short, &mut rest)? {
                    return Ok(Read::Help);
                }
            }
            (None, None) => reader.positional.push(argument),
        }
    }
    reader.check_groups()?;
    let mut read = reader.read;
    read.push("--".to_owned());
    read.extend(reader.positional);
    Ok(Read::Arguments(read.into_iter().map(Into::into).collect()))
}

struct Reader<'a> {
    command: &'a Command,
    read: Vec<String>,
    positional: Vec<String>,
    /// Names of the flags that were set.
    set: Vec<String>,
}

/// A flag that Helm or we have.
#[derive(Clone, Copy)]
struct Flag<'a> {
    name: &'a str,
    alias: Option<&'a str>,
    short: Option<char>,
    kind: Kind,
    fate: Fate,
}

/// What becomes of a flag.
#[derive(Clone, Copy)]
enum Fate {
    /// clap reads it.
    Kept,
    /// It has no effect.
    Dropped,
    /// It cannot be had.
    Refused(&'static str),
}

impl Flag<'_> {
    /// The value it has when none is given.
    fn alone(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Bool => Some("true"),
            Kind::Wait => Some("watcher"),
            Kind::DryRun => Some("unset"),
            _ => None,
        }
    }
}

impl<'a> Reader<'a> {
    /// False if it asks for help.
    fn long(&mut self, text: &str, rest: &mut dyn Iterator<Item = String>) -> Result<bool, Error> {
        if text.starts_with(['-', '=']) {
            return Err(Error::Syntax(format!("--{text}")));
        }
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let Some(flag) = self.flag(|flag| flag.name == name || flag.alias == Some(name)) else {
            return if name == "help" { Ok(false) } else { Err(Error::Unknown(name.to_owned())) };
        };
        let value = match value.or_else(|| flag.alone()) {
            Some(value) => value.to_owned(),
            None => rest.next().ok_or_else(|| Error::NoValue(name.to_owned()))?,
        };
        self.take(flag, &value)?;
        Ok(true)
    }

    /// One letter or several; false if one asks for help.
    fn short(&mut self, all: &str, rest: &mut dyn Iterator<Item = String>) -> Result<bool, Error> {
        let mut letters = all.chars();
        loop {
            let from = letters.as_str();
            let Some(short) = letters.next() else { return Ok(true) };
            let after = letters.as_str();
            let Some(flag) = self.flag(|flag| flag.short == Some(short)) else {
                let unknown = Error::UnknownShort { short, all: from.to_owned() };
                return if short == 'h' { Ok(false) } else { Err(unknown) };
            };
            let assigned = after.strip_prefix('=').filter(|value| !value.is_empty());
            let value = match (assigned, flag.alone()) {
                (Some(value), _) => value.to_owned(),
                (None, Some(alone)) => {
                    self.take(flag, alone)?;
                    continue;
                }
                (None, None) if !after.is_empty() => after.to_owned(),
                (None, None) => rest.next().ok_or_else(|| Error::NoShortValue { short, all: from.to_owned() })?,
            };
            self.take(flag, &value)?;
            return Ok(true);
        }
    }

    fn flag(&self, is_wanted: impl Fn(&Flag<'_>) -> bool) -> Option<Flag<'a>> {
        let kept = self.command.get_arguments().filter_map(|argument| {
            let name = argument.get_long().filter(|name| *name != "help")?;
            let alone = argument.get_num_args().is_some_and(|number| number.min_values() == 0);
            let kind = match name {
                "labels" => Kind::Pairs,
                name if LISTS.contains(&name) => Kind::List,
                _ if alone || !argument.get_action().takes_values() => Kind::Bool,
                _ => Kind::Text,
            };
            let alias = argument.get_all_aliases().and_then(|aliases| aliases.first().copied());
            Some(Flag { name, alias, short: argument.get_short(), kind, fate: Fate::Kept })
        });
        let dropped = WITHOUT_EFFECT.iter().flat_map(|(kind, names)| {
            names.iter().map(|name| Flag {
                name,
                alias: None,
                short: (*name == "v").then_some('v'),
                kind: *kind,
                fate: Fate::Dropped,
            })
        });
        let refused = REFUSED.iter().map(|(kind, name, hint)| Flag {
            name,
            alias: None,
            short: None,
            kind: *kind,
            fate: Fate::Refused(hint),
        });
        kept.chain(dropped).chain(refused).find(|flag| is_wanted(flag))
    }

    fn take(&mut self, flag: Flag<'_>, value: &str) -> Result<(), Error> {
        let name = flag.name;
        if !self.set.iter().any(|set| set == name) {
            self.set.push(name.to_owned());
        }
        let values = checked(flag, value)?;
        match flag.fate {
            Fate::Kept => self.read.extend(values.into_iter().map(|value| format!("--{name}={value}"))),
            Fate::Dropped => {}
            // Switched off, it asks for nothing.
            Fate::Refused(_) if values == ["false"] || values == [""] => {}
            Fate::Refused(hint) => return Err(Error::Refused { flag: name.to_owned(), hint }),
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<(), Error> {
        let is_set = |name: &&str| self.set.iter().any(|set| set == name);
        match GROUPS.into_iter().find(|group| group.iter().all(is_set)) {
            Some(group) => {
                let mut set = group;
                set.sort_unstable();
                Err(Error::Group { group: group.join(" "), set: set.join(" ") })
            }
            None => Ok(()),
        }
    }
}

/// The values that `value` stands for, if the flag takes it.
fn checked(flag: Flag<'_>, value: &str) -> Result<Vec<String>, Error> {
    let one = |value: &str| Ok(vec![value.to_owned()]);
    let answer = match flag.kind {
        Kind::Text => one(value),
        Kind::Bool => boolean(value).map(|value| vec![value.to_string()]),
        Kind::List => csv::record(value).map_err(|error| error.to_string()),
        Kind::Pairs => pairs(value),
        Kind::Int => number(value, value.parse::<i64>().is_ok(), "ParseInt"),
        Kind::Float => number(value, value.parse::<f32>().is_ok(), "ParseFloat"),
        Kind::Duration => match period::parse(value) {
            Ok(_) | Err(period::Error::Negative(_)) => one(value),
            Err(error) => Err(error.to_string()),
        },
        Kind::Wait => match value {
            "watcher" | "hookOnly" | "legacy" | "true" | "false" => one(value),
            _ => Err(format!("invalid wait input {value:?}. Valid inputs are watcher, hookOnly, and legacy")),
        },
        Kind::DryRun => return dry_run(value),
    };
    answer.map_err(|cause| {
        let long = format!("--{}", flag.name);
        let flag = flag.short.map_or_else(|| long.clone(), |short| format!("-{short}, {long}"));
        Error::Value { value: value.to_owned(), flag, cause }
    })
}

/// A boolean as Go's `strconv.ParseBool` reads it.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

fn number(text: &str, is_valid: bool, function: &str) -> Result<Vec<String>, String> {
    if is_valid { Ok(Vec::new()) } else { Err(format!("strconv.{function}: parsing {text:?}: invalid syntax")) }
}

fn pairs(text: &str) -> Result<Vec<String>, String> {
    let fault = |text: &str| format!("{text} must be formatted as key=value");
    let pairs = match text.matches('=').count() {
        0 => return Err(fault(text)),
        1 => vec![text.trim_matches('"').to_owned()],
        _ => csv::record(text).map_err(|error| error.to_string())?,
    };
    match pairs.iter().find(|pair| !pair.contains('=')) {
        Some(pair) => Err(fault(pair)),
        None => Ok(pairs),
    }
}

/// `template` never writes to a cluster, and can also not ask one.
fn dry_run(value: &str) -> Result<Vec<String>, Error> {
    let fault = |known| Error::DryRun { value: value.to_owned(), known };
    match value {
        "unset" | "client" => Ok(Vec::new()),
        "server" => Err(Error::Refused {
            flag: "dry-run=server".to_owned(),
            hint: "only a cluster can validate: apply the output with `kubectl apply --dry-run=server -f -`",
        }),
        "none" => Err(fault("\"server\" or \"client\"")),
        value => match boolean(value) {
            Ok(true) => Ok(Vec::new()),
            Ok(false) => Err(fault("\"server\" or \"client\"")),
            Err(_no_boolean) => Err(fault("\"none\", \"server\", or \"client\"")),
        },
    }
}
