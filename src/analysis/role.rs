//! The least role under which an operator can carry its charts out, with every branch of their templates taken.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::analysis::kinds::{Kinds, Templates};
use crate::analysis::level::Level;
use crate::analysis::{Subject, apis, files, read_metadata, templates};
use crate::diagnostic::{Diagnostic, Severity};
use crate::release::Gvk;
use crate::render;
use crate::template::survey::{self, Called, Survey};

/// What is done with objects that a chart renders.
const MANAGE: [&str; 6] = ["create", "delete", "get", "list", "patch", "watch"];

/// What is asked of objects that a template looks up.
const LOOK: [&str; 3] = ["get", "list", "watch"];

/// Plurals that no rule gives.
const PLURALS: [(&str, &str); 2] = [("Endpoints", "endpoints"), ("ComponentStatus", "componentstatuses")];

/// Rights, by group and resource: plural, or plural and subresource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(BTreeMap<(String, String), BTreeSet<&'static str>>);

impl Rights {
    /// What the operator needs of a kind that it watches, and of what it keeps about every release.
    pub fn of_watch(&mut self, group: &str, kind: &str) {
        let plural = plural(kind);
        self.add(group, &plural, &["get", "list", "patch", "watch"]);
        self.add(group, &format!("{plural}/status"), &["patch"]);
        // Objects name the resource as the owner whose deletion they hold up.
        self.add(group, &format!("{plural}/finalizers"), &["update"]);
        self.of_releases();
    }

    /// What it needs for every release, whatever is in it.
    pub fn of_releases(&mut self) {
        self.add("", "secrets", &["create", "delete", "get", "list", "patch"]);
        // Pods and their events tell why something is not ready; without these rights the message is shorter.
        self.add("", "pods", &["list"]);
        self.add("", "events", &["create", "list"]);
    }

    /// What it needs of a chart; and where more than can be known may be written.
    pub fn of_chart(&mut self, subject: &Subject<'_>) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut root = Level::root(subject.path, subject.files, &mut found);
        read_metadata(&mut root, true, &mut found);
        // What cannot be read may need rights; what is odd about it, `check` tells.
        found.retain(|fault| fault.severity == Severity::Error);
        let surveys = self.surveys(&root);
        found.extend(self.of_templates(&surveys));
        found.extend(surveys.iter().flat_map(|(_, _, survey)| self.of_lookups(survey)));
        let has_definitions = |level: &Level| level.files.iter().any(|file| file.name.starts_with("crds/"));
        if root.all().into_iter().any(has_definitions) {
            self.add("apiextensions.k8s.io", "customresourcedefinitions", &["create", "get", "patch"]);
        }
        found
    }

    /// Every template with its chart, and whether it writes no objects itself. Of Handlebars' only what is plainly
    /// written is seen.
    fn surveys<'a>(&mut self, root: &'a Level) -> Vec<(&'a Level, bool, Survey)> {
        let functions = render::functions();
        let mut surveys = Vec::new();
        for level in root.all() {
            for file in templates::templates(level) {
                if file.name.ends_with(templates::HANDLEBARS) {
                    for written in apis::written(&level.source(file).text) {
                        self.add(&Gvk::new(written.api_version, written.kind).group, &plural(written.kind), &MANAGE);
                    }
                    continue;
                }
                let survey = survey::survey(&level.path_of(&file.name), &file.data, &functions);
                surveys.push((level, writes_no_objects(&file.name), survey));
            }
        }
        surveys
    }

    fn of_templates(&mut self, surveys: &[(&Level, bool, Survey)]) -> Vec<Diagnostic> {
        let outlines = surveys.iter().flat_map(|(_, _, survey)| &survey.outlines);
        let by_name = outlines.map(|outline| (outline.name.as_str(), outline)).collect();
        let (templates, mut kinds) = (Templates { by_name }, Kinds::default());
        for (level, _, survey) in surveys.iter().filter(|(_, writes_none, _)| !writes_none) {
            let values = files::own_values(level);
            for outline in survey.outlines.iter().filter(|outline| outline.name == outline.source.name) {
                templates.read(outline, &values, &mut kinds);
            }
        }
        for (group, kind) in &kinds.known {
            self.add(group, &plural(kind), &MANAGE);
            if group == "rbac.authorization.k8s.io" {
                // Whoever grants what he may not do himself needs these.
                let of = if kind.starts_with("Cluster") { "clusterroles" } else { "roles" };
                self.add(group, of, &["bind", "escalate"]);
                self.add(group, "clusterroles", &["bind"]);
            }
        }
        kinds.computed
    }

    fn of_lookups(&mut self, survey: &Survey) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for call in &survey.calls {
            let Called::Function { name, texts, .. } = &call.callee else { continue };
            if name != "lookup" {
                continue;
            }
            if let [Some(version), Some(kind), ..] = texts.as_slice() {
                let gvk = Gvk::new(version, kind);
                self.add(&gvk.group, &plural(kind), &LOOK);
            } else {
                let message = "what is looked up is computed, and may need more rights";
                found.push(Diagnostic::warning(message).at(&call.source, call.place));
            }
        }
        found
    }

    fn add(&mut self, group: &str, resource: &str, verbs: &[&'static str]) {
        self.0.entry((group.to_owned(), resource.to_owned())).or_default().extend(verbs);
    }

    /// Each right: group, resource and verb.
    pub fn each(&self) -> impl Iterator<Item = (&str, &str, &'static str)> {
        self.0.iter().flat_map(|((group, resource), verbs)| {
            verbs.iter().map(move |verb| (group.as_str(), resource.as_str(), *verb))
        })
    }

    /// Those that `others` are not.
    #[must_use]
    pub fn without(mut self, others: &Self) -> Self {
        for (resource, verbs) in &mut self.0 {
            if let Some(known) = others.0.get(resource) {
                verbs.retain(|verb| !known.contains(verb));
            }
        }
        self.0.retain(|_, verbs| !verbs.is_empty());
        self
    }

    /// As a `ClusterRole`.
    pub fn cluster_role(&self, name: &str) -> Json {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": self.rules(),
        })
    }

    /// As rules of a role: one for resources of a group with the same verbs.
    pub fn rules(&self) -> Vec<Json> {
        let mut rules: BTreeMap<(&str, Vec<&str>), Vec<&str>> = BTreeMap::new();
        for ((group, resource), verbs) in &self.0 {
            rules.entry((group, verbs.iter().copied().collect())).or_default().push(resource);
        }
        let rule = |((group, verbs), resources)| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        rules.into_iter().map(rule).collect()
    }
}

/// Whether a file holds only what others include, or NOTES.
fn writes_no_objects(name: &str) -> bool {
    templates::is_partial(name) || name.rsplit('/').next() == Some("NOTES.txt")
}

/// The plural of a kind, by the rule of Kubernetes' own code generators.
pub fn plural(kind: &str) -> String {
    if let Some((_, plural)) = PLURALS.iter().find(|(known, _)| *known == kind) {
        return (*plural).to_owned();
    }
    let lower = kind.to_lowercase();
    if let Some(stem) = lower.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u'])) {
        return format!("{stem}ies");
    }
    let hissing = ["s", "x", "z", "ch", "sh"].iter().any(|end| lower.ends_with(end));
    format!("{lower}{}", if hissing { "es" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::chart::File;

    fn rights(files: &[(&'static str, &'static str)]) -> (Rights, Vec<String>) {
        let files: Vec<File> = files.iter().map(|(name, text)| File::new(*name, text.as_bytes())).collect();
        let overrides = Json::Null;
        let subject =
            Subject { path: "c", gvk: None, files: &files, overrides: &overrides, samples: &[], has_records: true };
        let mut rights = Rights::default();
        let found = rights.of_chart(&subject);
        let line = |fault: Diagnostic| {
            format!("{}:{}: {}", fault.source.unwrap().name, fault.place.unwrap().line, fault.message)
        };
        (rights, found.into_iter().map(line).collect())
    }

    const CHART: (&str, &str) = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");

    #[test]
    fn kinds_and_lookups_become_rights_and_roles_more_than_others() {
        let (rights, found) = rights(&[
            CHART,
            ("templates/_x.tpl", "{{ define \"x\" }}apiVersion: v1\nkind: Service\n{{ end }}"),
            (
                "templates/a.yaml",
                "{{ include \"x\" . }}\n---\n{{ $s := lookup \"v1\" \"Node\" \"\" \"\" }}apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n",
            ),
            ("templates/b.yaml.hbs", "apiVersion: batch/v1\nkind: Job\n"),
            ("crds/c.yaml", "kind: CustomResourceDefinition\n"),
            ("templates/d.yaml", "{{ lookup .Values.v \"Pod\" \"\" \"\" }}"),
        ]);
        assert_eq!(
            found,
            [
                "c/templates/d.yaml:1: this may write objects of any kind",
                "c/templates/d.yaml:1: what is looked up is computed, and may need more rights"
            ]
        );
        let resources: BTreeSet<_> = rights.each().map(|(group, resource, _)| format!("{group}/{resource}")).collect();
        let want = [
            "/nodes",
            "/services",
            "apiextensions.k8s.io/customresourcedefinitions",
            "batch/jobs",
            "rbac.authorization.k8s.io/clusterroles",
            "rbac.authorization.k8s.io/roles",
        ];
        assert_eq!(resources.into_iter().collect::<Vec<_>>(), want);
        let of = |resource: &str| {
            rights.each().filter(|(_, known, _)| *known == resource).map(|(_, _, verb)| verb).collect::<Vec<_>>()
        };
        assert_eq!(of("nodes"), ["get", "list", "watch"]);
        assert_eq!(of("roles"), ["bind", "create", "delete", "escalate", "get", "list", "patch", "watch"]);
    }

    #[test]
    fn a_role_has_one_rule_for_resources_with_the_same_verbs() {
        let mut rights = Rights::default();
        rights.of_watch("example.com", "Proxy");
        let role = rights.cluster_role("manager");
        let rules = role["rules"].as_array().unwrap();
        let want =
            json!({"apiGroups": ["example.com"], "resources": ["proxies"], "verbs": ["get", "list", "patch", "watch"]});
        assert!(rules.contains(&want), "{rules:?}");
        assert_eq!(rules.len(), 6);
    }

    #[test]
    fn plurals_are_those_of_kubernetes() {
        for (kind, want) in [
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Gateway", "gateways"),
            ("Endpoints", "endpoints"),
            ("StorageClass", "storageclasses"),
            ("Prometheus", "prometheuses"),
            ("Deployment", "deployments"),
        ] {
            assert_eq!(plural(kind), want);
        }
    }
}
