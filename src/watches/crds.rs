//! `crds`: what is done with the `crds/` of a chart.

use crate::watches::fields::{Field, Findings};

/// What is done with the custom resource definitions in a chart's `crds/`. None of them ever deletes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Crds {
    /// Those that are not there are created, as Helm does.
    #[default]
    Create,
    /// Those that are there become what the chart holds, too.
    CreateReplace,
    /// Nothing: somebody else brings them.
    Skip,
}

pub(crate) fn read(field: Option<Field<'_>>, findings: &mut Findings) -> Crds {
    let Some(field) = field else { return Crds::default() };
    match field.value.as_str() {
        Some("Create") => Crds::Create,
        Some("CreateReplace") => Crds::CreateReplace,
        Some("Skip") => Crds::Skip,
        text => {
            let found = text.map_or_else(|| field.value.kind_name().to_owned(), |text| format!("`{text}`"));
            let message = format!("expected `Create`, `CreateReplace` or `Skip` for `crds`, found {found}");
            findings.fault(field.value.place, message);
            Crds::default()
        }
    }
}
