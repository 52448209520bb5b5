//! The only disk reads of the pure half: a chart's directory, or its `.tgz`.
//!
//! Symbolic links are followed, `.helmignore` is obeyed, and what is no regular file is refused. Unlike Helm, entries whose
//! name begins with `..` are passed over: they are how Kubernetes mounts a `ConfigMap`, and their names change with every
//! update; and a link that leads back into itself is refused at once. Mirrors Helm v4.3.1,
//! `pkg/chart/v2/loader/directory.go` and `internal/sympath`.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::chart::ignore::{self, Rules};
use crate::chart::{Chart, File, archive, load};

/// How deep directories may lie in directories.
const MAX_DEPTH: usize = 128;

/// Why a chart cannot be read from disk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk says no.
    #[error("cannot read `{path}`", path = path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
    /// There is nothing to be read.
    #[error("stat {}: no such file or directory", .0.display())]
    Missing(PathBuf),
    /// There is no `Chart.yaml`.
    #[error("unable to detect chart at {path}: open {path}: no such file or directory", path = .0.display())]
    Undetected(PathBuf),
    /// A link that leads nowhere.
    #[error(
        "error evaluating symlink {}: lstat {}: no such file or directory", path.display(), target.display()
    )]
    Dangling {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A socket, a device, a pipe.
    #[error("cannot load irregular file {path} as it has file mode type bits set", path = .0.display())]
    Irregular(PathBuf),
    /// A name we cannot keep as text.
    #[error("the name of `{path}` is not UTF-8", path = .0.display())]
    NotUtf8(PathBuf),
    /// A link that leads to a directory it lies in.
    #[error("`{path}` leads back to a directory it lies in", path = .0.display())]
    Loop(PathBuf),
    /// Directories in directories without end.
    #[error("`{path}` lies deeper than {MAX_DEPTH} directories", path = .0.display())]
    TooDeep(PathBuf),
    /// More than a chart may have.
    #[error("chart exceeds maximum decompressed size of {} bytes", archive::MAX_SIZE)]
    TooLarge,
    /// Its `.helmignore` is none.
    #[error("cannot use `{path}`", path = path.display())]
    Ignore {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ignore::Error,
    },
    /// The files are there, and are no chart.
    #[error(transparent)]
    Chart(crate::chart::Error),
}

/// The chart at `path`: a directory, or a `.tgz`.
///
/// # Errors
/// [`Error`]
pub fn chart(path: &Path) -> Result<Chart, Error> {
    if stat(path)?.is_dir() {
        let metadata = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).join("Chart.yaml");
        if !metadata.exists() {
            return Err(Error::Undetected(metadata));
        }
        return load::from_files(directory(path)?).map_err(Error::Chart);
    }
    let mut budget = archive::MAX_SIZE;
    load::from_archive(&read(path, &mut budget)?).map_err(Error::Chart)
}

/// The files of the chart in the directory `root`, in byte order of their paths' parts.
///
/// # Errors
/// [`Error`], but never [`Error::Chart`].
pub fn directory(root: &Path) -> Result<Vec<File>, Error> {
    let mut walk = Walk { rules: rules(root)?, budget: archive::MAX_SIZE, open: Vec::new(), files: Vec::new() };
    walk.directory(root, "")?;
    Ok(walk.files)
}

fn rules(root: &Path) -> Result<Rules, Error> {
    let path = root.join(".helmignore");
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Error::Read { path, source }),
    };
    Rules::parse(&text).map_err(|source| Error::Ignore { path, source })
}

struct Walk {
    rules: Rules,
    budget: u64,
    /// The directories being walked, links resolved.
    open: Vec<PathBuf>,
    files: Vec<File>,
}

impl Walk {
    /// `below` is the path from the root, empty or with `/` at its end.
    fn directory(&mut self, path: &Path, below: &str) -> Result<(), Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let resolved = fs::canonicalize(path).map_err(failed)?;
        if self.open.contains(&resolved) {
            return Err(Error::Loop(path.to_owned()));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::TooDeep(path.to_owned()));
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            entries.push(entry.map_err(failed)?.file_name());
        }
        entries.sort();
        self.open.push(resolved);
        for entry in entries {
            let path = path.join(&entry);
            let Some(name) = entry.to_str() else { return Err(Error::NotUtf8(path)) };
            if !name.starts_with("..") {
                self.entry(&path, &format!("{below}{name}"))?;
            }
        }
        self.open.pop();
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &str) -> Result<(), Error> {
        let found = stat(path)?;
        let kind = if found.is_dir() { ignore::Entry::Directory } else { ignore::Entry::File };
        if self.rules.ignore(name, kind) {
            return Ok(());
        }
        if found.is_dir() {
            return self.directory(path, &format!("{name}/"));
        }
        if !found.is_file() {
            return Err(Error::Irregular(path.to_owned()));
        }
        let data = read(path, &mut self.budget)?;
        self.files.push(File::new(name, archive::without_mark(&data)));
        Ok(())
    }
}

/// What is at `path`, links followed.
fn stat(path: &Path) -> Result<fs::Metadata, Error> {
    fs::metadata(path).map_err(|source| match fs::read_link(path) {
        _ if source.kind() != io::ErrorKind::NotFound => Error::Read { path: path.to_owned(), source },
        Ok(link) => Error::Dangling { path: path.to_owned(), target: resolved(path, &link) },
        Err(_) => Error::Missing(path.to_owned()),
    })
}

/// Where the link at `path` leads, without `.` and `..`.
fn resolved(path: &Path, link: &Path) -> PathBuf {
    clean(&path.parent().unwrap_or(path).join(link))
}

/// The path without `.` and `..`, by its text alone (Go's `filepath.Clean` of an absolute path).
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}

/// A file, taken from `budget`. It may have grown since it was looked at.
fn read(path: &Path, budget: &mut u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    // Without a size it is read in ever larger pieces from 32 bytes on.
    let size = file.metadata().map_err(failed)?.len().min(*budget);
    let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(budget.saturating_add(1)).read_to_end(&mut data).map_err(failed)?;
    *budget = budget.checked_sub(data.len() as u64).ok_or(Error::TooLarge)?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A directory of the test's own, gone with it.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("chart-operator-{}-{name}", std::process::id()));
            drop(fs::remove_dir_all(&path));
            fs::create_dir_all(path.join("templates")).unwrap();
            fs::write(path.join("Chart.yaml"), "name: web\nversion: 0.1.0\n").unwrap();
            fs::write(path.join("templates/a.yaml"), "\u{feff}a: 1\n").unwrap();
            Self(path)
        }

        fn names(&self) -> Result<Vec<String>, String> {
            let files = directory(&self.0).map_err(|error| error.to_string())?;
            Ok(files.iter().map(|file| file.name.to_string()).collect())
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn a_directory_is_read_without_what_it_ignores_and_with_what_links_lead_to() {
        let scratch = Scratch::new("walk");
        let at = |name: &str| scratch.0.join(name);
        fs::create_dir_all(at("docs/deep")).unwrap();
        fs::create_dir_all(at("..2026_01_02")).unwrap();
        fs::write(at("..2026_01_02/x"), "x").unwrap();
        fs::write(at("docs/deep/a.md"), "x").unwrap();
        fs::write(at("templates/.hidden"), "x").unwrap();
        fs::write(at("note.bak"), "x").unwrap();
        fs::write(at(".helmignore"), "# words\n*.bak\ndeep/\n").unwrap();
        symlink("..2026_01_02/x", at("linked")).unwrap();
        symlink("templates", at("more")).unwrap();
        assert_eq!(
            scratch.names().unwrap(),
            [".helmignore", "Chart.yaml", "linked", "more/.hidden", "more/a.yaml", "templates/a.yaml"]
        );
        let chart = chart(&scratch.0).unwrap();
        assert_eq!(&*chart.templates[0].data, b"a: 1\n", "the byte order mark is gone");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let scratch = Scratch::new("refused");
        let at = |name: &str| scratch.0.join(name);
        symlink(".", at("loop")).unwrap();
        assert!(scratch.names().unwrap_err().ends_with("/loop` leads back to a directory it lies in"));
        fs::remove_file(at("loop")).unwrap();
        symlink("nowhere", at("broken")).unwrap();
        let error = scratch.names().unwrap_err();
        assert!(
            error.starts_with("error evaluating symlink ") && error.ends_with("/nowhere: no such file or directory")
        );
        fs::remove_file(at("broken")).unwrap();
        let socket = UnixListener::bind(at("socket")).unwrap();
        assert!(scratch.names().unwrap_err().contains("cannot load irregular file"));
        drop(socket);
        fs::remove_file(at("socket")).unwrap();
        fs::write(at(".helmignore"), "**/a\n").unwrap();
        assert!(scratch.names().unwrap_err().ends_with("/.helmignore`"));
        assert!(chart(&at("absent")).unwrap_err().to_string().ends_with("/absent: no such file or directory"));
        let error = chart(&at("templates")).unwrap_err().to_string();
        assert!(error.starts_with("unable to detect chart at /") && error.contains("/templates/Chart.yaml: open /"));
    }
}
