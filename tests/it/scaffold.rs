//! `init` and `create api` as a user calls them, and what they leave behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use testbed::guard::Folder;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chart-operator");

/// A chart with something for every part of a scaffold.
pub(crate) const CHART: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: shop-floor\nversion: 1.2.3\nannotations:\n  chart-operator.dev/deliberate: \"yes\"\n",
    ),
    ("values.yaml", "# How many.\nreplicas: 2\n\nimage:\n  # Which one.\n  tag: \"1.0\"\nlabels: {}\n"),
    (
        "templates/floor.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  labels: {{ toJson .Values.labels }}\ndata:\n  \
         replicas: {{ quote .Values.replicas }}\n  tag: {{ quote .Values.image.tag }}\n",
    ),
    (
        "templates/budget.yaml",
        "{{ if gt (int .Values.replicas) 2 }}\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: \
         {{ .Release.Name }}\n{{ end }}\n",
    ),
];

pub(crate) fn write(directory: &Path, files: &[(&str, &str)]) {
    for (file, text) in files {
        let path = directory.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// An empty directory for a project, with a chart beside it.
pub(crate) fn place() -> Folder {
    let folder = Folder::new("chart-operator-scaffold-").unwrap();
    write(&folder.path().join("chart"), CHART);
    fs::create_dir(folder.path().join("project")).unwrap();
    folder
}

fn run(folder: &Folder, args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).current_dir(folder.path().join("project")).output().unwrap()
}

/// What it prints, which must go well.
pub(crate) fn done(folder: &Folder, args: &[&str]) -> String {
    let output = run(folder, args);
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {told}");
    told
}

/// What it says against it.
pub(crate) fn refused(folder: &Folder, args: &[&str]) -> String {
    let output = run(folder, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Every file below a directory, by its path.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

const INIT: [&str; 6] = [
    "init",
    "--domain=example.com",
    "--project-name=shop-operator",
    "--group=shop",
    "--version=v1alpha1",
    "--helm-chart=../chart",
];

#[test]
fn a_project_is_begun_with_everything_in_it_and_without_faults() {
    let folder = place();
    let told = done(&folder, &INIT);
    let tree = files(&folder.path().join("project"));
    let text = tree.iter().map(|(path, text)| format!("=== {path}\n{text}")).collect::<Vec<_>>().concat();
    insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => "snapshots"}, {
        insta::assert_snapshot!("project", text.replace(&format!(":v{}", env!("CARGO_PKG_VERSION")), ":vVERSION"));
        insta::assert_snapshot!("told", told);
    });
    for (path, text) in &tree {
        assert!(!text.contains("@PROJECT@") && !text.contains("@DOMAIN@"), "{path}");
        assert!(text.is_empty() || text.ends_with('\n') && !text.ends_with("\n\n"), "{path}");
        if Path::new(path).extension().is_some_and(|extension| extension == "yaml") && !path.starts_with("helm-charts")
        {
            for document in chart_operator::yaml::documents(text).unwrap() {
                chart_operator::yaml::parse(document.text).unwrap().unwrap_or_else(|| panic!("{path} is empty"));
            }
        }
    }
    let checked = done(&folder, &["check", "--cr=config/samples/shop_v1alpha1_shopfloor.yaml"]);
    assert_eq!(checked, "0 errors and 0 warnings in 1 chart\n");
}

#[test]
fn the_tree_is_that_of_operator_sdk() {
    let folder = place();
    done(&folder, &[&INIT[..], &["--kind=Memcached"]].concat());
    let tree = files(&folder.path().join("project"));
    let scaffolded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects/memcached-operator");
    for path in files(&scaffolded).keys().filter(|path| !path.starts_with("helm-charts")) {
        let path = path.replace("cache", "shop").replace("memshopd", "memcached");
        assert!(tree.contains_key(&path), "{path}");
    }
}

#[test]
fn a_kind_without_a_chart_gets_one_that_has_no_faults() {
    let folder = place();
    done(&folder, &["init"]);
    let told = done(&folder, &["create", "api", "--kind=ShopFloor", "--group=shop"]);
    assert!(told.contains("kubectl apply -f config/samples/shop_v1alpha1_shopfloor.yaml\n"), "{told}");
    let checked = done(&folder, &["check", "--cr=config/samples/shop_v1alpha1_shopfloor.yaml"]);
    assert_eq!(checked, "0 errors and 0 warnings in 1 chart\n");
    let rendered = done(&folder, &["template", "x", "helm-charts/shopfloor"]);
    assert!(rendered.contains("kind: Deployment") && rendered.contains("kind: Service"), "{rendered}");
}

#[test]
fn a_second_kind_of_the_same_chart_needs_no_second_copy() {
    let folder = place();
    done(&folder, &INIT);
    let told = done(&folder, &["create", "api", "--kind=Mall", "--helm-chart=helm-charts/shop-floor"]);
    assert!(!told.contains("helm-charts/shop-floor/"), "{told}");
    let checked = done(&folder, &["check"]);
    assert_eq!(checked, "0 errors and 0 warnings in 2 charts\n");
    // An archive of it is as good, another version is not.
    assert!(refused(&folder, &["create", "api", "--kind=Hall", "--helm-chart=../chart-2"]).contains("chart-2"));
    write(&folder.path().join("chart"), &[("values.yaml", "other: 1\n")]);
    let told = refused(&folder, &["create", "api", "--kind=Hall", "--helm-chart=../chart"]);
    assert!(told.contains("  helm-charts/shop-floor/values.yaml\n"), "{told}");
}

#[test]
fn what_is_in_the_way_is_named_and_nothing_is_written() {
    let folder = place();
    let mine = [("Makefile", "mine\n"), ("config/rbac/role.yaml", "mine\n")];
    write(&folder.path().join("project"), &mine);
    let told = refused(&folder, &INIT);
    assert_eq!(told, "error: nothing is written, for these are there already:\n  Makefile\n  config/rbac/role.yaml\n");
    let now = files(&folder.path().join("project"));
    assert_eq!(now.into_iter().collect::<Vec<_>>(), mine.map(|(path, text)| (path.to_owned(), text.to_owned())));
}

#[test]
fn what_cannot_be_is_told_and_nothing_is_written() {
    let folder = place();
    write(&folder.path().join("none"), &[("README.md", "no chart\n")]);
    write(
        &folder.path().join("needy"),
        &[(
            "Chart.yaml",
            "apiVersion: v2\nname: needy\nversion: 1.0.0\ndependencies:\n- {name: x, version: 1.0.0, repository: \"\"}\n",
        )],
    );
    write(
        &folder.path().join("library"),
        &[("Chart.yaml", "apiVersion: v2\nname: library\nversion: 1.0.0\ntype: library\n")],
    );
    write(
        &folder.path().join("values"),
        &[("Chart.yaml", "apiVersion: v2\nname: values\nversion: 1.0.0\n"), ("values.yaml", "a: [\n")],
    );
    fs::write(folder.path().join("text.tgz"), "text").unwrap();
    for (args, want) in [
        (&["create", "api", "--kind=Shop"][..], "error: no project is here: `chart-operator init` begins one\n"),
        (&["init", "--group=shop"], "error: either --kind or --helm-chart need to be provided\n"),
        (&["init", "--helm-chart-version=1"], "--helm-chart <CHART>"),
        (
            &["init", "--helm-chart=../chart", "--helm-chart-version=^2"],
            "expected version `^2` of the chart `../chart`, found `1.2.3`",
        ),
        (&["init", "--plugins=go"], "invalid value 'go'"),
        (&["init", "--project-name=A"], "caused by: `A` is no project name: expected at most 28 characters"),
        (&["init", "--domain=A"], "caused by: `A` is no domain"),
        (&["init", "--kind=shop"], "error: `shop` is no kind"),
        (&["init", "--helm-chart=../chart", "--version=1"], "error: `1` is no version"),
        (&["init", "--helm-chart=../nowhere"], "cannot load the chart `../nowhere`"),
        (&["init", "--helm-chart=../none"], "unable to detect chart at"),
        (&["init", "--helm-chart=../text.tgz"], "does not appear to be a gzipped archive"),
        (&["init", "--helm-chart=../library"], "`library` is a library chart"),
        (&["init", "--helm-chart=../needy"], "`x` is not in the chart's `charts/`, and no URL tells where it is"),
        (&["init", "--helm-chart=../values"], "values.yaml"),
    ] {
        let told = refused(&folder, args);
        assert!(told.contains(want), "{args:?}: {told}");
        assert_eq!(files(&folder.path().join("project")).len(), 0, "{args:?}");
    }
    done(&folder, &INIT);
    let before = files(&folder.path().join("project"));
    let told = refused(&folder, &["create", "api", "--group=shop", "--helm-chart=../chart"]);
    assert_eq!(told, "error: `ShopFloor` of `shop.example.com` is there already, in version `v1alpha1`\n");
    fs::remove_file(folder.path().join("project/config/rbac/role.yaml")).unwrap();
    let told = refused(&folder, &["create", "api", "--kind=Mall"]);
    assert_eq!(told, "error: `config/rbac/role.yaml` is not there\n");
    let mut after = files(&folder.path().join("project"));
    after.insert("config/rbac/role.yaml".to_owned(), before["config/rbac/role.yaml"].clone());
    assert_eq!(before, after);
}

/// The objects of a bundle's source as kustomize prints them: the bases, with what it would fill in left out.
fn manifests(directory: &Path) -> String {
    let tree = files(directory);
    let is_deployed = |path: &str| {
        let name = path.rsplit('/').next().unwrap();
        let folder = path.strip_suffix(name).unwrap();
        folder.starts_with("config/")
            && name != "kustomization.yaml"
            && !name.contains("patch")
            && !folder.contains("patches")
            && !folder.contains("prometheus")
            && !folder.contains("network")
    };
    let texts = tree.iter().filter(|(path, _)| is_deployed(path)).map(|(_, text)| text.as_str());
    texts.collect::<Vec<_>>().join("---\n")
}

#[test]
fn a_bundle_has_the_kinds_the_rights_and_the_manager_and_is_the_same_each_time() {
    let folder = place();
    done(&folder, &INIT);
    let project = folder.path().join("project");
    let source = manifests(&project);
    let bundle = || {
        let args = ["bundle", "--version=1.2.3", "--channels=alpha,beta", "--default-channel=beta"];
        let mut command = Command::new(PROGRAM);
        let mut child =
            command.args(args).current_dir(&project).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        let mut tree = files(&project);
        tree.retain(|path, _| path.starts_with("bundle"));
        fs::remove_dir_all(project.join("bundle")).unwrap();
        fs::remove_file(project.join("bundle.Dockerfile")).unwrap();
        tree
    };
    let tree = bundle();
    assert_eq!(
        tree.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "bundle.Dockerfile",
            "bundle/manifests/controller-manager-metrics-service_v1_service.yaml",
            "bundle/manifests/metrics-reader_rbac.authorization.k8s.io_v1_clusterrole.yaml",
            "bundle/manifests/shop-operator.clusterserviceversion.yaml",
            "bundle/manifests/shop.example.com_shopfloors.yaml",
            "bundle/manifests/shopfloor-admin-role_rbac.authorization.k8s.io_v1_clusterrole.yaml",
            "bundle/manifests/shopfloor-editor-role_rbac.authorization.k8s.io_v1_clusterrole.yaml",
            "bundle/manifests/shopfloor-viewer-role_rbac.authorization.k8s.io_v1_clusterrole.yaml",
            "bundle/metadata/annotations.yaml",
            "bundle/tests/scorecard/config.yaml",
        ]
    );
    insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => "snapshots"}, {
        insta::assert_snapshot!("bundle", tree["bundle/manifests/shop-operator.clusterserviceversion.yaml"]);
        insta::assert_snapshot!("bundle_image", tree["bundle.Dockerfile"]);
    });
    assert_eq!(bundle(), tree);
}
