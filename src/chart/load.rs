//! From files to a chart.
//!
//! Mirrors Helm v4.3.1, `pkg/chart/v2/loader/load.go`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use crate::chart::decode::{self, Draft};
use crate::chart::{Chart, Error, File, Lock, archive, values_file};
use crate::schema::Schema;
use crate::yaml::{self, Numbers};

/// How deep sub-charts may lie in sub-charts. Helm knows no limit; each level is a frame on our stack.
const MAX_NESTING: usize = 64;

/// A chart made of `files`, whose names are paths below the chart's directory, with `/`.
///
/// # Errors
/// [`Error`], in Helm's words.
pub fn from_files(files: Vec<File>) -> Result<Chart, Error> {
    let size = files.iter().map(|file| file.data.len() as u64).sum();
    let mut budget = archive::MAX_SIZE.checked_sub(size).ok_or(Error::TooLarge)?;
    from_files_within(files, &mut budget, 0)
}

/// A chart out of a `.tgz`.
///
/// # Errors
/// [`Error`], in Helm's words.
pub fn from_archive(archive: &[u8]) -> Result<Chart, Error> {
    let mut budget = archive::MAX_SIZE;
    let files = archive::unpack(archive, &mut budget).map_err(Error::Archive)?;
    from_files_within(files, &mut budget, 0)
}

fn from_files_within(files: Vec<File>, budget: &mut u64, depth: usize) -> Result<Chart, Error> {
    if depth > MAX_NESTING {
        return Err(Error::TooDeep);
    }
    let mut draft = read_metadata(&files)?;
    // As in Helm, only the outermost chart is asked.
    let is_next_generation = depth == 0 && draft.api_version() == "v3";
    if depth == 0 && !is_next_generation && !matches!(draft.api_version(), "v1" | "v2") {
        return Err(Error::UnsupportedVersion);
    }
    let mut parts = Parts::default();
    for file in &files {
        parts.sort_in(file, &mut draft)?;
    }
    let name = draft.name().to_owned();
    let metadata = draft.finish().map_err(Error::Invalid)?;
    let mut dependencies = Vec::new();
    for (entry, files) in parts.subcharts {
        let subchart = subchart(&entry, &files, budget, depth);
        let unpacked = subchart.map_err(|source| Error::Subchart {
            entry: entry.clone(),
            parent: name.clone(),
            source: Box::new(source),
        });
        dependencies.extend(unpacked?);
    }
    if is_next_generation {
        return Err(Error::NextGeneration);
    }
    Ok(Chart {
        metadata,
        lock: parts.lock,
        values: Arc::new(Json::Object(parts.values)),
        schema: parts.schema,
        templates: parts.templates.into(),
        files: parts.files.into(),
        digest: digest(&files, |_| true),
        content_digest: digest(&files, |file| !file.name.starts_with("operator/")),
        raw: files.into(),
        dependencies,
    })
}

/// `Chart.yaml` comes first, wherever it stands among the files.
fn read_metadata(files: &[File]) -> Result<Draft, Error> {
    let file = files.iter().rfind(|file| &*file.name == "Chart.yaml").ok_or(Error::Missing)?;
    let mut draft = Draft::default();
    draft.read(&read(file)?).map_err(|source| Error::Field { file: "Chart.yaml", source })?;
    draft.default_api_version();
    Ok(draft)
}

/// A chart's files, sorted by what they are.
#[derive(Default)]
struct Parts {
    lock: Option<Lock>,
    values: Map<String, Json>,
    schema: Option<Schema>,
    templates: Vec<File>,
    files: Vec<File>,
    /// What lies in `charts/`, by its first path part.
    subcharts: BTreeMap<String, Vec<File>>,
}

impl Parts {
    fn sort_in(&mut self, file: &File, draft: &mut Draft) -> Result<(), Error> {
        match &*file.name {
            "Chart.yaml" => {}
            "Chart.lock" => self.lock = Some(lock(file, "Chart.lock")?),
            "values.yaml" => self.values = values(file)?,
            "values.schema.json" => self.schema = Some(Arc::clone(&file.data).into()),
            "requirements.yaml" => {
                let source = draft.read(&read(file)?);
                source.map_err(|source| Error::Field { file: "requirements.yaml", source })?;
                self.keep_in_v1(file, draft);
            }
            "requirements.lock" => {
                self.lock = Some(lock(file, "requirements.lock")?);
                self.keep_in_v1(file, draft);
            }
            name if name.starts_with("templates/") => self.templates.push(file.clone()),
            name => match name.strip_prefix("charts/") {
                Some(below) if !has_extension(below, "prov") => {
                    let entry = below.split('/').next().unwrap_or(below).to_owned();
                    self.subcharts.entry(entry).or_default().push(File::new(below, Arc::clone(&file.data)));
                }
                _ => self.files.push(file.clone()),
            },
        }
        Ok(())
    }

    fn keep_in_v1(&mut self, file: &File, draft: &Draft) {
        if draft.is_v1() {
            self.files.push(file.clone());
        }
    }
}

/// The chart of one entry of `charts/`; none where the entry is hidden or a lone file that is no archive.
fn subchart(entry: &str, files: &[File], budget: &mut u64, depth: usize) -> Result<Option<Chart>, Error> {
    if entry.starts_with(['_', '.']) {
        return Ok(None);
    }
    if has_extension(entry, "tgz") {
        let Some(archive) = files.first() else { return Ok(None) };
        if &*archive.name != entry {
            let found = String::from(&*archive.name);
            return Err(Error::NotAnArchive { expected: entry.to_owned(), found });
        }
        let files = archive::unpack(&archive.data, budget).map_err(Error::Archive)?;
        return from_files_within(files, budget, depth + 1).map(Some);
    }
    // A file directly in `charts/` has nothing below its entry.
    let below = files.iter().filter_map(|file| Some(File::new(file.name.split_once('/')?.1, Arc::clone(&file.data))));
    from_files_within(below.collect(), budget, depth + 1).map(Some)
}

/// Like Go's `filepath.Ext`: the last dot counts, wherever it stands.
fn has_extension(name: &str, extension: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

fn text(file: &File) -> Result<&str, Error> {
    std::str::from_utf8(&file.data).map_err(|source| Error::NotUtf8 { file: String::from(&*file.name), source })
}

fn read(file: &File) -> Result<Json, Error> {
    yaml::to_json(text(file)?, Numbers::AsWritten)
        .map_err(|source| Error::Yaml { file: String::from(&*file.name), source })
}

fn lock(file: &File, name: &'static str) -> Result<Lock, Error> {
    decode::lock(&read(file)?).map_err(|source| Error::Field { file: name, source })
}

fn values(file: &File) -> Result<Map<String, Json>, Error> {
    values_file::read(text(file)?).map_err(Error::Values)
}

fn digest(files: &[File], counts: impl Fn(&File) -> bool) -> [u8; 32] {
    let mut sorted: Vec<&File> = files.iter().filter(|file| counts(file)).collect();
    sorted.sort_by(|a, b| (&a.name, &a.data).cmp(&(&b.name, &b.data)));
    let mut hash = Sha256::new();
    for file in sorted {
        for part in [file.name.as_bytes(), &file.data] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize().into()
}
