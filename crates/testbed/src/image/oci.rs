//! An image and its archive: the layout of the OCI image specification 1.1 in a tar, with the `manifest.json` of
//! `docker save` beside it. Layers are not compressed: what is written is the same everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, Header};

use crate::image::tree::Tree;

/// Bytes of a tar without files.
const END: usize = 1024;
/// Nothing in an image is younger.
const CREATED: &str = "1970-01-01T00:00:00Z";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// How containers of an image are run: the part `config` of an image's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// User, as number or name, with a group behind a colon or without.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Variables, `NAME=value` each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The arguments behind them, where a Pod names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// The folder it runs in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// What it says of itself.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Config {
    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .find_map(|pair| pair.split_once('=').filter(|(known, _)| *known == name))
            .map(|(_, value)| value)
    }

    /// Sets a variable.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let pair = format!("{name}={value}");
        match self.env.iter_mut().find(|known| known.split_once('=').is_some_and(|(known, _)| known == name)) {
            Some(known) => *known = pair,
            None => self.env.push(pair),
        }
    }
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// How its containers are run.
    pub config: Config,
    architecture: String,
    layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
struct Layer {
    tar: Vec<u8>,
    written_by: String,
}

impl Image {
    /// One without files, for this machine's processor.
    pub fn scratch(config: Config) -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self { config, architecture: architecture.to_owned(), layers: Vec::new() }
    }

    /// Lays files over it. `written_by` stands in the history.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn add(&mut self, tree: &Tree, written_by: &str) -> Result<()> {
        let tar = tree.layer(&self.directories()?)?;
        if tar.len() > END {
            self.layers.push(Layer { tar, written_by: written_by.to_owned() });
        }
        Ok(())
    }

    /// The tars of its layers, the lowest first.
    pub fn layers(&self) -> impl Iterator<Item = &[u8]> {
        self.layers.iter().map(|layer| layer.tar.as_slice())
    }

    /// Every directory in its layers.
    fn directories(&self) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for layer in self.layers() {
            for entry in Archive::new(layer).entries()? {
                let entry = entry?;
                if entry.header().entry_type().is_dir() {
                    found.insert(entry.path()?.to_string_lossy().trim_end_matches('/').to_owned());
                }
            }
        }
        Ok(found)
    }

    /// The size of its layers.
    pub fn size(&self) -> usize {
        self.layers().map(<[u8]>::len).sum()
    }

    /// Writes an archive of it, under these names.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path, names: &[&str]) -> Result<()> {
        let (mut blobs, mut layers) = (BTreeMap::new(), Vec::new());
        for layer in &self.layers {
            layers.push(descriptor(&mut blobs, LAYER, layer.tar.clone())?);
        }
        let config = descriptor(&mut blobs, CONFIG, self.configuration(&layers).to_string().into_bytes())?;
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        let manifest = descriptor(&mut blobs, MANIFEST, manifest.to_string().into_bytes())?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": names.iter().map(|name| self.named(&manifest, name)).collect::<Vec<_>>(),
        });
        let tags: Vec<_> = names.iter().map(|name| canonical(name)).collect();
        let docker =
            json!([{"Config": file(&config), "RepoTags": tags, "Layers": layers.iter().map(file).collect::<Vec<_>>()}]);
        blobs.insert("index.json".to_owned(), index.to_string().into_bytes());
        blobs.insert("manifest.json".to_owned(), docker.to_string().into_bytes());
        blobs.insert("oci-layout".to_owned(), json!({"imageLayoutVersion": "1.0.0"}).to_string().into_bytes());
        write(path, &blobs).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads an archive that [`Image::save`] wrote.
    ///
    /// # Errors
    /// It cannot be read, or is no such archive.
    pub fn load(path: &Path) -> Result<Self> {
        Self::read(path).with_context(|| format!("cannot read the image {}", path.display()))
    }

    fn read(path: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for entry in Archive::new(File::open(path)?).entries()? {
            let mut entry = entry?;
            let (name, mut bytes) = (entry.path()?.to_string_lossy().into_owned(), Vec::new());
            entry.read_to_end(&mut bytes)?;
            files.insert(name, bytes);
        }
        let parse = |name: &str| -> Result<Json> {
            let bytes = files.get(name).with_context(|| format!("it has no `{name}`"))?;
            serde_json::from_slice(bytes).with_context(|| format!("its `{name}` is no JSON"))
        };
        let index = parse("index.json")?;
        let manifest = parse(&file(index.pointer("/manifests/0").context("it holds no image")?))?;
        let configuration = parse(&file(manifest.get("config").context("its manifest has no configuration")?))?;
        let layers = manifest.get("layers").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let mut image =
            Self::scratch(serde_json::from_value(configuration.get("config").cloned().unwrap_or_default())?);
        configuration
            .get("architecture")
            .and_then(Json::as_str)
            .unwrap_or_default()
            .clone_into(&mut image.architecture);
        for (at, layer) in layers.iter().enumerate() {
            if layer.get("mediaType").and_then(Json::as_str) != Some(LAYER) {
                bail!("layer {at} is compressed: expected `{LAYER}`");
            }
            let written_by = configuration.pointer(&format!("/history/{at}/created_by")).and_then(Json::as_str);
            let tar = files.get(&file(layer)).with_context(|| format!("layer {at} is missing"))?.clone();
            image.layers.push(Layer { tar, written_by: written_by.unwrap_or_default().to_owned() });
        }
        Ok(image)
    }

    fn configuration(&self, layers: &[Json]) -> Json {
        let history = self.layers.iter().map(|layer| json!({"created": CREATED, "created_by": layer.written_by}));
        // What is not compressed has the same digest inside and outside.
        let digests: Vec<_> = layers.iter().map(|layer| layer.get("digest")).collect();
        json!({
            "created": CREATED,
            "architecture": self.architecture,
            "os": "linux",
            "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": digests},
            "history": history.collect::<Vec<_>>(),
        })
    }

    fn named(&self, manifest: &Json, name: &str) -> Json {
        let (name, mut named) = (canonical(name), manifest.clone());
        if let Some(fields) = named.as_object_mut() {
            let tag = name.rsplit(':').next().unwrap_or_default();
            fields.insert("platform".to_owned(), json!({"architecture": self.architecture, "os": "linux"}));
            // containerd and docker take the whole name from the first, others the tag from the second.
            let names = json!({"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag});
            fields.insert("annotations".to_owned(), names);
        }
        named
    }
}

/// The name as nodes write it out: with registry and tag (`ParseNormalizedNamed` of distribution/reference).
pub fn canonical(name: &str) -> String {
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name, "latest"),
    };
    let registry = path.split_once('/').map_or("", |(first, _)| first);
    if registry.contains(['.', ':']) || registry == "localhost" {
        format!("{path}:{tag}")
    } else if registry.is_empty() {
        format!("docker.io/library/{path}:{tag}")
    } else {
        format!("docker.io/{path}:{tag}")
    }
}

fn descriptor(blobs: &mut BTreeMap<String, Vec<u8>>, media_type: &str, bytes: Vec<u8>) -> Result<Json> {
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let found =
        json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": u64::try_from(bytes.len())?});
    blobs.insert(file(&found), bytes);
    Ok(found)
}

/// The file of what a descriptor describes.
fn file(descriptor: &Json) -> String {
    let digest = descriptor.get("digest").and_then(Json::as_str).unwrap_or_default();
    format!("blobs/{}", digest.replace(':', "/"))
}

fn write(path: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let mut tar = Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(bytes.len().try_into()?);
        tar.append_data(&mut header, name, bytes.as_slice())?;
    }
    // Not seen before it is whole.
    let unfinished = path.with_extension("new");
    File::create(&unfinished)?.write_all(&tar.into_inner()?)?;
    std::fs::rename(unfinished, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::image::oci::canonical;

    #[test]
    fn names_are_written_out_as_nodes_write_them() {
        for (name, want) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.14.2", "docker.io/library/nginx:1.14.2"),
            ("samutup/minimart:1.0.1", "docker.io/samutup/minimart:1.0.1"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("localhost/a:1", "localhost/a:1"),
        ] {
            assert_eq!(canonical(name), want);
        }
    }
}
