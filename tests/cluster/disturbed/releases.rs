//! Scenarios of releases: hooks, going back after a failed upgrade, and taking over what Helm installed.

use std::fmt::Write as _;
use std::time::Duration;

use chart_operator::release::record::{Chart, Info, Record, Stamps, Status};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value as Json, json};
use tokio::sync::OnceCell;

use crate::disturbed::{Deed, End, References, Scenario, all};
use crate::hooks::{job, project};
use crate::support::{Namespace, Project};

const NOTE: &str = "{{- if .Values.hooks }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-note, annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-weight: '-1'}}
{{- end }}
";

const SERVICE: &str = "apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-door}
spec: {ports: [{port: {{ .Values.port | default 80 }}}]}
";

/// Every scenario without a fault.
pub(crate) async fn releases() -> &'static References {
    static REFERENCES: OnceCell<References> = OnceCell::const_new();
    REFERENCES.get_or_init(|| all(probe(), scenarios())).await
}

fn probe() -> Project {
    let bad = job("bad", &[("hook", "post-upgrade"), ("hook-weight", "1")]);
    project(&[
        ("service", SERVICE.to_owned()),
        ("note", NOTE.to_owned()),
        ("pre", job("pre", &[("hook", "pre-install,pre-upgrade"), ("hook-delete-policy", "hook-succeeded")])),
        ("post", job("post", &[("hook", "post-install,post-upgrade")])),
        ("bad", bad.replace("if .Values.hooks", "if .Values.bad")),
        ("back", job("back", &[("hook", "pre-rollback")])),
        ("down", job("down", &[("hook", "pre-delete")])),
        ("gone", job("gone", &[("hook", "post-delete"), ("hook-delete-policy", "hook-succeeded")])),
    ])
}

fn scenarios() -> Vec<Scenario> {
    let plain = |more: Json| {
        let mut spec = json!({"hooks": false});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let installed = |spec| vec![Deed::Create(spec)];
    let scenario = |name, before, deeds, end| Scenario { name, before, deeds, end };
    let hooks = || installed(json!({}));
    let edit = |spec| vec![Deed::Edit(spec)];
    let taken = vec![Deed::Helm, Deed::Create(plain(json!({})))];
    vec![
        scenario("hooks-install", vec![], hooks(), End::Revision(1)),
        scenario("hooks-upgrade", hooks(), edit(json!({"text": "new"})), End::Revision(2)),
        scenario("hooks-delete", hooks(), vec![Deed::Delete], End::Gone),
        scenario(
            "back",
            installed(plain(json!({}))),
            edit(plain(json!({"text": "new", "port": 70_000}))),
            End::Back(3),
        ),
        scenario("hooks-back", hooks(), edit(json!({"text": "new", "bad": true})), End::Back(3)),
        scenario("takeover", vec![], taken, End::Revision(2)),
    ]
}

/// Ends Jobs as their controller does, those named `bad` with a failure, and those named `fails-once` when they are tried first.
pub(crate) async fn end_jobs(namespace: Namespace) {
    loop {
        for job in namespace.api("Job").list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default() {
            let name = job.metadata.name.unwrap_or_default();
            let attempt = job.metadata.annotations.and_then(|all| all.get("chart-operator.dev/attempt").cloned());
            let fails = name.ends_with("-bad") || (name.ends_with("-fails-once") && attempt.as_deref() == Some("1"));
            if job.data.pointer("/status/conditions").is_none() {
                let params = PatchParams { field_manager: Some("jane".to_owned()), ..PatchParams::default() };
                // It may be going.
                drop(namespace.api("Job").patch_status(&name, &params, &Patch::Merge(ended(!fails))).await);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn ended(well: bool) -> Json {
    let time = "2026-01-01T00:00:00Z";
    let condition = |name| json!({"type": name, "status": "True", "reason": "Ended", "message": "as told"});
    if well {
        let conditions = [condition("SuccessCriteriaMet"), condition("Complete")];
        return json!({"status": {"startTime": time, "completionTime": time, "succeeded": 1, "conditions": conditions}});
    }
    let conditions = [condition("FailureTarget"), condition("Failed")];
    json!({"status": {"startTime": time, "failed": 1, "conditions": conditions}})
}

/// What Helm leaves of the release `shop` of the chart, from a version of it that had one object more.
pub(crate) async fn install(namespace: &Namespace) {
    let mut manifest = String::new();
    for name in ["shop-page", "shop-old"] {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{text: hello}}\n");
        write!(manifest, "---\n# Source: probe/templates/{name}.yaml\n{text}").unwrap();
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"text": "hello"},
            "metadata": {
                "name": name,
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": namespace.name},
            },
        });
        let params = PatchParams::apply("helm").force();
        namespace.api("ConfigMap").patch(name, &params, &Patch::Apply(object)).await.unwrap();
    }
    let metadata = json!({"apiVersion": "v2", "name": "probe", "version": "0.9.0"});
    let record = Record {
        name: "shop".to_owned(),
        namespace: namespace.name.clone(),
        revision: 1,
        info: Info { status: Status::Deployed, description: "Install complete".to_owned(), ..Info::default() },
        chart: Chart { metadata: metadata.as_object().unwrap().clone(), ..Chart::default() },
        manifest,
        ..Record::default()
    };
    namespace.create_object("Secret", record.secret(Stamps { created: Some(1), modified: None }).unwrap()).await;
}
