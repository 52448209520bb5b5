//! From the text of `watches.yaml` to its watches.

use std::collections::{BTreeMap, btree_map};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::diagnostic::{Diagnostic, Place, Severity, Source};
use crate::value::period;
use crate::values::strvals;
use crate::watches::fields::{Entry, Field, Fields, Findings};
use crate::watches::{
    DEFAULT_HISTORY, Gvk, Places, Selector, Watch, Watches, budget, crds, labels, lookup, rules, shape,
};
use crate::yaml::{self, Node, Numbers};

/// Reads the text of a `watches.yaml` that is known as `name`.
///
/// # Errors
/// Every fault, and every warning with them, in order of place.
pub fn parse(name: &str, text: &str) -> Result<Watches, Vec<Diagnostic>> {
    let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
    let mut findings = Findings { source, found: Vec::new() };
    let document = yaml::parse(text).map_err(|error| vec![syntax_fault(&error, &findings.source)])?;
    let watches = document.map_or_else(Vec::new, |document| entries(&document, &mut findings));
    let mut found = findings.found;
    found.sort_by_key(|diagnostic| diagnostic.place);
    if found.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(found);
    }
    Ok(Watches { watches, warnings: found })
}

fn syntax_fault(error: &yaml::Error, source: &Arc<Source>) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.to_string());
    match error.place() {
        Some(place) => diagnostic.at(source, place),
        None => diagnostic.within(source),
    }
}

fn entries(document: &Node, findings: &mut Findings) -> Vec<Watch> {
    if document.is_null() {
        return Vec::new();
    }
    if !document.is_sequence() {
        let message = format!("expected a list of watches, found {}", document.kind_name());
        findings.fault_with(document.place, message, "begin each watch with `- `");
        return Vec::new();
    }
    let mut watches = Vec::new();
    let mut seen: BTreeMap<Gvk, Place> = BTreeMap::new();
    for item in document.items() {
        if !item.is_mapping() && !item.is_null() {
            findings.fault(item.place, format!("expected a watch, found {}", item.kind_name()));
            continue;
        }
        let fields = findings.fields(item, &shape::WATCH);
        let gvk = gvk(item, &fields, findings);
        if let Some(gvk) = &gvk {
            let place = fields.field("kind").map_or(item.place, |field| field.value.place);
            check_unique(gvk, place, &mut seen, findings);
        }
        watches.extend(watch(item, gvk, &fields, findings));
    }
    warn_of_versions(&watches, findings);
    watches
}

fn check_unique(gvk: &Gvk, place: Place, seen: &mut BTreeMap<Gvk, Place>, findings: &mut Findings) {
    match seen.entry(gvk.clone()) {
        btree_map::Entry::Vacant(entry) => {
            entry.insert(place);
        }
        btree_map::Entry::Occupied(first) => {
            let hint = format!("it is watched in line {} already; remove one of them", first.get().line);
            findings.fault_with(place, format!("duplicate GVK: {gvk}"), hint);
        }
    }
}

/// The API server shows each resource in every version of its kind.
fn warn_of_versions(watches: &[Watch], findings: &mut Findings) {
    for (place, watch) in watches.iter().enumerate() {
        let same = |other: &&Watch| {
            let (one, two) = (&other.gvk, &watch.gvk);
            one.group == two.group && one.kind == two.kind && one.version != two.version
        };
        let mut others = watches.iter().take(place).filter(same);
        if let Some(other) = others.find(|other| other.selector.is_empty() || watch.selector.is_empty()) {
            let (kind, version) = (&watch.gvk.kind, &other.gvk.version);
            let message = format!("each `{kind}` is shown in version `{version}` too: both charts are applied for it");
            let hint = "tell by `selector` which resources are meant, or keep one of the versions".to_owned();
            findings.warning(watch.places.gvk, message, Some(hint));
        }
    }
}

/// One entry; all of it is read before what it must have is asked for.
fn watch(item: &Node, gvk: Option<Gvk>, fields: &Fields<'_>, findings: &mut Findings) -> Option<Watch> {
    let chart = required(item, fields, "chart", findings);
    let (override_values, override_places) = override_values(fields.field("overrideValues"), findings);
    let selector = fields.field("selector");
    let concurrent = findings.count(fields.field("maxConcurrentReconciles"), 1);
    let reconcile_period = reconcile_period(fields.field("reconcilePeriod"), findings);
    let overrides = overrides(fields.field("overrides"), findings);
    let selector = selector.map_or_else(Selector::default, |field| labels::selector(field, findings));
    let watch_dependent_resources = findings.bool(fields.field("watchDependentResources")).unwrap_or(true);
    let dry_run_option = dry_run_option(fields.field("dryRunOption"), findings);
    let history = findings.count(fields.field("history"), 0).unwrap_or(DEFAULT_HISTORY);
    let rollback = findings.bool(fields.field("rollback")).unwrap_or(true);
    let budget = budget::read(fields.field("budget"), findings);
    let patches = rules::patches(fields.field("patches"), findings);
    let restrict = rules::restrict(fields.field("restrict"), findings);
    let drift = rules::drift(fields.field("drift"), findings);
    let ignore_fields = rules::ignore_fields(fields.field("ignoreFields"), findings);
    let release_namespace = rules::name(fields.field("releaseNamespace"), 63, findings);
    let service_account_name = rules::name(fields.field("serviceAccountName"), 253, findings);
    let crds = crds::read(fields.field("crds"), findings);
    let lookup = lookup::read(fields.field("lookup"), findings);
    Some(Watch {
        gvk: gvk?,
        chart: chart?,
        watch_dependent_resources,
        override_values,
        overrides,
        selector,
        reconcile_period,
        dry_run_option,
        max_concurrent_reconciles: concurrent.and_then(|n| NonZeroUsize::new(usize::try_from(n).ok()?)),
        history,
        rollback,
        budget,
        patches,
        restrict,
        drift,
        ignore_fields,
        release_namespace,
        service_account_name,
        rules: rules::text(["patches", "restrict", "ignoreFields", "lookup"].map(|name| fields.field(name))),
        crds,
        lookup,
        places: Places {
            source: Arc::clone(&findings.source),
            gvk: fields.field("kind").map_or(item.place, |field| field.value.place),
            chart: fields.field("chart").map_or(item.place, |field| field.value.place),
            override_values: override_places,
        },
    })
}

fn gvk(item: &Node, fields: &Fields<'_>, findings: &mut Findings) -> Option<Gvk> {
    let group = findings.string(fields.field("group")).unwrap_or_default();
    if let (Some(field), Some((name, version))) = (fields.field("group"), group.split_once('/')) {
        let hint = format!("write `group: {name}` and `version: {version}`");
        findings.fault_with(field.value.place, format!("a group has no `/`: `{group}`"), hint);
    }
    let version = required(item, fields, "version", findings);
    let kind = required(item, fields, "kind", findings);
    Some(Gvk { group, version: version?, kind: kind? })
}

/// A string that must be there. The text of its fault is operator-sdk's.
fn required(item: &Node, fields: &Fields<'_>, name: &'static str, findings: &mut Findings) -> Option<String> {
    let field = fields.field(name);
    let place = field.map_or(item.place, |field| field.value.place);
    let text = match field {
        Some(_) => findings.string(field)?,
        None => String::new(),
    };
    if text.is_empty() {
        let hint = match name {
            "version" => "name the version of the resource to watch, for instance `version: v1alpha1`",
            "kind" => "name the kind of the resource to watch, for instance `kind: Memcached`",
            _ => "name the directory of the chart, for instance `chart: helm-charts/memcached`",
        };
        findings.fault_with(place, format!("{name} must not be empty"), hint);
        return None;
    }
    Some(text)
}

/// The entries, and where they stand.
fn override_values(
    field: Option<Field<'_>>,
    findings: &mut Findings,
) -> (BTreeMap<String, String>, BTreeMap<String, Place>) {
    let hint = "name its leaves by their paths, such as `image.tag`, or use `overrides`, which takes any YAML";
    let entries = field.map_or_else(Vec::new, |field| findings.string_map(field, hint));
    let mut values = BTreeMap::new();
    let mut places = BTreeMap::new();
    for Entry { key, node, value, .. } in entries {
        // The text is not final, but a key that cannot be read now cannot be read later.
        if let Err(error) = strvals::parse(&format!("{key}=x"), strvals::Kind::String) {
            findings.fault(node.place, format!("`{key}` is no path into the values: {error}"));
        }
        places.insert(key.clone(), node.place);
        values.insert(key, value);
    }
    (values, places)
}

fn overrides(field: Option<Field<'_>>, findings: &mut Findings) -> Map<String, Json> {
    let Some(field) = field else { return Map::new() };
    match field.value.to_json(Numbers::Exact) {
        Ok(Json::Object(entries)) => entries,
        Ok(_) => {
            findings.mismatch(field, "a mapping");
            Map::new()
        }
        Err(error) => {
            findings.fault(error.place().unwrap_or(field.value.place), error.to_string());
            Map::new()
        }
    }
}

/// None for zero too: it falls through to the flag, as in operator-sdk.
fn reconcile_period(field: Option<Field<'_>>, findings: &mut Findings) -> Option<Duration> {
    let field = field?;
    let Some(text) = field.value.as_str() else {
        let message = format!("expected a duration for `reconcilePeriod`, found {}", field.value.kind_name());
        findings.fault_with(field.value.place, message, "write its unit, for instance `30s` or `1m0s`");
        return None;
    };
    match period::parse(text) {
        Ok(period) => Some(period).filter(|period| !period.is_zero()),
        Err(error) => {
            let hint = "write for instance `30s`, `1m0s` or `1.5h`";
            findings.fault_with(field.value.place, error.to_string(), hint);
            None
        }
    }
}

fn dry_run_option(field: Option<Field<'_>>, findings: &mut Findings) -> String {
    let option = findings.string(field).unwrap_or_default();
    if let Some(field) = field
        && !matches!(option.as_str(), "" | "none" | "client" | "server")
    {
        let message = format!("unknown `dryRunOption` `{option}` is ignored");
        findings.warning(field.value.place, message, Some("use `none`, `client` or `server`".to_owned()));
    }
    option
}
