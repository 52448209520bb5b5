//! Which sub-charts take part, under which names, and what they lend their parent.
//!
//! Mirrors Helm v4.3.1, `pkg/chart/v2/util/dependencies.go`. It stands here and not in `chart`, because conditions are
//! looked up in coalesced values.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::chart::{Chart, Dependency, ImportValues, version};
use crate::values::Error;
use crate::values::coalesce::{coalesce_tree, merge_tables, merge_tree};
use crate::values::tree::{Table, Tree};

/// The chart as it is rendered with the values `user`: aliases given, disabled sub-charts gone, imported values among the
/// chart's own. A chart without dependencies in its `Chart.yaml` comes back as it is.
///
/// # Errors
/// [`Error::NotATable`] where something other than an object stands under a sub-chart's name.
pub fn process(chart: &Chart, user: &Json) -> Result<Chart, Error> {
    let mut chart = chart.clone();
    enable(&mut chart, user, "")?;
    import_all(&mut chart)?;
    Ok(chart)
}

/// Gives aliases and drops what is disabled, here and below. `path` leads to the chart's own values.
fn enable(chart: &mut Chart, values: &Json, path: &str) -> Result<(), Error> {
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    chart.dependencies = listed(chart);
    let mut listed = std::mem::take(&mut chart.metadata.dependencies);
    for wanted in &mut listed {
        wanted.enabled = true;
        if !wanted.alias.is_empty() {
            wanted.name.clone_from(&wanted.alias);
        }
    }
    let values = coalesce_tree(chart, values)?;
    apply_tags(&mut listed, &values);
    apply_conditions(&mut listed, &values, path);
    let asked = chart.dependencies.iter().any(|dependency| !dependency.metadata.dependencies.is_empty());
    let values = if asked { values.to_json() } else { Json::Null };

    let disabled = |wanted: &&Dependency| !wanted.enabled;
    let disabled: BTreeSet<String> = listed.iter().filter(disabled).map(|wanted| wanted.name.clone()).collect();
    chart.dependencies.retain(|dependency| !disabled.contains(dependency.name()));
    listed.retain(|wanted| !disabled.contains(&wanted.name));
    chart.metadata.dependencies = listed;

    for dependency in &mut chart.dependencies {
        let path = format!("{path}{}.", dependency.name());
        enable(dependency, &values, &path)?;
    }
    Ok(())
}

/// The sub-charts that `Chart.yaml` does not name, then those it names, in its order and once for each alias. One that is
/// there in another version than wanted counts as not named, and one that is not there is passed over, as in Helm.
fn listed(chart: &Chart) -> Vec<Chart> {
    let wanted = &chart.metadata.dependencies;
    let fits = |found: &Chart, wanted: &Dependency| {
        found.name() == wanted.name && version::meets(&wanted.version, &found.metadata.version)
    };
    let unnamed = chart.dependencies.iter().filter(|found| !wanted.iter().any(|wanted| fits(found, wanted))).cloned();
    let named = wanted.iter().filter_map(|wanted| {
        let mut found = chart.dependencies.iter().find(|found| fits(found, wanted))?.clone();
        if !wanted.alias.is_empty() {
            found.metadata.name.clone_from(&wanted.alias);
        }
        Some(found)
    });
    unnamed.chain(named).collect()
}

/// Disabled by a tag that is false, unless another of its tags is true.
fn apply_tags(dependencies: &mut [Dependency], values: &Table<'_>) {
    let Some(tags) = values.at("tags") else { return };
    for dependency in dependencies {
        let set: Vec<bool> = dependency.tags.iter().filter_map(|tag| as_bool(&tags.get(tag)?)).collect();
        dependency.enabled = set.is_empty() || set.contains(&true);
    }
}

/// The first path of a condition that leads to a bool decides, whatever the tags say.
fn apply_conditions(dependencies: &mut [Dependency], values: &Table<'_>, path: &str) {
    for dependency in dependencies {
        let mut paths = dependency.condition.trim().split(',').filter(|condition| !condition.is_empty());
        let decided = paths.find_map(|condition| as_bool(&lookup(values, &format!("{path}{condition}"))?));
        dependency.enabled = decided.unwrap_or(dependency.enabled);
    }
}

fn lookup<'a>(values: &Table<'a>, path: &str) -> Option<Tree<'a>> {
    match path.rsplit_once('.') {
        Some((table, key)) => values.at(table)?.get(key),
        None => values.get(path),
    }
}

fn as_bool(value: &Tree<'_>) -> Option<bool> {
    if let Tree::Leaf(Json::Bool(b)) = value { Some(*b) } else { None }
}

/// Imports from the deepest sub-charts upwards.
fn import_all(chart: &mut Chart) -> Result<(), Error> {
    for dependency in &mut chart.dependencies {
        import_all(dependency)?;
    }
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    for import in chart.metadata.dependencies.iter_mut().flat_map(|dependency| &mut dependency.import_values) {
        *import = import_table(import);
    }
    let values = merge_tree(chart)?;
    let imported = Table::default();
    for dependency in &chart.metadata.dependencies {
        for import in &dependency.import_values {
            if let ImportValues::Table { child, parent } = import
                && let Some(found) = values.at(&format!("{}.{child}", dependency.name))
            {
                // An empty table is imported as a copy: what is merged into it is not seen where it came from.
                let table = if found.is_empty() { Table::default() } else { found };
                merge_tables(&imported, &below(parent, table));
            }
        }
    }
    // What is imported is weaker than what the parent says. Values are copied first: imported tables are shared with them.
    let mut merged = values.to_json();
    if !imported.is_empty() {
        let own = Table::new(&merged);
        merge_tables(&own, &imported);
        merged = own.to_json();
    }
    chart.values = Arc::new(merged);
    Ok(())
}

fn import_table(import: &ImportValues) -> ImportValues {
    match import {
        ImportValues::Export(name) => ImportValues::Table { child: format!("exports.{name}"), parent: ".".to_owned() },
        table @ ImportValues::Table { .. } => table.clone(),
    }
}

/// `table` at a dotted path of the parent's values; `.` is their top.
fn below<'a>(parent: &'a str, table: Table<'a>) -> Table<'a> {
    if parent == "." {
        return table;
    }
    parent.rsplit('.').fold(table, |inner, key| {
        let outer = Table::default();
        outer.insert(key, Tree::Table(inner));
        outer
    })
}
