//! The little language of `--set`: `a.b=c,d[0].e=1,f={x,y}`.
//!
//! Mirrors Helm v4.3.1, `pkg/strvals`, its error texts included.

use serde_json::{Map, Value as Json};

use crate::value::{Alphabet, quote, quote_rune};
use crate::values::go_type;

/// Highest index of a list.
const MAX_INDEX: usize = 65_536;
/// How many dots a key may have.
const MAX_DEPTH: usize = 30;
/// How many indices a key may have. Helm knows no limit; each index is a frame on our stack.
const MAX_BRACKETS: usize = 500;

/// What a value's text becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `--set`: `true`, `false`, `null` and whole numbers are what they look like, anything else is a string.
    Typed,
    /// `--set-string`: always a string. `overrideValues` of `watches.yaml` too.
    String,
    /// `--set-json`: JSON.
    Json,
    /// `--set-literal`: one assignment; all that follows `=` is the string, with no character special.
    Literal,
}

/// Why an assignment cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("key {} has no value", quote(.0.as_bytes()))]
    NoValue(String),
    #[error("key {} has no value (cannot end with ,)", quote(.0.as_bytes()))]
    EndsWithComma(String),
    #[error("key map {} has no value", quote(.0.as_bytes()))]
    NoMapValue(String),
    #[error("value name nested level is greater than maximum supported nested level of {MAX_DEPTH}")]
    TooDeep,
    #[error("list must terminate with '}}'")]
    OpenList,
    #[error("error parsing index: {0}")]
    Index(String),
    #[error("negative {0} index not allowed")]
    NegativeIndex(i64),
    #[error("index of {0} is greater than maximum supported index of {MAX_INDEX}")]
    IndexTooHigh(i64),
    #[error("unexpected data at end of array index: [{0}]")]
    AfterIndex(String),
    #[error("more than {MAX_BRACKETS} indices in one key")]
    TooManyIndices,
    #[error("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}")]
    Shape { found: &'static str, wanted: &'static str },
    #[error("{0}")]
    Json(String),
    #[error("{0}")]
    File(String),
}

/// Reads `text` and sets what it assigns in `values`. After an error, `values` may hold a part of it.
///
/// # Errors
/// [`Error`], with Helm's text.
pub fn parse_into(text: &str, kind: Kind, values: &mut Map<String, Json>) -> Result<(), Error> {
    Parser { rest: text, kind, brackets: 0, read: None }.run(values)
}

/// What the file of that name holds, or why it cannot be read.
pub type Reader<'a> = &'a mut dyn FnMut(&str) -> Result<String, String>;

/// Like [`parse_into`], but each value is the name of a file, and becomes the text that `read` finds in it: `--set-file`.
///
/// # Errors
/// [`Error`], with Helm's text; [`Error::File`] with that of `read`.
pub fn parse_files_into(text: &str, read: Reader<'_>, values: &mut Map<String, Json>) -> Result<(), Error> {
    Parser { rest: text, kind: Kind::String, brackets: 0, read: Some(read) }.run(values)
}

/// Like [`parse_into`], into an empty map.
///
/// # Errors
/// [`Error`], with Helm's text.
pub fn parse(text: &str, kind: Kind) -> Result<Map<String, Json>, Error> {
    let mut values = Map::new();
    parse_into(text, kind, &mut values)?;
    Ok(values)
}

/// The object that `text` is as a whole, as `--set-json` takes it; `None` if it is none.
pub fn json_object(text: &str) -> Option<Map<String, Json>> {
    let object: Map<String, Json> = serde_json::from_str(text).ok()?;
    Some(object.into_iter().map(|(key, value)| (key, floats(value))).collect())
}

/// The text is read to its end, or wrong.
enum Stop {
    End,
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Characters up to a stop, and the stop; `None` at the end of the text.
type Token = (String, Option<char>);

struct Parser<'a> {
    rest: &'a str,
    kind: Kind,
    /// Indices read of the current key.
    brackets: usize,
    /// Where values are names of files.
    read: Option<Reader<'a>>,
}

impl Parser<'_> {
    fn run(&mut self, values: &mut Map<String, Json>) -> Result<(), Error> {
        loop {
            self.brackets = 0;
            match self.key(values, 0) {
                Ok(()) => {}
                Err(Stop::End) => return Ok(()),
                Err(Stop::Error(error)) => return Err(error),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// A backslash takes the next character as it is, but not in a literal.
    fn until(&mut self, stops: &[char]) -> Token {
        let mut text = String::new();
        loop {
            match self.next() {
                Some(c) if stops.contains(&c) => return (text, Some(c)),
                Some('\\') if self.kind != Kind::Literal => match self.next() {
                    Some(escaped) => text.push(escaped),
                    None => return (text, None),
                },
                Some(c) => text.push(c),
                None => return (text, None),
            }
        }
    }

    fn key(&mut self, values: &mut Map<String, Json>, depth: usize) -> Result<(), Stop> {
        let stops: &[char] = if self.kind == Kind::Literal { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => Err(Error::NoValue(key).into()),
            Some('[') => self.key_of_list(key, values, depth),
            Some('.') => self.key_of_map(key, values, depth),
            Some('=') => self.assigned(|value| set(values, key, value)),
            Some(_) => Err(Error::EndsWithComma(key).into()),
        }
    }

    fn key_of_list(&mut self, key: String, values: &mut Map<String, Json>, depth: usize) -> Result<(), Stop> {
        let index = self.index()?;
        let mut list = match values.remove(&key) {
            None => Vec::new(),
            Some(Json::Array(list)) => list,
            Some(other) => return Err(shape(&other, "[]interface {}")),
        };
        let result = self.item(&mut list, index, depth);
        set(values, key, Json::Array(list));
        result
    }

    fn key_of_map(&mut self, key: String, values: &mut Map<String, Json>, depth: usize) -> Result<(), Stop> {
        if depth >= MAX_DEPTH {
            return Err(Error::TooDeep.into());
        }
        match values.get_mut(&key) {
            Some(Json::Object(inner)) => {
                let result = self.key(inner, depth + 1);
                if result.is_ok() && inner.is_empty() { Err(Error::NoMapValue(key).into()) } else { result }
            }
            Some(other) => Err(shape(other, "map[string]interface {}")),
            None => {
                let mut inner = Map::new();
                let result = self.key(&mut inner, depth + 1);
                if !inner.is_empty() {
                    set(values, key, Json::Object(inner));
                } else if result.is_ok() {
                    return Err(Error::NoMapValue(key).into());
                }
                result
            }
        }
    }

    /// What follows the `]` of an index.
    fn item(&mut self, list: &mut Vec<Json>, index: i64, depth: usize) -> Result<(), Stop> {
        if index < 0 {
            return Err(Error::NegativeIndex(index).into());
        }
        let (text, stop) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            let characters: Vec<String> = text.chars().map(|c| quote_rune(c, Alphabet::Unicode)).collect();
            return Err(Error::AfterIndex(characters.join(" ")).into());
        }
        match stop {
            None => Err(Stop::End),
            Some('[') => self.item_of_list(list, index, depth),
            Some('.') => self.item_of_map(list, index, depth),
            Some(_) => {
                let mut result = Ok(());
                // An index at the end of the text is complete with an empty value.
                match self.assigned(|value| result = set_index(list, index, value)) {
                    Ok(()) | Err(Stop::End) => Ok(result?),
                    error @ Err(Stop::Error(_)) => error,
                }
            }
        }
    }

    fn item_of_list(&mut self, list: &mut Vec<Json>, index: i64, depth: usize) -> Result<(), Stop> {
        let next = self.index()?;
        match at(list, index) {
            Some(Json::Array(nested)) => self.item(nested, next, depth),
            None | Some(Json::Null) => {
                let mut nested = Vec::new();
                self.item(&mut nested, next, depth)?;
                Ok(set_index(list, index, Json::Array(nested))?)
            }
            Some(other) => Err(shape(other, "[]interface {}")),
        }
    }

    fn item_of_map(&mut self, list: &mut Vec<Json>, index: i64, depth: usize) -> Result<(), Stop> {
        if let Some(item) = at(list, index) {
            if !item.is_object() {
                *item = Json::Object(Map::new());
            }
            return item.as_object_mut().map_or(Ok(()), |inner| self.key(inner, depth));
        }
        let mut inner = Map::new();
        // As in Helm, an item that the end of the text cuts short is dropped: `a[0].b=` is `a: []`.
        self.key(&mut inner, depth)?;
        Ok(set_index(list, index, Json::Object(inner))?)
    }

    fn index(&mut self) -> Result<i64, Stop> {
        self.brackets += 1;
        if self.brackets > MAX_BRACKETS {
            return Err(Error::TooManyIndices.into());
        }
        let (text, stop) = self.until(&[']']);
        // As in Helm, an index that is not closed ends the text without a complaint.
        if stop.is_none() {
            return Err(Stop::End);
        }
        let fault = |what| Error::Index(format!("strconv.Atoi: parsing {}: {what}", quote(text.as_bytes()))).into();
        text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => fault("value out of range"),
            _ => fault("invalid syntax"),
        })
    }

    /// What follows `=`, given to `set`. [`Stop::End`] after an empty value at the end of the text.
    fn assigned(&mut self, set: impl FnOnce(Json)) -> Result<(), Stop> {
        match self.kind {
            Kind::Json => set(self.json()?),
            Kind::Literal => set(Json::String(std::mem::take(&mut self.rest).to_owned())),
            Kind::Typed | Kind::String if self.rest.is_empty() => {
                set(Json::String(String::new()));
                return Err(Stop::End);
            }
            Kind::Typed | Kind::String => {
                let value = if let Some(rest) = self.rest.strip_prefix('{') {
                    self.rest = rest;
                    Json::Array(self.list()?)
                } else {
                    let (text, _) = self.until(&[',']);
                    self.value(text)?
                };
                set(value);
            }
        }
        Ok(())
    }

    /// What a text means.
    fn value(&mut self, text: String) -> Result<Json, Stop> {
        Ok(match &mut self.read {
            Some(read) => Json::String(read(&text).map_err(Error::File)?),
            None if self.kind == Kind::String => Json::String(text),
            None => typed(text),
        })
    }

    fn list(&mut self) -> Result<Vec<Json>, Stop> {
        let mut list = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            let Some(stop) = stop else { return Err(Error::OpenList.into()) };
            list.push(self.value(text)?);
            if stop == '}' {
                self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                return Ok(list);
            }
        }
    }

    fn json(&mut self) -> Result<Json, Stop> {
        if self.skip_blanks() {
            return Ok(Json::Null);
        }
        // Go ends a word or a number where it can; serde wants a delimiter behind it.
        let word = ["true", "false", "null"].into_iter().find(|word| self.rest.starts_with(word));
        let text = word.or_else(|| number(self.rest)).unwrap_or(self.rest);
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Json>();
        let value = match stream.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(Error::Json(json_fault(&error, self.rest)).into()),
            None => Json::Null,
        };
        self.rest = self.rest.get(stream.byte_offset()..).unwrap_or("");
        self.skip_blanks();
        Ok(floats(value))
    }

    /// Whether nothing but blanks came before the next comma, which is then read, or before the end.
    fn skip_blanks(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        let comma = self.rest.strip_prefix(',');
        self.rest = comma.unwrap_or(self.rest);
        comma.is_some() || self.rest.is_empty()
    }
}

/// What a text of `--set` looks like.
fn typed(text: String) -> Json {
    if text.eq_ignore_ascii_case("true") {
        return Json::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Json::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Json::Null;
    }
    let leading_zero = text.starts_with('0') && text != "0";
    match text.parse::<i64>() {
        Ok(number) if !leading_zero => Json::from(number),
        _ => Json::String(text),
    }
}

fn set(values: &mut Map<String, Json>, key: String, value: Json) {
    // As in Helm, an assignment to no name is read and forgotten.
    if !key.is_empty() {
        values.insert(key, value);
    }
}

fn at(list: &mut [Json], index: i64) -> Option<&mut Json> {
    list.get_mut(usize::try_from(index).ok()?)
}

fn set_index(list: &mut Vec<Json>, index: i64, value: Json) -> Result<(), Error> {
    let place = usize::try_from(index).unwrap_or(usize::MAX);
    if place > MAX_INDEX {
        return Err(Error::IndexTooHigh(index));
    }
    if list.len() <= place {
        list.resize(place + 1, Json::Null);
    }
    if let Some(item) = list.get_mut(place) {
        *item = value;
    }
    Ok(())
}

fn shape(found: &Json, wanted: &'static str) -> Stop {
    Error::Shape { found: go_type(found), wanted }.into()
}

/// The number of JSON's grammar that `text` begins with.
fn number(text: &str) -> Option<&str> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let tail = |at: usize| text.get(at..).unwrap_or("");
    let start = usize::from(text.starts_with('-'));
    let whole = if tail(start).starts_with('0') { 1 } else { digits(tail(start)) };
    let mut end = start + whole;
    if let Some(fraction) = tail(end).strip_prefix('.') {
        end += 1 + digits(fraction);
    }
    if let Some(exponent) = tail(end).strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        end += 1 + sign + digits(exponent.get(sign..).unwrap_or(""));
    }
    text.get(..end).filter(|_| whole > 0)
}

/// Go decodes every number of JSON into a float.
fn floats(value: Json) -> Json {
    match value {
        Json::Number(number) => number.as_f64().map_or(Json::Null, Json::from),
        Json::Array(items) => Json::Array(items.into_iter().map(floats).collect()),
        Json::Object(entries) => Json::Object(entries.into_iter().map(|(key, value)| (key, floats(value))).collect()),
        other => other,
    }
}

/// Go's words for the two faults everybody makes; serde's for the others.
fn json_fault(error: &serde_json::Error, text: &str) -> String {
    if error.is_eof() {
        return "unexpected EOF".to_owned();
    }
    // Go looks at bytes, and takes each for a character.
    let first = text.bytes().next().map(char::from).unwrap_or_default();
    let opens_value = matches!(first, '{' | '[' | '"' | '-' | '0'..='9' | 't' | 'f' | 'n');
    let first = quote_rune(first, Alphabet::Unicode);
    if opens_value { error.to_string() } else { format!("invalid character {first} looking for beginning of value") }
}
