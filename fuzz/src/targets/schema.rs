//! A schema and values, with a line `---` between them: every violation is told, the same way twice.

use std::sync::Arc;

use chart_operator::chart::{Chart, File, load};
use chart_operator::values::schema::validate;
use chart_operator::yaml::{self, Numbers};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (schema, values) = text.split_once("\n---\n").unwrap_or((text, "{}"));
    let Ok(values) = yaml::to_json(values, Numbers::Float) else { return };
    let chart = with_schema(schema);
    let found = validate(&chart, &values);
    assert_eq!(found, validate(&chart, &values), "the same twice");
    if let Err(error) = found {
        let faults: Vec<&String> = error.0.iter().flat_map(|faults| &faults.faults).collect();
        assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.is_empty()), "{error}");
    }
}

fn with_schema(schema: &str) -> Chart {
    let metadata = File::new("Chart.yaml", b"{apiVersion: v2, name: demo, version: 1.0.0}".as_slice());
    let mut chart = load::from_files(vec![metadata]).unwrap();
    chart.schema = Some(Arc::<[u8]>::from(schema.as_bytes()).into());
    chart
}
