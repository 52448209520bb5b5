//! A chart with all its templates parsed.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::chart::Chart;
use crate::render::Error;
use crate::render::handlebars::{self, Library};
use crate::render::include::{FUNCTIONS, SET_NAME};
use crate::render::scope::Scope;
use crate::template::{Alike, Set};

/// A chart and its sub-charts, their templates parsed: what is the same for every render. Shared between threads.
#[derive(Debug)]
pub struct Compiled {
    set: Set,
    /// The charts, each after the one it is a sub-chart of; the root chart is the first.
    scopes: Vec<Scope>,
    /// The templates that are rendered, in Helm's order.
    files: Vec<TemplateFile>,
    templates_path: String,
    policy: Option<OperatorFile>,
    status: Option<OperatorFile>,
}

/// A file of the root chart's `operator/`, which Helm ignores. What it defines only it sees itself.
#[derive(Debug)]
pub(crate) struct OperatorFile {
    /// `demo/operator/policy.yaml`
    pub(crate) path: String,
    /// `demo/templates`
    pub(crate) base_path: String,
    /// The templates of the chart, and this.
    pub(crate) set: Set,
}

/// How its objects are carried out.
pub const POLICY: &str = "operator/policy.yaml";

/// The resource's status.
pub const STATUS: &str = "operator/status.yaml";

/// A template that is rendered by itself.
#[derive(Debug)]
pub(crate) struct TemplateFile {
    /// `demo/templates/deployment.yaml`
    pub(crate) path: String,
    /// `demo/templates`
    pub(crate) base_path: Arc<str>,
    /// Its chart.
    pub(crate) scope: usize,
}

impl Compiled {
    /// Parses every template of `chart` and its sub-charts: deeper paths first, and of equal depth in reverse order, so that
    /// the definitions of the outer charts win.
    ///
    /// # Errors
    /// [`Error::Parse`]
    pub fn new(chart: &Chart) -> Result<Self, Error> {
        let mut tree = Tree { scopes: vec![Scope::root(chart)], templates: Vec::new() };
        tree.add(chart, 0);
        tree.templates.sort_by_cached_key(|(file, _)| Reverse(depth_order(&file.path)));
        // Of two files with one path the later counts, as in a map.
        tree.templates.dedup_by(|(dropped, _), (kept, _)| dropped.path == kept.path);
        let mut set = Set::new(Arc::clone(&FUNCTIONS)).named(SET_NAME);
        let mut library = None;
        // Only sub-charts bring the same files again.
        let mut alike = (tree.scopes.len() > 2).then(Alike::default);
        for (file, text) in &tree.templates {
            let parsed = if handlebars::is_template(&file.path) {
                library.get_or_insert_with(|| Library::new(&FUNCTIONS)).add(&file.path, &file.base_path, text)
            } else if let Some(alike) = &mut alike {
                set.parse_alike(&file.path, Arc::clone(text).into(), alike)
            } else {
                set.parse(&file.path, Arc::clone(text))
            };
            parsed.map_err(Error::Parse)?;
        }
        set.finish();
        if let Some(library) = library {
            library.share(&mut set);
        }
        let templates_path = tree.scopes.first().map(|root| format!("{}/", root.base_path())).unwrap_or_default();
        let files = tree.templates.into_iter().map(|(file, _)| file).filter(|file| !is_partial(&file.path));
        Ok(Self { set, files: files.collect(), scopes: tree.scopes, templates_path, policy: None, status: None })
    }

    /// As [`Compiled::new`], and what is in `operator/` too.
    ///
    /// # Errors
    /// [`Error::Parse`]
    pub fn with_operator(chart: &Chart) -> Result<Self, Error> {
        let mut compiled = Self::new(chart)?;
        compiled.policy = compiled.operator_file(chart, POLICY)?;
        compiled.status = compiled.operator_file(chart, STATUS)?;
        Ok(compiled)
    }

    fn operator_file(&self, chart: &Chart, name: &str) -> Result<Option<OperatorFile>, Error> {
        let (Some(file), Some(root)) = (chart.file(name), self.scopes.first()) else { return Ok(None) };
        let (path, base_path) = (format!("{}/{name}", root.path()), root.base_path());
        let mut set = self.set.clone();
        set.parse(&path, Arc::clone(&file.data)).map_err(Error::Parse)?;
        set.finish();
        Ok(Some(OperatorFile { path, base_path, set }))
    }

    pub(crate) fn policy(&self) -> Option<&OperatorFile> {
        self.policy.as_ref()
    }

    pub(crate) fn status(&self) -> Option<&OperatorFile> {
        self.status.as_ref()
    }

    pub(crate) fn set(&self) -> &Set {
        &self.set
    }

    pub(crate) fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    pub(crate) fn files(&self) -> &[TemplateFile] {
        &self.files
    }

    /// Where the root chart's templates lie: `demo/templates/`.
    pub(crate) fn templates_path(&self) -> &str {
        &self.templates_path
    }
}

struct Tree {
    scopes: Vec<Scope>,
    templates: Vec<(TemplateFile, Arc<[u8]>)>,
}

impl Tree {
    /// Adds the templates of `chart`, which has the index `scope`, and its sub-charts.
    fn add(&mut self, chart: &Chart, scope: usize) {
        for subchart in &chart.dependencies {
            let index = self.scopes.len();
            if let Some(parent) = self.scopes.get(scope) {
                let subscope = parent.subchart(scope, subchart);
                self.scopes.push(subscope);
                self.add(subchart, index);
            }
        }
        let Some(own) = self.scopes.get(scope) else { return };
        let base_path: Arc<str> = own.base_path().into();
        self.templates.reserve(chart.templates.len());
        // The later of two files with one name is met first when paths are sorted.
        for file in chart.templates.iter().rev() {
            if chart.is_library() && !is_partial(&file.name) {
                continue;
            }
            let path = format!("{}/{}", own.path(), file.name);
            let file_ = TemplateFile { path, base_path: Arc::clone(&base_path), scope };
            self.templates.push((file_, Arc::clone(&file.data)));
        }
    }
}

/// Helm's order of paths: by the number of slashes, then by bytes.
fn depth_order(path: &str) -> (usize, String) {
    (path.matches('/').count(), path.to_owned())
}

fn is_partial(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with('_'))
}
