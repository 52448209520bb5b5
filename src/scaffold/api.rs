//! What a kind adds to a project: its chart, definition, sample and rights.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::analysis::{Rights, Subject};
use crate::chart::{Chart, File, load};
use crate::diagnostic::Diagnostic;
use crate::scaffold::definition::{self, Aliases};
use crate::scaffold::project::{PROJECT, fill, read};
use crate::scaffold::{Error, Kind, Project, Tree, edit, sample};

const WATCHES: &str = "watches.yaml";
const ROLE: &str = "config/rbac/role.yaml";
const ROLES: &str = "config/rbac/kustomization.yaml";
const DEFINITIONS: &str = "config/crd/kustomization.yaml";
const SAMPLES: &str = "config/samples/kustomization.yaml";

/// The files that a kind is added to.
pub const EDITED: [&str; 6] = [PROJECT, WATCHES, ROLE, ROLES, DEFINITIONS, SAMPLES];

/// How much a definition's schema says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// What the chart's schema says; else the keys of `values.yaml` with any values.
    Values,
    /// The same, where values have the types of their defaults.
    Strict,
    /// Nothing, as operator-sdk has it.
    None,
}

/// A kind to be added.
#[derive(Clone, Debug)]
pub struct Api {
    /// What it is called.
    pub kind: Kind,
    /// What is rendered for its resources.
    pub chart: Chart,
    /// Whether the chart is in the project already.
    pub has_chart: bool,
    /// How much its definition says.
    pub schema: Schema,
    /// By what else `kubectl` knows it; empty: its initials, where nobody else has them.
    pub short_names: Vec<String>,
}

macro_rules! starter {
    ($($name:literal <- $file:literal,)*) => { [$(($name, include_str!(concat!("files/chart/", $file)))),*] };
}

/// A small chart for a kind that has none.
///
/// # Errors
/// [`Error::Name`], where the kind is none.
pub fn chart_of_kind(kind: &Kind) -> Result<Chart, Error> {
    kind.check()?;
    let name = kind.singular();
    let words = [("CHART", name.as_str()), ("KIND", kind.kind.as_str())];
    let files = starter![
        ".helmignore" <- "helmignore",
        "Chart.yaml" <- "Chart.yaml",
        "templates/NOTES.txt" <- "templates/NOTES.txt",
        "templates/_helpers.tpl" <- "templates/_helpers.tpl",
        "templates/deployment.yaml" <- "templates/deployment.yaml",
        "templates/service.yaml" <- "templates/service.yaml",
        "values.yaml" <- "values.yaml",
    ];
    let files = files.into_iter().map(|(name, text)| File::new(name, fill(text, &words).into_bytes()));
    load::from_files(files.collect()).map_err(Error::Chart)
}

/// Adds a kind to a project; gives what the user should know.
///
/// # Errors
/// A name that is none, a kind that is there, a file that is not as it should be.
pub fn api(tree: &mut Tree, api: &Api) -> Result<Vec<Diagnostic>, Error> {
    let project = read(tree)?;
    let kind = &api.kind;
    kind.check()?;
    let same = project.kinds.iter().find(|known| (known.full_group(), &known.kind) == (kind.full_group(), &kind.kind));
    if let Some(known) = same {
        let (group, version) = (known.full_group(), known.version.clone());
        return Err(Error::Taken { kind: kind.kind.clone(), group, version });
    }
    let directory = format!("helm-charts/{}", api.chart.name());
    if !api.has_chart {
        for file in &*api.chart.raw {
            tree.create(format!("{directory}/{}", file.name), Arc::clone(&file.data));
        }
    }
    let mut warnings: Vec<Diagnostic> = Vec::new();
    add_definition(tree, api, &project, &directory, &mut warnings)?;
    add_sample(tree, api, &directory)?;
    warnings.extend(add_rights(tree, api, &directory)?);
    add_roles_for_people(tree, kind, &project)?;
    let watch = format!(
        "- group: {}\n  version: {}\n  kind: {}\n  chart: {directory}\n",
        kind.full_group(),
        kind.version,
        kind.kind
    );
    change(tree, WATCHES, |text| edit::add_entry(WATCHES, text, "# +kubebuilder:scaffold:watch", &watch))?;
    let entry = remembered(kind);
    change(tree, PROJECT, |text| edit::add_to_list(PROJECT, text, "resources", "version", &entry))?;
    Ok(warnings)
}

/// A chart's `values.yaml`; empty if it has none.
pub(super) fn values(chart: &Chart) -> String {
    let file = chart.raw.iter().find(|file| &*file.name == "values.yaml");
    file.map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default()
}

fn add_definition(
    tree: &mut Tree,
    api: &Api,
    project: &Project,
    directory: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<(), Error> {
    let kind = &api.kind;
    let aliases = Aliases { short: short_names(api, project), categories: categories(project) };
    let (text, told) = definition::text(kind, &api.chart, directory, api.schema, &aliases)?;
    warnings.extend(told.into_iter().map(Diagnostic::warning));
    let file = format!("bases/{}_{}.yaml", kind.full_group(), kind.plural());
    tree.create(format!("config/crd/{file}"), text.into_bytes());
    change(tree, DEFINITIONS, |text| edit::add_resource(DEFINITIONS, text, &file))
}

/// Two kinds of a group with the same short name: the API server would serve only one of them.
fn short_names(api: &Api, project: &Project) -> Vec<String> {
    if !api.short_names.is_empty() {
        return api.short_names.clone();
    }
    let initials = api.kind.initials();
    initials
        .into_iter()
        .filter(|own| !project.kinds.iter().any(|known| known.initials().as_ref() == Some(own)))
        .collect()
}

/// `kubectl get` lists them with everything that a namespace holds, and those of a project together.
fn categories(project: &Project) -> Vec<String> {
    let own = project.name.starts_with(|c: char| c.is_ascii_lowercase()).then(|| project.name.clone());
    std::iter::once("all".to_owned()).chain(own).collect()
}

fn add_sample(tree: &mut Tree, api: &Api, directory: &str) -> Result<(), Error> {
    let kind = &api.kind;
    let file = format!("{}_{}_{}.yaml", kind.short_group(), kind.version, kind.singular());
    let text = sample::text(kind, &format!("{directory}/values.yaml"), &values(&api.chart))?;
    tree.create(format!("config/samples/{file}"), text.into_bytes());
    change(tree, SAMPLES, |text| edit::add_resource(SAMPLES, text, &file))
}

/// Adds what the operator needs for the kind and its chart; gives where that may not be all.
fn add_rights(tree: &mut Tree, api: &Api, directory: &str) -> Result<Vec<Diagnostic>, Error> {
    let kind = &api.kind;
    let (mut rights, mut base) = (Rights::default(), Rights::default());
    base.of_releases();
    rights.of_watch(&kind.full_group(), &kind.kind);
    let subject = Subject {
        path: directory,
        gvk: None,
        files: &api.chart.raw,
        overrides: &Json::Null,
        samples: &[],
        has_records: true,
    };
    let warnings = rights.of_chart(&subject);
    let rules = rights.without(&base).rules();
    let text = crate::yaml::emit_json(&Json::Array(rules.clone())).map_err(Error::Write)?;
    let block = format!("##\n## Rules for {}, Kind: {}\n##\n{text}\n", kind.api_version(), kind.kind);
    change(tree, ROLE, |text| edit::add_rules(ROLE, text, "# +kubebuilder:scaffold:rules", &rules, &block))?;
    Ok(warnings)
}

fn add_roles_for_people(tree: &mut Tree, kind: &Kind, project: &Project) -> Result<(), Error> {
    let is_namesake = |known: &Kind| known.kind == kind.kind;
    let namesakes = project.kinds.iter().any(is_namesake);
    let role = if namesakes { format!("{}-{}", kind.short_group(), kind.singular()) } else { kind.singular() };
    let (group, plural) = (kind.full_group(), kind.plural());
    let words = [("PROJECT", project.name.as_str()), ("GROUP", &group), ("PLURAL", &plural), ("ROLE", &role)];
    for (who, text) in [
        ("admin", include_str!("files/api/admin_role.yaml")),
        ("editor", include_str!("files/api/editor_role.yaml")),
        ("viewer", include_str!("files/api/viewer_role.yaml")),
    ] {
        let file = format!("{}_{who}_role.yaml", role.replace('-', "_"));
        tree.create(format!("config/rbac/{file}"), fill(text, &words).into_bytes());
        change(tree, ROLES, |text| edit::add_resource(ROLES, text, &file))?;
    }
    Ok(())
}

/// What `PROJECT` says of a kind.
fn remembered(kind: &Kind) -> String {
    let mut lines = vec!["- api:".to_owned(), "    crdVersion: v1".to_owned(), "    namespaced: true".to_owned()];
    let fields = [("domain", &kind.domain), ("group", &kind.group), ("kind", &kind.kind), ("version", &kind.version)];
    lines.extend(
        fields.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("  {name}: {value}")),
    );
    lines.join("\n") + "\n"
}

fn change(
    tree: &mut Tree,
    file: &'static str,
    change: impl FnOnce(&str) -> Result<String, Error>,
) -> Result<(), Error> {
    let text = change(tree.text(file).ok_or(Error::Missing(file))?)?;
    tree.edit(file, text);
    Ok(())
}
