//! `image`: the operator's image and a project's, as archives, with a bill of what is in them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use testbed::image::oci::Image;
use testbed::image::{operator, sbom, tree};
use testbed::progress::{Progress, Stream};

use crate::operator::locate;

/// Bytes of a megabyte.
const MEGABYTE: usize = 1_000_000;

/// What to write.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The operator's program [default: chart-operator beside this one]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The folder of the project: a Dockerfile, and what it copies
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// The name of the project's image
    #[arg(long, default_value = "controller:latest")]
    name: String,
    /// The name of the operator's image, which projects begin with
    #[arg(long, default_value_t = format!("chart-operator:v{}", env!("CARGO_PKG_VERSION")))]
    base: String,
    /// The folder to write to
    #[arg(long, default_value = "target/image")]
    out: PathBuf,
    /// How large an image may be, in megabytes
    #[arg(long, default_value_t = 40)]
    limit: usize,
}

/// Writes `operator.tar`, `project.tar` and `sbom.json`, and tells how large they are.
///
/// # Errors
/// Something cannot be read or written, or an image is larger than it may be.
pub(crate) fn write(arguments: &Arguments) -> Result<()> {
    let (progress, out) = (Progress::to(Stream::Output), &arguments.out);
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let binary = locate(arguments.binary.as_deref())?;
    let base = operator::operator(&binary)?;
    let project = operator::project(&base, &arguments.project)?;
    for (image, file, name) in [(&base, "operator.tar", &arguments.base), (&project, "project.tar", &arguments.name)] {
        let path = out.join(file);
        check(image, name, arguments.limit)?;
        image.save(&path, &[name])?;
        progress.say(&format!("{name}: {}, {}", path.display(), megabytes(image.size())));
    }
    let packages = tree::packages_of(&binary)?;
    for (name, version) in &packages {
        progress.say(&format!("not linked into the program, taken from this machine: {name} {version}"));
    }
    let path = out.join("sbom.json");
    let bill = sbom::bill(Path::new(env!("CARGO_MANIFEST_DIR")), "chart-operator", &packages)?;
    std::fs::write(&path, serde_json::to_string_pretty(&bill)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    progress.say(&format!("what is in it: {}", path.display()));
    Ok(())
}

fn check(image: &Image, name: &str, limit: usize) -> Result<()> {
    if image.size() > limit * MEGABYTE {
        bail!("`{name}` has {}: expected at most {limit} MB", megabytes(image.size()));
    }
    Ok(())
}

fn megabytes(bytes: usize) -> String {
    format!("{}.{} MB", bytes / MEGABYTE, bytes % MEGABYTE / (MEGABYTE / 10))
}
