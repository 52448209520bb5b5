//! Templates in the Handlebars language: the files of `templates/` whose name ends in `.hbs`, rendered by the crate
//! `handlebars` over the data that Go templates see.
//!
//! **Helm renders every file of `templates/` as a Go template, whatever its name, so a chart that must also work in Helm
//! has no `.hbs` files.**
//!
//! What Go templates write as `.Values.x` is `Values.x` here, and each of their functions is a helper that takes the same
//! arguments in the same order: `{{ .Values.x | toYaml | nindent 4 }}` is `{{nindent 4 (toYaml Values.x)}}`. Nothing is
//! escaped for HTML. The two worlds are one set of templates: each includes the other's by name. What runs here counts
//! against the same [`crate::template::Limits`], though the crate itself knows no limits:
//!
//! - [`syntax`] refuses what would be nested too deeply before the crate's recursive parser sees it, and weaves calls into
//!   the parsed template that count each execution of a block's body and each value that the crate copies;
//! - [`bridge`] is what these calls and the functions reach: the running execution of the Go engine;
//! - [`data`] is the data as JSON, and arguments back as Go's values;
//! - [`error`] gives errors the form of the Go ones.

mod bridge;
mod data;
mod error;
mod syntax;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use handlebars::{Context, Handlebars, RenderContext, Renderable as _};

use crate::diagnostic::Source;
use crate::render::handlebars::bridge::Bridge;
use crate::template::foreign::{Execution, Foreign};
use crate::template::function::Functions;
use crate::template::{Error, ErrorKind, Set};
use crate::value::{Str, Value};

/// What the name of such a file ends in.
const EXTENSION: &str = ".hbs";

/// How much of the stack one template needs until the next is executed, in levels of the Go evaluator.
const LEVELS: usize = 6;

/// Whether the file is a Handlebars template.
pub(crate) fn is_template(path: &str) -> bool {
    path.ends_with(EXTENSION)
}

/// The Handlebars templates of a chart and its sub-charts.
pub(crate) struct Library {
    registry: Handlebars<'static>,
    /// What they can call.
    functions: BTreeSet<&'static str>,
    /// The files by path.
    sources: BTreeMap<String, Arc<Source>>,
    /// Paths by the names under which they can be included.
    names: BTreeMap<String, String>,
}

impl Library {
    /// An empty library whose templates call `functions` and Go's own.
    pub(crate) fn new(functions: &Functions) -> Self {
        let functions: BTreeSet<_> = bridge::names(functions).collect();
        let registry = bridge::registry(&functions);
        Self { registry, functions, sources: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// Parses a file. It can be included by its path, and a partial such as `demo/templates/parts/_nav.html.hbs` also as
    /// `parts/nav.html`; of two with one name the later counts.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`]
    pub(crate) fn add(&mut self, path: &str, base_path: &str, text: &[u8]) -> Result<(), Error> {
        let source = Arc::new(Source { name: path.to_owned(), text: Str::from(text).to_text().into_owned() });
        let template = syntax::parse(&source, |name| self.functions.contains(name))?;
        let short = path.strip_prefix(base_path).and_then(|path| short_name(path.strip_prefix('/')?));
        for name in short.into_iter().chain([path.to_owned()]) {
            self.registry.register_template(&name, template.clone());
            self.names.insert(name, path.to_owned());
        }
        self.sources.insert(path.to_owned(), source);
        Ok(())
    }

    /// Puts the templates among those of `set`.
    pub(crate) fn share(self, set: &mut Set) {
        let library = Arc::new(self);
        for name in library.names.keys() {
            set.add_foreign(name, Arc::new(Entry { library: Arc::clone(&library), name: name.clone() }));
        }
    }

    /// Whether `word` stands in a template.
    fn names(&self, word: &str) -> bool {
        self.sources.values().any(|source| source.text.contains(word))
    }

    pub(crate) fn source(&self, path: &str) -> Option<&Arc<Source>> {
        self.sources.get(path)
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("names", &self.names).finish_non_exhaustive()
    }
}

/// `parts/nav.html` of `parts/_nav.html.hbs`; nothing if it is no partial.
fn short_name(file: &str) -> Option<String> {
    let (directory, name) = file.rsplit_once('/').map_or(("", file), |(directory, name)| (directory, name));
    let name = name.strip_prefix('_')?.strip_suffix(EXTENSION)?;
    Some(if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") })
}

/// One template of a library.
#[derive(Debug)]
struct Entry {
    library: Arc<Library>,
    name: String,
}

impl Entry {
    fn path(&self) -> &str {
        self.library.names.get(&self.name).unwrap_or(&self.name)
    }

    fn render(&self, execution: &mut dyn Execution, dot: &Value) -> Result<(), Error> {
        let path = self.path();
        let at_start = |kind| error::at_start(&self.library, path, kind);
        let view = data::view_of_dot(dot, |name| self.library.names(name));
        let view = view.ok_or_else(|| at_start(ErrorKind::Message(data::TOO_DEEP.to_owned())))?;
        execution.spend(data::weight(&view)).map_err(|limit| at_start(ErrorKind::Limit(limit)))?;
        let context = Context::from(view);
        let bridge = Bridge::new(execution, dot, context.data());
        let Some(template) = self.library.registry.get_template(&self.name) else { return Ok(()) };
        let mut state = RenderContext::new(None);
        bridge.offer(&mut state);
        let rendered = template.render(&self.library.registry, &context, &mut state, &mut bridge.output());
        rendered.map_err(|error| error::located(&self.library, path, &error))
    }
}

impl Foreign for Entry {
    fn execute(&self, execution: &mut dyn Execution, dot: Value) -> Result<(), Error> {
        let limited = |limit| error::at_start(&self.library, self.path(), ErrorKind::Limit(limit));
        execution.descend(LEVELS).map_err(limited)?;
        let result = self.render(execution, &dot);
        execution.ascend(LEVELS);
        result
    }
}
