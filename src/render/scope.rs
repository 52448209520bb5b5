//! What each chart's templates see: `.Values`, `.Chart`, `.Release`, `.Capabilities`, `.Files`, `.Subcharts`.
//!
//! Mirrors Helm v4.3.1: `recAllTpls` in `pkg/engine/engine.go`, `structToMap` in `pkg/chart/common.go`.

use serde_json::Value as Json;

use crate::chart::{Chart, Dependency, ImportValues, Maintainer, Metadata};
use crate::render::files::Files;
use crate::value::{Map, MapType, Str, Value};

/// A chart among those compiled together.
#[derive(Debug)]
pub(crate) struct Scope {
    name: String,
    /// `demo/charts/sub`
    path: String,
    metadata: Metadata,
    files: Files,
    /// The chart it is a sub-chart of: its index among the scopes.
    parent: Option<usize>,
}

impl Scope {
    pub(crate) fn root(chart: &Chart) -> Self {
        Self::new(chart, chart.name().to_owned(), None)
    }

    /// `chart` as a sub-chart of this one, which has the index `index`.
    pub(crate) fn subchart(&self, index: usize, chart: &Chart) -> Self {
        Self::new(chart, format!("{}/charts/{}", self.path, chart.name()), Some(index))
    }

    fn new(chart: &Chart, path: String, parent: Option<usize>) -> Self {
        let files = Files::new(&chart.files);
        Self { name: chart.name().to_owned(), path, metadata: chart.metadata.clone(), files, parent }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn base_path(&self) -> String {
        format!("{}/templates", self.path)
    }

    /// The dot of the chart's templates. `common` is the same for all charts, `values` are those of the root chart, and
    /// `above` are the dots of the charts before this one.
    fn dot(&self, common: &Map, values: &Map, above: &[Map]) -> Map {
        let dot = common.shallow_copy().converted(MapType::Values);
        dot.insert("Chart", metadata(&self.metadata, self.parent.is_none()));
        dot.insert("Files", Value::object(self.files.clone()));
        dot.insert("Subcharts", Value::dict());
        let parent = self.parent.and_then(|parent| above.get(parent));
        let Some(parent) = parent else {
            dot.insert("Values", values.clone());
            return dot;
        };
        let own = parent.get("Values").and_then(|values| values.as_map()?.get(&self.name));
        let own = own.as_ref().and_then(Value::as_map).map(|own| own.converted(MapType::Values));
        dot.insert("Values", own.unwrap_or_else(|| Map::new(MapType::Values)));
        if let Some(Value::Map(subcharts)) = parent.get("Subcharts") {
            subcharts.insert(self.name.as_str(), dot.converted(MapType::Any));
        }
        dot
    }
}

/// The dots of all scopes. A value that one chart's templates change is changed for all that see it.
pub(crate) fn dots(scopes: &[Scope], common: &Map, values: &Json) -> Vec<Map> {
    let values = Value::map_from_json(values, MapType::Values);
    let mut dots = Vec::with_capacity(scopes.len());
    for scope in scopes {
        let dot = scope.dot(common, &values, &dots);
        dots.push(dot);
    }
    dots
}

/// `.Chart`: the fields of Helm's struct as a map.
fn metadata(metadata: &Metadata, is_root: bool) -> Map {
    let texts = [
        ("Name", &metadata.name),
        ("Home", &metadata.home),
        ("Version", &metadata.version),
        ("Description", &metadata.description),
        ("Icon", &metadata.icon),
        ("APIVersion", &metadata.api_version),
        ("Condition", &metadata.condition),
        ("Tags", &metadata.tags),
        ("AppVersion", &metadata.app_version),
        ("KubeVersion", &metadata.kube_version),
        ("Type", &metadata.r#type),
    ];
    let map = text_map(&texts);
    map.insert("Sources", texts_list(&metadata.sources));
    map.insert("Keywords", texts_list(&metadata.keywords));
    map.insert("Maintainers", list(&metadata.maintainers, maintainer));
    map.insert("Dependencies", list(&metadata.dependencies, dependency));
    map.insert("Deprecated", metadata.deprecated);
    map.insert("IsRoot", is_root);
    let annotations = metadata.annotations.iter();
    let annotations = annotations.map(|(key, value)| (Str::from(key.as_str()), Value::from(value.as_str())));
    map.insert(
        "Annotations",
        if metadata.annotations.is_empty() {
            Map::nil(MapType::String)
        } else {
            Map::from_entries(MapType::String, annotations.collect())
        },
    );
    map
}

fn text_map(texts: &[(&str, &String)]) -> Map {
    texts.iter().map(|(key, text)| (Str::from(*key), Value::from(text.as_str()))).collect()
}

fn texts_list(texts: &[String]) -> Value {
    Value::list(texts.iter().map(|text| text.as_str().into()).collect())
}

fn list<T>(items: &[T], map: impl Fn(&T) -> Map) -> Value {
    Value::list(items.iter().map(|item| map(item).into()).collect())
}

fn maintainer(maintainer: &Maintainer) -> Map {
    text_map(&[("Name", &maintainer.name), ("Email", &maintainer.email), ("URL", &maintainer.url)])
}

fn dependency(dependency: &Dependency) -> Map {
    let map = text_map(&[
        ("Name", &dependency.name),
        ("Version", &dependency.version),
        ("Repository", &dependency.repository),
        ("Condition", &dependency.condition),
        ("Alias", &dependency.alias),
    ]);
    map.insert("Tags", texts_list(&dependency.tags));
    map.insert("Enabled", dependency.enabled);
    let imports = dependency.import_values.iter().map(|import| match import {
        ImportValues::Export(name) => Value::from(name.as_str()),
        ImportValues::Table { child, parent } => text_map(&[("child", child), ("parent", parent)]).into(),
    });
    map.insert("ImportValues", Value::list(imports.collect()));
    map
}
