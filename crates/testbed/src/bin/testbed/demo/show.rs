//! What the demonstrations of whole systems share: they say what a user would type, wait for what must follow, and show it as
//! kubectl does.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use console::style;
use kube::api::{Api, DeleteParams, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Resource as _};
use serde::Deserialize as _;
use serde_json::Value as Json;
use testbed::ControlPlane;
use testbed::progress::{Progress, seconds};

use crate::demo::cluster::NAMESPACE;
use crate::demo::{Arguments, title};
use crate::objects::apply;
use crate::operator::Operator;

/// How often something is looked at that is waited for.
const PAUSE: Duration = Duration::from_millis(20);
/// How long something may take: what fails is tried again after a minute.
const DEADLINE: Duration = Duration::from_mins(2);

/// Who tells what is done, and waits for what follows.
pub(crate) struct Show {
    pub(crate) progress: Progress,
    pub(crate) client: Client,
    /// The folder with the project, of which samples are applied.
    project: PathBuf,
    pause: Duration,
    /// Of how many steps.
    steps: usize,
    step: usize,
}

impl Show {
    /// Of so many steps, of which two are over: the cluster, and the start of the operator.
    ///
    /// # Errors
    /// The cluster cannot be reached.
    pub(crate) async fn new(
        progress: &Progress,
        plane: &ControlPlane,
        arguments: &Arguments,
        steps: usize,
    ) -> Result<Self> {
        let pause = Duration::from_secs(arguments.pause.unwrap_or_else(|| u64::from(progress.bars().is_some())));
        let (progress, project) = (progress.clone(), arguments.project.clone());
        Ok(Self { progress, client: plane.client().await?, project, pause, steps, step: 2 })
    }

    /// Waits until an operator is ready, and says where its log is.
    pub(crate) async fn until_ready(&self, operator: &mut Operator, logs: &Path) -> Result<()> {
        let ready = operator.ready().await?;
        self.say(&format!("  ✓ ready after {}; its log is in {}", seconds(ready), logs.display()));
        Ok(())
    }

    pub(crate) fn say(&self, line: &str) {
        self.progress.say(line);
    }

    /// Begins the next step.
    pub(crate) async fn title(&mut self, text: &str) {
        tokio::time::sleep(self.pause).await;
        self.step += 1;
        title(&self.progress, (self.step, self.steps), text);
    }

    pub(crate) fn command(&self, line: &str) {
        self.say(&format!("  $ {}", style(line).bold()));
    }

    /// Applies every object of a sample.
    pub(crate) async fn apply(&self, file: &str) -> Result<()> {
        self.command(&format!("kubectl apply -f samples/{file}"));
        let path = self.project.join("samples").join(file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for document in text.split("\n---\n") {
            let json: Json = serde_saphyr::from_str(document).with_context(|| format!("{file} is no YAML"))?;
            let object = DynamicObject::deserialize(json).with_context(|| format!("{file} holds no object"))?;
            let types = object.types.as_ref().with_context(|| format!("{file} holds an object without a kind"))?;
            let gvk = GroupVersionKind::try_from(types).with_context(|| format!("{file} holds no object"))?;
            apply(&self.api(&ApiResource::from_gvk(&gvk)), &object).await?;
        }
        Ok(())
    }

    /// In the namespace of the demo, where the kind is namespaced.
    pub(crate) fn api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        if kind.kind.starts_with("Cluster") {
            return Api::all_with(self.client.clone(), kind);
        }
        Api::namespaced_with(self.client.clone(), NAMESPACE, kind)
    }

    /// Shows what `kubectl get` shows: the API server makes the table. Of revisions the oldest comes first.
    pub(crate) async fn table(&self, kind: &ApiResource) -> Result<()> {
        let order = if kind.kind.ends_with("Set") { " --sort-by=.metadata.creationTimestamp" } else { "" };
        self.command(&format!("kubectl get {}{order}", kind.plural));
        let namespace = (!kind.kind.starts_with("Cluster")).then_some(NAMESPACE);
        let request = http::Request::get(DynamicObject::url_path(kind, namespace))
            .header(http::header::ACCEPT, "application/json;as=Table;v=v1;g=meta.k8s.io")
            .body(Vec::new())?;
        let mut table: Json =
            self.client.request(request).await.with_context(|| format!("cannot list {}", kind.plural))?;
        if let Some(rows) = table.get_mut("rows").and_then(Json::as_array_mut).filter(|_| !order.is_empty()) {
            let created = |row: &Json| row.pointer("/object/metadata/creationTimestamp").map(Json::to_string);
            rows.sort_by_cached_key(created);
        }
        for line in lines(&table) {
            self.say(&format!("    {line}"));
        }
        Ok(())
    }

    /// Waits until an object is so.
    pub(crate) async fn until(
        &self,
        kind: &ApiResource,
        name: &str,
        what: &str,
        test: impl Fn(&DynamicObject) -> bool,
    ) -> Result<()> {
        let api = self.api(kind);
        let found = || async { Ok(api.get_opt(name).await?.filter(|object| test(object)).map(drop)) };
        self.eventually(&format!("{} `{name}` {what}", kind.kind), found).await
    }

    /// Looks until there is something, and gives it.
    pub(crate) async fn eventually<T, F>(&self, what: &str, probe: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let begun = Instant::now();
        while begun.elapsed() < DEADLINE {
            if let Some(found) = probe().await? {
                return Ok(found);
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("expected within {} s: {what}", DEADLINE.as_secs())
    }

    /// Deletes a resource, and waits until it is gone; gives how long that took.
    pub(crate) async fn delete(&self, kind: &ApiResource, name: &str) -> Result<Duration> {
        self.command(&format!("kubectl delete {} {name}", kind.kind.to_lowercase()));
        let api = self.api(kind);
        let begun = Instant::now();
        api.delete(name, &DeleteParams::default()).await.with_context(|| format!("cannot delete `{name}`"))?;
        self.until_gone(kind, name).await?;
        Ok(begun.elapsed())
    }

    pub(crate) async fn until_gone(&self, kind: &ApiResource, name: &str) -> Result<()> {
        let api = self.api(kind);
        let gone = || async { Ok(api.get_opt(name).await?.is_none().then_some(())) };
        self.eventually(&format!("{} `{name}` is gone", kind.kind), gone).await
    }
}

/// A table of the API server, in columns; those are left out that kubectl shows only when it is asked for more.
fn lines(table: &Json) -> Vec<String> {
    let list = |value: &Json, name: &str| value.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
    let columns = list(table, "columnDefinitions");
    let shown: Vec<usize> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.get("priority").and_then(Json::as_i64) == Some(0))
        .map(|(place, _)| place)
        .collect();
    let text = |value: Option<&Json>| match value {
        None | Some(Json::Null) => "<none>".to_owned(),
        // kubectl shows one line.
        Some(Json::String(text)) => match text.split_once('\n') {
            Some((line, _)) => format!("{line}..."),
            None => text.clone(),
        },
        Some(other) => other.to_string(),
    };
    let head = shown.iter().filter_map(|place| columns.get(*place)?.get("name")?.as_str().map(str::to_uppercase));
    let mut rows = vec![head.collect::<Vec<_>>()];
    for row in list(table, "rows") {
        let cells = list(&row, "cells");
        rows.push(shown.iter().map(|place| text(cells.get(*place))).collect());
    }
    let width = |place: usize| rows.iter().filter_map(|row| row.get(place)).map(String::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..shown.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            _ = write!(line, "{cell:<width$}   ");
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::demo::show::lines;

    #[test]
    fn a_table_is_shown_as_kubectl_shows_it() {
        let column = |name: &str, priority: i64| json!({"name": name, "priority": priority});
        let table = json!({
            "columnDefinitions": [column("Name", 0), column("Node", 1), column("Found", 0)],
            "rows": [{"cells": ["nginx-1", "kwok-0", 3]}, {"cells": ["n\nm", "kwok-0", null]}],
        });
        assert_eq!(lines(&table), ["NAME      FOUND", "nginx-1   3", "n...      <none>"]);
    }
}
