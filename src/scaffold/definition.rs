//! The `CustomResourceDefinition` of a kind.

use serde_json::{Map, Value as Json, json};

use crate::chart::Chart;
use crate::scaffold::api::values;
use crate::scaffold::comments::Comments;
use crate::scaffold::convert::{Conversion, overlay};
use crate::scaffold::infer::{Inference, OPEN};
use crate::scaffold::{Error, Kind, Schema};
use crate::yaml;

/// What a kind is known by beside its name.
pub(super) struct Aliases {
    /// For `kubectl get`.
    pub(super) short: Vec<String>,
    /// Kinds that are listed together.
    pub(super) categories: Vec<String>,
}

/// The text of the definition; and what the user should know of its schema.
pub(super) fn text(
    kind: &Kind,
    chart: &Chart,
    directory: &str,
    schema: Schema,
    aliases: &Aliases,
) -> Result<(String, Vec<String>), Error> {
    let mut warnings = Vec::new();
    let mut spec = object("Values of the chart; they are merged over its values.yaml.");
    let properties = match schema {
        Schema::None => Map::new(),
        Schema::Values | Schema::Strict => properties(chart, schema == Schema::Strict, &mut warnings)?,
    };
    if !properties.is_empty() {
        spec.insert("properties".to_owned(), Json::Object(properties));
    }
    let column = |name, kind, path| json!({"name": name, "type": kind, "jsonPath": path});
    let ready = |field| format!(".status.conditions[?(@.type==\"Ready\")].{field}");
    let version = json!({
        "name": kind.version,
        "served": true,
        "storage": true,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            column("READY", "string", ready("status")),
            column("STATUS", "string", ready("reason")),
            column("REVISION", "integer", ".status.deployedRelease.revision".to_owned()),
            column("AGE", "date", ".metadata.creationTimestamp".to_owned()),
        ],
        "schema": {"openAPIV3Schema": {
            "description": format!("A release of the chart {directory}."),
            "type": "object",
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "spec": spec,
                "status": object("What the operator reports."),
            },
        }},
    });
    let mut names = json!({
        "kind": kind.kind,
        "listKind": format!("{}List", kind.kind),
        "plural": kind.plural(),
        "singular": kind.singular(),
        "categories": aliases.categories,
    });
    if let (Json::Object(names), false) = (&mut names, aliases.short.is_empty()) {
        names.insert("shortNames".to_owned(), json!(aliases.short));
    }
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{}.{}", kind.plural(), kind.full_group()),
            // Lets tools list the objects that belong to a resource (KEP-3659).
            "labels": {"applyset.kubernetes.io/is-parent-type": "true"},
        },
        "spec": {"group": kind.full_group(), "names": names, "scope": "Namespaced", "versions": [version]},
    });
    Ok((yaml::emit_json(&definition).map_err(Error::Write)?, warnings))
}

/// What is known of the chart's values: from its schema, and from `values.yaml` what that does not tell.
fn properties(chart: &Chart, typed: bool, warnings: &mut Vec<String>) -> Result<Map<String, Json>, Error> {
    let text = values(chart);
    let source = |source| Error::Yaml { file: "values.yaml", source };
    let inference = Inference { comments: Comments::of(&text), typed };
    let mut properties = match yaml::parse(&text).map_err(source)? {
        Some(defaults) => inference.properties(&defaults, ""),
        None => Map::new(),
    };
    let Some(file) = chart.raw.iter().find(|file| &*file.name == "values.schema.json") else { return Ok(properties) };
    let Ok(written) = serde_json::from_slice::<Json>(&file.data) else {
        warnings.push("`values.schema.json` is not JSON: the definition's schema is that of `values.yaml`".to_owned());
        return Ok(properties);
    };
    let mut conversion = Conversion::of(&written);
    overlay(&mut properties, conversion.properties());
    if !conversion.left_out.is_empty() {
        let left_out: Vec<String> = conversion.left_out.iter().map(|keyword| format!("`{keyword}`")).collect();
        warnings.push(format!(
            "of `values.schema.json` the definition leaves out {}: they are checked when the chart is rendered",
            left_out.join(", ")
        ));
    }
    Ok(properties)
}

fn object(description: &str) -> Map<String, Json> {
    Map::from_iter([
        ("description".to_owned(), json!(description)),
        ("type".to_owned(), json!("object")),
        (OPEN.to_owned(), Json::Bool(true)),
    ])
}
