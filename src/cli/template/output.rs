//! What `template` shows: to standard output, or to a file for each template.
//!
//! Mirrors Helm v4.3.1: the second half of `newTemplateCmd` in `pkg/cmd/template.go`, and `renderResources` and
//! `writeToFile` of `pkg/action`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::chart::ignore;
use crate::cli::template::stages::{Definitions, Error, Rendering, add, trimmed};
use crate::release::hook::{Event, Hook};
use crate::release::manifest::{self, Sorted};

/// What comes before the path of its template in a document.
const SOURCE: &str = "# Source: ";

/// What is shown, and where.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Shown {
    /// Show only what these templates rendered, by path below the chart or glob; may be repeated
    #[arg(short, long, value_name = "TEMPLATE")]
    show_only: Vec<String>,
    /// Write a file for each template into this directory instead
    #[arg(long, value_name = "DIR", default_value = "", hide_default_value = true)]
    output_dir: String,
    /// Put those files into a directory with the release's name
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = clap::ArgAction::Set)]
    release_name: bool,
    /// Show the chart's definitions too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = clap::ArgAction::Set)]
    include_crds: bool,
    #[command(flatten)]
    hooks: Hooks,
}

/// Which hooks are shown.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
struct Hooks {
    /// Leave out the chart's hooks
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = clap::ArgAction::Set)]
    no_hooks: bool,
    /// Leave out the chart's tests
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = clap::ArgAction::Set)]
    skip_tests: bool,
}

impl Hooks {
    fn shows(self, hook: &Hook) -> bool {
        let left_out = self.no_hooks || (self.skip_tests && hook.events.contains(&Event::Test));
        !left_out
    }
}

impl Shown {
    /// Whether files are written.
    pub(super) fn writes_files(&self) -> bool {
        !self.output_dir.is_empty()
    }

    /// Shows what was rendered for the release of that name.
    pub(super) fn show(&self, rendering: &Rendering, sorted: &Sorted, release: &str) -> Result<(), Error> {
        let mut text = Vec::new();
        if self.output_dir.is_empty() {
            let definitions = if self.include_crds { Definitions::Included } else { Definitions::LeftOut };
            text = rendering.manifest(sorted, definitions);
        } else {
            self.write_files(rendering, sorted, release)?;
        }
        self.finish(text, &sorted.hooks, release)
    }

    /// Shows all that was rendered although `fault` was found in it.
    pub(super) fn show_faulty(&self, rendering: &Rendering, fault: Error, release: &str) -> Error {
        let hooks = manifest::hooks_before_fault(&rendering.rendered.files);
        match self.finish(rendering.unsorted(), &hooks, release) {
            // It may be what cannot be found its way in.
            Ok(()) | Err(Error::NoTemplate(_)) => fault,
            Err(error) => error,
        }
    }

    /// Shows that nothing was rendered because of `fault`.
    pub(super) fn show_nothing(&self, fault: Error, release: &str) -> Error {
        match self.finish(Vec::new(), &[], release) {
            Ok(()) | Err(Error::NoTemplate(_)) => fault,
            Err(error) => error,
        }
    }

    fn finish(&self, manifest: Vec<u8>, hooks: &[Hook], release: &str) -> Result<(), Error> {
        let mut text = trimmed(manifest);
        for hook in hooks.iter().filter(|hook| self.hooks.shows(hook)) {
            if self.output_dir.is_empty() {
                add(&mut text, &hook.path, hook.manifest.as_bytes());
            } else {
                let directory = self.directory(release);
                let mode = if directory.join(&hook.path).exists() { Mode::Append } else { Mode::Create };
                let written = write_file(&directory, &hook.path, hook.manifest.as_bytes(), mode);
                written.map_err(|error| Error::WriteHook(Box::new(error)))?;
            }
        }
        self.print(text)
    }

    /// Prints a text of documents, or those of it that are wanted.
    pub(super) fn print(&self, mut text: Vec<u8>) -> Result<(), Error> {
        if !self.show_only.is_empty() {
            text = chosen(&self.show_only, &String::from_utf8_lossy(&text))?;
        }
        let mut out = io::stdout().lock();
        out.write_all(&text).and_then(|()| out.flush()).map_err(Error::Output)
    }

    fn write_files(&self, rendering: &Rendering, sorted: &Sorted, release: &str) -> Result<(), Error> {
        if self.include_crds {
            for crd in rendering.chart.crds() {
                // As in Helm, definitions lie beside the release's directory, whatever --release-name says.
                write_file(Path::new(&self.output_dir), &crd.path, &crd.file.data, Mode::Create)?;
            }
        }
        let directory = self.directory(release);
        let mut written = BTreeSet::new();
        for document in &sorted.documents {
            let mode = if written.insert(document.path.as_str()) { Mode::Create } else { Mode::Append };
            write_file(&directory, &document.path, document.text.as_bytes(), mode)?;
        }
        Ok(())
    }

    fn directory(&self, release: &str) -> PathBuf {
        let directory = PathBuf::from(&self.output_dir);
        if self.release_name { directory.join(release) } else { directory }
    }
}

/// The documents of the templates that `wanted` names, in the order of `wanted` and of the text.
fn chosen(wanted: &[String], text: &str) -> Result<Vec<u8>, Error> {
    let documents = manifest::split(text);
    let named = documents.into_iter().filter_map(|document| Some((template(document)?, document)));
    let named: Vec<(&str, &str)> = named.collect();
    let mut chosen = Vec::new();
    for wanted in wanted {
        let mut found = named.iter().filter(|(template, _)| ignore::matches(wanted, template)).peekable();
        if found.peek().is_none() {
            return Err(Error::NoTemplate(wanted.clone()));
        }
        for (_, document) in found {
            for part in ["---\n", document, "\n"] {
                chosen.extend_from_slice(part.as_bytes());
            }
        }
    }
    Ok(chosen)
}

/// The path below its chart of the template that rendered a document.
fn template(document: &str) -> Option<&str> {
    let mut rest = document;
    while let Some((_, after)) = rest.split_once(SOURCE) {
        let line = after.lines().next().unwrap_or_default();
        match line.split_once('/') {
            Some((chart, template)) if !chart.is_empty() && !template.is_empty() => return Some(template),
            _ => rest = after,
        }
    }
    None
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Anew, also where there is one.
    Create,
    Append,
}

fn write_file(directory: &Path, name: &str, data: &[u8], mode: Mode) -> Result<(), Error> {
    let path = PathBuf::from(format!("{}/{name}", directory.display()));
    let failed = |action: &'static str, at: &Path| {
        let path = at.to_owned();
        move |source| Error::Write { action, path, source }
    };
    let parent = path.parent().unwrap_or(directory);
    match fs::metadata(parent) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed("stat", parent)(source)),
        _ => {}
    }
    fs::create_dir_all(parent).map_err(failed("mkdir", parent))?;
    let mut options = fs::OpenOptions::new();
    let options = match mode {
        Mode::Create => options.write(true).create(true).truncate(true),
        Mode::Append => options.append(true),
    };
    let mut file = options.open(&path).map_err(failed("open", &path))?;
    let mut text = Vec::new();
    add(&mut text, name, data);
    file.write_all(&text).map_err(failed("write", &path))?;
    writeln!(io::stdout().lock(), "wrote {}", path.display()).map_err(Error::Output)
}
