//! Where a chart is, and whether it can be rendered.
//!
//! Mirrors Helm v4.3.1, `LocateChart` of `pkg/action/install.go` and `pkg/chart/loader`; what Helm would fetch is refused.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::chart::{self, Chart, files};
use crate::cli::template::given::is_remote;
use crate::cli::template::stages::Error;

/// How much of a file Helm looks at to tell what it is.
const HEAD: usize = 512;

/// What a gzipped file begins with.
const GZIP: &[u8] = b"\x1F\x8B\x08";

/// A chart that is there.
pub(super) enum Located<'a> {
    Directory(&'a str),
    File(&'a str),
}

/// Looks for the chart that an argument names.
pub(super) fn find(argument: &str) -> Result<Located<'_>, Error> {
    let name = argument.trim();
    match fs::metadata(name) {
        Ok(found) if found.is_dir() => Ok(Located::Directory(name)),
        Ok(_) => Ok(Located::File(name)),
        Err(_) if name.starts_with(['/', '.']) => Err(Error::NotFound(name.to_owned())),
        Err(_) if is_remote(name) => Err(Error::RemoteChart(name.to_owned())),
        Err(_) => match name.split_once('/') {
            Some((repository, _)) => Err(Error::NoRepository(repository.to_owned())),
            None => Err(Error::NoReference(name.to_owned())),
        },
    }
}

impl Located<'_> {
    /// Reads it.
    pub(super) fn load(&self) -> Result<Chart, Error> {
        match self {
            Self::Directory(name) => files::chart(&absolute(name)).map_err(Error::Load),
            Self::File(name) => archive(name),
        }
    }
}

fn archive(name: &str) -> Result<Chart, Error> {
    let path = absolute(name);
    let head = head(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    if !head.starts_with(GZIP) {
        let is_yaml = [".yml", ".yaml"].iter().any(|extension| name.ends_with(extension));
        return Err(if is_yaml { Error::YamlFile(path) } else { Error::NoArchive { path, found: media_type(&head) } });
    }
    match files::chart(&path) {
        Err(files::Error::Chart(chart::Error::Missing)) => Err(Error::NoMetadata),
        Err(files::Error::Chart(chart::Error::Archive(source))) => Err(Error::Archive(source)),
        loaded => loaded.map_err(Error::Load),
    }
}

/// Go's `filepath.Abs`.
fn absolute(name: &str) -> PathBuf {
    files::clean(&std::path::absolute(name).unwrap_or_else(|_no_working_directory| PathBuf::from(name)))
}

/// The first bytes of a file, zeros behind its end.
fn head(path: &Path) -> io::Result<[u8; HEAD]> {
    let mut head = [0; HEAD];
    let mut file = fs::File::open(path)?.take(HEAD as u64);
    let mut read = Vec::new();
    file.read_to_end(&mut read)?;
    head.iter_mut().zip(read).for_each(|(to, from)| *to = from);
    Ok(head)
}

/// What the bytes are, for those that one may take for a chart (Go's `http.DetectContentType`).
fn media_type(head: &[u8; HEAD]) -> &'static str {
    let is_binary = |byte: &u8| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F);
    let text = head.trim_ascii_start();
    let tag = |tag: &str| {
        let found = text.get(..tag.len()).is_some_and(|found| found.eq_ignore_ascii_case(tag.as_bytes()));
        found && text.get(tag.len()).is_some_and(|next| matches!(next, b' ' | b'>'))
    };
    if ["<!DOCTYPE HTML", "<HTML", "<HEAD", "<BODY", "<!--"].iter().any(|name| tag(name)) {
        "text/html; charset=utf-8"
    } else if text.starts_with(b"<?xml") {
        "text/xml; charset=utf-8"
    } else if head.starts_with(b"PK\x03\x04") {
        "application/zip"
    } else if head.starts_with(b"%PDF-") {
        "application/pdf"
    } else if head.iter().any(is_binary) {
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    }
}
