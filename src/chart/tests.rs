use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::*;
use crate::diagnostic::chain;

const CHART: &str = "apiVersion: v2\nname: web\nversion: 0.1.0\n";

fn files(files: &[(&str, &str)]) -> Vec<File> {
    files.iter().map(|(name, text)| File::new(*name, text.as_bytes())).collect()
}

fn load(with: &[(&str, &str)]) -> Result<Chart, Error> {
    load::from_files(files(with))
}

fn tgz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, data) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        // Set by hand: the builder refuses the paths that are to be refused here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *data).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn files_are_sorted_by_what_they_are() {
    let chart = load(&[
        (
            "Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: 1.10\nkeywords: [a, 1]\ntype: library\n",
        ),
        ("values.yaml", "a: 1\nb: {c: 2}\n---\nb: {d: 3}\n"),
        ("values.schema.json", "{}"),
        ("templates/a.yaml", "x"),
        ("templates/page.hbs", "y"),
        ("crds/a.yaml", "z"),
        ("operator/policy.yaml", ""),
        ("README.md", ""),
        ("charts/README.md", ""),
        ("charts/db/Chart.yaml", "name: db\nversion: 0.1.0\n"),
        ("charts/db/crds/b.yml", ""),
        ("charts/db/crds/b.txt", ""),
        ("charts/_off/Chart.yaml", "no chart"),
        ("charts/.off/Chart.yaml", "no chart"),
        ("charts/db.tgz.prov", ""),
    ]);
    // A lone file of `charts/` is an entry of its own, without a chart.
    assert_eq!(chain(&chart.unwrap_err()), "error unpacking subchart README.md in web: Chart.yaml file is missing");

    let chart = load(&[
        (
            "Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: 1.10\nkeywords: [a, 1]\ntype: library\n",
        ),
        ("values.yaml", "a: 1\nb: {c: 2}\n---\nb: {d: 3}\n"),
        ("values.schema.json", "{}"),
        ("templates/a.yaml", "x"),
        ("templates/page.hbs", "y"),
        ("crds/a.yaml", "z"),
        ("operator/policy.yaml", ""),
        ("charts/db/Chart.yaml", "name: db\nversion: 0.1.0\n"),
        ("charts/db/crds/b.yml", ""),
        ("charts/db/crds/b.txt", ""),
        ("charts/_off/Chart.yaml", "no chart"),
        ("charts/.off/Chart.yaml", "no chart"),
        ("charts/db.tgz.prov", ""),
    ])
    .unwrap();
    let names = |files: &[File]| files.iter().map(|file| file.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&chart.templates), ["templates/a.yaml", "templates/page.hbs"]);
    assert_eq!(names(&chart.files), ["crds/a.yaml", "operator/policy.yaml", "charts/db.tgz.prov"]);
    assert_eq!(chart.raw.len(), 13);
    assert_eq!(*chart.values, json!({"a": 1.0, "b": {"c": 2.0, "d": 3.0}}));
    assert_eq!(chart.schema.as_deref(), Some(&b"{}"[..]));
    assert_eq!(chart.metadata.app_version, "1.1", "a number is a string in Go's form");
    assert_eq!(chart.metadata.keywords, ["a", "1"]);
    assert!(chart.is_library());
    assert_eq!(chart.dependencies.len(), 1);
    assert_eq!(chart.dependencies[0].metadata.api_version, "v1", "Helm 2 wrote none");
    let crds: Vec<String> = chart.crds().into_iter().map(|crd| crd.path).collect();
    assert_eq!(crds, ["web/crds/a.yaml", "web/charts/db/crds/b.yml"]);
    assert!(chart.file("operator/policy.yaml").is_some());
}

#[test]
fn dependencies_of_a_v1_chart_come_from_its_requirements() {
    let chart = load(&[
        ("Chart.yaml", "apiVersion: v1\nname: web\nversion: 0.1.0\n"),
        (
            "requirements.yaml",
            "dependencies:\n- name: db\n  version: 1\n  Tags: [x]\n  import-values: [data, {child: a, parent: b}, 7]\n",
        ),
        ("requirements.lock", "digest: sha256:abc\ngenerated: \"2026-01-02T03:04:05Z\"\n"),
    ])
    .unwrap();
    let [db] = &chart.metadata.dependencies[..] else { panic!("one dependency") };
    assert_eq!((db.name.as_str(), db.version.as_str(), &db.tags[..]), ("db", "1", &["x".to_owned()][..]));
    let table = ImportValues::Table { child: "a".into(), parent: "b".into() };
    assert_eq!(db.import_values, [ImportValues::Export("data".into()), table]);
    assert_eq!(chart.lock.as_ref().unwrap().generated, "2026-01-02T03:04:05Z");
    assert_eq!(chart.files.len(), 2, "both stay visible to templates");
    assert_eq!(chart.missing_dependencies(), ["db"]);
}

#[test]
fn what_is_no_chart_is_told_in_helms_words() {
    let metadata = |text: &str| load(&[("Chart.yaml", text)]).map(drop);
    let rest = "name: web\nversion: 0.1.0\n";
    for (text, error) in [
        ("name: web\n", "validation: chart.metadata.version is required"),
        ("version: 0.1.0\n", "validation: chart.metadata.name is required"),
        ("name: ..\nversion: 0.1.0\n", "validation: chart.metadata.name \"..\" is not allowed"),
        ("name: a/b\nversion: 0.1.0\n", "validation: chart.metadata.name \"a/b\" is invalid"),
        ("name: web\nversion: one\n", "validation: chart.metadata.version \"one\" is invalid"),
        (&format!("{rest}type: other\n"), "validation: chart.metadata.type must be application or library"),
        (&format!("{rest}maintainers: [null]\n"), "validation: maintainers must not contain empty or null nodes"),
        (&format!("{rest}dependencies: [null]\n"), "validation: dependencies must not contain empty or null nodes"),
        (
            &format!("{rest}dependencies: [{{name: a, alias: x.y}}]\n"),
            "validation: dependency \"a\" has disallowed characters in the alias",
        ),
        (
            &format!("{rest}dependencies: [{{name: a}}, {{name: b, alias: a}}]\n"),
            "validation: more than one dependency with name or alias \"a\"",
        ),
        (&format!("{rest}apiVersion: v9\n"), "unsupported chart version"),
        (&format!("{rest}apiVersion: v3\n"), "invalid chart apiVersion"),
        ("apiVersion: v3\nname: ..\nversion: 0.1.0\n", "validation: chart.metadata.name \"..\" is not allowed"),
        ("name: web\nversion: 72445e2\n", "validation: chart.metadata.version \"7.2445e+06\" is invalid"),
        (
            "name: [web]\n",
            "cannot load Chart.yaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go \
             struct field Metadata.name of type string",
        ),
        (
            "name: 'web\n",
            "cannot load Chart.yaml: error converting YAML to JSON: yaml: line 2: found unexpected end of stream",
        ),
    ] {
        assert_eq!(chain(&metadata(text).unwrap_err()), error, "{text}");
    }
    assert_eq!(load(&[]).unwrap_err().to_string(), "Chart.yaml file is missing");
    let with = |name, text| chain(&load(&[("Chart.yaml", CHART), (name, text)]).unwrap_err());
    assert!(with("values.yaml", "- a\n").starts_with("cannot load values.yaml: cannot unmarshal yaml document"));
    assert_eq!(
        with("values.yaml", "a: b: c\n"),
        "cannot load values.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: mapping values are \
         not allowed in this context"
    );
    assert_eq!(with("charts/db/x", ""), "error unpacking subchart db in web: Chart.yaml file is missing");
    assert_eq!(
        with("charts/db.tgz", "x"),
        "error unpacking subchart db.tgz in web: does not appear to be a gzipped archive: unexpected end of file"
    );
}

#[test]
fn white_space_and_what_cannot_be_printed_is_cleaned_from_metadata() {
    let chart =
        load(&[("Chart.yaml", "name: \"we\\tb\"\nversion: 0.1.0\ndescription: \"a\\u0007b\\u200bc é\"\n")]).unwrap();
    assert_eq!((chart.name(), chart.metadata.description.as_str()), ("we b", "abc é"));
}

#[test]
fn the_digest_is_of_names_and_bytes_in_any_order() {
    let a = load(&[("Chart.yaml", CHART), ("a", "1"), ("b", "2")]).unwrap().digest;
    assert_eq!(load(&[("b", "2"), ("a", "1"), ("Chart.yaml", CHART)]).unwrap().digest, a);
    assert_ne!(load(&[("Chart.yaml", CHART), ("a", "12"), ("b", "")]).unwrap().digest, a);
    assert_ne!(load(&[("Chart.yaml", CHART), ("a", "1"), ("c", "2")]).unwrap().digest, a);
    let content = |operator: &str| {
        let chart = load(&[("Chart.yaml", CHART), ("a", "1"), ("b", "2"), ("operator/policy.yaml", operator)]).unwrap();
        (chart.digest, chart.content_digest)
    };
    assert_ne!(content("{}").0, content("phases: []").0);
    assert_eq!((content("{}").1, content("phases: []").1), (a, a));
}

#[test]
fn an_archive_and_its_subcharts_are_unpacked_in_memory() {
    let db = tgz(&[("db/Chart.yaml", b"\xEF\xBB\xBFname: db\nversion: 0.1.0\n")]);
    let web = tgz(&[
        ("web/Chart.yaml", CHART.as_bytes()),
        ("web\\templates\\a.yaml", b"x"),
        ("web/charts/db-0.1.0.tgz", &db),
    ]);
    let chart = load::from_archive(&web).unwrap();
    assert_eq!(&*chart.templates[0].name, "templates/a.yaml");
    assert_eq!(chart.dependencies[0].name(), "db");
}

#[test]
fn an_archive_that_reaches_out_of_the_chart_or_is_none_is_refused() {
    for (name, error) in [
        ("web//etc/passwd", "chart illegally contains absolute paths"),
        ("web/../../x", "chart illegally references parent directory"),
        ("web/a/../../x", "chart illegally references parent directory"),
        ("web/c:/x", "chart contains illegally named files"),
        ("Chart.yaml", "chart illegally contains content outside the base directory: \"Chart.yaml\""),
        ("web/", "no files in chart archive"),
        ("\u{a0}\u{7f}", "chart illegally contains content outside the base directory: \"\\u00a0\\x7f\""),
        ("Chart.yaml/x", "chart yaml not in base directory"),
        ("Chart.yaml/../x", "chart illegally references parent directory"),
    ] {
        let error_found = load::from_archive(&tgz(&[(name, b"")])).unwrap_err();
        assert_eq!(error_found.to_string(), error, "{name}");
    }
    // What says that it is a file is one, whatever its name ends with.
    let mut file = tar::Header::new_gnu();
    file.set_entry_type(tar::EntryType::Regular);
    file.set_path("web/").unwrap();
    file.set_size(0);
    file.set_cksum();
    let mut tgz = GzEncoder::new(Vec::new(), Compression::fast());
    tgz.write_all(file.as_bytes()).unwrap();
    assert_eq!(
        load::from_archive(&tgz.finish().unwrap()).unwrap_err().to_string(),
        "chart illegally contains content outside the base directory: \"web/\""
    );
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&tar_header("web/x", 2 << 30)).unwrap();
    let bomb = bomb.finish().unwrap();
    assert_eq!(
        load::from_archive(&bomb).unwrap_err().to_string(),
        "decompressed chart is larger than the maximum size 104857600"
    );
    assert_eq!(load::from_archive(b"PK").unwrap_err().to_string(), "does not appear to be a gzipped archive");
}

fn tar_header(name: &str, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[test]
fn subcharts_cannot_lie_in_each_other_without_end() {
    let mut files = Vec::new();
    for depth in 0..80 {
        files.push(File::new(format!("{}Chart.yaml", "charts/a/".repeat(depth)), CHART.as_bytes()));
    }
    assert!(chain(&load::from_files(files).unwrap_err()).ends_with("sub-charts lie too deep in sub-charts"));
}

#[test]
fn metadata_are_written_as_helm_records_them() {
    let text =
        "name: web\nversion: 0.1.0\napiVersion: v2\nkubeVersion: '>=1.20'\ndependencies: [{name: a, repository: r}]\n";
    let chart = load(&[("Chart.yaml", text)]).unwrap();
    assert_eq!(
        serde_json::to_value(&chart.metadata).unwrap(),
        json!({"name": "web", "version": "0.1.0", "apiVersion": "v2", "kubeVersion": ">=1.20",
            "dependencies": [{"name": "a", "repository": "r"}]})
    );
}
