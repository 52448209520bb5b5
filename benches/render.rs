//! What a reconcile computes: charts from templates to objects, YAML in bulk, what is sent and what is compared.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chart_operator::chart::{Chart, files};
use chart_operator::release::manifest::{self, Object};
use chart_operator::release::{FIELD_MANAGER, Gvk, ReleaseId, Scope, prepare, projection};
use chart_operator::render::{Capabilities, Compiled, Inputs, Operation, ReleaseInfo, Rendered, World, render};
use chart_operator::template::Limits;
use chart_operator::values::{coalesce, dependency};
use chart_operator::yaml::{self, Numbers};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use serde_json::{Value as Json, json};

/// Every chart by its name, its directory and the golden case with the values it is rendered with.
const CHARTS: [(&str, &str, &str); 3] = [
    ("web", "helm-charts/web", "everything"),
    ("minimart", "helm-charts/minimart", "sample"),
    ("shop", "tests/golden/charts/shop/chart", "globals_and_nulls"),
];

/// The variable of the environment with the directory of one more chart, which is rendered with its defaults.
const OWN_CHART: &str = "RENDER_CHART";

/// How large the generated manifest is at least, in bytes.
const BULK: usize = 500_000;

/// A world that is the same in every run: no cluster, no names, one time, no chance.
struct Still;

impl World for Still {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }

    fn lookup(&self, _api_version: &str, _kind: &str, _namespace: &str, _name: &str) -> Result<Json, String> {
        Ok(json!({}))
    }
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
        .without_plots()
        .configure_from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, directory, case) in CHARTS {
        let values = root.join("tests/golden/charts").join(name).join("cases").join(case).join("values.yaml");
        let user = yaml::to_json(&fs::read_to_string(values)?, Numbers::Float)?;
        chart(&mut criterion, name, &root.join(directory), &user)?;
    }
    if let Some(directory) = env::var_os(OWN_CHART) {
        chart(&mut criterion, "own", Path::new(&directory), &json!({}))?;
    }
    bulk(&mut criterion)?;
    digest(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// The stages of a chart, each with what the stage before it made.
fn chart(criterion: &mut Criterion, name: &str, directory: &Path, user: &Json) -> Result<()> {
    let chart = dependency::process(&files::chart(directory)?, user)?;
    let compiled = Compiled::new(&chart)?;
    let values = coalesce(&chart, user)?.values;
    let rendered = run(&compiled, &values, name)?;
    let objects = manifest::sort(&rendered.files)?.objects()?;
    let context = context(name);
    prepare::objects(objects.clone(), &context, &|_| Some(Scope::Namespaced))?;

    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(template_bytes(&chart)?));
    group.bench_function("compile", |bencher| bencher.iter(|| Compiled::new(&chart)));
    group.throughput(Throughput::Elements(1));
    group.bench_function("coalesce", |bencher| bencher.iter(|| coalesce(&chart, user)));
    group.throughput(Throughput::Bytes(rendered.files.values().map(|text| text.len() as u64).sum()));
    group.bench_function("render", |bencher| bencher.iter(|| run(&compiled, &values, name)));
    group.bench_function("sort and read", |bencher| {
        bencher.iter(|| manifest::sort(&rendered.files).and_then(|sorted| sorted.objects()));
    });
    group.throughput(Throughput::Elements(objects.len() as u64));
    group.bench_function("prepare", |bencher| {
        let prepare = |objects: Vec<Object>| prepare::objects(objects, &context, &|_| Some(Scope::Namespaced));
        bencher.iter_batched(|| objects.clone(), prepare, BatchSize::SmallInput);
    });
    group.finish();
    Ok(())
}

/// The size of all templates of a chart and its sub-charts.
fn template_bytes(chart: &Chart) -> Result<u64> {
    let own: usize = chart.templates.iter().map(|file| file.data.len()).sum();
    let below = chart.dependencies.iter().map(template_bytes).sum::<Result<u64>>()?;
    Ok(u64::try_from(own)? + below)
}

fn run(compiled: &Compiled, values: &Json, name: &str) -> Result<Rendered> {
    let release = ReleaseInfo {
        name: format!("{name}-sample"),
        namespace: "demo".to_owned(),
        revision: 1,
        operation: Operation::Install,
    };
    let capabilities = Capabilities::default();
    let inputs =
        Inputs { values, release: &release, capabilities: &capabilities, context: None, limits: Limits::default() };
    Ok(render(compiled, inputs, Rc::new(Still))?)
}

fn context(name: &str) -> prepare::Context {
    prepare::Context {
        release: ReleaseId { name: format!("{name}-sample"), namespace: "demo".to_owned() },
        chart: name.to_owned(),
        owner: prepare::Owner {
            gvk: Gvk::new("example.com/v1", "Sample"),
            namespace: "demo".to_owned(),
            name: format!("{name}-sample"),
            uid: "6f1c1d7e-5a52-4a3e-9d0e-2f1a7b3c4d5e".to_owned(),
        },
        part_of: "applyset-bench-v1".to_owned(),
        recorded: true,
    }
}

/// YAML by the megabyte.
fn bulk(criterion: &mut Criterion) -> Result<()> {
    let text = large_document()?;
    let json = yaml::to_json(&text, Numbers::Float)?;
    let emitted = yaml::emit_json(&json)?;
    let mut group = criterion.benchmark_group("yaml");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(BenchmarkId::new("parse", text.len()), |bencher| bencher.iter(|| yaml::parse(&text)));
    group.bench_function(BenchmarkId::new("to_json", text.len()), |bencher| {
        bencher.iter(|| yaml::to_json(&text, Numbers::Float));
    });
    group.throughput(Throughput::Bytes(emitted.len() as u64));
    group.bench_function(BenchmarkId::new("emit", emitted.len()), |bencher| bencher.iter(|| yaml::emit_json(&json)));
    group.finish();
    Ok(())
}

/// One List of many Deployments.
fn large_document() -> Result<String> {
    let mut text = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
    let mut number = 0;
    while text.len() < BULK {
        write!(
            text,
            "\
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: web-{number}
    labels: {{app.kubernetes.io/name: web, app.kubernetes.io/instance: \"web-{number}\"}}
  spec:
    replicas: {number}
    selector:
      matchLabels:
        app.kubernetes.io/name: web
    template:
      spec:
        containers:
        # The only one.
        - name: web
          image: \"registry.example.com/web:1.{number}\"
          args: [\"--port=8080\", '--verbose', --level=3]
          resources:
            limits:
              cpu: 500m
              memory: 128Mi
          env:
          - name: GREETING
            value: Hello from {number}, and welcome
          - name: SCRIPT
            value: |
              set -e
              echo {number}
"
        )?;
        number += 1;
    }
    Ok(text)
}

/// What a look at an object costs where nothing has changed.
fn digest(criterion: &mut Criterion) -> Result<()> {
    let live = live_deployment();
    projection::digest(&live, FIELD_MANAGER).context("the operator owns nothing of the object")?;
    criterion.bench_function("digest of a live Deployment", |bencher| {
        bencher.iter(|| projection::digest(black_box(&live), FIELD_MANAGER));
    });
    Ok(())
}

/// A Deployment as a cluster has it: applied by the operator, its status written by another manager.
fn live_deployment() -> Json {
    let labels = json!({"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "web-sample"});
    let label_fields = json!({"f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/instance": {}});
    let container = json!({
        "name": "web", "image": "registry.example.com/web:1.2", "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    });
    let container_fields = json!({
        ".": {}, "f:name": {}, "f:image": {},
        "f:ports": {"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:name": {}}},
        "f:env": {
            "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}},
            "k:{\"name\":\"B\"}": {".": {}, "f:name": {}, "f:value": {}},
        },
    });
    let template_fields = json!({
        "f:metadata": {"f:labels": label_fields},
        "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": container_fields}},
    });
    let own = json!({
        "f:metadata": {"f:labels": label_fields},
        "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": template_fields},
    });
    let entry = |manager: &str, operation: &str, subresource: &str, fields: Json| {
        json!({
            "manager": manager, "operation": operation, "subresource": subresource, "apiVersion": "apps/v1",
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    };
    let status = json!({"f:status": {"f:replicas": {}, "f:readyReplicas": {}, "f:observedGeneration": {}}});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web-sample", "namespace": "demo", "labels": labels,
            "managedFields": [
                entry(FIELD_MANAGER, "Apply", "", own),
                entry("kube-controller-manager", "Update", "status", status),
            ],
        },
        "spec": {
            "replicas": 2, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        "status": {"replicas": 2, "readyReplicas": 2, "observedGeneration": 3},
    })
}
