//! Actions: Jobs that run once, whose results templates see, and that stand in the way of later phases until they are done.

mod serial;
mod states;
mod teardown;

use serde_json::{Value as Json, json};

use crate::support::{Namespace, Project, condition_text, eventually};

const WATCHES: &str = "- {group: charts.samutup.com, version: v1alpha1, kind: Web, chart: demo}\n";

/// A Job in the first phase, and in the second an object that holds its result.
const TEMPLATE: &str = "apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-{{ .Values.job | default \"load\" }}
  annotations:
    chart-operator.dev/action: load
    {{- with .Values.retry }}
    chart-operator.dev/retry: {{ quote . }}
    {{- end }}
spec:
  {{- with .Values.deadline }}
  activeDeadlineSeconds: {{ . }}
  {{- end }}
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: none}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-result, annotations: {chart-operator.dev/phase: two}}
data: {result: {{ toJson .Results.load | quote }}, text: {{ .Values.text | default \"\" | quote }}}
";

const STATUS: &str = "actions: {{ toJson .Outcome.actions }}
failed: {{ toJson .Outcome.failed }}
says: {{ .Outcome.message | quote }}
";

/// A project whose kind Web has a chart of these templates, in two phases.
fn project(template: &str) -> Project {
    Project::of(&[
        ("watches.yaml", WATCHES),
        ("demo/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\n"),
        ("demo/operator/policy.yaml", "phases: [one, two]\n"),
        ("demo/operator/status.yaml", STATUS),
        ("demo/templates/all.yaml", template),
    ])
}

fn is_ready(resource: &Json) -> bool {
    condition_text(resource, "Ready").is_some_and(|text| text.starts_with("True/"))
}

/// Whether the action of this name is in that state.
fn is(name: &'static str, state: &'static str) -> impl Fn(&Json) -> bool {
    move |resource| resource["status"]["actions"][name]["state"] == state
}

async fn until_job(namespace: &Namespace, job: &str) -> Json {
    namespace.until("Job", job, "it is there", |_| true).await
}

/// Waits until the revision is committed: `history` is then this.
async fn until_history(namespace: &Namespace, history: &[&str]) {
    let probe = async || (namespace.history("shop").await == history).then_some(());
    eventually(&format!("the records are {history:?}"), probe).await;
}

fn retried(every: &str) -> Json {
    json!({"retry": every})
}
