//! One set of values out of a chart's defaults, its parents' values and the user's.
//!
//! The user wins over a parent chart, a parent over its sub-charts. A null of the user deletes a default; over nothing it
//! stays. Nulls of defaults are dropped. `global` of a parent reaches every sub-chart.
//!
//! Mirrors Helm v4.3.1, `pkg/chart/common/util/coalesce.go`.

use serde_json::Value as Json;

use crate::chart::Chart;
use crate::values::Error;
use crate::values::tree::{Table, Tree};

/// The key whose table reaches every sub-chart.
const GLOBAL: &str = "global";

/// What a chart is rendered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Coalesced {
    /// `.Values` of the root chart; a sub-chart's are the table under its name.
    pub values: Json,
    /// What was left out because its shape does not fit. Values are never in it: they may be secret.
    pub warnings: Vec<String>,
}

/// The chart's values, with `user` on top (Helm's `CoalesceValues`).
///
/// # Errors
/// [`Error::NotATable`] where something other than an object stands under a sub-chart's name.
pub fn coalesce(chart: &Chart, user: &Json) -> Result<Coalesced, Error> {
    let mut run = Run { nulls: Nulls::Delete, warnings: Vec::new() };
    let values = run.chart(chart, Table::new(user), "")?;
    Ok(Coalesced { values: values.to_json(), warnings: run.warnings })
}

/// Like [`coalesce`], shared by reference.
pub(crate) fn coalesce_tree<'a>(chart: &'a Chart, user: &'a Json) -> Result<Table<'a>, Error> {
    Run { nulls: Nulls::Delete, warnings: Vec::new() }.chart(chart, Table::new(user), "")
}

/// The chart's own values with every null kept (Helm's `MergeValues`).
pub(crate) fn merge_tree(chart: &Chart) -> Result<Table<'_>, Error> {
    Run { nulls: Nulls::Keep, warnings: Vec::new() }.chart(chart, Table::default(), "")
}

/// Adds to `over` what `under` has and it has not, nulls kept (Helm's `MergeTables`).
pub(crate) fn merge_tables<'a>(over: &Table<'a>, under: &Table<'a>) {
    Run { nulls: Nulls::Keep, warnings: Vec::new() }.tables(over, under, "", Nulls::Keep);
}

/// What a null above does to the value below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nulls {
    /// Both are gone.
    Delete,
    /// The null stays.
    Keep,
}

struct Run {
    nulls: Nulls,
    warnings: Vec<String>,
}

impl Run {
    fn chart<'a>(&mut self, chart: &'a Chart, values: Table<'a>, prefix: &str) -> Result<Table<'a>, Error> {
        let prefix = join(prefix, chart.name());
        self.defaults(chart, &values, &prefix);
        for dependency in &chart.dependencies {
            let name = dependency.name();
            let table = match values.get(name) {
                None => Table::default(),
                Some(Tree::Table(table)) => table,
                Some(Tree::Leaf(found)) => return Err(Error::not_a_table(name, found)),
            };
            values.insert(name, Tree::Table(table.clone()));
            self.globals(&table, &values, &prefix);
            let table = self.chart(dependency, table, &prefix)?;
            values.insert(name, Tree::Table(table));
        }
        Ok(values)
    }

    /// Puts the chart's defaults under `values`.
    fn defaults<'a>(&mut self, chart: &'a Chart, values: &Table<'a>, prefix: &str) {
        let defaults = chart.values.as_object().into_iter().flatten();
        for (key, default) in defaults {
            match values.get(key) {
                None if self.nulls == Nulls::Keep => values.insert(key.as_str(), Tree::new(default)),
                None if default.is_null() => {}
                None => {
                    let default = Tree::new(default);
                    if let Some(table) = default.table() {
                        table.remove_nulls();
                    }
                    values.insert(key.as_str(), default);
                }
                Some(value) if value.is_null() && self.nulls == Nulls::Delete => values.remove(key),
                Some(Tree::Table(table)) => self.default_table(chart, key, (&table, default), prefix),
                Some(Tree::Leaf(_)) => {}
            }
        }
    }

    fn default_table<'a>(&mut self, chart: &Chart, key: &str, (table, default): (&Table<'a>, &'a Json), prefix: &str) {
        if !default.is_object() {
            if !default.is_null() {
                self.warnings.push(format!("skipped value for {prefix}.{key}: Not a table."));
            }
            return;
        }
        let default = Table::new(default);
        // Nulls for a sub-chart are kept: they delete the sub-chart's own defaults later.
        let of_subchart = chart.dependencies.iter().any(|dependency| dependency.name() == key);
        let nulls = if of_subchart { Nulls::Keep } else { self.nulls };
        if nulls == Nulls::Delete {
            default.remove_nulls();
        }
        self.tables(table, &default, &join(prefix, key), nulls);
    }

    /// Puts the parent's globals over those in `values`.
    fn globals<'a>(&mut self, values: &Table<'a>, parent: &Table<'a>, prefix: &str) {
        let Some(own) = self.global_table(values, "destination") else { return };
        let Some(inherited) = self.global_table(parent, "source") else { return };
        for (key, value) in inherited.entries() {
            match (value, own.get(key)) {
                (Tree::Table(table), None) => own.insert(key, Tree::Table(table.shallow_copy())),
                (Tree::Table(table), Some(Tree::Table(under))) => {
                    let over = table.shallow_copy();
                    self.tables(&over, &under, &join(prefix, key), Nulls::Keep);
                    own.insert(key, Tree::Table(over));
                }
                (Tree::Table(_), Some(Tree::Leaf(_))) => {
                    self.warnings.push(format!("cannot merge map onto non-map for {key:?}: skipped"));
                }
                (Tree::Leaf(_), Some(Tree::Table(_))) => {
                    self.warnings.push(format!("key {key} is table: skipped"));
                }
                (leaf, _) => own.insert(key, leaf),
            }
        }
        values.insert(GLOBAL, Tree::Table(own));
    }

    fn global_table<'a>(&mut self, values: &Table<'a>, side: &str) -> Option<Table<'a>> {
        match values.get(GLOBAL) {
            None => Some(Table::default()),
            Some(Tree::Table(table)) => Some(table),
            Some(Tree::Leaf(_)) => {
                self.warnings.push(format!("skipping globals because {side} {GLOBAL} is not a table."));
                None
            }
        }
    }

    /// Adds to `over` what `under` has and it has not. Helm writes the nulls of `over` into `under` too, which is seen
    /// where `under` is shared.
    fn tables<'a>(&mut self, over: &Table<'a>, under: &Table<'a>, prefix: &str, nulls: Nulls) {
        if over.same(under) {
            return;
        }
        let entries = under.entries();
        for (key, value) in over.entries() {
            if value.is_null() {
                under.insert(key, value);
            }
        }
        for (key, value) in entries {
            match (over.get(key), value) {
                (None, value) => over.insert(key, value),
                (Some(found), value) if found.is_null() => match nulls {
                    Nulls::Delete if !value.is_null() => over.remove(key),
                    Nulls::Delete | Nulls::Keep => {}
                },
                (Some(Tree::Table(found)), Tree::Table(value)) => {
                    self.tables(&found, &value, &join(prefix, key), nulls);
                }
                (Some(Tree::Leaf(_)), Tree::Table(_)) => {
                    let name = join(prefix, key);
                    self.warnings.push(format!("cannot overwrite table with non table for {name}"));
                }
                (Some(Tree::Table(_)), Tree::Leaf(value)) if !value.is_null() => {
                    let name = join(prefix, key);
                    self.warnings.push(format!("destination for {name} is a table. Ignoring non-table value"));
                }
                _ => {}
            }
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}
