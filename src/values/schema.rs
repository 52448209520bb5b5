//! Whether values meet a chart's `values.schema.json`, and its sub-charts' theirs.
//!
//! Mirrors Helm v4.3.1, `pkg/chart/common/util/jsonschema.go`.

use std::fmt;

use serde_json::Value as Json;

use crate::chart::Chart;
use crate::schema::{Failure, Fault, Schema, Shown, Violation};
use crate::values::go_type;

/// Violations of one chart's schema, or why it is no schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The chart.
    pub chart: String,
    /// One text each, without a line end; nested ones are lines of it. No texts of the values are in them.
    pub faults: Vec<String>,
    /// Helm's text, in which they are; with its line end, if Helm ends it with one.
    pub helm: String,
}

/// Values that do not meet their schemas. Displayed without texts of the values, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(
    /// The charts in question, parents first.
    pub Vec<Faults>,
);

const HEADER: &str = "values don't meet the specifications of the schema(s) in the following chart(s):";

impl Error {
    /// Helm's text, to the letter, for who has given the values.
    #[must_use]
    pub fn helm_text(&self) -> String {
        let charts = self.0.iter().map(|Faults { chart, helm, .. }| format!("{chart}:\n{helm}"));
        format!("{HEADER}\n{}", charts.collect::<String>())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        for Faults { chart, faults, .. } in &self.0 {
            write!(f, "\n{chart}:")?;
            faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Checks coalesced `values` against the schemas of a processed chart and its sub-charts.
///
/// # Errors
/// [`Error`] with every violation.
pub fn validate(chart: &Chart, values: &Json) -> Result<(), Error> {
    let mut found = Vec::new();
    check(chart, values, &mut found);
    if found.is_empty() { Ok(()) } else { Err(Error(found)) }
}

fn check(chart: &Chart, values: &Json, found: &mut Vec<Faults>) {
    found.extend(chart.schema.as_ref().and_then(|schema| faults(chart.name(), schema, values)));
    for dependency in &chart.dependencies {
        match values.get(dependency.name()) {
            None | Some(Json::Null) => {}
            Some(values @ Json::Object(_)) => check(dependency, values, found),
            Some(other) => {
                let fault = format!("invalid type for values: expected object (map), got {}", go_type(other));
                let helm = format!("{fault}\n");
                found.push(Faults { chart: dependency.name().to_owned(), faults: vec![fault], helm });
            }
        }
    }
}

fn faults(chart: &str, schema: &Schema, values: &Json) -> Option<Faults> {
    let (faults, helm) = match schema.check(values) {
        Ok(()) => return None,
        Err(Failure::NoSchema(fault)) => (vec![no_schema(fault)], fault.to_string()),
        Err(Failure::NotMet(Violation { causes, .. })) => {
            let lines = |shown| causes.iter().map(move |cause| cause.to_lines(shown));
            let helm = lines(Shown::Everything).map(|line| line + "\n").collect();
            (lines(Shown::Redacted).collect(), helm)
        }
    };
    Some(Faults { chart: chart.to_owned(), faults, helm })
}

/// Why there is no schema, for who has written it.
fn no_schema(fault: &Fault) -> String {
    match fault {
        Fault::Json { text, .. } => format!("values.schema.json is not JSON: {text}"),
        Fault::Dialect { url } => format!("values.schema.json is in an unknown dialect: {url:?}"),
        fault => format!("values.schema.json is no JSON schema: {fault}"),
    }
}
