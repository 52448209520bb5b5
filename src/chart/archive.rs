//! A packaged chart (`.tgz`), unpacked in memory.
//!
//! Mirrors Helm v4.3.1, `pkg/chart/loader/archive`: paths that leave the chart and archives that unpack to more than
//! [`MAX_SIZE`] are refused.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use crate::chart::File;
use crate::value::quote;

/// Most bytes a chart may have, unpacked, all sub-charts together.
pub const MAX_SIZE: u64 = 100 * 1024 * 1024;

/// Why an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither gzip nor tar, or damaged.
    #[error("does not appear to be a gzipped archive")]
    Damaged(#[source] io::Error),
    /// A path such as `chart//etc/passwd`.
    #[error("chart illegally contains absolute paths")]
    AbsolutePath,
    /// A file that lies in no directory.
    #[error("chart illegally contains content outside the base directory: {}", quote(.0.as_bytes()))]
    OutsideBase(String),
    /// A path such as `chart/../x`.
    #[error("chart illegally references parent directory")]
    ParentDirectory,
    /// A path such as `chart/c:/x`.
    #[error("chart contains illegally named files")]
    DriveLetter,
    /// A path such as `Chart.yaml/x`.
    #[error("chart yaml not in base directory")]
    MetadataOutsideBase,
    /// A path that is not UTF-8.
    #[error("chart contains a file whose name is not UTF-8: {}", quote(.0.as_bytes()))]
    NotUtf8(String),
    /// More than [`MAX_SIZE`].
    #[error("decompressed chart is larger than the maximum size {MAX_SIZE}")]
    TooLarge,
    /// Only directories, or nothing.
    #[error("no files in chart archive")]
    Empty,
}

/// The files of an archive, without the directory they all lie in. What they hold is taken from `budget`.
///
/// # Errors
/// [`Error`]
pub fn unpack(archive: &[u8], budget: &mut u64) -> Result<Vec<File>, Error> {
    // One byte more than allowed is read, so that too much is noticed, and a bomb costs no more memory than a chart. The
    // headers of as many files as fit come on top.
    let limit = budget.saturating_mul(2).saturating_add(1024 * 1024);
    let mut tar = tar::Archive::new(MultiGzDecoder::new(archive).take(limit));
    let mut files = Vec::new();
    for entry in tar.entries().map_err(Error::Damaged)? {
        let mut entry = entry.map_err(Error::Damaged)?;
        let path = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        // The oldest archives know no types: a directory is one by its name.
        let untyped = entry.header().as_old().linkflag == [0];
        if kind.is_dir() || kind.is_pax_global_extensions() || untyped && path.ends_with(b"/") {
            continue;
        }
        let name = safe_name(&path)?;
        if entry.size() > *budget {
            return Err(Error::TooLarge);
        }
        let mut data = Vec::new();
        entry.by_ref().take(budget.saturating_add(1)).read_to_end(&mut data).map_err(Error::Damaged)?;
        *budget = budget.checked_sub(data.len() as u64).ok_or(Error::TooLarge)?;
        files.push(File::new(name, without_mark(&data)));
    }
    if files.is_empty() { Err(Error::Empty) } else { Ok(files) }
}

/// `data` without a byte order mark.
pub(crate) fn without_mark(data: &[u8]) -> &[u8] {
    data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data)
}

/// The path without its first part, in which the whole chart lies.
fn safe_name(path: &[u8]) -> Result<String, Error> {
    let Ok(path) = std::str::from_utf8(path) else {
        return Err(Error::NotUtf8(String::from_utf8_lossy(path).into_owned()));
    };
    // Archives made on Windows separate with a backslash.
    let delimiter = if path.contains('\\') { '\\' } else { '/' };
    let below = path.split_once(delimiter).map_or("", |(_, below)| below).replace(delimiter, "/");
    if below.starts_with('/') {
        return Err(Error::AbsolutePath);
    }
    let name = clean(&below);
    if name.is_empty() {
        return Err(Error::OutsideBase(path.to_owned()));
    }
    if name.starts_with("..") {
        return Err(Error::ParentDirectory);
    }
    let mut chars = name.chars();
    if chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.as_str().starts_with(":/") {
        return Err(Error::DriveLetter);
    }
    if path.split(delimiter).next() == Some("Chart.yaml") {
        return Err(Error::MetadataOutsideBase);
    }
    Ok(name)
}

/// Go's `path.Clean` for a relative path, but empty where that has `.`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
