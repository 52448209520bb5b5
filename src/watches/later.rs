//! Fields that have a meaning and that this version does not carry out.
//!
//! Silence would be wrong for all of them: who limits a chart by `lookup` counts on it. So their shape is checked, and then
//! they are refused. A field that is carried out leaves this list for [`crate::watches::read`].

use crate::watches::fields::{Field, Findings};
use crate::yaml::Node;

/// A field's name, its shape, and what to do without it.
type Row = (&'static str, Shape, &'static str);

enum Shape {
    /// `none`, `own`, or a mapping.
    Lookup,
}

const ROWS: &[Row] = &[("lookup", Shape::Lookup, "remove it, and limit what charts may read by the operator's role")];

/// The names of all of them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(name, ..)| *name)
}

/// Refuses a field, if it is one of them.
pub(crate) fn refuse(field: Field<'_>, findings: &mut Findings) {
    let Some((_, shape, hint)) = ROWS.iter().find(|(name, ..)| *name == field.name) else { return };
    match shape.fault(field.value) {
        Some(wanted) => {
            let found = field.value.as_str().map(|text| format!("`{text}`"));
            let found = found.unwrap_or_else(|| field.value.kind_name().to_owned());
            findings.fault(field.value.place, format!("expected {wanted} for `{}`, found {found}", field.name));
        }
        None => findings.fault_with(field.place, format!("`{}` is not supported yet", field.name), *hint),
    }
}

impl Shape {
    /// What was wanted, if `node` is something else.
    fn fault(&self, node: &Node) -> Option<&'static str> {
        let (fits, wanted) = match self {
            Self::Lookup => {
                let word = node.as_str().is_some_and(|text| matches!(text, "none" | "own"));
                (word || node.is_mapping(), "`none`, `own` or a mapping")
            }
        };
        (!fits).then_some(wanted)
    }
}
