//! One render, on a thread of its own, and what it asked.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::chart::Chart;
use crate::cluster;
use crate::cluster::discovery::Served;
use crate::cluster::lookup::Contents;
use crate::cluster::world::{Chance, ClusterWorld, Looked, Sight};
use crate::diagnostic::chain;
use crate::metrics::{Budget, OfController, Outcome, Render};
use crate::reconcile::context::Memo;
use crate::reconcile::desire::refused;
use crate::reconcile::pass::{Cause, Failure, Pass, Refusal};
use crate::reconcile::rendering::{self, Job, Rendered};
use crate::reconcile::trace::Trace;
use crate::release::operation::Operation;
use crate::release::record::Record;
use crate::release::secret::Secrets;
use crate::render;
use crate::template::Limit;
use crate::template::function::Wait;
use crate::watches::lookup::Wanted;

/// What decides how a render comes out beside what it asks.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// `.Release.Revision`
    pub(crate) revision: u32,
    /// `.Release.IsInstall` or `.Release.IsUpgrade`
    pub(crate) operation: render::Operation,
    pub(crate) chance: Chance,
}

impl Terms {
    pub(crate) fn new(revision: u32, operation: Operation) -> Self {
        let operation = match operation {
            Operation::Install => render::Operation::Install,
            Operation::Upgrade | Operation::Rollback { .. } => render::Operation::Upgrade,
        };
        Self { revision, operation, chance: Chance::draw() }
    }
}

/// What was rendered.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) rendered: Rendered,
    pub(crate) trace: Trace,
    /// On which terms; `None` where it was rendered before and kept.
    pub(crate) terms: Option<Terms>,
}

impl Attempt {
    /// What the record of the revision that runs holds.
    pub(crate) fn running(record: &Record, memo: &Memo) -> Result<Self, Failure> {
        let mut attempt = Self::stored(record, memo.trace.clone())?;
        attempt.rendered.changes_by_itself = memo.changes_by_itself;
        Ok(attempt)
    }

    /// What a record holds, and what had been asked to render it.
    pub(crate) fn stored(record: &Record, trace: Trace) -> Result<Self, Failure> {
        let rendered = Rendered::stored(record).map_err(|error| refused(&error))?;
        Ok(Self { rendered, trace, terms: None })
    }
}

/// Why nothing was rendered.
pub(crate) struct NotRendered {
    /// What the user is told.
    message: String,
    /// The chart's word for what it waits for, if it does.
    wait: Option<String>,
    /// The limit that was reached, if that was it.
    limit: Option<Limit>,
    /// The call that failed, if that was it.
    call: Option<cluster::Error>,
    pub(crate) trace: Trace,
}

impl NotRendered {
    /// What the user has to change, unless time may mend it.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let cause = if self.limit.is_some() { Cause::Budget } else { Cause::Render };
        self.call.is_none().then(|| Refusal { cause, wait: self.wait.clone(), message: self.message.clone() })
    }

    pub(crate) fn failure(self) -> Failure {
        match (self.refusal(), self.call) {
            (None, Some(error)) => Failure::Call(error),
            (refusal, _) => {
                Failure::Refused(refusal.unwrap_or(Refusal { cause: Cause::Render, wait: None, message: self.message }))
            }
        }
    }
}

/// Why something could not be rendered, brought from the thread that tried.
struct Fault {
    message: String,
    limit: Option<Limit>,
    wait: Option<Wait>,
}

impl Fault {
    fn of(error: &rendering::Error) -> Self {
        let wait = if let rendering::Error::Wait(wait) = error { Some(wait.clone()) } else { None };
        Self { message: chain(error), limit: error.limit(), wait }
    }
}

impl Pass<'_> {
    /// Renders the chart.
    pub(crate) async fn render(&self, terms: Terms) -> Result<Attempt, Box<NotRendered>> {
        let start = Instant::now();
        let (rendered, trace, call) = self.on_a_thread(&terms, |job, world| job.traced(world)).await;
        self.count_render(rendered.as_ref().map(drop).map_err(|fault| fault.limit), start.elapsed());
        match rendered {
            Ok(rendered) => Ok(Attempt { rendered, trace, terms: Some(terms) }),
            Err(fault) => {
                let Fault { message, limit, wait } = self.without_secrets(fault, &trace);
                let (wait, message) = wait.map_or((None, message), |wait| (Some(wait.reason), wait.message));
                Err(Box::new(NotRendered { message, wait, limit, call, trace }))
            }
        }
    }

    /// Renders the chart's `operator/status.yaml` with this `.Outcome`; a fault as users read it.
    pub(crate) async fn render_status(&self, terms: &Terms, outcome: Json) -> (Result<Json, String>, Trace) {
        let (rendered, trace, call) = self.on_a_thread(terms, move |job, world| job.status(world, &outcome)).await;
        let rendered = match (rendered, call) {
            (Ok(status), _) => Ok(status.unwrap_or_else(|| json!({}))),
            (Err(_), Some(call)) => Err(call.message()),
            (Err(fault), None) => Err(self.without_secrets(fault, &trace).message),
        };
        (rendered, trace)
    }

    /// Renders something of the chart on a thread of its own. Gives what came of it, what was asked, and the call that failed,
    /// if one did.
    async fn on_a_thread<T: Send + 'static>(
        &self,
        terms: &Terms,
        render: impl FnOnce(&Job, Rc<ClusterWorld>) -> (Result<T, rendering::Error>, render::Trace) + Send + 'static,
    ) -> (Result<T, Fault>, Trace, Option<cluster::Error>) {
        let job = self.job(terms);
        let (cluster, discovery) = (self.cluster.clone(), self.context.discovery.clone());
        let (runtime, sight, chance) = (tokio::runtime::Handle::current(), self.sight(), terms.chance.clone());
        let render = move || {
            let world = Rc::new(ClusterWorld::new(cluster, discovery, runtime, sight, chance));
            let (rendered, trace) = render(&job, Rc::clone(&world));
            (rendered.map_err(|error| Fault::of(&error)), trace, world.take_looked())
        };
        let (rendered, trace, looked) = match tokio::task::spawn_blocking(render).await {
            Ok(answer) => answer,
            Err(panic) => match panic.try_into_panic() {
                // A bug of ours: the pass ends as if it had panicked itself.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(cancelled) => {
                    let fault = Fault { message: cancelled.to_string(), limit: None, wait: None };
                    (Err(fault), render::Trace::default(), Looked::default())
                }
            },
        };
        self.learn(&looked);
        (rendered, Trace::new(trace, &looked), looked.failed)
    }

    fn job(&self, terms: &Terms) -> Job {
        Job {
            entry: Arc::clone(&self.entry),
            capabilities: self.context.capabilities.borrow().clone(),
            spec: self.spec().cloned().unwrap_or_else(|| json!({})),
            release: self.release.clone(),
            revision: terms.revision,
            operation: terms.operation,
            context: Arc::new(self.seen(&self.resource)),
        }
    }

    /// A fault without what it repeats of the values, and with what was not shown to the templates: the likeliest cause.
    fn without_secrets(&self, fault: Fault, trace: &Trace) -> Fault {
        // Functions repeat what they were given.
        let secrets = Secrets::of(self.spec().unwrap_or(&Json::Null));
        let mut message = secrets.redact(&fault.message);
        message.extend(trace.denied().map(|what| format!("\nanswered as if there were nothing: lookup of {what}")));
        let wait = fault.wait.map(|wait| Wait { message: secrets.redact(&wait.message), ..wait });
        Fault { message, wait, ..fault }
    }

    /// What the watch lets its templates see of the cluster.
    fn sight(&self) -> Sight {
        let (entry, own) = (Arc::clone(&self.entry), self.resource.namespace().to_owned());
        let in_tpl = entry.watch.lookup.in_tpl;
        let permits = move |served: &Served, namespace: &str| {
            let (group, kind) = (served.resource.group.as_str(), served.resource.kind.as_str());
            let namespace = served.namespaced.then_some(namespace);
            entry.watch.lookup.permits(&own, Wanted { group, kind, namespace })
        };
        Sight { permits: Box::new(permits), in_tpl }
    }

    /// Whether the watch permits objects of a kind to be looked up; `namespace` is none for a cluster-scoped kind.
    pub(crate) fn may_look_up(&self, group: &str, kind: &str, namespace: Option<&str>) -> bool {
        self.entry.watch.lookup.permits(self.resource.namespace(), Wanted { group, kind, namespace })
    }

    fn learn(&self, looked: &Looked) {
        for (lookup, contents) in &looked.found {
            self.context.lookups.learn(&self.set, lookup, Contents::clone(contents));
        }
    }

    fn count_render(&self, result: Result<(), Option<Limit>>, took: Duration) {
        let controller = self.controller.name.clone();
        let outcome = if result.is_ok() { Outcome::Success } else { Outcome::Error };
        let metrics = &self.context.metrics;
        metrics.renders.get_or_create(&Render { controller: controller.clone(), result: outcome }).inc();
        if let Err(Some(limit)) = result {
            let budget = Budget { budget: limit.name(), controller: controller.clone() };
            metrics.budget_exceeded.get_or_create(&budget).inc();
        }
        metrics.render_seconds.get_or_create(&OfController { controller }).observe(took.as_secs_f64());
        self.context.lookups.rendered(&self.set, took);
    }
}

/// Whether templates of `chart` may print which revision they are rendered for, or whether it is the first. Whatever prints
/// it names it, or takes `.Release` as a whole.
pub(crate) fn tells_revision(chart: &Chart) -> bool {
    let names = |text: &[u8]| {
        let mut rest = text;
        while let Some(at) = memchr::memmem::find(rest, b"Release") {
            rest = rest.get(at + b"Release".len()..).unwrap_or_default();
            if !matches!(rest, [b'.', b'N' | b'S', ..]) {
                return true;
            }
        }
        false
    };
    chart.templates.iter().any(|template| names(&template.data)) || chart.dependencies.iter().any(tells_revision)
}
