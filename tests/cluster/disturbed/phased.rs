//! Scenarios of a chart with a policy: objects that go live, and down, phase by phase.

use serde_json::{Value as Json, json};
use tokio::sync::OnceCell;

use crate::disturbed::{Deed, End, References, Scenario, all};
use crate::support::Project;

const POLICY: &str = "phases: [one, two]
probes:
- selector: {kind: {group: '', kind: ConfigMap}}
  probes: [{cel: {rule: 'has(self.data.text)', message: no text}}]
";

const OBJECTS: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-one}
data: {text: {{ .Values.text | default \"old\" }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-web, annotations: {chart-operator.dev/phase: two}}
data: {text: {{ .Values.text | default \"old\" }}}
{{- if not .Values.less }}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-more, annotations: {chart-operator.dev/phase: two}}
{{- end }}
";

/// Every scenario without a fault.
pub(crate) async fn phased() -> &'static References {
    static REFERENCES: OnceCell<References> = OnceCell::const_new();
    REFERENCES.get_or_init(|| all(chart(), scenarios())).await
}

fn chart() -> Project {
    Project::of(&[
        ("watches.yaml", "- {group: charts.samutup.com, version: v1alpha1, kind: Web, chart: demo}\n"),
        ("demo/Chart.yaml", "{apiVersion: v2, name: demo, version: 1.0.0}"),
        ("demo/operator/policy.yaml", POLICY),
        ("demo/templates/all.yaml", OBJECTS),
    ])
}

fn scenarios() -> Vec<Scenario> {
    let created = || vec![Deed::Create(json!({}))];
    let edit = |spec: Json| vec![Deed::Edit(spec)];
    let scenario = |name, before, deeds, end| Scenario { name, before, deeds, end };
    let holds = |text: &str| End::Holds("ConfigMap", "/data/text", json!(text));
    vec![
        scenario("phased-create", vec![], created(), End::Revision(1)),
        scenario("phased-update", created(), edit(json!({"text": "new"})), End::Revision(2)),
        scenario("phased-prune", created(), edit(json!({"less": true})), End::Revision(2)),
        scenario("phased-restore", created(), vec![Deed::Remove("ConfigMap")], holds("old")),
        scenario("phased-delete", created(), vec![Deed::Delete], End::Gone),
    ]
}
