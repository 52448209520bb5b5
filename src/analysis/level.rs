//! A chart's files and those of its sub-charts, each with the path the user knows it by.

use std::sync::Arc;

use crate::chart::{File, Metadata, archive};
use crate::diagnostic::{Diagnostic, Source};

/// How deep sub-charts in sub-charts are looked at; the loader allows no more.
const MAX_NESTING: usize = 64;

/// A chart without what it loads from `charts/`, which is below it.
pub(crate) struct Level {
    /// The chart's directory or archive, as the user knows it.
    pub(crate) path: String,
    /// Its path in the outermost chart: empty, or `charts/x/` and so on. Nothing can be named so inside of an archive.
    pub(crate) prefix: Option<String>,
    /// Its own files.
    pub(crate) files: Vec<File>,
    /// What `Chart.yaml` says, once it was read.
    pub(crate) metadata: Option<Metadata>,
    /// Its sub-charts.
    pub(crate) below: Vec<Self>,
}

impl Level {
    /// The chart in `files`. What in `charts/` cannot be unpacked is told in `found`.
    pub(crate) fn root(path: &str, files: &[File], found: &mut Vec<Diagnostic>) -> Self {
        let path = path.trim_end_matches('/').to_owned();
        let mut budget = archive::MAX_SIZE;
        Self::new(path, Some(String::new()), files.to_vec(), &mut Unpacking { found, budget: &mut budget, depth: 0 })
    }

    fn new(path: String, prefix: Option<String>, files: Vec<File>, unpacking: &mut Unpacking<'_>) -> Self {
        let mut level = Self { path, prefix, files: Vec::new(), metadata: None, below: Vec::new() };
        let mut entries: Vec<(String, Vec<File>)> = Vec::new();
        for file in files {
            let Some((entry, below)) = split(&file) else {
                level.files.push(file);
                continue;
            };
            match entries.iter_mut().find(|(known, _)| *known == entry) {
                Some((_, files)) => files.push(below),
                None => entries.push((entry, vec![below])),
            }
        }
        if unpacking.depth < MAX_NESTING {
            unpacking.depth += 1;
            level.below = entries.into_iter().filter_map(|entry| level.subchart(entry, unpacking)).collect();
            unpacking.depth -= 1;
        }
        level
    }

    fn subchart(&self, (entry, files): (String, Vec<File>), unpacking: &mut Unpacking<'_>) -> Option<Self> {
        let path = format!("{}/charts/{entry}", self.path);
        let packed = files.first().filter(|file| file.name.is_empty());
        let Some(packed) = packed else {
            let prefix = self.prefix.as_ref().map(|prefix| format!("{prefix}charts/{entry}/"));
            return Some(Self::new(path, prefix, files, unpacking));
        };
        match archive::unpack(&packed.data, unpacking.budget) {
            Ok(files) => Some(Self::new(path, None, files, unpacking)),
            Err(error) => {
                let source = Arc::new(Source { name: path, text: String::new() });
                unpacking.found.push(Diagnostic::error(error.to_string()).within(&source));
                None
            }
        }
    }

    /// Its name in `Chart.yaml`.
    pub(crate) fn name(&self) -> &str {
        self.metadata.as_ref().map_or("", |metadata| &metadata.name)
    }

    /// This chart and all below it.
    pub(crate) fn all(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.below.iter().flat_map(Self::all)).collect()
    }

    /// Its own file of that name.
    pub(crate) fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| &*file.name == name)
    }

    /// A file's text under the name the user knows it by.
    pub(crate) fn source(&self, file: &File) -> Arc<Source> {
        let text = String::from_utf8_lossy(&file.data).into_owned();
        Arc::new(Source { name: self.path_of(&file.name), text })
    }

    /// The path of its own file among those of the outermost chart; nothing inside of an archive.
    pub(crate) fn name_of(&self, file: &File) -> Option<String> {
        Some(format!("{}{}", self.prefix.as_ref()?, file.name))
    }

    /// The path the user knows a file by.
    pub(crate) fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// The chart and the file that Helm calls `shop/charts/web/templates/a.yaml`.
    pub(crate) fn resolve<'a>(&self, helms: &'a str) -> Option<(&Self, &'a str)> {
        self.below(helms.split_once('/')?.1)
    }

    fn below<'a>(&self, rest: &'a str) -> Option<(&Self, &'a str)> {
        let Some((name, rest)) = rest.strip_prefix("charts/").and_then(|below| below.split_once('/')) else {
            return Some((self, rest));
        };
        let aliased = self.metadata.iter().flat_map(|metadata| &metadata.dependencies);
        let aliased = aliased.filter(|wanted| wanted.alias == name).map(|wanted| wanted.name.as_str());
        let mut names = std::iter::once(name).chain(aliased);
        names.find_map(|name| self.below.iter().find(|level| level.name() == name))?.below(rest)
    }
}

/// What unpacking shares on its way down.
struct Unpacking<'a> {
    found: &'a mut Vec<Diagnostic>,
    budget: &'a mut u64,
    depth: usize,
}

/// The entry of `charts/` a file belongs to, and the file below it: with an empty name where it is the entry itself, which is
/// an archive. Nothing for files of the chart's own, among which are those in `charts/` that Helm passes over.
fn split(file: &File) -> Option<(String, File)> {
    let below = file.name.strip_prefix("charts/")?;
    let (entry, name) = below.split_once('/').unwrap_or((below, ""));
    let is_archive = entry.rsplit_once('.').is_some_and(|(_, extension)| extension == "tgz");
    if entry.starts_with(['_', '.']) || name.is_empty() && !is_archive {
        return None;
    }
    Some((entry.to_owned(), File::new(name, Arc::clone(&file.data))))
}
