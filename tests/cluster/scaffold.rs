//! A project as `init` and `create api` begin it, under its own role, from the definition to the end of its sample.

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value as Json, json};

use crate::operator_sdk::bind;
use crate::support::{
    Namespace, Operator, Project, Setting, condition_text, eventually, install_definition, is_deployed, plane,
};

/// A chart of a `ConfigMap`, which is ready as soon as it is there.
const FLOOR: &[(&str, &str)] = &[
    ("floor/Chart.yaml", "apiVersion: v2\nname: floor\nversion: 1.0.0\n"),
    (
        "floor/values.yaml",
        "# How many.\nreplicas: 2\nratio: 0.5\nname: floor\nactive: true\nlist: [1]\nimage:\n  # Which one.\n  tag: \"1.0\"\nlabels: {}\nnothing:\n",
    ),
    (
        "floor/templates/floor.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  values: {{ toJson .Values | quote }}\n",
    ),
];

/// A schema with every keyword that a definition takes over, and some that it does not.
const SCHEMA: &str = r#"{"type": "object", "required": ["mode"], "additionalProperties": false, "properties": {
        "mode": {"enum": ["a", "b"]}, "size": {"type": "string", "enum": ["s", "m"], "pattern": "^[a-z]$"},
        "port": {"type": "integer", "minimum": 1, "exclusiveMaximum": 65536, "multipleOf": 1},
        "either": {"type": ["integer", "string"]},
        "list": {"type": "array", "minItems": 1, "items": {"type": "object", "properties": {"a": {"type": "number"}}}}}}"#;

fn api(namespace: &Namespace, kind: &str) -> Api<DynamicObject> {
    let gvk = GroupVersionKind::gvk("scaffold.example.com", "v1alpha1", kind);
    Api::namespaced_with(namespace.client.clone(), &namespace.name, &ApiResource::from_gvk(&gvk))
}

/// The resource, once it passes.
async fn until(api: &Api<DynamicObject>, name: &str, what: &str, test: impl Fn(&Json) -> bool) -> Json {
    let found = || async { Some(serde_json::to_value(api.get(name).await.ok()?).unwrap()).filter(&test) };
    eventually(what, found).await
}

async fn apply(api: &Api<DynamicObject>, object: &Json) {
    let name = object["metadata"]["name"].as_str().unwrap();
    api.patch(name, &PatchParams::apply("jane"), &Patch::Apply(object)).await.unwrap();
}

#[tokio::test]
async fn a_scaffolded_project_runs_under_its_own_role_from_sample_to_end() {
    let namespace = Namespace::create("scaffolded").await;
    let web = concat!("--helm-chart=", env!("CARGO_MANIFEST_DIR"), "/helm-charts/web");
    let project = Project::told(
        FLOOR,
        &[
            &["init", "--domain=example.com", "--project-name=floors", "--group=scaffold", "--helm-chart=floor"],
            &["create", "api", "--group=scaffold", web],
        ],
    );
    for kind in ["floors", "webs"] {
        let definition = project.yaml(&format!("config/crd/bases/scaffold.example.com_{kind}.yaml"));
        install_definition(&namespace.client, &definition).await;
    }
    let account = "controller-manager";
    namespace.create_named("ServiceAccount", account, json!({})).await;
    for file in ["role", "leader_election_role", "metrics_auth_role"] {
        bind(&namespace, &project, &format!("config/rbac/{file}.yaml"), account).await;
    }
    let setting = Setting::of_account(plane(), &namespace.name, account).await;
    let elected = format!("--leader-election-namespace={}", namespace.name);
    let flags = ["--leader-elect", "--leader-election-id=floors", &elected];
    let mut operator = Operator::launch(&project, setting, &flags);
    operator.until_ready().await;

    let (floors, webs) = (api(&namespace, "Floor"), api(&namespace, "Web"));
    let mut sample = project.yaml("config/samples/scaffold_v1alpha1_floor.yaml");
    apply(&floors, &sample).await;
    until(&floors, "floor-sample", "the sample is ready", |floor| {
        condition_text(floor, "Ready").is_some_and(|text| text.starts_with("True/"))
    })
    .await;
    sample["spec"]["replicas"] = json!(3);
    apply(&floors, &sample).await;
    namespace
        .until("ConfigMap", "floor-sample", "it follows the sample", |map| {
            map["data"]["values"].as_str().unwrap().contains("\"replicas\":3")
        })
        .await;

    apply(&webs, &project.yaml("config/samples/scaffold_v1alpha1_web.yaml")).await;
    until(&webs, "web-sample", "the second kind is deployed", is_deployed).await;
    // A branch of the chart that its default values do not take.
    let scaled = json!({"spec": {"autoscaling": {"enabled": true}}});
    webs.patch("web-sample", &PatchParams::default(), &Patch::Merge(scaled)).await.unwrap();
    let scalers = || async {
        let found = namespace.api("HorizontalPodAutoscaler").list(&ListParams::default()).await.unwrap();
        (!found.items.is_empty()).then_some(())
    };
    eventually("it is scaled", scalers).await;

    for (kind, name) in [(&floors, "floor-sample"), (&webs, "web-sample")] {
        kind.delete(name, &DeleteParams::default()).await.unwrap();
        eventually("it is gone", || async { kind.get_opt(name).await.unwrap().is_none().then_some(()) }).await;
    }
    let is_forbidden = |line: &Json| line["error"].as_str().is_some_and(|error| error.contains("forbidden"));
    let forbidden: Vec<_> = operator.log().into_iter().filter(is_forbidden).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
}

/// Serves a kind of each sort of schema.
async fn definitions(namespace: &Namespace) {
    let charts = [
        FLOOR,
        &[
            ("told/Chart.yaml", "apiVersion: v2\nname: told\nversion: 1.0.0\n"),
            ("told/values.yaml", "# Which.\nmode: a\n"),
            ("told/values.schema.json", SCHEMA),
        ],
    ]
    .concat();
    let create = ["create", "api", "--group=scaffold"];
    let project = Project::told(
        &charts,
        &[
            &["init", "--domain=example.com", "--project-name=floors"],
            &[&create[..], &["--kind=Loose", "--helm-chart=floor"]].concat(),
            &[&create[..], &["--kind=Strict", "--helm-chart=floor", "--schema=strict"]].concat(),
            &[&create[..], &["--kind=Untold", "--helm-chart=floor", "--schema=none"]].concat(),
            &[&create[..], &["--kind=Told", "--helm-chart=told"]].concat(),
        ],
    );
    for kind in ["looses", "stricts", "untolds", "tolds"] {
        let definition = project.yaml(&format!("config/crd/bases/scaffold.example.com_{kind}.yaml"));
        install_definition(&namespace.client, &definition).await;
    }
}

#[tokio::test]
async fn a_definition_takes_what_helm_takes_and_a_strict_one_the_types_of_the_defaults() {
    let namespace = Namespace::create("definitions").await;
    definitions(&namespace).await;
    let odd = json!({
        "replicas": "two", "ratio": "1/2", "name": 1.5, "active": "yes", "list": null, "image": "nginx", "labels": "x",
        "nothing": [1], "more": {"a": [null]},
    });
    let nulls = json!({"replicas": null, "ratio": null, "name": null, "active": null, "list": null, "image": null});
    let usual = json!({"replicas": 1, "ratio": 2, "name": "x", "active": false, "list": ["a", 1], "image": {"tag": "2", "more": 1}, "nothing": 1, "more": 1});
    let good = json!({"mode": "b", "size": "s", "port": 80, "either": "x", "list": [{"a": 1.5, "b": 1}], "more": 1});
    let no_port = json!({"port": null, "either": null, "list": null});
    for (kind, spec, refused) in [
        ("Loose", &odd, &[][..]),
        ("Loose", &nulls, &[]),
        ("Loose", &usual, &[]),
        ("Untold", &odd, &[]),
        ("Strict", &usual, &[]),
        ("Strict", &nulls, &[]),
        ("Strict", &odd, &["spec.ratio", "spec.name", "spec.active", "spec.image"]),
        ("Told", &good, &[]),
        ("Told", &no_port, &[]),
        (
            "Told",
            &json!({"mode": "c", "size": "xl", "port": 65536, "either": 1.5, "list": []}),
            &["spec.mode", "spec.size", "spec.port", "spec.either", "spec.list"],
        ),
    ] {
        let gvk = GroupVersionKind::gvk("scaffold.example.com", "v1alpha1", kind);
        let object =
            json!({"apiVersion": gvk.api_version(), "kind": kind, "metadata": {"generateName": "x-"}, "spec": spec});
        match api(&namespace, kind).create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await {
            Ok(created) => {
                assert!(refused.is_empty(), "{kind} takes {spec}");
                assert_eq!(&created.data["spec"], spec, "{kind}");
            }
            Err(error) => {
                let told = error.to_string();
                assert!(!refused.is_empty() && refused.iter().all(|path| told.contains(path)), "{kind}: {told}");
            }
        }
    }
}
