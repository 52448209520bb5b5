//! What is in a program: a software bill of materials in the form of `CycloneDX` 1.6, of what cargo says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value as Json, json};

/// Libraries of this machine that go with the program: name and version of Debian packages.
pub type Packages = [(String, String)];

/// The bill of the package `name` of the workspace that `folder` lies in: every crate that is compiled into it, with the check sum of
/// its source and its licence, and which needs which.
///
/// # Errors
/// cargo fails, or the workspace has no such package.
pub fn bill(folder: &Path, name: &str, packages: &Packages) -> Result<Json> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", &host])
        .current_dir(folder)
        .output()
        .context("cannot run `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Json = serde_json::from_slice(&output.stdout).context("`cargo metadata` printed no JSON")?;
    let lock = Path::new(text(&metadata, "/workspace_root")).join("Cargo.lock");
    let lock = std::fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    of_metadata(&metadata, &lock, name, packages)
}

fn of_metadata(metadata: &Json, lock: &str, name: &str, packages: &Packages) -> Result<Json> {
    let known: BTreeMap<&str, &Json> =
        list(metadata, "/packages").map(|package| (text(package, "/id"), package)).collect();
    let members: BTreeSet<&str> = list(metadata, "/workspace_members").filter_map(Json::as_str).collect();
    let root = known.iter().find(|(id, package)| members.contains(*id) && text(package, "/name") == name);
    let (root, package) = root.with_context(|| format!("the workspace has no package `{name}`"))?;
    let needs: BTreeMap<&str, Vec<&str>> =
        list(metadata, "/resolve/nodes").map(|node| (text(node, "/id"), linked(node))).collect();
    let sums = sums(lock);
    let (mut reached, mut waiting) = (BTreeSet::from([*root]), vec![*root]);
    while let Some(next) = waiting.pop() {
        for id in needs.get(next).into_iter().flatten() {
            if reached.insert(*id) {
                waiting.push(*id);
            }
        }
    }
    let reference = |id: &str| known.get(id).map(|package| purl(package)).unwrap_or_default();
    let crates = reached.iter().filter(|id| *id != root).filter_map(|id| known.get(id));
    let debian = packages.iter().map(|(name, version)| {
        let purl = format!("pkg:deb/debian/{name}@{version}");
        json!({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    });
    let dependencies = reached.iter().map(|id| {
        let on: BTreeSet<String> = needs.get(id).into_iter().flatten().map(|id| reference(id)).collect();
        json!({"ref": reference(id), "dependsOn": on})
    });
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component(package, &sums, "application")},
        "components": crates.map(|package| component(package, &sums, "library")).chain(debian).collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    }))
}

fn component(package: &Json, sums: &BTreeMap<(String, String), String>, kind: &str) -> Json {
    let (name, version) = (text(package, "/name"), text(package, "/version"));
    let mut component =
        json!({"type": kind, "bom-ref": purl(package), "name": name, "version": version, "purl": purl(package)});
    if let Some(fields) = component.as_object_mut() {
        let licence = text(package, "/license").replace('/', " OR ");
        if !licence.is_empty() {
            fields.insert("licenses".to_owned(), json!([{"expression": licence}]));
        }
        if let Some(sum) = sums.get(&(name.to_owned(), version.to_owned())) {
            fields.insert("hashes".to_owned(), json!([{"alg": "SHA-256", "content": sum}]));
        }
    }
    component
}

fn purl(package: &Json) -> String {
    format!("pkg:cargo/{}@{}", text(package, "/name"), text(package, "/version"))
}

/// What is compiled into a package: neither what only its build needs nor its tests.
fn linked(node: &Json) -> Vec<&str> {
    let into =
        |dependency: &&Json| list(dependency, "/dep_kinds").any(|kind| kind.get("kind").is_some_and(Json::is_null));
    list(node, "/deps").filter(into).map(|dependency| text(dependency, "/pkg")).collect()
}

/// The check sums of Cargo.lock, by name and version.
fn sums(lock: &str) -> BTreeMap<(String, String), String> {
    let entries = lock.split("[[package]]").skip(1);
    let found = entries.filter_map(|entry| {
        let value = |key: &str| {
            let start = format!("{key} = \"");
            entry.lines().find_map(|line| line.strip_prefix(start.as_str())?.strip_suffix('"')).map(str::to_owned)
        };
        Some(((value("name")?, value("version")?), value("checksum")?))
    });
    found.collect()
}

fn list<'a>(json: &'a Json, pointer: &str) -> impl Iterator<Item = &'a Json> {
    json.pointer(pointer).and_then(Json::as_array).into_iter().flatten()
}

fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::image::sbom::of_metadata;

    #[test]
    fn what_is_linked_is_billed_with_licence_and_sum_and_what_only_builds_is_not() {
        let package =
            |name: &str, licence: &str| json!({"id": name, "name": name, "version": "1.0.0", "license": licence});
        let needs = |pkg: &str, kind: Option<&str>| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [package("app", "Apache-2.0"), package("a", "MIT/Apache-2.0"), package("b", "MIT"), package("c", "MIT")],
            "workspace_members": ["app"],
            "resolve": {"nodes": [
                {"id": "app", "deps": [needs("a", None), needs("b", Some("build")), needs("c", Some("dev"))]},
                {"id": "a", "deps": []},
            ]},
        });
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"12\"\n";
        let bill = of_metadata(&metadata, lock, "app", &[("libc6".to_owned(), "2.36".to_owned())]).unwrap();
        assert_eq!(bill["metadata"]["component"]["purl"], "pkg:cargo/app@1.0.0");
        assert_eq!(bill["components"].as_array().unwrap().len(), 2);
        let a = &bill["components"][0];
        assert_eq!(a["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(a["hashes"][0]["content"], "12");
        assert_eq!(bill["components"][1]["purl"], "pkg:deb/debian/libc6@2.36");
        assert_eq!(bill["dependencies"][1]["dependsOn"], json!(["pkg:cargo/a@1.0.0"]));
        assert!(of_metadata(&metadata, lock, "none", &[]).is_err());
    }
}
