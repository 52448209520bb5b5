//! A bundle for the Operator Lifecycle Manager, from what kustomize renders of `config/manifests`.
//!
//! The format is registry+v1 (operator-framework/api, `pkg/manifests`; operator-registry's docs/design/operator-bundle.md):
//! the manager's Deployment and its rights go into the `ClusterServiceVersion`, with the kinds and a sample of each; definitions
//! and whatever else is deployed lie beside it. As operator-sdk v1.42's `generate bundle`, but the same input gives the same
//! bytes: no time is written.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::scaffold::{Error, Tree};
use crate::yaml::{self, Numbers};

/// What a bundle is called.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The package: the project.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Channels it is in.
    pub channels: Vec<String>,
    /// The channel of whoever chooses none.
    pub default_channel: Option<String>,
}

/// Kinds that go into the `ClusterServiceVersion`, or that its installer makes itself.
const TAKEN_IN: [&str; 9] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterServiceVersion",
    "Configuration",
    "Deployment",
    "Namespace",
    "Role",
    "RoleBinding",
    "ServiceAccount",
];

/// The files of a bundle, made of the documents in `text`.
///
/// # Errors
/// What is no YAML, and what lacks a `ClusterServiceVersion` or a manager.
pub fn bundle(text: &str, bundle: &Bundle) -> Result<Tree, Error> {
    let objects = Objects::read(text)?;
    let mut tree = Tree::default();
    let description = objects.description(bundle)?;
    let mut put = |path: String, object: &Json| -> Result<(), Error> {
        tree.create(path, yaml::emit_json(object).map_err(Error::Write)?.into_bytes());
        Ok(())
    };
    put(format!("bundle/manifests/{}.clusterserviceversion.yaml", bundle.name), &description)?;
    for object in &objects.0 {
        if let Some(file) = objects.file(object) {
            put(format!("bundle/{file}"), &without_namespace(object))?;
        }
    }
    put("bundle/metadata/annotations.yaml".to_owned(), &json!({"annotations": labels(bundle)}))?;
    let lines: Vec<String> =
        labels(bundle).iter().map(|(name, value)| format!("LABEL {name}={}\n", text_of(value))).collect();
    let copies = "COPY bundle/manifests /manifests/\nCOPY bundle/metadata /metadata/\nCOPY bundle/tests/scorecard /tests/scorecard/\n";
    tree.create("bundle.Dockerfile", format!("FROM scratch\n\n{}\n{copies}", lines.concat()).into_bytes());
    Ok(tree)
}

/// What an image of the bundle and its metadata say.
fn labels(bundle: &Bundle) -> Map<String, Json> {
    let name = |name: &str| format!("operators.operatorframework.io.{name}.v1");
    let mut labels = Map::from_iter([
        (name("bundle.mediatype"), json!("registry+v1")),
        (name("bundle.manifests"), json!("manifests/")),
        (name("bundle.metadata"), json!("metadata/")),
        (name("bundle.package"), json!(bundle.name)),
        (name("bundle.channels"), json!(bundle.channels.join(","))),
        (name("test.mediatype"), json!("scorecard+v1")),
        (name("test.config"), json!("tests/scorecard/")),
    ]);
    if let Some(channel) = &bundle.default_channel {
        labels.insert(name("bundle.channel.default"), json!(channel));
    }
    labels
}

/// All that is deployed, and what is beside it.
struct Objects(Vec<Json>);

impl Objects {
    fn read(text: &str) -> Result<Self, Error> {
        let source = |source| Error::Yaml { file: "config/manifests", source };
        let mut objects = Vec::new();
        for document in yaml::documents(text).map_err(source)? {
            let object = yaml::to_json(document.text, Numbers::Exact).map_err(source)?;
            objects.extend((!object.is_null()).then_some(object));
        }
        Ok(Self(objects))
    }

    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Json> {
        self.0.iter().filter(move |object| field(object, "/kind") == kind)
    }

    /// The `ClusterServiceVersion` with all that its installer needs.
    fn description(&self, bundle: &Bundle) -> Result<Json, Error> {
        let missing = |found: &str| Error::Unexpected { file: "config/manifests", found: found.to_owned() };
        let mut description = self
            .of("ClusterServiceVersion")
            .next()
            .cloned()
            .ok_or_else(|| missing("it has no `ClusterServiceVersion`"))?;
        let deployments: Vec<Json> = self
            .of("Deployment")
            .map(|deployment| json!({"name": field(deployment, "/metadata/name"), "label": deployment.pointer("/metadata/labels"), "spec": deployment.get("spec")}))
            .collect();
        if deployments.is_empty() {
            return Err(missing("it has no `Deployment`"));
        }
        let owned: Vec<Json> = self.of("CustomResourceDefinition").flat_map(owned).collect();
        let samples = serde_json::to_string_pretty(&self.samples()).unwrap_or_default();
        set(&mut description, "metadata", "name", json!(format!("{}.v{}", bundle.name, bundle.version)));
        let mut annotations = description.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
        set_in(&mut annotations, "alm-examples", json!(samples));
        set(&mut description, "metadata", "annotations", annotations);
        set(&mut description, "spec", "version", json!(bundle.version));
        set(&mut description, "spec", "customresourcedefinitions", json!({"owned": owned}));
        let install = json!({"strategy": "deployment", "spec": {
            "deployments": deployments,
            "clusterPermissions": self.permissions("ClusterRole"),
            "permissions": self.permissions("Role"),
        }});
        set(&mut description, "spec", "install", install);
        Ok(description)
    }

    /// The rules of roles of that kind, by the account they are bound to.
    fn permissions(&self, kind: &str) -> Vec<Json> {
        let mut accounts: Vec<(String, Vec<Json>)> = Vec::new();
        for (account, role) in self.bound(kind) {
            let role = self.of(kind).find(|found| field(found, "/metadata/name") == role);
            let rules = role.and_then(|role| role.get("rules")?.as_array()).cloned().unwrap_or_default();
            match accounts.iter_mut().find(|(known, _)| *known == account) {
                Some((_, known)) => known.extend(rules),
                None => accounts.push((account.to_owned(), rules)),
            }
        }
        accounts.into_iter().map(|(account, rules)| json!({"serviceAccountName": account, "rules": rules})).collect()
    }

    /// Accounts and the roles of that kind that they have.
    fn bound(&self, kind: &str) -> impl Iterator<Item = (&str, &str)> {
        let bindings = self.0.iter().filter(|object| field(object, "/kind").ends_with("RoleBinding"));
        bindings.filter(move |binding| field(binding, "/roleRef/kind") == kind).flat_map(|binding| {
            let subjects = binding.get("subjects").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            let accounts = subjects.iter().filter(|subject| field(subject, "/kind") == "ServiceAccount");
            accounts.map(move |account| (field(account, "/name"), field(binding, "/roleRef/name")))
        })
    }

    /// The resources of the kinds that are defined here.
    fn samples(&self) -> Vec<&Json> {
        let defined: BTreeSet<(&str, &str)> = self
            .of("CustomResourceDefinition")
            .map(|definition| (field(definition, "/spec/group"), field(definition, "/spec/names/kind")))
            .collect();
        let is_sample = |object: &&Json| {
            let group = field(object, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
            defined.contains(&(group, field(object, "/kind")))
        };
        self.0.iter().filter(is_sample).collect()
    }

    /// Where an object lies in the bundle, if it does not go into the `ClusterServiceVersion`.
    fn file(&self, object: &Json) -> Option<String> {
        let (kind, name) = (field(object, "/kind"), field(object, "/metadata/name"));
        if kind == "Configuration" {
            return Some("tests/scorecard/config.yaml".to_owned());
        }
        if kind == "CustomResourceDefinition" {
            let (group, plural) = (field(object, "/spec/group"), field(object, "/spec/names/plural"));
            return Some(format!("manifests/{group}_{plural}.yaml"));
        }
        // Roles that nobody here has are for people.
        let is_for_people = kind == "ClusterRole" && !self.bound(kind).any(|(_, role)| role == name);
        if !is_for_people && TAKEN_IN.contains(&kind) || self.samples().contains(&object) {
            return None;
        }
        let version = field(object, "/apiVersion").replace('/', "_");
        Some(format!("manifests/{name}_{version}_{}.yaml", kind.to_lowercase()))
    }
}

/// What a `ClusterServiceVersion` says of a kind, for each of its versions.
fn owned(definition: &Json) -> Vec<Json> {
    let versions = definition.pointer("/spec/versions").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |version: &Json| {
        let kind = field(definition, "/spec/names/kind");
        let description = field(version, "/schema/openAPIV3Schema/description");
        json!({"name": field(definition, "/metadata/name"), "kind": kind, "displayName": kind, "version": field(version, "/name"), "description": description})
    };
    versions.iter().map(of).collect()
}

fn without_namespace(object: &Json) -> Json {
    let mut object = object.clone();
    if let Some(Json::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("namespace");
    }
    object
}

fn set(object: &mut Json, part: &str, key: &str, value: Json) {
    if let Some(part) = object.get_mut(part) {
        set_in(part, key, value);
    }
}

fn set_in(object: &mut Json, key: &str, value: Json) {
    if let Json::Object(entries) = object {
        entries.insert(key.to_owned(), value);
    }
}

/// The text at a place; empty if there is none.
fn field<'a>(object: &'a Json, pointer: &str) -> &'a str {
    object.pointer(pointer).map(text_of).unwrap_or_default()
}

fn text_of(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}
