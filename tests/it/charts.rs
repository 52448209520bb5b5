//! Whole charts, from a directory and a file of values to the bytes that Helm prints (`tests/golden/charts`).

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use chart_operator::chart::{Chart, files};
use chart_operator::release::manifest;
use chart_operator::render::{Capabilities, Compiled, Inputs, KubeVersion, Operation, ReleaseInfo, World, render};
use chart_operator::template::Limits;
use chart_operator::values::{Processed, process};
use chart_operator::yaml::{self, Numbers};
use serde_json::Value as Json;

/// What a case answers: what is printed and the chart's notes, or Helm's message.
type Answer = Result<(String, String), String>;

/// No cluster and no names. The charts here ask for neither time nor chance, and would get none.
struct Nowhere;

impl World for Nowhere {
    fn now(&self) -> jiff::Timestamp {
        panic!("a golden chart asked for the time")
    }

    fn random(&self, _buffer: &mut [u8]) {
        panic!("a golden chart asked for chance")
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }

    fn lookup(&self, _api_version: &str, _kind: &str, _namespace: &str, _name: &str) -> Result<Json, String> {
        Ok(Json::Object(serde_json::Map::new()))
    }
}

#[test]
fn the_charts_of_this_repository_render_as_in_helm() {
    check("web", 14);
    check("minimart", 10);
}

#[test]
fn a_chart_that_leaves_much_to_its_values_renders_as_in_helm() {
    check("cache", 8);
}

#[test]
fn a_chart_of_charts_renders_as_in_helm() {
    check("shop", 6);
}

#[test]
fn a_release_of_another_name_has_other_names() {
    let chart = files::chart(&root().join("helm-charts/web")).unwrap();
    let (text, notes) = answer(&chart, "{}", &Capabilities::default(), "shop").unwrap();
    assert!(text.contains("\n  name: shop-web\n") && notes.starts_with("shop-web serves"), "{text}{notes}");
}

/// Helm knows no such templates, so these are our own answers and not its.
#[test]
fn a_handlebars_file_renders_the_sample() {
    let (text, notes) = page(&page_sample()).unwrap();
    assert!(notes.starts_with("page-sample serves 2 page(s)."), "{notes}");
    let mut documents = text.split("---\n");
    let config_map = documents.find(|text| text.starts_with("# Source: page/templates/configmap.yaml.hbs")).unwrap();
    insta::assert_snapshot!(config_map, @r#"
    # Source: page/templates/configmap.yaml.hbs
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: page-sample
      labels:
        helm.sh/chart: page-0.1.0
        app.kubernetes.io/name: page
        app.kubernetes.io/instance: page-sample
        app.kubernetes.io/version: "1.27.5"
        app.kubernetes.io/managed-by: Helm
    data:
      index.html: |
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <title>Welcome – Samples &amp; more</title>
        </head>
        <body>
          <nav>
            <a href="index.html" aria-current="page">Welcome</a>
            <a href="about.html">About</a>
          </nav>
          <main>
            <h1>Welcome</h1>
            <p>These pages are written as data.</p>
            <p>A paragraph may have two lines,
        and &lt;angle brackets&gt; stay text.</p>
          </main>
        </body>
        </html>
      about.html: |
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <title>About – Samples &amp; more</title>
        </head>
        <body>
          <nav>
            <a href="index.html">Welcome</a>
            <a href="about.html" aria-current="page">About</a>
          </nav>
          <main>
            <h1>About</h1>
            <p>The ConfigMap is rendered by a Handlebars template, all else by Go&#39;s.</p>
          </main>
        </body>
        </html>
    "#);
}

#[test]
fn a_go_template_includes_a_handlebars_file_and_its_failure_is_told() {
    let hash = |values: &str| {
        let text = page(values).unwrap().0;
        text.split_once("checksum/pages: ").map(|(_, rest)| rest.chars().take(64).collect::<String>()).unwrap()
    };
    assert_eq!(hash(&page_sample()), hash(&page_sample()));
    assert_ne!(hash(&page_sample()), hash(&page_sample().replace("Samples", "Other")));
    // As in Helm, at the place where the outermost template failed.
    let place = "execution error at (page/templates/deployment.yaml:16:27)";
    assert_eq!(page(r#"{"pages": []}"#).unwrap_err(), format!("{place}: pages must hold at least one page"));
}

/// What `helm-charts/page` renders to.
fn page(values: &str) -> Answer {
    let chart = files::chart(&root().join("helm-charts/page")).unwrap();
    answer(&chart, values, &Capabilities::default(), "page-sample")
}

/// The values of its sample.
fn page_sample() -> String {
    let sample = fs::read_to_string(root().join("samples/charts_v1alpha1_page.yaml")).unwrap();
    yaml::to_json(&sample, Numbers::Float).unwrap()["spec"].to_string()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Renders every case of a chart, of which there are so many, on a thread with the stack that renders have.
fn check(name: &'static str, count: usize) {
    let wrong = std::thread::Builder::new().stack_size(64 << 20).spawn(move || wrong_cases(name)).unwrap();
    let (seen, wrong) = wrong.join().unwrap();
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    assert_eq!(seen, count, "cases of {name}");
}

/// How many cases there are, and a report for each whose answer is not Helm's.
fn wrong_cases(name: &str) -> (usize, Vec<String>) {
    let golden = root().join("tests/golden/charts").join(name);
    let own = golden.join("chart");
    let directory = if own.exists() { own } else { root().join("helm-charts").join(name) };
    let chart = files::chart(&directory).unwrap();
    let mut cases: Vec<PathBuf> =
        fs::read_dir(golden.join("cases")).unwrap().map(|case| case.unwrap().path()).collect();
    cases.sort();
    let reports = cases.iter().filter_map(|case| {
        let capabilities = match fs::read_to_string(case.join("kube_version.txt")) {
            Ok(version) => Capabilities::assumed(KubeVersion::parse(version.trim()).unwrap()),
            Err(_) => Capabilities::default(),
        };
        let values = fs::read_to_string(case.join("values.yaml")).unwrap();
        let found = answer(&chart, &values, &capabilities, &format!("{name}-sample"));
        report(case, &wanted(case), &found)
    });
    (cases.len(), reports.collect())
}

fn wanted(case: &Path) -> Answer {
    let read = |name: &str| fs::read_to_string(case.join(name));
    match read("want_error.txt") {
        Ok(error) => Err(error.trim_end().to_owned()),
        Err(_) => Ok((read("want.yaml").unwrap(), read("want_notes.txt").unwrap_or_default())),
    }
}

/// Where the answers part, if they do.
fn report(case: &Path, want: &Answer, found: &Answer) -> Option<String> {
    let text = |answer: &Answer| match answer {
        Ok((text, notes)) => format!("{text}\nNOTES:\n{notes}"),
        Err(error) => format!("ERROR: {error}"),
    };
    let (want, found) = (text(want), text(found));
    if want == found {
        return None;
    }
    let same = want.lines().zip(found.lines()).take_while(|(want, found)| want == found).count();
    let at = |text: &str| text.lines().skip(same).take(6).collect::<Vec<_>>().join("\n    ");
    let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Some(format!("{name}, line {}\n  want\n    {}\n  found\n    {}", same + 1, at(&want), at(&found)))
}

/// The stages of `helm template --include-crds`, and its words where one of them refuses.
fn answer(chart: &Chart, values: &str, capabilities: &Capabilities, release: &str) -> Answer {
    let user = yaml::to_json(values, Numbers::Float).unwrap();
    let Processed { chart, values, .. } =
        process(chart, &user, &capabilities.kube_version().version).map_err(|error| error.to_string())?;
    let release = ReleaseInfo {
        name: release.to_owned(),
        namespace: "demo".to_owned(),
        revision: 1,
        operation: Operation::Install,
    };
    let inputs = Inputs { values: &values, release: &release, capabilities, context: None, limits: Limits::default() };
    let compiled = Compiled::new(&chart).map_err(|error| error.to_string())?;
    let rendered = render(&compiled, inputs, Rc::new(Nowhere)).map_err(|error| error.to_string())?;
    let sorted = manifest::sort(&rendered.files).map_err(|error| error.to_string())?;
    Ok((printed(&chart, &sorted), rendered.notes))
}

/// What Helm prints: definitions, objects, hooks, each below its source.
fn printed(chart: &Chart, sorted: &manifest::Sorted) -> String {
    let mut text = String::new();
    for crd in chart.crds() {
        let data = String::from_utf8_lossy(&crd.file.data);
        write!(text, "---\n# Source: {}\n{data}\n", crd.path).unwrap();
    }
    text.push_str(&sorted.text());
    let mut text = format!("{}\n", text.trim());
    for hook in &sorted.hooks {
        write!(text, "---\n# Source: {}\n{}\n", hook.path, hook.manifest).unwrap();
    }
    text
}
