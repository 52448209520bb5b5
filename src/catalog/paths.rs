//! Which directories must be watched to learn of every edit of a file or a chart, symbolic links included: Kubernetes
//! changes a mounted `ConfigMap` by exchanging one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// How many links may lead to one file (Linux allows as many).
const MAX_LINKS: usize = 40;

/// Directories to watch: for what lies in each, or in all below it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Directories {
    /// For what lies in them.
    pub(super) flat: BTreeSet<PathBuf>,
    /// For everything below them.
    pub(super) deep: BTreeSet<PathBuf>,
}

impl Directories {
    /// What tells of edits of the file `path`.
    pub(super) fn add_file(&mut self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.way(&path, MAX_LINKS);
    }

    /// What tells of edits of the chart at `path`, a directory or an archive.
    pub(super) fn add_chart(&mut self, path: &Path) {
        self.add_file(path);
        if path.is_dir() {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            self.links(&path, &mut BTreeSet::new());
            self.deep.insert(path);
        }
    }

    /// The directories in which an exchange would make `path` lead elsewhere: where a link lies, and where the way ends.
    fn way(&mut self, path: &Path, links: usize) {
        let mut at = PathBuf::new();
        let mut parts = path.components();
        while let Some(part) = parts.next() {
            if part == Component::ParentDir {
                at.pop();
                continue;
            }
            let next = at.join(part);
            if let Ok(target) = fs::read_link(&next) {
                self.flat.insert(at.clone());
                if links > 0 {
                    self.way(&at.join(target).join(parts.as_path()), links - 1);
                }
                return;
            }
            if !next.exists() || parts.as_path().as_os_str().is_empty() {
                self.flat.insert(at);
                return;
            }
            at = next;
        }
    }

    /// The ways of all links below `directory`. `seen` holds the directories that were entered, links resolved.
    fn links(&mut self, directory: &Path, seen: &mut BTreeSet<PathBuf>) {
        let Ok(resolved) = fs::canonicalize(directory) else { return };
        let Ok(entries) = fs::read_dir(directory) else { return };
        if !seen.insert(resolved) {
            return;
        }
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_symlink() {
                self.way(&path, MAX_LINKS);
            }
            if path.is_dir() {
                self.links(&path, seen);
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_is_watched_where_it_lies() {
        let root = std::env::temp_dir().join(format!("chart-operator-paths-{}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        fs::create_dir_all(root.join("mounted/..2026/templates")).unwrap();
        fs::create_dir_all(root.join("versions/v1")).unwrap();
        fs::write(root.join("mounted/..2026/Chart.yaml"), "").unwrap();
        symlink("..2026", root.join("mounted/..data")).unwrap();
        symlink("..data/Chart.yaml", root.join("mounted/Chart.yaml")).unwrap();
        symlink("versions/v1", root.join("current")).unwrap();
        symlink("current", root.join("loop")).unwrap();

        let of = |add: &dyn Fn(&mut Directories)| {
            let mut directories = Directories::default();
            add(&mut directories);
            let short = |paths: &BTreeSet<PathBuf>| {
                let paths = paths.iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string());
                paths.collect::<Vec<_>>().join(" ")
            };
            (short(&directories.flat), short(&directories.deep))
        };
        let file = |path: &str| of(&|directories| directories.add_file(&root.join(path)));
        assert_eq!(file("watches.yaml").0, "");
        assert_eq!(file("mounted/Chart.yaml").0, "mounted mounted/..2026");
        assert_eq!(file("current/watches.yaml").0, " versions/v1");
        assert_eq!(file("absent/deep/watches.yaml").0, "");
        let chart = |path: &str| of(&|directories| directories.add_chart(&root.join(path)));
        assert_eq!(chart("mounted"), (" mounted mounted/..2026".to_owned(), "mounted".to_owned()));
        assert_eq!(chart("loop"), (" versions".to_owned(), "loop".to_owned()));
        fs::remove_dir_all(&root).unwrap();
    }
}
