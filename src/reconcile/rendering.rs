//! From a resource to the objects that are sent: what of a pass is pure, so that the command line can show it too.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::catalog::Entry;
use crate::chart;
use crate::reconcile::resource::{Key, Resource};
use crate::release::hook::{Event, Hook};
use crate::release::manifest::{self, Document, Object};
use crate::release::prepare::{Context, Owner};
use crate::release::record::Record;
use crate::release::{self, Gvk, ObjectId, ReleaseId, applyset};
use crate::render::{self, Capabilities, Inputs, Operation, ReleaseInfo, Trace};
use crate::template::function::Wait;
use crate::template::{Budget, Limit};
use crate::values::{self, Checks, Processed, Schemas, overrides, process};
use crate::watches::Watch;
use crate::yaml::{self, Numbers};

/// What a chart rendered.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The text of all objects, as Helm stores it.
    pub manifest: String,
    /// The text of NOTES.txt.
    pub notes: String,
    /// The values that were given beside the chart's own.
    pub config: Json,
    /// In install order.
    pub objects: Vec<Object>,
    /// Hooks of every event, in Helm's install order of their kinds.
    pub hooks: Vec<Hook>,
    /// What the chart's `crds/` hold.
    pub definitions: Vec<Json>,
    /// Whether rendering it again would give something else.
    pub changes_by_itself: bool,
    /// The text of `operator/policy.yaml`; `None` where the chart has none.
    pub policy: Option<String>,
}

impl Rendered {
    /// The objects of its hooks, but for those of tests, which are never run.
    pub(crate) fn hook_objects(&self) -> Vec<Object> {
        let run = self.hooks.iter().filter(|hook| hook.events.iter().any(|event| *event != Event::Test));
        run.filter_map(|hook| manifest::hook_objects(hook).ok()).flatten().collect()
    }

    pub(crate) fn kinds(&self) -> BTreeSet<Gvk> {
        self.objects.iter().map(|object| object.gvk.clone()).collect()
    }
}

/// What a render needs, to be carried to another thread.
#[derive(Debug)]
pub struct Job {
    /// The watch and its chart.
    pub entry: Arc<Entry>,
    /// `.Capabilities`
    pub capabilities: Arc<Capabilities>,
    /// The resource's `spec`.
    pub spec: Json,
    /// `.Release`
    pub release: ReleaseId,
    /// `.Release.Revision`, from 1.
    pub revision: u32,
    /// `.Release.IsInstall` or `.Release.IsUpgrade`.
    pub operation: Operation,
    /// What templates see beside Helm's objects.
    pub context: Arc<render::Context>,
}

/// What templates are rendered with, beside the cluster.
struct Given {
    /// The values that are given beside the chart's own.
    config: Json,
    processed: Processed,
    release: ReleaseInfo,
}

/// Why a resource's chart cannot be rendered. With its causes it is what the user is told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The `spec` is no map; in helm-operator's words.
    #[error("failed to get spec: expected map[string]interface{{}}")]
    Spec,
    /// An override cannot be read.
    #[error(transparent)]
    Override(overrides::Unreadable),
    /// The values do not fit the chart, or the cluster is too old for it.
    #[error(transparent)]
    Values(process::Error),
    /// A template fails.
    #[error(transparent)]
    Render(render::Error),
    /// A template waits: nothing is at fault.
    #[error("{0}")]
    Wait(Wait),
    /// What was rendered are no objects.
    #[error(transparent)]
    Objects(release::Error),
    /// What `operator/status.yaml` rendered is no YAML.
    #[error("cannot read what `{}` renders", render::STATUS)]
    Status(#[source] yaml::Error),
    /// It is something else than a map.
    #[error("expected `{}` to render a map", render::STATUS)]
    NoMap,
    /// The chart has hooks, and no record is kept of how far they are.
    #[error("the chart has hooks, such as `{kind}` `{name}` in {path}: expected `history` to be at least 1, found 0")]
    HooksWithoutHistory {
        /// The template.
        path: String,
        /// The hook's kind.
        kind: String,
        /// The hook's name.
        name: String,
    },
    /// Reading the chart, or what was rendered, took more than it may.
    #[error("{limit}")]
    Limit {
        /// The limit that was reached.
        limit: Limit,
        /// What could not be done.
        source: Box<Self>,
    },
    /// A file in `crds/` is no manifest.
    #[error(transparent)]
    Definitions(chart::Error),
}

impl Error {
    /// The limit that was reached, if that is why.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Limit { limit, .. } => Some(*limit),
            Self::Render(error) => error.template().limit().copied(),
            _ => None,
        }
    }

    fn of_render(error: render::Error) -> Self {
        match error.template().waiting() {
            Some(wait) => Self::Wait(wait.clone()),
            None => Self::Render(error),
        }
    }
}

impl Job {
    /// Renders, and reads what was rendered, all within the watch's budget.
    ///
    /// # Errors
    /// [`Error`]
    pub fn render(&self, world: Rc<dyn render::World>) -> Result<Rendered, Error> {
        self.traced(world).0
    }

    /// As [`Job::render`], and what was asked, also where it failed.
    pub fn traced(&self, world: Rc<dyn render::World>) -> (Result<Rendered, Error>, Trace) {
        self.within_budget(world, Self::rendered)
    }

    /// What `operator/status.yaml` renders with this `.Outcome`, a map, and what was asked; `None` where the chart has none.
    /// It tells of a `spec` that does not fit the chart's schema too.
    pub fn status(&self, world: Rc<dyn render::World>, outcome: &Json) -> (Result<Option<Json>, Error>, Trace) {
        self.within_budget(world, |job, world, trace| job.rendered_status(world, outcome, trace))
    }

    fn within_budget<T>(
        &self,
        world: Rc<dyn render::World>,
        render: impl FnOnce(&Self, Rc<dyn render::World>, &mut Trace) -> Result<T, Error>,
    ) -> (Result<T, Error>, Trace) {
        let clock = Rc::clone(&world);
        let _budget = Budget::open(self.entry.limits, move || clock.elapsed());
        let mut trace = Trace::default();
        let rendered = render(self, world, &mut trace);
        let rendered = rendered.map_err(|error| match (error.limit(), Budget::reached()) {
            (None, Some(limit)) => Error::Limit { limit, source: Box::new(error) },
            _ => error,
        });
        (rendered, trace)
    }

    fn rendered(&self, world: Rc<dyn render::World>, trace: &mut Trace) -> Result<Rendered, Error> {
        let Given { config, processed, release } = self.given(Schemas::Enforced, trace)?;
        let Processed { chart, values, .. } = processed;
        let compiled = self.entry.compiled(&chart).map_err(Error::Render)?;
        let (rendered, asked) = render::traced(&compiled, self.inputs(&values, &release), world);
        trace.add(asked);
        let rendered = rendered.map_err(Error::of_render)?;
        let sorted = manifest::sort(&rendered.files).map_err(Error::Objects)?;
        self.check_hooks(&sorted.hooks)?;
        let objects = sorted.objects().map_err(Error::Objects)?;
        let changes_by_itself = trace.chance_or_clock;
        let definitions = chart.definitions().map_err(Error::Definitions)?;
        let render::Rendered { notes, policy, .. } = rendered;
        let (manifest, hooks) = (sorted.text(), sorted.hooks);
        Ok(Rendered { manifest, notes, config, objects, hooks, definitions, changes_by_itself, policy })
    }

    fn rendered_status(
        &self,
        world: Rc<dyn render::World>,
        outcome: &Json,
        trace: &mut Trace,
    ) -> Result<Option<Json>, Error> {
        let Given { processed, release, .. } = self.given(Schemas::Skipped, trace)?;
        let compiled = self.entry.compiled(&processed.chart).map_err(Error::Render)?;
        let inputs = self.inputs(&processed.values, &release);
        let (text, asked) = render::status(&compiled, inputs, outcome, world);
        trace.add(asked);
        let Some(text) = text.map_err(Error::of_render)? else { return Ok(None) };
        match yaml::to_json(&text, Numbers::Exact).map_err(Error::Status)? {
            Json::Null => Ok(Some(Json::Object(serde_json::Map::new()))),
            status @ Json::Object(_) => Ok(Some(status)),
            _ => Err(Error::NoMap),
        }
    }

    /// The values, and the chart with the sub-charts that they choose.
    fn given(&self, schemas: Schemas, trace: &mut Trace) -> Result<Given, Error> {
        if !self.spec.is_object() {
            return Err(Error::Spec);
        }
        let config = self.entry.values(&self.spec).map_err(Error::Override)?;
        let kube_version = self.capabilities.kube_version();
        let checked = !self.entry.chart.metadata.kube_version.is_empty();
        trace.asked.kube_version = checked.then(|| kube_version.version.clone());
        let (version, normalized) = (kube_version.version.as_str(), kube_version.normalized.as_str());
        let checks = Checks { kube_version: version, normalized, schemas };
        let processed = values::process_with(&self.entry.chart, &config, checks).map_err(Error::Values)?;
        let release = ReleaseInfo {
            name: self.release.name.clone(),
            namespace: self.release.namespace.clone(),
            revision: i64::from(self.revision),
            operation: self.operation,
        };
        Ok(Given { config, processed, release })
    }

    fn inputs<'a>(&'a self, values: &'a Json, release: &'a ReleaseInfo) -> Inputs<'a> {
        let (capabilities, limits) = (&*self.capabilities, self.entry.limits);
        Inputs { values, release, capabilities, context: Some(&self.context), limits }
    }

    /// Refuses hooks that cannot be run, before anything is written.
    fn check_hooks(&self, hooks: &[Hook]) -> Result<(), Error> {
        for hook in hooks.iter().filter(|hook| hook.events.iter().any(|event| *event != Event::Test)) {
            if self.entry.watch.history == 0 {
                let (path, kind, name) = (hook.path.clone(), hook.kind.clone(), hook.name.clone());
                return Err(Error::HooksWithoutHistory { path, kind, name });
            }
            manifest::hook_objects(hook).map_err(Error::Objects)?;
        }
        Ok(())
    }
}

impl Rendered {
    /// What a record holds.
    pub(crate) fn stored(record: &Record) -> Result<Self, release::Error> {
        let documents = manifest::stored(&record.manifest)?;
        let objects = documents.iter().map(Document::objects).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            manifest: record.manifest.clone(),
            notes: record.info.notes.clone(),
            config: Json::Object(record.config.clone()),
            objects: objects.into_iter().flatten().collect(),
            hooks: record.hooks.iter().map(Hook::from).collect(),
            definitions: Vec::new(),
            changes_by_itself: true,
            policy: None,
        })
    }
}

/// The resource of a watch as the parent of its ApplySet.
pub fn parent(watch: &Watch, key: &Key) -> ObjectId {
    let (namespace, name) = (key.namespace.clone(), key.name.clone());
    ObjectId { group: watch.gvk.group.clone(), kind: watch.gvk.kind.clone(), namespace, name }
}

/// The release of a resource: in its own namespace, else in that of the watch, else in `own`, the operator's.
pub fn release_of(watch: &Watch, key: &Key, own: &str) -> ReleaseId {
    let of_watch = watch.release_namespace.as_deref().unwrap_or(own);
    let namespace = if key.namespace.is_empty() { of_watch } else { &key.namespace };
    ReleaseId { name: key.name.clone(), namespace: namespace.to_owned() }
}

/// What all objects of a resource are marked with before they are sent.
pub fn context(entry: &Entry, resource: &Resource, release: ReleaseId) -> Context {
    let (key, gvk) = (resource.key(), &entry.watch.gvk);
    Context {
        chart: entry.chart.name().to_owned(),
        part_of: applyset::id(&parent(&entry.watch, &key)),
        recorded: entry.watch.history > 0,
        release,
        owner: Owner {
            gvk: Gvk { group: gvk.group.clone(), version: gvk.version.clone(), kind: gvk.kind.clone() },
            namespace: key.namespace,
            name: key.name,
            uid: resource.uid().to_owned(),
        },
    }
}
