//! `budget`: how much rendering a watch's chart may use.

use std::time::Duration;

use crate::diagnostic::Place;
use crate::value::period;
use crate::watches::fields::{Field, Findings};
use crate::watches::shape;
use crate::yaml::NodeValue;

/// How deep templates, blocks and parentheses can be open at most: what the stacks of renders are made for.
pub(crate) const MAX_DEPTH: u64 = 6_000;

/// The limits that a watch sets; those it does not set have their defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Steps of templates and functions.
    pub steps: Option<u64>,
    /// Bytes of text rendered.
    pub output: Option<usize>,
    /// Bytes that values hold at the same time.
    pub memory: Option<usize>,
    /// Templates, blocks and parentheses open at the same time.
    pub depth: Option<usize>,
    /// What keys and password hashes may cost.
    pub crypto: Option<Duration>,
    /// How long a render may take.
    pub time: Option<Duration>,
}

/// What is appended to a number of bytes, and what it stands for.
const UNITS: [(&str, u64); 6] =
    [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];

/// Reads the field `budget`.
pub(crate) fn read(field: Option<Field<'_>>, findings: &mut Findings) -> Budget {
    let Some(field) = field else { return Budget::default() };
    if !field.value.is_mapping() {
        let hint = "name limits, for instance `budget: {memory: 256Mi, time: 1m}`";
        let message = format!("expected a mapping for `budget`, found {}", field.value.kind_name());
        findings.fault_with(field.value.place, message, hint);
        return Budget::default();
    }
    let fields = findings.fields(field.value, &shape::BUDGET);
    let depth = fields.field("depth");
    Budget {
        steps: number(fields.field("steps"), findings),
        output: bytes(fields.field("output"), findings),
        memory: bytes(fields.field("memory"), findings),
        depth: number(depth, findings).and_then(|number| within_stack(number, depth?.value.place, findings)),
        crypto: time(fields.field("crypto"), findings),
        time: time(fields.field("time"), findings),
    }
}

fn within_stack(depth: u64, place: Place, findings: &mut Findings) -> Option<usize> {
    if depth > MAX_DEPTH {
        findings.fault(place, format!("a `depth` of more than {MAX_DEPTH} does not fit the stack, found {depth}"));
    }
    usize::try_from(depth).ok()
}

/// A whole number from 1 on.
fn number(field: Option<Field<'_>>, findings: &mut Findings) -> Option<u64> {
    let field = field?;
    let number = match field.value.value {
        NodeValue::Int(number) => u64::try_from(number).ok(),
        NodeValue::Uint(number) => Some(number),
        _ => None,
    };
    let number = number.filter(|number| *number > 0);
    if number.is_none() {
        fault(field, "a whole number from 1 on", "write for instance `5000000`", findings);
    }
    number
}

/// A number of bytes from 1 on, as Kubernetes writes memory.
fn bytes(field: Option<Field<'_>>, findings: &mut Findings) -> Option<usize> {
    let field = field?;
    let number = match &field.value.value {
        NodeValue::Int(number) => u64::try_from(*number).ok(),
        NodeValue::Uint(number) => Some(*number),
        NodeValue::String(text) => quantity(text),
        _ => None,
    };
    let number = number.filter(|number| *number > 0).and_then(|number| usize::try_from(number).ok());
    if number.is_none() {
        fault(field, "a number of bytes", "write for instance `134217728` or `128Mi`", findings);
    }
    number
}

fn quantity(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (digits, size) = unit.unwrap_or((text, 1));
    // Rust would take a sign.
    let digits = Some(digits).filter(|digits| digits.starts_with(|first: char| first.is_ascii_digit()))?;
    digits.parse::<u64>().ok()?.checked_mul(size)
}

fn time(field: Option<Field<'_>>, findings: &mut Findings) -> Option<Duration> {
    let field = field?;
    let time = field.value.as_str().and_then(|text| period::parse(text).ok()).filter(|time| !time.is_zero());
    if time.is_none() {
        fault(field, "a duration", "write for instance `500ms`, `30s` or `1m30s`", findings);
    }
    time
}

fn fault(field: Field<'_>, wanted: &str, hint: &str, findings: &mut Findings) {
    let found = match &field.value.value {
        NodeValue::String(text) => format!("`{text}`"),
        NodeValue::Int(number) => number.to_string(),
        NodeValue::Float(number) => number.to_string(),
        _ => field.value.kind_name().to_owned(),
    };
    findings.fault_with(
        field.value.place,
        format!("expected {wanted} for `budget.{}`, found {found}", field.name),
        hint,
    );
}
