//! Scenarios of a chart with actions: a Job that runs once, one that fails at first, and one that runs before the end.

use serde_json::{Value as Json, json};
use tokio::sync::OnceCell;

use crate::disturbed::{Deed, End, References, Scenario, all};
use crate::support::Project;

/// A Job whose name ends with `fails-once` ends badly the first time.
const OBJECTS: &str = "apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-{{ .Values.job | default \"make\" }}
  annotations: {chart-operator.dev/action: make, chart-operator.dev/retry: 100ms}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-web, annotations: {chart-operator.dev/phase: two}}
data: {text: {{ .Values.job | default \"make\" }}, before: {{ .Previous.job | default \"none\" }}}
{{- if .Deleting }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-drop
  annotations:
    chart-operator.dev/action: drop
    chart-operator.dev/on: pre-delete
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}
{{- end }}
";

/// Every scenario without a fault.
pub(crate) async fn acting() -> &'static References {
    static REFERENCES: OnceCell<References> = OnceCell::const_new();
    REFERENCES.get_or_init(|| all(chart(), scenarios())).await
}

fn chart() -> Project {
    Project::of(&[
        ("watches.yaml", "- {group: charts.samutup.com, version: v1alpha1, kind: Web, chart: demo}\n"),
        ("demo/Chart.yaml", "{apiVersion: v2, name: demo, version: 1.0.0}"),
        ("demo/operator/policy.yaml", "phases: [one, two]\n"),
        ("demo/templates/all.yaml", OBJECTS),
    ])
}

fn scenarios() -> Vec<Scenario> {
    let created = || vec![Deed::Create(json!({}))];
    let edit = |spec: Json| vec![Deed::Edit(spec)];
    let scenario = |name, before, deeds, end| Scenario { name, before, deeds, end };
    vec![
        scenario("acting-create", vec![], created(), End::Revision(1)),
        scenario("acting-again", created(), edit(json!({"job": "next"})), End::Revision(2)),
        scenario("acting-retry", created(), edit(json!({"job": "fails-once"})), End::Revision(2)),
        scenario("acting-delete", created(), vec![Deed::Delete], End::Gone),
    ]
}
