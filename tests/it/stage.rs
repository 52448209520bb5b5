//! Renders a chart with an `operator/` folder as the operator does, in a cluster that is a list of objects.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use chart_operator::chart::{Chart, files};
use chart_operator::functions::{Selection, World};
use chart_operator::policy::Policy;
use chart_operator::release::manifest;
use chart_operator::release::selector::Selector;
use chart_operator::render::{Capabilities, Compiled, Context, Inputs, Operation, ReleaseInfo, render, status};
use chart_operator::template::Limits;
use chart_operator::values::process;
use chart_operator::yaml::{self, Numbers};
use serde_json::{Value as Json, json};

/// What there is, and when.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) objects: Vec<Json>,
    pub(crate) now: jiff::Timestamp,
    /// Kinds that are served beside those that always are, as `.Capabilities.APIVersions.Has` asks for them.
    pub(crate) served: Vec<String>,
    /// Whether there are records, so that chance is asked once and remembered: it gives zeros here.
    pub(crate) remembers: bool,
}

impl Cluster {
    pub(crate) fn of(objects: Vec<Json>) -> Self {
        Self { objects, now: "2026-01-01T12:00:00Z".parse().unwrap(), served: Vec::new(), remembers: false }
    }

    fn of_kind(&self, api_version: &str, kind: &str, namespace: &str) -> impl Iterator<Item = &Json> {
        self.objects.iter().filter(move |object| {
            object["apiVersion"] == api_version
                && object["kind"] == kind
                && (namespace.is_empty() || object["metadata"]["namespace"] == namespace)
        })
    }
}

impl World for Cluster {
    fn now(&self) -> jiff::Timestamp {
        self.now
    }

    fn random(&self, buffer: &mut [u8]) {
        assert!(self.remembers, "a chart without records asked for chance");
        buffer.fill(0);
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }

    fn lookup(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Json, String> {
        let mut found = self.of_kind(api_version, kind, namespace);
        Ok(found.find(|object| object["metadata"]["name"] == name).cloned().unwrap_or_else(|| json!({})))
    }

    fn select(&self, wanted: &Selection) -> Result<Vec<Json>, String> {
        let selector = Selector::parse(&wanted.selector).map_err(|error| error.to_string())?;
        let labels = |object: &Json| -> BTreeMap<String, String> {
            serde_json::from_value(object["metadata"]["labels"].clone()).unwrap_or_default()
        };
        let found = self.of_kind(&wanted.api_version, &wanted.kind, &wanted.namespace);
        Ok(found
            .filter(|object| selector.matches(&labels(object)))
            .map(|object| only(object, &wanted.fields))
            .collect())
    }
}

/// Of an object what `fields` name, and what they cannot take away.
fn only(object: &Json, fields: &[String]) -> Json {
    if fields.is_empty() {
        return object.clone();
    }
    let mut kept = json!({});
    let always = ["metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels"];
    for field in always.into_iter().chain(fields.iter().map(String::as_str)) {
        let path: Vec<&str> = field.split('.').collect();
        if let Some(part) = pick(object, &path) {
            merge(&mut kept, part);
        }
    }
    kept
}

fn pick(value: &Json, path: &[&str]) -> Option<Json> {
    let Some((step, rest)) = path.split_first() else { return Some(value.clone()) };
    match step.strip_suffix("[]") {
        None => Some(json!({ *step: pick(value.get(step)?, rest)? })),
        Some(list) => {
            let items = value.get(list)?.as_array()?.iter();
            Some(json!({ list: items.map(|item| pick(item, rest).unwrap_or_else(|| json!({}))).collect::<Vec<_>>() }))
        }
    }
}

fn merge(into: &mut Json, part: Json) {
    match (into, part) {
        (Json::Object(into), Json::Object(part)) => {
            for (key, value) in part {
                merge(into.entry(key).or_insert(Json::Null), value);
            }
        }
        (Json::Array(into), Json::Array(part)) => {
            into.resize(into.len().max(part.len()), Json::Null);
            into.iter_mut().zip(part).for_each(|(into, part)| merge(into, part));
        }
        (into, part) => *into = part,
    }
}

/// A chart, compiled, and what is known of the resources that it is played for.
pub(crate) struct Player {
    chart: Chart,
    compiled: Compiled,
    previous: Json,
    results: Json,
}

/// What a render came to: objects in the order of their files with the operator's annotations, and the policy; or why not.
pub(crate) type Played = Result<(Vec<Json>, Policy), Refused>;

/// Why a render came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It waits: reason and message.
    Waits(String, String),
    /// It failed.
    Fails(String),
}

impl Player {
    pub(crate) fn of(directory: &str) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let chart = files::chart(&directory).unwrap();
        let compiled = Compiled::with_operator(&chart).unwrap();
        Self { chart, compiled, previous: json!({}), results: json!({}) }
    }

    /// After a revision that became ready: its values but for the chart's own.
    pub(crate) fn after(self, spec: &Json) -> Self {
        let values = process(&self.chart, spec, &Capabilities::default().kube_version().version);
        Self { previous: values.unwrap().values, ..self }
    }

    /// After actions with these results.
    pub(crate) fn with_results(self, results: Json) -> Self {
        Self { results, ..self }
    }

    /// The objects and the policy.
    pub(crate) fn play(&self, resource: &Json, cluster: &Cluster) -> Played {
        let rendered = self.with(resource, cluster, |inputs| render(&self.compiled, inputs, Rc::new(cluster.clone())));
        let rendered = rendered.map_err(|error| match error.template().waiting() {
            Some(wait) => Refused::Waits(wait.reason.clone(), wait.message.clone()),
            None => Refused::Fails(error.to_string()),
        })?;
        let sorted = manifest::sort(&rendered.files).map_err(|error| Refused::Fails(error.to_string()))?;
        assert!(sorted.hooks.is_empty(), "{:?}", sorted.hooks);
        let objects = sorted.documents.iter().map(|document| yaml::to_json(&document.text, Numbers::Exact).unwrap());
        let policy = Policy::read(&rendered.policy.unwrap(), "policy.yaml");
        let policy = policy.map_err(|faults| Refused::Fails(format!("{faults:?}")))?;
        Ok((objects.filter(|object| !object.is_null()).collect(), policy))
    }

    /// The status.
    pub(crate) fn status(&self, resource: &Json, cluster: &Cluster, outcome: &Json) -> Json {
        let world = Rc::new(cluster.clone());
        let text = self.with(resource, cluster, |inputs| status(&self.compiled, inputs, outcome, world).0);
        yaml::to_json(&text.unwrap().unwrap(), Numbers::Exact).unwrap()
    }

    fn with<T>(&self, resource: &Json, cluster: &Cluster, run: impl FnOnce(Inputs<'_>) -> T) -> T {
        let capabilities = Capabilities::default().and(cluster.served.iter().map(String::as_str));
        let values = process(&self.chart, &resource["spec"], &capabilities.kube_version().version).unwrap().values;
        let text = |field: &str| resource["metadata"][field].as_str().unwrap_or_default().to_owned();
        let release = ReleaseInfo {
            name: text("name"),
            namespace: text("namespace"),
            revision: 1,
            operation: Operation::Install,
        };
        let (previous, results) = (self.previous.clone(), self.results.clone());
        let context = Context { previous, results, ..Context::new(resource, "operators") };
        let limits = Limits::default();
        run(Inputs { values: &values, release: &release, capabilities: &capabilities, context: Some(&context), limits })
    }
}

/// An outcome in which everything is as it should be.
pub(crate) fn ready() -> Json {
    json!({
        "ready": true, "phase": "", "message": "", "failed": null, "waiting": null,
        "phases": [], "objects": [], "leaving": [], "actions": {},
    })
}
