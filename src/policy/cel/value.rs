//! What a rule computes with: parts of the object, which are never copied, and what the rule makes.

use std::cmp::Ordering;
use std::ops::Deref;
use std::rc::Rc;

use serde_json::{Map as JsonMap, Value as Json};

use crate::policy::cel::tree::{Kind, Literal};

/// A value. A copy of one is as cheap as a pointer.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text<'a>),
    List(List<'a>),
    Map(Map<'a>),
    Type(Kind),
    /// What `.?` gives.
    Optional(Option<Rc<Self>>),
}

/// A text of the object or the rule, or one that was made.
#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    Part(&'a str),
    Made(Rc<str>),
}

/// A list of the object, or one that was made.
#[derive(Clone, Debug)]
pub(super) enum List<'a> {
    Part(&'a [Json]),
    Made(Rc<[Value<'a>]>),
}

/// A map of the object, or one that was made.
#[derive(Clone, Debug)]
pub(super) enum Map<'a> {
    Part(&'a JsonMap<String, Json>),
    Made(Rc<[(Value<'a>, Value<'a>)]>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Part(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Part(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Part(items) => items.get(index).map(Value::from),
            Self::Made(items) => items.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a> Map<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Part(entries) => entries.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    /// Keys and values, always in the same order.
    pub(super) fn entries(&self) -> Vec<(Value<'a>, Value<'a>)> {
        match self {
            Self::Part(entries) => {
                entries.iter().map(|(key, value)| (Value::Text(Text::Part(key)), Value::from(value))).collect()
            }
            Self::Made(entries) => entries.to_vec(),
        }
    }
}

impl Value<'_> {
    /// A text that was made.
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(Text::Made(text.into()))
    }

    /// A list that was made.
    pub(super) fn list(items: impl Into<Rc<[Self]>>) -> Self {
        Self::List(List::Made(items.into()))
    }

    /// How many there are of something; none has more than fits.
    pub(super) fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Uint(_) => Kind::Uint,
            Self::Double(_) => Kind::Double,
            Self::Text(_) => Kind::Text,
            Self::List(_) => Kind::List,
            Self::Map(_) => Kind::Map,
            Self::Type(_) => Kind::Type,
            Self::Optional(_) => Kind::Optional,
        }
    }

    /// Which comes first; `None` where that is not known, as with NaN, or of what has no order.
    ///
    /// Numbers are compared as numbers, whatever their types, as the API server has it.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(one), Self::Bool(two)) => Some(one.cmp(two)),
            (Self::Text(one), Self::Text(two)) => Some(one.cmp(two)),
            (Self::Double(one), Self::Double(two)) => one.partial_cmp(two),
            (Self::Double(one), _) => other.whole().and_then(|two| order(two, *one)).map(Ordering::reverse),
            (_, Self::Double(two)) => self.whole().and_then(|one| order(one, *two)),
            _ => Some(self.whole()?.cmp(&other.whole()?)),
        }
    }

    /// Whether it is a number, of any type.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Uint(_) | Self::Double(_))
    }

    fn whole(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(i128::from(*number)),
            Self::Uint(number) => Some(i128::from(*number)),
            _ => None,
        }
    }
}

/// Compares without rounding.
fn order(whole: i128, double: f64) -> Option<Ordering> {
    #[expect(clippy::cast_possible_truncation, reason = "what is too large becomes the largest, which is larger still")]
    let floor = double.floor() as i128;
    if double.is_nan() {
        return None;
    }
    let exact = double.fract() == 0.0;
    Some(whole.cmp(&floor).then(if exact { Ordering::Equal } else { Ordering::Less }))
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::String(text) => Self::Text(Text::Part(text)),
            Json::Array(items) => Self::List(List::Part(items)),
            Json::Object(entries) => Self::Map(Map::Part(entries)),
            Json::Number(number) => number
                .as_i64()
                .map(Self::Int)
                .or_else(|| number.as_u64().map(Self::Uint))
                .or_else(|| number.as_f64().map(Self::Double))
                .unwrap_or(Self::Null),
        }
    }
}

impl<'a> From<&'a Literal> for Value<'a> {
    fn from(literal: &'a Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Bool(truth) => Self::Bool(*truth),
            Literal::Int(number) => Self::Int(*number),
            Literal::Uint(number) => Self::Uint(*number),
            Literal::Double(number) => Self::Double(*number),
            Literal::Text(text) => Self::Text(Text::Part(text)),
            Literal::Type(kind) => Self::Type(*kind),
        }
    }
}
