//! What a reviewer would say about files, papers and the lock file, as tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The longest file that one can still know by heart, tests not counted.
const LINES: usize = 600;

/// The longest description of the house that is read to its end.
const ARCHITECTURE_LINES: usize = 200;

/// A second TLS stack is a second set of holes, and a C library in every image.
const TLS: [&str; 5] = ["openssl", "openssl-sys", "native-tls", "aws-lc-sys", "boring-sys"];

#[test]
fn no_file_is_longer_than_one_can_know_by_heart() -> anyhow::Result<()> {
    let long: Vec<String> = rust_files(&["src", "crates"])?
        .into_iter()
        .filter(|(path, _)| !is_test_file(path))
        .map(|(path, text)| (path, lines_without_tests(&text)))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert_eq!(long, Vec::<String>::new());
    Ok(())
}

#[test]
fn tests_in_a_file_are_not_counted() {
    assert_eq!(lines_without_tests("a\nb\n#[cfg(test)]\nmod tests {\n    c\n}\n"), 2);
    assert_eq!(lines_without_tests("a\n#[cfg(test)]\nmod tests;\nb\n"), 4);
    assert!(is_test_file("src/value/tests.rs") && is_test_file("crates/testbed/tests/up.rs"));
    assert!(!is_test_file("crates/testbed/src/lib.rs") && !is_test_file("src/functions/latest.rs"));
}

#[test]
fn nothing_is_left_for_later() -> anyhow::Result<()> {
    let found: Vec<String> = rust_files(&["src", "crates", "tests", "benches"])?
        .into_iter()
        .filter(|(path, _)| path != "tests/it/tidy.rs")
        .flat_map(|(path, text)| unfinished(&text).into_iter().map(move |line| format!("{path}:{line}")))
        .collect();
    assert_eq!(found, Vec::<String>::new());
    Ok(())
}

#[test]
fn unfinished_work_is_found_by_its_words() {
    assert_eq!(unfinished("a\n// TODO: b\nlet autodoc = 1;\nfixme()\ndbg!(x)\nlet debug = 2;\n"), [2, 4, 5]);
}

#[test]
fn there_is_one_tls_stack() -> anyhow::Result<()> {
    let lock = read("Cargo.lock")?;
    let packages: BTreeSet<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    assert!(packages.contains("rustls"), "the lock file is not read right");
    let second: Vec<&str> = TLS.into_iter().filter(|name| packages.contains(name)).collect();
    assert_eq!(second, Vec::<&str>::new());
    Ok(())
}

#[test]
fn the_description_of_the_house_is_short() -> anyhow::Result<()> {
    let lines = read("ARCHITECTURE.md")?.lines().count();
    assert!(lines <= ARCHITECTURE_LINES, "ARCHITECTURE.md has {lines} lines");
    Ok(())
}

#[test]
fn the_map_lists_every_module_and_no_other() -> anyhow::Result<()> {
    let root = read("src/lib.rs")?;
    let modules: BTreeSet<String> =
        root.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    let map: BTreeSet<String> = section(&read("ARCHITECTURE.md")?, "## Code map")
        .filter_map(|line| line.strip_prefix("- [`")?.split_once('`'))
        .map(|(module, _)| module.to_owned())
        .collect();
    assert!(modules.len() > 10, "{modules:?}");
    assert_eq!(map, modules);
    Ok(())
}

#[test]
fn an_invariant_names_a_test_that_is_there() -> anyhow::Result<()> {
    let text = read("ARCHITECTURE.md")?;
    let tests = rust_files(&["src", "tests", "crates"])?;
    let mut named = 0;
    for invariant in section(&text, "## Invariants").collect::<Vec<_>>().join("\n").split("\n- ").skip(1) {
        let held: Vec<&str> = code(invariant).filter(|code| code.contains("::")).collect();
        assert!(!held.is_empty(), "no test holds: {invariant}");
        for test in held {
            let function = format!("fn {}(", test.rsplit("::").next().unwrap_or(test));
            assert!(tests.values().any(|text| text.contains(&function)), "`{test}` is no test");
            named += 1;
        }
    }
    assert!(named > 3, "only {named} invariants are held by a test");
    Ok(())
}

#[test]
fn expected_answers_say_who_wrote_them() -> anyhow::Result<()> {
    let readme = read("tests/golden/README.md")?;
    for directory in directories("tests/golden")? {
        let own = root().join("tests/golden").join(&directory).join("README.md");
        assert!(own.exists() || readme.contains(&format!("`{directory}/`")), "tests/golden/{directory}");
    }
    for chart in directories("tests/golden/charts")? {
        assert!(readme.contains(&format!("`{chart}`")), "tests/golden/charts/{chart}");
        for case in directories(&format!("tests/golden/charts/{chart}/cases"))? {
            let here = root().join(format!("tests/golden/charts/{chart}/cases/{case}"));
            assert!(here.join("values.yaml").exists(), "{case} has no values");
            let answers = ["want.yaml", "want_error.txt"].map(|name| here.join(name).exists());
            assert!(answers[0] != answers[1], "{case} of {chart} needs one answer");
        }
    }
    Ok(())
}

#[test]
fn every_watched_kind_has_its_chart_its_definition_and_a_sample() -> anyhow::Result<()> {
    let watches = read("watches.yaml")?;
    assert!(watches.contains("# +kubebuilder:scaffold:watch"), "scaffolding has no place to add to");
    let [groups, versions, kinds, charts] =
        ["group", "version", "kind", "chart"].map(|key| values_of(&watches, key).collect::<Vec<_>>());
    let lengths = [&groups, &versions, &kinds, &charts].map(Vec::len);
    assert!(kinds.len() >= 2 && lengths.iter().all(|length| *length == kinds.len()), "{kinds:?}");
    let [definitions, samples] =
        ["config/crd", "config/samples"].map(|place| read(&format!("{place}/kustomization.yaml")));
    let (definitions, samples) = (definitions?, samples?);
    for (((group, version), kind), chart) in groups.iter().zip(versions).zip(&kinds).zip(charts) {
        assert!(root().join(chart).join("Chart.yaml").exists(), "{chart}");
        let file = format!("bases/{group}_{}s.yaml", kind.to_lowercase());
        assert!(definitions.contains(&format!("- {file}\n")), "{file}");
        let definition = read(&format!("config/crd/{file}"))?;
        assert!(definition.contains(&format!("\n    kind: {kind}\n")), "{file}");
        let file = format!("{}_{version}_{}.yaml", group.split('.').next().unwrap_or_default(), kind.to_lowercase());
        assert!(samples.contains(&format!("- {file}\n")), "{file}");
        let sample = read(&format!("config/samples/{file}"))?;
        assert_eq!(values_of(&sample, "kind").next(), Some(*kind));
    }
    Ok(())
}

#[test]
fn a_kind_and_its_cluster_scoped_twin_differ_in_names_and_scope_alone() -> anyhow::Result<()> {
    let mut twins = 0;
    for entry in fs::read_dir(root().join("config/crd/bases"))? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        let Some((group, name)) = file.split_once("_cluster") else { continue };
        let cluster = read(&format!("config/crd/bases/{file}"))?;
        let single =
            cluster.replace("scope: Cluster", "scope: Namespaced").replace("Cluster", "").replace("cluster", "");
        let of_objects = "description: In -scoped sets, of objects that have one.";
        let single = single.replace(of_objects, "description: In cluster-scoped sets, of objects that have one.");
        assert_eq!(single, read(&format!("config/crd/bases/{group}_{name}"))?, "{file}");
        twins += 1;
    }
    assert_eq!(twins, 4);
    Ok(())
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(root().join(path)).map_err(|error| anyhow::Error::new(error).context(path.to_owned()))
}

/// The names of the directories in a directory.
fn directories(path: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(path))? {
        let entry = entry?;
        if entry.path().is_dir() {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// Every Rust file below the directories, by its path from the root.
fn rust_files(directories: &[&str]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut waiting: Vec<PathBuf> =
        directories.iter().map(|name| root().join(name)).filter(|path| path.exists()).collect();
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root())?.to_string_lossy().into_owned();
                files.insert(name, fs::read_to_string(&path)?);
            }
        }
    }
    Ok(files)
}

fn is_test_file(path: &str) -> bool {
    Path::new(path).iter().any(|part| part == "tests" || part == "tests.rs" || part == "benches")
}

/// Lines up to a module of tests with a body.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests =
        |pair: &[&str]| matches!(pair, [a, b] if *a == "#[cfg(test)]" && b.starts_with("mod ") && b.ends_with('{'));
    lines.windows(2).position(tests).unwrap_or(lines.len())
}

/// Lines, from 1, with a word for work left undone.
fn unfinished(text: &str) -> Vec<usize> {
    let words = ["todo", "fixme", "xxx", "unimplemented"];
    let is_word = |line: &str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| words.contains(&word.to_lowercase().as_str()))
    };
    let lines = text.lines().enumerate();
    lines.filter(|(_, line)| is_word(line) || line.contains("dbg!")).map(|(at, _)| at + 1).collect()
}

/// The lines below a heading, up to the next of its rank.
fn section<'a>(text: &'a str, heading: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().skip_while(move |line| *line != heading).skip(1).take_while(|line| !line.starts_with("## "))
}

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What stands behind a key, at any depth.
fn values_of<'a>(yaml: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    yaml.lines().filter_map(move |line| {
        let (found, value) = line.trim_start_matches([' ', '-']).split_once(": ")?;
        (found == key).then_some(value.trim())
    })
}
