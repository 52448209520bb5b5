//! A user's project: `watches.yaml` and charts, in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value as Json, json};
use testbed::guard::Folder;

use crate::support::eventually;

/// A copy of this repository's charts that a test may change.
pub(crate) struct Project {
    folder: Folder,
}

/// What a file of this repository says, its first document.
pub(crate) fn sample(file: &str) -> Json {
    read(&repository().join("samples").join(file))
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Project {
    /// This repository's charts, and of its `watches.yaml` the kinds whose charts are plain ones.
    pub(crate) fn new() -> Self {
        Self::watching(&["Minimart", "Web", "Page"])
    }

    /// This repository's charts, and of its `watches.yaml` these kinds.
    pub(crate) fn watching(kinds: &[&str]) -> Self {
        let folder = Folder::new("chart-operator-project-").unwrap();
        copy(&repository().join("helm-charts"), &folder.path().join("helm-charts"));
        let watches = fs::read_to_string(repository().join("watches.yaml")).unwrap();
        let entries = watches.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect::<String>();
        let chosen = entries.split("- group: ").filter(|entry| {
            let named = |kind: &&str| entry.contains(&format!("\n  kind: {kind}\n"));
            kinds.iter().any(named)
        });
        let chosen: Vec<_> = chosen.map(|entry| format!("- group: {entry}")).collect();
        assert_eq!(chosen.len(), kinds.len(), "{watches}");
        fs::write(folder.path().join("watches.yaml"), chosen.concat()).unwrap();
        let project = Self { folder };
        project.point_at_charts();
        project
    }

    /// As [`Project::scaffolded`], for an operator that runs elsewhere.
    pub(crate) async fn memcached(client: &kube::Client) -> Self {
        let project = Self::scaffolded(client).await;
        project.point_at_charts();
        project
    }

    /// A project as operator-sdk scaffolds it: `tests/projects/memcached-operator`, whose kind is served from now on.
    pub(crate) async fn scaffolded(client: &kube::Client) -> Self {
        let folder = Folder::new("chart-operator-project-").unwrap();
        copy(&repository().join("tests/projects/memcached-operator"), folder.path());
        let project = Self { folder };
        let file = project.folder.path().join("config/crd/bases/cache.example.com_memcacheds.yaml");
        install_definition(client, &read(&file)).await;
        project
    }

    /// A directory with these files, in which the program has then carried out these commands.
    pub(crate) fn told(files: &[(&str, &str)], commands: &[&[&str]]) -> Self {
        let project = Self { folder: Folder::new("chart-operator-project-").unwrap() };
        for (file, text) in files {
            project.edit(file, |_| (*text).to_owned());
        }
        for args in commands {
            let program = env!("CARGO_BIN_EXE_chart-operator");
            let done = std::process::Command::new(program).args(*args).current_dir(project.folder()).output().unwrap();
            assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
        project.point_at_charts();
        project
    }

    /// Its directory.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The text of one of its files.
    pub(crate) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    /// What one of its files says.
    pub(crate) fn yaml(&self, file: &str) -> Json {
        read(&self.folder.path().join(file))
    }

    /// A project of these files: paths and texts. Charts are named by their paths in it.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: Folder::new("chart-operator-project-").unwrap() };
        for (file, text) in files {
            project.edit(file, |_| (*text).to_owned());
        }
        project.point_at_charts();
        project
    }

    /// A project with one kind of [`definition`], whose chart is a `ConfigMap`.
    pub(crate) fn of_notes(kind: &str) -> Self {
        Self::of(&[
            ("watches.yaml", &format!("- {{group: tests.samutup.com, version: v1, kind: {kind}, chart: note}}\n")),
            ("note/Chart.yaml", "apiVersion: v2\nname: note\nversion: 1.0.0\n"),
            (
                "note/templates/note.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  text: {{ quote .Values.text }}\n",
            ),
        ])
    }

    /// As [`Project::new`], where the watch of the kind Web has these fields too.
    pub(crate) fn with_fields_of_web(fields: &str) -> Self {
        let project = Self::new();
        project.add_fields_of_web(fields);
        project
    }

    /// Gives the watch of the kind Web these fields too.
    pub(crate) fn add_fields_of_web(&self, fields: &str) {
        self.edit("watches.yaml", |text| text.replace("  kind: Web\n", &format!("  kind: Web\n{fields}")));
    }

    /// The operator runs in another directory: its charts get absolute paths.
    fn point_at_charts(&self) {
        self.edit("watches.yaml", |text| text.replace("chart: ", &format!("chart: {}/", self.folder.path().display())));
    }

    /// The path of its `watches.yaml`.
    pub(crate) fn watches(&self) -> PathBuf {
        self.path("watches.yaml")
    }

    /// The path of one of its files.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Changes one of its files.
    pub(crate) fn edit(&self, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, change(fs::read_to_string(&path).unwrap_or_default())).unwrap();
    }
}

fn read(file: &Path) -> Json {
    let text = fs::read_to_string(file).unwrap();
    chart_operator::yaml::to_json(&text, chart_operator::yaml::Numbers::Exact).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Applies the `CustomResourceDefinitions` of this repository, and waits until they are served.
pub(super) async fn install_definitions(client: &kube::Client) {
    for entry in fs::read_dir(repository().join("config/crd/bases")).unwrap() {
        install_definition(client, &read(&entry.unwrap().path())).await;
    }
}

/// A definition of a kind without a schema.
pub(crate) fn definition(kind: &str) -> Json {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.tests.samutup.com")},
        "spec": {
            "group": "tests.samutup.com", "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// Applies a `CustomResourceDefinition`, and waits until it is served.
pub(crate) async fn install_definition(client: &kube::Client, definition: &Json) {
    let gvk = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&gvk));
    let name = definition["metadata"]["name"].as_str().unwrap();
    let params = PatchParams::apply("tests").force();
    api.patch(name, &params, &Patch::Apply(definition)).await.unwrap();
    eventually(&format!("{name} is established"), || async {
        let found = serde_json::to_value(api.get(name).await.ok()?).ok()?;
        let conditions = found.pointer("/status/conditions")?.as_array()?.clone();
        let established = |condition: &Json| condition["type"] == "Established" && condition["status"] == "True";
        conditions.iter().any(established).then_some(())
    })
    .await;
}
