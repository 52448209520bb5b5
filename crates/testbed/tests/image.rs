//! Archives of images, looked at as whoever builds on them or runs them does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use testbed::guard::Folder;
use testbed::image::oci::Image;
use testbed::image::{operator, sbom};

/// Any program of this machine.
const PROGRAM: &str = env!("CARGO_BIN_EXE_stub");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What a tar holds.
fn unpacked(tar: &[u8]) -> BTreeMap<String, (tar::Header, Vec<u8>)> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let (name, header, mut bytes) =
            (entry.path().unwrap().display().to_string(), entry.header().clone(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(name, (header, bytes));
    }
    files
}

/// The files of a container: its layers, one over the other.
fn files(image: &Image) -> BTreeMap<String, (tar::Header, Vec<u8>)> {
    image.layers().flat_map(unpacked).collect()
}

#[test]
fn the_same_files_make_the_same_archive_and_every_part_has_the_digest_it_is_called_by() {
    let folder = Folder::new("image-").unwrap();
    let mut archives = Vec::new();
    for name in ["a.tar", "b.tar"] {
        let path = folder.path().join(name);
        let image = operator::operator(Path::new(PROGRAM)).unwrap();
        image.save(&path, &["operator:v1", "registry.example.com/operator:v2"]).unwrap();
        archives.push(fs::read(path).unwrap());
    }
    assert_eq!(archives[0], archives[1]);
    let parts = unpacked(&archives[0]);
    let read = |name: &str| serde_json::from_slice::<Json>(&parts[name].1).unwrap();
    let mut checked = 0;
    for (name, (_, bytes)) in &parts {
        if let Some(digest) = name.strip_prefix("blobs/sha256/") {
            let found = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
            assert_eq!(found, digest);
            checked += 1;
        }
    }
    assert_eq!(checked, 3, "a layer, a configuration, a manifest");
    let [index, docker] = ["index.json", "manifest.json"].map(read);
    let names = ["docker.io/library/operator:v1", "registry.example.com/operator:v2"];
    for (at, name) in names.iter().enumerate() {
        assert_eq!(index["manifests"][at]["annotations"]["io.containerd.image.name"], *name);
    }
    assert_eq!(docker[0]["RepoTags"], json!(names));
    let manifest = read(&format!("blobs/{}", index["manifests"][0]["digest"].as_str().unwrap().replace(':', "/")));
    let configuration = read(&format!("blobs/{}", manifest["config"]["digest"].as_str().unwrap().replace(':', "/")));
    assert_eq!(configuration["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
    assert_eq!(
        docker[0]["Layers"][0],
        manifest["layers"][0]["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/")
    );
}

#[test]
fn a_scaffolded_project_is_built_on_the_archive_by_its_from_line() {
    let folder = Folder::new("image-").unwrap();
    let archive = folder.path().join("operator.tar");
    operator::operator(Path::new(PROGRAM)).unwrap().save(&archive, &["operator:v1"]).unwrap();
    for (project, chart) in [
        ("tests/projects/memcached-operator", "memcached"),
        ("samples/package-operator/example-operator", "nginx"),
        (".", "minimart"),
    ] {
        let folder = repository().join(project);
        let image = operator::project(&Image::load(&archive).unwrap(), &folder).unwrap();
        let entrypoint = ["/usr/local/bin/helm-operator", "run", "--watches-file=./watches.yaml"];
        assert_eq!(image.config.entrypoint, entrypoint);
        assert_eq!((image.config.user.as_str(), image.config.working_dir.as_str()), ("1001", "/opt/helm"));
        assert_eq!(image.config.variable("HOME"), Some("/opt/helm"));
        let files = files(&image);
        let program = &files["usr/local/bin/chart-operator"];
        assert_eq!(
            (program.0.mode().unwrap() & 0o005, program.1.as_slice()),
            (0o005, fs::read(PROGRAM).unwrap().as_slice())
        );
        let link = &files["usr/local/bin/helm-operator"].0;
        assert_eq!(link.link_name().unwrap().unwrap(), Path::new("chart-operator"));
        let home = &files["opt/helm/"].0;
        assert_eq!((home.uid().unwrap(), home.gid().unwrap(), home.mode().unwrap()), (1001, 0, 0o775));
        for file in ["watches.yaml".to_owned(), format!("helm-charts/{chart}/Chart.yaml")] {
            let (header, bytes) = &files[&format!("opt/helm/{file}")];
            assert_eq!(*bytes, fs::read(folder.join(&file)).unwrap(), "{file}");
            assert_eq!(header.mode().unwrap(), 0o644, "the user of the image reads {file}");
        }
    }
}

#[test]
fn a_program_of_the_image_finds_its_loader_and_its_libraries_there() {
    let files = files(&operator::operator(Path::new(PROGRAM)).unwrap());
    let linked = std::process::Command::new("ldd").arg(PROGRAM).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    let needed: Vec<_> =
        linked.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/'))).collect();
    assert!(needed.iter().any(|file| file.contains("libc.so")) || needed.is_empty(), "{linked}");
    for file in needed {
        assert!(files.contains_key(file.trim_start_matches('/')), "{file}");
    }
}

#[test]
fn the_bill_of_the_operator_names_its_crates_and_not_those_of_its_tests() {
    let bill = sbom::bill(&repository(), "chart-operator", &[]).unwrap();
    let components: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    for name in ["kube", "rustls", "handlebars"] {
        assert!(components.contains(&name), "{name}");
    }
    for name in ["testbed", "insta", "criterion"] {
        assert!(!components.contains(&name), "{name}");
    }
    let described = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .all(|part| part["licenses"].is_array() && part["hashes"].is_array());
    assert!(described);
}
