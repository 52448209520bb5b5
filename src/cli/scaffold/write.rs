//! Writing a project's files: all of them or, where one is in the way, none.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::print;
use crate::scaffold::Tree;

/// Writes what is to be written below the current directory, and says so.
pub(super) fn write(tree: &Tree) -> anyhow::Result<()> {
    let in_the_way: Vec<&str> =
        tree.created().map(|(path, _)| path).filter(|path| fs::symlink_metadata(path).is_ok()).collect();
    if !in_the_way.is_empty() {
        bail!("nothing is written, for these are there already:\n  {}", in_the_way.join("\n  "));
    }
    for (path, data) in tree.created() {
        create(Path::new(path), data).with_context(|| format!("cannot write `{path}`"))?;
        print(&format!("created  {path}\n"))?;
    }
    for (path, text) in tree.edited() {
        replace(path, text).with_context(|| format!("cannot write `{path}`"))?;
        print(&format!("changed  {path}\n"))?;
    }
    Ok(())
}

fn create(path: &Path, data: &[u8]) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(data)?;
    Ok(())
}

/// A reader sees the old text or the new one.
fn replace(path: &str, text: &str) -> anyhow::Result<()> {
    let beside = format!("{path}.new");
    create(Path::new(&beside), text.as_bytes())?;
    Ok(fs::rename(&beside, path)?)
}
