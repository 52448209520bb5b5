//! In what way values do not meet a schema, and how that is told.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::value::{format_float, quote as go_quote};

/// A violation, and those that led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The value in question, as a JSON pointer.
    pub at: Box<str>,
    /// What is wrong.
    pub kind: Kind,
    /// Why.
    pub causes: Vec<Self>,
}

/// What is wrong with a value. Each is a keyword's.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The whole: the schema's address.
    Schema(String),
    /// More than one thing.
    Group,
    /// What a reference leads to is not met.
    Reference,
    /// The schema is `false`.
    FalseSchema,
    /// A reference leads back to its schema with the same value.
    RefCycle {
        /// The way there, and the shorter one.
        ways: [String; 2],
        /// The schema.
        url: String,
    },
    /// The schema leads deeper than is followed.
    TooDeep,
    /// `not`
    Not,
    /// `allOf`
    AllOf,
    /// `anyOf`
    AnyOf,
    /// `oneOf`, and the two that matched if any did.
    OneOf(Option<[usize; 2]>),
    /// `type`
    Type {
        /// The value's.
        got: &'static str,
        /// What it may be.
        want: Vec<&'static str>,
    },
    /// `const`
    Const(Json),
    /// `enum`
    Enum(Vec<Json>),
    /// `format`
    Format {
        /// The value.
        got: String,
        /// The format's name.
        want: String,
        /// Why it is not.
        why: String,
    },
    /// `pattern`
    Pattern {
        /// The value.
        got: String,
        /// The pattern.
        want: String,
    },
    /// A count of characters, items or properties.
    Count {
        /// For instance `minLength`.
        keyword: &'static str,
        /// How many there are.
        got: usize,
        /// How many there should be.
        want: i64,
    },
    /// A bound of a number, or `multipleOf`.
    Bound {
        /// For instance `minimum`.
        keyword: &'static str,
        /// The number.
        got: f64,
        /// The bound.
        want: f64,
    },
    /// `required`
    Required(Vec<String>),
    /// `dependencies`, `dependentRequired`
    Dependency {
        /// What needs others.
        property: String,
        /// The others that are missing.
        missing: Vec<String>,
    },
    /// `additionalProperties`
    AdditionalProperties(Vec<String>),
    /// `propertyNames`
    PropertyName(String),
    /// `additionalItems`, and how many there are.
    AdditionalItems(usize),
    /// `uniqueItems`, and which are equal.
    UniqueItems([usize; 2]),
    /// `contains`
    Contains,
    /// `minContains`
    MinContains {
        /// The items that match.
        got: Vec<usize>,
        /// How many should.
        want: i64,
    },
    /// `maxContains`
    MaxContains {
        /// The items that match.
        got: Vec<usize>,
        /// How many may.
        want: i64,
    },
}

/// What a text may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What Helm shows.
    Everything,
    /// No texts among the values: they may be secret.
    Redacted,
}

impl Violation {
    /// The text of Helm's validator.
    #[must_use]
    pub fn to_text(&self, shown: Shown) -> String {
        let mut text = String::new();
        self.write(&mut text, 0, shown);
        text
    }

    /// The same for a cause of the whole: `- at '…': …`, with lines for what led to it.
    #[must_use]
    pub fn to_lines(&self, shown: Shown) -> String {
        let mut text = String::new();
        self.write(&mut text, 1, shown);
        text.trim_start_matches('\n').to_owned()
    }

    fn write(&self, out: &mut String, indent: usize, shown: Shown) {
        let is_passed_over = matches!((&self.kind, self.causes.as_slice()), (Kind::Reference, [_]));
        if !is_passed_over {
            if let Some(depth) = indent.checked_sub(1) {
                out.push('\n');
                out.push_str(&"  ".repeat(depth));
                out.push_str("- ");
            }
            if !matches!(self.kind, Kind::Schema(_)) {
                out.push_str("at ");
                out.push_str(&quote(&self.at));
                out.push_str(": ");
            }
            self.kind.write(out, shown);
        }
        let indent = if is_passed_over { indent } else { indent + 1 };
        for cause in &self.causes {
            cause.write(out, indent, shown);
        }
    }
}

impl Kind {
    fn write(&self, out: &mut String, shown: Shown) {
        let text = match self {
            Self::Schema(location) => format!("jsonschema validation failed with {}", quote(location)),
            Self::Group | Self::Reference => "validation failed".to_owned(),
            Self::FalseSchema => "false schema".to_owned(),
            Self::RefCycle { ways: [way, other], url } => {
                format!("both {way} and {other} resolve to {} causing reference cycle", go_quote(url.as_bytes()))
            }
            Self::TooDeep => "nested too deep to be checked".to_owned(),
            Self::Not => "'not' failed".to_owned(),
            Self::AllOf => "'allOf' failed".to_owned(),
            Self::AnyOf => "'anyOf' failed".to_owned(),
            Self::OneOf(None) => "'oneOf' failed, none matched".to_owned(),
            Self::OneOf(Some([one, other])) => {
                format!("'oneOf' failed, subschemas {}, {} matched", grouped(one), grouped(other))
            }
            Self::Type { got, want } => format!("got {got}, want {}", want.join(" or ")),
            Self::Const(wanted) => one_of("const", std::slice::from_ref(wanted)),
            Self::Enum(wanted) => one_of("enum", wanted),
            _ => self.of_a_part(shown),
        };
        out.push_str(&text);
    }

    fn of_a_part(&self, shown: Shown) -> String {
        let hidden = shown == Shown::Redacted;
        match self {
            Self::Format { want, .. } if hidden => format!("is not valid {want}"),
            Self::Format { got, want, why } => format!("{} is not valid {want}: {why}", quote(got)),
            Self::Pattern { want, .. } if hidden => format!("does not match pattern {}", quote(want)),
            Self::Pattern { got, want } => format!("{} does not match pattern {}", quote(got), quote(want)),
            Self::Count { keyword, got, want } => format!("{keyword}: got {}, want {}", grouped(got), grouped(want)),
            Self::Bound { keyword, got, want } => format!("{keyword}: got {}, want {}", english(*got), english(*want)),
            Self::Required(missing) => {
                let noun = if missing.len() == 1 { "property" } else { "properties" };
                format!("missing {noun} {}", names(missing))
            }
            Self::Dependency { property, missing } => {
                format!("properties {} required, if {} exists", names(missing), quote(property))
            }
            Self::AdditionalProperties(found) => format!("additional properties {} not allowed", names(found)),
            Self::PropertyName(name) => format!("invalid propertyName {}", quote(name)),
            Self::AdditionalItems(count) => format!("last {} additionalItem(s) not allowed", grouped(count)),
            Self::UniqueItems([one, other]) => format!("items at {} and {} are equal", grouped(one), grouped(other)),
            Self::Contains => "no items match contains schema".to_owned(),
            Self::MinContains { got, want } if got.is_empty() => {
                format!("min {} items required to match contains schema, but none matched", grouped(want))
            }
            Self::MinContains { got, want } => contained("min", got, *want),
            Self::MaxContains { got, want } => contained("max", got, *want),
            _ => String::new(),
        }
    }
}

fn contained(word: &str, got: &[usize], want: i64) -> String {
    let places: Vec<String> = got.iter().map(usize::to_string).collect();
    format!(
        "{word} {} items required to match contains schema, but matched {} items at {}",
        grouped(&want),
        grouped(&got.len()),
        places.join(" ")
    )
}

fn one_of(keyword: &str, wanted: &[Json]) -> String {
    if wanted.iter().any(|wanted| wanted.is_array() || wanted.is_object()) {
        return format!("'{keyword}' failed");
    }
    let one_of = if wanted.len() == 1 { "" } else { "one of " };
    let wanted: Vec<String> = wanted.iter().map(display).collect();
    format!("value must be {one_of}{}", wanted.join(", "))
}

fn display(json: &Json) -> String {
    match json {
        Json::String(text) => quote(text),
        Json::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}

fn quote(text: &str) -> String {
    // The quotes take part in it, so that a backslash at the end loses its own.
    let quoted = go_quote(text.as_bytes()).replace("\\\"", "\"");
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    format!("'{}'", inside.replace('\'', "\\'"))
}

/// A whole number as it is written in English: `12,345`.
pub(super) fn grouped(number: &impl ToString) -> String {
    let text = number.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let mut out = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number as Go's `message` package writes it in English: `12,345.5`, `1.5×10⁰⁷`.
fn english(number: f64) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    // There is no negative zero among fractions.
    let text = format_float(if number == 0.0 { 0.0 } else { number });
    let Some((mantissa, exponent)) = text.split_once('e') else {
        let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, part)| (whole, Some(part)));
        let mut out = grouped(&whole);
        if let Some(fraction) = fraction {
            // Writing to a string does not fail.
            write!(out, ".{fraction}").ok();
        }
        return out;
    };
    let raised = exponent.chars().filter_map(|c| match c {
        '-' => Some('⁻'),
        c => c.to_digit(10).and_then(|digit| RAISED.get(digit as usize)).copied(),
    });
    format!("{mantissa}×10{}", raised.collect::<String>())
}
