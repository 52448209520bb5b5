//! What deploys the operator: the bases under `config/` and the chart under `charts/chart-operator`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chart_operator::metrics::{
    Budget, Build, DeniedLookup, Drift, Forbidden, Lease, Metrics, OfController, Outcome, Process, Reconciled, Reload,
    Render, Request, Resource, Write,
};
use chart_operator::yaml::{Numbers, documents, to_json};
use regex::Regex;
use serde_json::{Value as Json, json};

/// Labels that Prometheus adds, and that of a histogram's buckets.
const ADDED: [&str; 4] = ["job", "pod", "instance", "le"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn objects(text: &str) -> Vec<Json> {
    let parsed = documents(text).unwrap().into_iter().map(|document| to_json(document.text, Numbers::Exact).unwrap());
    parsed.filter(|object| !object.is_null()).collect()
}

fn of_kind(objects: &[Json], kind: &str) -> Json {
    let found: Vec<&Json> = objects.iter().filter(|object| object["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found[0].clone()
}

fn program(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_chart-operator")).args(args).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn chart(arguments: &[&str]) -> Vec<Json> {
    objects(&program(&[&["template", "chart-operator", "charts/chart-operator"], arguments].concat()))
}

#[test]
fn the_role_is_the_one_that_rbac_prints() {
    assert_eq!(text("config/rbac/role.yaml"), program(&["rbac"]), "`make rbac` writes it");
}

#[test]
fn no_file_of_a_base_is_dead() {
    let mut named = 0;
    for base in ["default", "manager", "network-policy", "prometheus", "rbac"] {
        let folder = root().join("config").join(base);
        let list = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
        for entry in fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            assert!(file == "kustomization.yaml" || list.contains(&file), "config/{base}/{file}");
            named += 1;
        }
    }
    assert!(named > 15);
}

/// The container that `config/default` makes of `config/manager`.
fn patched_manager() -> (Json, Json) {
    let objects = objects(&text("config/manager/manager.yaml"));
    let mut deployment = of_kind(&objects, "Deployment");
    let patch = to_json(&text("config/default/manager_metrics_patch.yaml"), Numbers::Exact).unwrap();
    json_patch::patch(&mut deployment, &serde_json::from_value::<json_patch::Patch>(patch).unwrap()).unwrap();
    (of_kind(&objects, "Namespace"), deployment["spec"]["template"]["spec"].clone())
}

#[test]
fn the_manager_passes_pod_security_restricted_in_a_namespace_that_enforces_it() {
    let (namespace, pod) = patched_manager();
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    assert_eq!(pod["securityContext"], json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}));
    let container = &pod["containers"][0];
    let security = &container["securityContext"];
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
    let resources = json!({"limits": {"cpu": "500m", "memory": "128Mi"}, "requests": {"cpu": "10m", "memory": "32Mi"}});
    assert_eq!(container["resources"], resources);
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": 8081}));
    }
}

#[test]
fn the_chart_deploys_what_the_bases_deploy() {
    let rendered = chart(&[]);
    let chart = of_kind(&rendered, "Deployment")["spec"]["template"]["spec"].clone();
    let (_, bases) = patched_manager();
    assert_eq!(chart["securityContext"], bases["securityContext"]);
    let [chart, bases] = [&chart["containers"][0], &bases["containers"][0]];
    for field in ["resources", "securityContext", "livenessProbe", "readinessProbe"] {
        assert_eq!(chart[field], bases[field], "{field}");
    }
    let arguments =
        |container: &Json| -> BTreeSet<String> { serde_json::from_value(container["args"].clone()).unwrap() };
    assert_eq!(arguments(chart), arguments(bases));
    let rules = |objects: &[Json], name: &str| {
        let found = objects.iter().find(|object| {
            object["metadata"]["name"].as_str().is_some_and(|known| known.ends_with(name)) && object["rules"].is_array()
        });
        found.unwrap_or_else(|| panic!("no role {name}"))["rules"].clone()
    };
    for role in ["leader-election-role", "metrics-auth-role", "metrics-reader", "manager-role", "packages-role"] {
        let file = match role {
            "manager-role" => "role".to_owned(),
            "metrics-reader" => "metrics_reader_role".to_owned(),
            _ => role.replace('-', "_"),
        };
        let base = objects(&text(&format!("config/rbac/{file}.yaml")));
        assert_eq!(rules(&rendered, role), rules(&base, role), "{role}");
    }
}

#[test]
fn the_chart_takes_rules_namespaces_and_a_project_of_its_own() {
    let values = [
        "--set=watchNamespaces={a,b},watches.configMap=project,metrics.secure=false,metrics.port=8080,image.tag=v9",
        "--set-json=rbac.rules=[{\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"],\"verbs\":[\"get\"]}]",
        "--set=metrics.serviceMonitor=true,metrics.alerts=true,metrics.dashboard=true",
    ];
    let rendered = chart(&values);
    let pod = of_kind(&rendered, "Deployment")["spec"]["template"]["spec"].clone();
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "chart-operator:v9");
    assert_eq!(container["env"], json!([{"name": "WATCH_NAMESPACE", "value": "a,b"}]));
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/opt/helm/watches.yaml");
    assert_eq!(pod["volumes"], json!([{"name": "watches", "configMap": {"name": "project"}}]));
    assert_eq!(container["args"][0], "--metrics-bind-address=:8080");
    assert!(!container["args"].as_array().unwrap().contains(&json!("--metrics-secure")));
    let role = of_kind(&rendered, "ClusterRole");
    assert_eq!(role["rules"], json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]));
    assert_eq!(of_kind(&rendered, "ServiceMonitor")["spec"]["endpoints"][0]["port"], "http");
    let alerts = objects(&text("config/prometheus/alerts.yaml"));
    assert_eq!(of_kind(&rendered, "PrometheusRule")["spec"], alerts[0]["spec"]);
    let dashboard = of_kind(&rendered, "ConfigMap")["data"]["chart-operator.json"].as_str().unwrap().to_owned();
    assert_eq!(dashboard.trim_end(), text("config/prometheus/dashboard.json").trim_end());
}

/// Every metric with the labels of its series.
fn counted() -> BTreeMap<String, BTreeSet<String>> {
    let process = Process {
        cpu_seconds: 1.0,
        resident_bytes: 1,
        virtual_bytes: 1,
        start_time_seconds: 1.0,
        open_fds: 1,
        max_fds: 1,
        threads: 1,
    };
    let metrics = Metrics::new(&Build { commit: "c".into(), version: "v".into() }, move || Some(process));
    let name = || "x".to_owned();
    metrics.controller("x", 1).reconciled(Reconciled::Error, Duration::from_millis(1));
    let resource = Resource { group: name(), kind: name(), name: name(), namespace: name(), version: name() };
    metrics.resource_created_at.add(move |tell| {
        tell(&resource, 1);
        true
    });
    metrics.requests.get_or_create(&Request { code: name(), host: name(), method: name() }).inc();
    metrics.leader.get_or_create(&Lease { name: name() }).set(1);
    metrics.writes.get_or_create(&Write { controller: name(), verb: "apply" }).inc();
    metrics.renders.get_or_create(&Render { controller: name(), result: Outcome::Error }).inc();
    let of = OfController { controller: name() };
    metrics.writes_avoided.get_or_create(&of).inc();
    metrics.render_seconds.get_or_create(&of).observe(1.0);
    metrics.budget_exceeded.get_or_create(&Budget { budget: "steps", controller: name() }).inc();
    metrics.drift_corrections.get_or_create(&Drift { manager: name() }).inc();
    metrics.catalog_reloads.get_or_create(&Reload { result: Outcome::Error }).inc();
    metrics.forbidden.get_or_create(&Forbidden { group: name(), resource: name(), verb: name() }).inc();
    metrics.lookups_denied.get_or_create(&DeniedLookup { controller: name(), reason: "rule" }).inc();
    let label = Regex::new(r#"([a-z_]+)=""#).unwrap();
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for line in metrics.encode().lines().filter(|line| !line.starts_with('#')) {
        let series = line.split(' ').next().unwrap();
        let labels = label.captures_iter(series).map(|found| found[1].to_owned());
        found.entry(series.split('{').next().unwrap().to_owned()).or_default().extend(labels);
    }
    found
}

/// The expressions of the alerts and of the dashboard.
fn expressions() -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = objects(&text("config/prometheus/alerts.yaml"));
    waiting.push(serde_json::from_str(&text("config/prometheus/dashboard.json")).unwrap());
    while let Some(next) = waiting.pop() {
        match next {
            Json::Object(fields) => {
                for (key, value) in fields {
                    match value {
                        Json::String(text) if key == "expr" => found.push(text),
                        value => waiting.push(value),
                    }
                }
            }
            Json::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    found
}

#[test]
fn alerts_and_dashboard_name_metrics_and_labels_that_are_there() {
    let counted = counted();
    // A metric's name holds an underscore and stands before labels, a range, a comparison or the end of its call.
    let metric = Regex::new(r"\b([a-z]+(?:_[a-z]+)+)\b").unwrap();
    let grouping = Regex::new(r"\bby \(([a-z, ]+)\)").unwrap();
    let functions = ["histogram_quantile"];
    let (expressions, mut named) = (expressions(), BTreeSet::new());
    assert!(expressions.len() > 20, "{expressions:?}");
    for expression in &expressions {
        let metrics: Vec<&str> = metric.find_iter(expression).map(|found| found.as_str()).collect();
        let metrics: Vec<&str> = metrics.into_iter().filter(|name| !functions.contains(name)).collect();
        assert!(!metrics.is_empty(), "{expression}");
        for name in metrics {
            let labels = counted.get(name).unwrap_or_else(|| panic!("no metric `{name}`: {expression}"));
            let by = grouping
                .captures_iter(expression)
                .flat_map(|found| found[1].split(", ").map(str::to_owned).collect::<Vec<_>>());
            for label in by {
                assert!(labels.contains(&label) || ADDED.contains(&label.as_str()), "{label} of {name}: {expression}");
            }
            named.insert(name.to_owned());
        }
    }
    let own = counted.keys().filter(|name| name.starts_with("chart_operator_") && !name.ends_with("_sum"));
    let own = own.filter(|name| !name.ends_with("_count") && !name.ends_with("_timestamp_seconds"));
    let missing: Vec<&String> = own.filter(|name| !named.contains(*name)).collect();
    assert_eq!(missing, Vec::<&String>::new(), "shown nowhere");
}

/// What the links of the chart lead to is there, since a link that leads nowhere is a file less.
#[test]
fn the_charts_definitions_role_and_dashboard_are_those_of_the_bases() {
    for (link, target) in [
        ("crds", "config/crd/bases"),
        ("files/role.yaml", "config/rbac/role.yaml"),
        ("files/packages_role.yaml", "config/rbac/packages_role.yaml"),
        ("files/alerts.yaml", "config/prometheus/alerts.yaml"),
        ("files/dashboard.json", "config/prometheus/dashboard.json"),
    ] {
        let resolved: PathBuf = root().join("charts/chart-operator").join(link).canonicalize().unwrap();
        assert_eq!(resolved, root().join(target).canonicalize().unwrap());
    }
    let with = program(&["template", "x", "charts/chart-operator", "--include-crds"]);
    let definitions = objects(&with).into_iter().filter(|object| object["kind"] == "CustomResourceDefinition");
    assert_eq!(definitions.count(), fs::read_dir(root().join("config/crd/bases")).unwrap().count());
}
