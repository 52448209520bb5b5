//! A new project, and what `PROJECT` remembers of one.

use crate::analysis::Rights;
use crate::scaffold::{Error, Kind, Tree, names};
use crate::yaml::{self, Node};

/// What a project is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its name: prefix of the names of what is deployed.
    pub name: String,
    /// Behind the groups of its kinds.
    pub domain: String,
    /// The kinds it has.
    pub kinds: Vec<Kind>,
}

/// Remembers how the project was made.
pub(super) const PROJECT: &str = "PROJECT";

/// By this operator-sdk knows a project of Helm charts.
const LAYOUT: &str = "helm.sdk.operatorframework.io/v1";

macro_rules! files {
    ($($path:literal <- $file:literal,)*) => { &[$(($path, include_str!(concat!("files/", $file)))),*] };
    ($($path:literal,)*) => { &[$(($path, include_str!(concat!("../../", $path)))),*] };
}

/// The files of this repository, which is such a project, that are as they are in every project but for its name.
const OURS: &[(&str, &str)] = files![
    "config/default/manager_metrics_patch.yaml",
    "config/default/metrics_service.yaml",
    "config/manager/manager.yaml",
    "config/network-policy/allow-metrics-traffic.yaml",
    "config/network-policy/kustomization.yaml",
    "config/prometheus/monitor.yaml",
    "config/rbac/leader_election_role.yaml",
    "config/rbac/leader_election_role_binding.yaml",
    "config/rbac/metrics_auth_role.yaml",
    "config/rbac/metrics_auth_role_binding.yaml",
    "config/rbac/metrics_reader_role.yaml",
    "config/rbac/role_binding.yaml",
    "config/rbac/service_account.yaml",
];

/// What this repository's project is called.
const OUR_NAME: &str = "chart-operator";

/// Paths in a project, and what is there.
const FILES: &[(&str, &str)] = files![
    ".dockerignore" <- "dockerignore",
    ".gitignore" <- "gitignore",
    "Dockerfile" <- "Dockerfile",
    "Makefile" <- "Makefile",
    "PROJECT" <- "PROJECT",
    "config/crd/kustomization.yaml" <- "config/crd/kustomization.yaml",
    "config/default/kustomization.yaml" <- "config/default/kustomization.yaml",
    "config/manager/kustomization.yaml" <- "config/manager/kustomization.yaml",
    "config/manifests/bases/@PROJECT@.clusterserviceversion.yaml" <- "config/manifests/bases/clusterserviceversion.yaml",
    "config/manifests/kustomization.yaml" <- "config/manifests/kustomization.yaml",
    "config/prometheus/kustomization.yaml" <- "config/prometheus/kustomization.yaml",
    "config/rbac/kustomization.yaml" <- "config/rbac/kustomization.yaml",
    "config/rbac/role.yaml" <- "config/rbac/role.yaml",
    "config/samples/kustomization.yaml" <- "config/samples/kustomization.yaml",
    "config/scorecard/bases/config.yaml" <- "config/scorecard/bases/config.yaml",
    "config/scorecard/kustomization.yaml" <- "config/scorecard/kustomization.yaml",
    "config/scorecard/patches/basic.config.yaml" <- "config/scorecard/patches/basic.config.yaml",
    "config/scorecard/patches/olm.config.yaml" <- "config/scorecard/patches/olm.config.yaml",
    "watches.yaml" <- "watches.yaml",
];

/// A new project whose image is built from `image`.
///
/// # Errors
/// [`Error::Name`]
pub fn init(project: &Project, image: &str) -> Result<Tree, Error> {
    names::check_project(&project.name)?;
    names::check_domain(&project.domain)?;
    let mut rights = Rights::default();
    rights.of_releases();
    let rules = yaml::emit_json(&rights.rules().into()).map_err(Error::Write)?;
    let words = [
        ("PROJECT", project.name.as_str()),
        ("DOMAIN", &project.domain),
        ("DISPLAY", &title(&project.name)),
        ("IMAGE", image),
        ("RULES", rules.trim_end()),
    ];
    let mut tree = Tree::default();
    for (path, text) in OURS {
        tree.create(*path, text.replace(OUR_NAME, &project.name).into_bytes());
    }
    for (path, text) in FILES {
        tree.create(fill(path, &words), fill(text, &words).into_bytes());
    }
    Ok(tree)
}

/// What a project's `PROJECT` says.
///
/// # Errors
/// Where it is not there, cannot be read, or is about another sort of project.
pub fn read(tree: &Tree) -> Result<Project, Error> {
    let text = tree.text(PROJECT).ok_or(Error::Missing(PROJECT))?;
    let source = |source| Error::Yaml { file: PROJECT, source };
    let node = yaml::parse(text).map_err(source)?.ok_or_else(|| unexpected("it is empty"))?;
    let layouts = node.get("layout").map(Node::items).unwrap_or_default();
    if !layouts.iter().any(|layout| layout.as_str() == Some(LAYOUT)) {
        return Err(unexpected(&format!("its `layout` does not name `{LAYOUT}`")));
    }
    let text = |node: &Node, key: &str| node.get(key).and_then(Node::as_str).unwrap_or_default().to_owned();
    let name = text(&node, "projectName");
    if name.is_empty() {
        return Err(unexpected("it names no `projectName`"));
    }
    let kind = |node: &Node| Kind {
        group: text(node, "group"),
        domain: text(node, "domain"),
        version: text(node, "version"),
        kind: text(node, "kind"),
    };
    let kinds = node.get("resources").map(Node::items).unwrap_or_default();
    Ok(Project { name, domain: text(&node, "domain"), kinds: kinds.iter().map(kind).collect() })
}

/// `text` with each `@WORD@` replaced.
pub(super) fn fill(text: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(text.to_owned(), |text, (word, replaced)| text.replace(&format!("@{word}@"), replaced))
}

/// `my-operator` as `My Operator`.
fn title(name: &str) -> String {
    let words = name.split('-').map(names::kind_of_chart);
    words.collect::<Vec<_>>().join(" ")
}

fn unexpected(found: &str) -> Error {
    Error::Unexpected { file: PROJECT, found: found.to_owned() }
}
