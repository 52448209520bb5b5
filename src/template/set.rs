//! Compiled templates.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::diagnostic::nearest;
use crate::template::ast::{Code, List};
use crate::template::eval::Evaluator;
use crate::template::file::File;
use crate::template::foreign::Foreign;
use crate::template::function::Functions;
use crate::template::limits::Limits;
use crate::template::workspace::Workspace;
use crate::template::{Budget, Error, ErrorKind, budget, parser};
use crate::value::{Str, Value};

/// One template: a file's own text, or what a `define` in it holds.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) name: Str,
    /// The file it stands in.
    pub(crate) file: Arc<File>,
    /// The nodes of that file.
    pub(crate) code: Arc<Code>,
    pub(crate) root: List,
    /// How many variables it has at the same time.
    pub(crate) slots: usize,
    /// How many nodes of the file were read up to its end.
    pub(crate) nodes: u32,
}

impl Template {
    /// Whether there is nothing in it but white space.
    pub(crate) fn is_empty(&self) -> bool {
        self.code.is_empty(self.root)
    }
}

/// Templates by name.
pub(crate) type Templates = BTreeMap<Str, Arc<Template>>;

/// Compiled templates that can call each other, and the functions they call. Shared between threads; a clone is cheap.
#[derive(Clone, Debug)]
pub struct Set {
    name: Str,
    functions: Arc<Functions>,
    templates: Arc<HashMap<Str, Arc<Template>, RandomState>>,
    foreign: Arc<BTreeMap<Str, Arc<dyn Foreign>>>,
    workspace: Workspace,
}

impl Set {
    /// An empty set. What is parsed into it may call `functions` and Go's built-in ones.
    pub fn new(functions: Arc<Functions>) -> Self {
        Self {
            name: Str::default(),
            functions,
            templates: Arc::default(),
            foreign: Arc::default(),
            workspace: Workspace::default(),
        }
    }

    /// Gives the set the name that errors about missing templates mention.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Parses `text` as the template `name` and adds it, and what it defines. A template of the same name is replaced,
    /// unless the new one holds nothing but white space and comments.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`]; the set is then as it was.
    pub fn parse(&mut self, name: &str, text: impl Into<Str>) -> Result<(), Error> {
        let parsed = parse(name, text.into(), &self.functions, &mut self.workspace)?;
        self.add(parsed);
        Ok(())
    }

    /// As [`Set::parse`], but of files with one text only the first is parsed: a chart often has one library several times,
    /// once for each sub-chart that needs it.
    ///
    /// # Errors
    /// As [`Set::parse`].
    pub(crate) fn parse_alike(&mut self, name: &str, text: Str, known: &mut Alike) -> Result<(), Error> {
        let file = Arc::new(File::new(name, text.clone()));
        let again = known.get(&text).and_then(|(first, parsed)| as_of(parsed, first, &file));
        let parsed = match again {
            Some(parsed) => parsed,
            None => parser::parse(&file, &self.functions, &mut self.workspace)?,
        };
        known.entry(text).or_insert_with(|| (file.name.clone(), parsed.clone()));
        self.add(parsed);
        Ok(())
    }

    fn add(&mut self, parsed: Templates) {
        let templates = Arc::make_mut(&mut self.templates);
        for (name, template) in parsed {
            // As in Go, an empty one does not replace another.
            if !templates.contains_key(&name) || !template.is_empty() {
                templates.insert(name, template);
            }
        }
    }

    /// Frees what only parsing needs.
    pub fn finish(&mut self) {
        self.workspace = Workspace::default();
    }

    /// Adds a template of another language under `name`. A Go template of that name goes before it.
    pub fn add_foreign(&mut self, name: &str, template: Arc<dyn Foreign>) {
        Arc::make_mut(&mut self.foreign).insert(name.into(), template);
    }

    /// The names of all Go templates, in byte order.
    pub fn names(&self) -> impl Iterator<Item = &Str> {
        let mut names: Vec<&Str> = self.templates.keys().collect();
        names.sort_unstable();
        names.into_iter()
    }

    /// Executes the template `name` with `dot`, and writes to `out`. `host` is what functions get from
    /// [`crate::template::function::Engine::host`]. What was written before an error stays in `out`.
    ///
    /// # Errors
    /// [`ErrorKind::NoTemplate`], or why the execution failed.
    pub fn execute(&self, name: &str, dot: Value, run: Run<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let _budget = Budget::open(run.limits, || None);
        let before = out.len();
        let mut evaluator = Evaluator::new(self, run, std::mem::take(out));
        let result = evaluator.execute_named(&Str::from(name), dot);
        *out = evaluator.into_output();
        budget::add_written(out.len().saturating_sub(before));
        result
    }

    pub(crate) fn name(&self) -> &Str {
        &self.name
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    pub(crate) fn foreign(&self, name: &Str) -> Option<&Arc<dyn Foreign>> {
        self.foreign.get(name)
    }

    pub(crate) fn template(&self, name: &Str) -> Option<&Arc<Template>> {
        self.templates.get(name)
    }
}

/// What an execution is given beside its data.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// For the functions.
    pub host: &'a dyn Any,
    /// How much it may use, where no [`Budget`] is open.
    pub limits: Limits,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Parses `text`, called `name`, into the templates it holds.
pub(crate) fn parse(
    name: &str,
    text: Str,
    functions: &Functions,
    workspace: &mut Workspace,
) -> Result<Templates, Error> {
    parser::parse(&Arc::new(File::new(name, text)), functions, workspace)
}

/// What was parsed, by its text, and the name of the file that was parsed.
pub(crate) type Alike = HashMap<Str, (Str, Templates), RandomState>;

/// What was `parsed` of a file called `first`, as it would come of `file`, which has the same text. Nothing where a template
/// that the text defines has the name of one of the files.
fn as_of(parsed: &Templates, first: &Str, file: &Arc<File>) -> Option<Templates> {
    let own = parsed.get(first).filter(|template| template.root.at.id == parser::FIRST_NODE)?;
    if *first != file.name && parsed.contains_key(&file.name) {
        return None;
    }
    let renamed = |(name, template): (&Str, &Arc<Template>)| {
        let name = if Arc::ptr_eq(template, own) { &file.name } else { name };
        let (file, code) = (Arc::clone(file), Arc::clone(&template.code));
        let Template { root, slots, nodes, .. } = **template;
        (name.clone(), Arc::new(Template { name: name.clone(), file, code, root, slots, nodes }))
    };
    Some(parsed.iter().map(renamed).collect())
}

/// The error of a template that does not exist.
pub(crate) fn no_template(name: &Str, set: &Set) -> Error {
    let kind = ErrorKind::NoTemplate { name: name.clone(), set: set.name().clone() };
    Error::new(kind).near(nearest_name(name, set))
}

/// The template that `name`, which none has, was most likely meant to be.
pub(crate) fn nearest_name(name: &Str, set: &Set) -> Option<String> {
    let names: Vec<_> = set.names().map(Str::to_text).collect();
    nearest(&name.to_text(), names.iter().map(AsRef::as_ref)).map(str::to_owned)
}
