//! `.helmignore`: which files of a chart's directory are no part of the chart.
//!
//! The rules look like those of `.gitignore` and are not: the first that says something decides, and a rule with `!` ignores
//! everything it does **not** match. Mirrors Helm v4.3.1, `pkg/ignore`, and Go's `filepath.Match`.

/// Always on: hidden files directly in `templates/`.
const DEFAULT_RULE: &str = "templates/.?*";

/// The rules of one `.helmignore`, and the default one.
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule>);

/// Why a `.helmignore` cannot be read.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// `**`
    #[error("double-star (**) syntax is not supported")]
    DoubleStar,
    /// For instance a bracket that is not closed.
    #[error("syntax error in pattern")]
    Syntax,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file, a socket, anything but a directory.
    File,
    /// A directory.
    Directory,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    /// Ignores what does not match.
    negated: bool,
    directories_only: bool,
    /// Compares the whole path, not only its last part.
    whole_path: bool,
}

#[derive(Clone, Debug)]
struct Pattern(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Char(char),
    /// `?`: anything but `/`.
    Any,
    /// `*`: as much of anything but `/` as needed.
    Star,
    /// `[a-z]`
    Class {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
}

impl Rules {
    /// Reads the rules of a `.helmignore`; an empty text gives the default rule alone.
    ///
    /// # Errors
    /// [`Error`] for the first rule that is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.chain([DEFAULT_RULE]).map(Rule::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `path`, below the chart's directory and with `/`, is ignored. An ignored directory is so with all it holds.
    pub fn ignore(&self, path: &str, entry: Entry) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        self.0.iter().any(|rule| rule.ignores(path, entry))
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Self, Error> {
        if line.contains("**") {
            return Err(Error::DoubleStar);
        }
        Pattern::parse(line)?;
        let (negated, line) = strip(line, |line| line.strip_prefix('!'));
        let (directories_only, line) = strip(line, |line| line.strip_suffix('/'));
        let (anchored, pattern) = strip(line, |line| line.strip_prefix('/'));
        Ok(Self {
            pattern: Pattern::parse(pattern)?,
            negated,
            directories_only,
            whole_path: anchored || line.contains('/'),
        })
    }

    fn ignores(&self, path: &str, entry: Entry) -> bool {
        let kind_fits = !self.directories_only || entry == Entry::Directory;
        if self.negated {
            return !kind_fits || !self.matches(path);
        }
        kind_fits && self.matches(path)
    }

    fn matches(&self, path: &str) -> bool {
        let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
        self.pattern.matches(if self.whole_path { path } else { last })
    }
}

/// Whether `pattern` matches the whole of `path`, as Go's `path.Match`; a pattern that is none matches nothing.
pub fn matches(pattern: &str, path: &str) -> bool {
    Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(path))
}

fn strip<'a>(line: &'a str, by: impl Fn(&'a str) -> Option<&'a str>) -> (bool, &'a str) {
    by(line).map_or((false, line), |rest| (true, rest))
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            pieces.push(match c {
                '*' => Piece::Star,
                '?' => Piece::Any,
                '\\' => Piece::Char(chars.next().ok_or(Error::Syntax)?),
                '[' => class(&mut chars)?,
                c => Piece::Char(c),
            });
        }
        Ok(Self(pieces))
    }

    /// After a mismatch, the last star takes one character more and the rest is tried again.
    fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut piece, mut place) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(piece), text.get(place)) {
                (None, None) => return true,
                (Some(Piece::Star), _) => {
                    star = Some((piece, place));
                    piece += 1;
                    continue;
                }
                (Some(wanted), Some(&found)) if wanted.takes(found) => {
                    piece += 1;
                    place += 1;
                    continue;
                }
                _ => {}
            }
            let Some((at, taken)) = star else { return false };
            if text.get(taken).is_none_or(|&c| c == '/') {
                return false;
            }
            star = Some((at, taken + 1));
            (piece, place) = (at + 1, taken + 1);
        }
    }
}

impl Piece {
    fn takes(&self, found: char) -> bool {
        match self {
            Self::Char(wanted) => *wanted == found,
            Self::Any => found != '/',
            Self::Star => false,
            Self::Class { ranges, negated } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&found)) != *negated
            }
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What follows a `[`.
fn class(chars: &mut Chars<'_>) -> Result<Piece, Error> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
        let low = class_char(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { class_char(chars)? } else { low };
        ranges.push((low, high));
    }
    Ok(Piece::Class { ranges, negated })
}

fn class_char(chars: &mut Chars<'_>) -> Result<char, Error> {
    let c = match chars.next() {
        None | Some('-' | ']') => return Err(Error::Syntax),
        Some('\\') => chars.next().ok_or(Error::Syntax)?,
        Some(c) => c,
    };
    chars.peek().map(|_| c).ok_or(Error::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_ignore_what_helms_ignore() {
        for (rules, path, ignored) in [
            ("helm.txt", "helm.txt", true),
            ("helm.*", "helm.txt", true),
            ("helm.*", "tiller.txt", false),
            ("*.txt", "cargo/a.txt", true),
            ("*", "cargo", true),
            ("cargo/*.txt", "cargo/a.txt", true),
            ("cargo/*.txt", "mast/a.txt", false),
            ("cargo/*.*", "cargo/a/b.txt", false),
            ("ru[c-e]?er.txt", "rudder.txt", true),
            ("ru[^c-e]?er.txt", "rudder.txt", false),
            ("templates/.?*", "templates/.dotfile", true),
            ("", "templates/.dotfile", true),
            ("", "templates/sub/.dotfile", false),
            (".*", "./", false),
            (".*", ".joonix", true),
            (".*", "helm.txt", false),
            ("/a.txt", "a.txt", true),
            ("/a.txt", "cargo/a.txt", false),
            ("/cargo/a.txt", "cargo/a.txt", true),
            ("cargo/", "cargo/", true),
            ("cargo/", "cargo", true),
            ("cargo/", "mast/", false),
            ("helm.txt/", "helm.txt", false),
            ("!helm.txt", "helm.txt", false),
            ("!helm.txt", "tiller.txt", true),
            ("!*.txt", "cargo", true),
            ("!cargo/", "mast/", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("  # words", "words", false),
            ("*a*b*c", "xaxbxxc", true),
            ("*a*b*c", "xaxcxxb", false),
        ] {
            let entry = if path.contains('.') && path != "./" { Entry::File } else { Entry::Directory };
            let found = Rules::parse(rules).unwrap().ignore(path, entry);
            assert_eq!(found, ignored, "rules {rules:?} on {path}");
        }
    }

    #[test]
    fn a_rule_that_is_none_is_an_error() {
        for (rules, error) in
            [("a/**/b", Error::DoubleStar), ("[", Error::Syntax), ("[]a]", Error::Syntax), ("\\", Error::Syntax)]
        {
            assert_eq!(Rules::parse(rules).unwrap_err(), error, "{rules}");
        }
    }
}
