//! Runs hooks. A pass never waits for one: it ends, and the watch on the hook's object, or a timer, begins the next.
//!
//! How far the hooks are is kept in the record, in Helm's own field, so that a crash neither repeats nor skips one: an object
//! tells by a label which run made it, and that a run was begun and how it ended is written before anything that follows.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::core::params::Preconditions;
use serde_json::{Value as Json, json};

use crate::cluster::discovery::Served;
use crate::cluster::objects::Target;
use crate::cluster::{Error, Fate};
use crate::diagnostic::chain;
use crate::reconcile::context::{Memo, WatchState};
use crate::reconcile::observe::controller_of;
use crate::reconcile::pass::{Failure, Pass, log};
use crate::reconcile::rendering;
use crate::reconcile::work::{Begun, Work};
use crate::release::hook::run::{self, Found, Next, NotReady, Stage, State};
use crate::release::hook::{self, DeletePolicy, Event, Hook};
use crate::release::plan::Plan;
use crate::release::prepare::{self, Prepared};
use crate::release::record::HookRun;
use crate::release::{Digest, Gvk, labels, manifest, patches};

/// Between two looks at an object that nobody watches.
pub(crate) const POLL: Duration = Duration::from_secs(2);

/// The longest pause between two looks at one that is watched.
const LOOK: Duration = Duration::from_mins(1);

/// How long the deletion of a hook's object is waited for, in seconds, counted from the end of its own period of grace.
const DELETION: i64 = 300;

/// Why hooks are not through.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// One is under way.
    Running {
        /// What is waited for.
        message: String,
        /// When to look at the latest.
        wake: Duration,
    },
    /// An object is being deleted that has to go first: what is waited for.
    Leaving(String),
    /// One failed: what Helm says of it.
    Failed(String),
}

/// The object of a hook.
struct Piece {
    object: Prepared,
    served: Arc<Served>,
}

impl Piece {
    fn target(&self) -> Target<'_> {
        Target { served: &self.served, namespace: &self.object.id.namespace, name: &self.object.id.name }
    }

    fn takes_time(&self) -> bool {
        run::takes_time(&self.object.id.group, &self.object.id.kind)
    }

    fn not_ready(&self, status: &'static str, message: &str) -> String {
        let id = &self.object.id;
        NotReady { kind: &id.kind, namespace: &id.namespace, name: &id.name, status, message }.to_string()
    }
}

impl Pass<'_> {
    /// Runs the hooks of an operation's event. Gives why they are not through, if they are not.
    pub(crate) async fn run_hooks(
        &self,
        memo: &mut Memo,
        work: &mut Work,
        plan: &Plan,
        event: Event,
    ) -> Result<Option<Held>, Failure> {
        let Some(operation) = work.operation else { return Ok(None) };
        let Some(begun) = &mut work.begun else { return Ok(None) };
        let known: Vec<_> = begun.record.hooks.iter().map(Hook::from).collect();
        if hook::of_event(&known, event).is_empty()
            || (begun.stage.event == operation.after() && event != operation.after())
        {
            return Ok(None);
        }
        if begun.stage.event != event {
            self.enter(memo, work.inputs, begun, Stage::first(event)).await?;
        }
        let places: Vec<_> = plan.hooks(event).map(|step| step.place).collect();
        let held = self.run_event(memo, work.inputs, begun, &places).await?;
        Ok(held.map(|held| match held {
            Held::Failed(message) => Held::Failed(operation.hook_failed(event, &message)),
            waiting => waiting,
        }))
    }

    /// Begins with the hooks of another event: what is recorded of earlier runs is cleared.
    pub(crate) async fn enter(
        &self,
        memo: &mut Memo,
        inputs: Digest,
        begun: &mut Begun,
        stage: Stage,
    ) -> Result<(), Failure> {
        begun.stage = stage;
        for hook in &mut begun.record.hooks {
            let is_of = hook.events.iter().any(|name| name == stage.event.name());
            // A hook that succeeded in an earlier try is through.
            if is_of && !(stage.tries > 1 && hook.last_run.has_succeeded()) {
                hook.last_run = HookRun::default();
            }
        }
        self.save(memo, inputs, begun).await
    }

    /// Runs the hooks at `places` one after the other, then deletes those that are to go when all have succeeded.
    pub(crate) async fn run_event(
        &self,
        memo: &mut Memo,
        inputs: Digest,
        begun: &mut Begun,
        places: &[usize],
    ) -> Result<Option<Held>, Failure> {
        for place in places {
            let Some(before) = begun.record.hooks.get(*place).map(|hook| hook.last_run.clone()) else { continue };
            let held = self.run_hook(begun, *place).await?;
            let Some(hook) = begun.record.hooks.get_mut(*place) else { continue };
            let now = Timestamp::now();
            match &held {
                None => hook.last_run = hook.last_run.ended(now, true),
                Some(Held::Failed(_)) => hook.last_run = hook.last_run.ended(now, false),
                Some(Held::Running { .. } | Held::Leaving(_)) => {}
            }
            let begins = !before.is_under_way() && hook.last_run.is_under_way();
            let through = before.is_under_way() && held.is_none();
            if through {
                log!(info, self, "Hook succeeded", hook = format!("{} {}", hook.kind, hook.name));
            }
            if begins || through {
                self.save(memo, inputs, begun).await?;
            }
            if held.is_some() {
                return Ok(held);
            }
        }
        self.remove_succeeded(memo, inputs, begun).await
    }

    /// Brings one hook as far as it can be brought now.
    async fn run_hook(&self, begun: &mut Begun, place: usize) -> Result<Option<Held>, Failure> {
        let Some(recorded) = begun.record.hooks.get(place) else { return Ok(None) };
        let (hook, run) = (Hook::from(recorded), recorded.last_run.clone());
        let mark = begun.stage.mark(begun.record.revision);
        let pieces = match self.pieces(&hook, begun.stage, &mark).await? {
            Ok(pieces) => pieces,
            Err(message) => return Ok(Some(Held::Failed(message))),
        };
        let mut waiting = None;
        for piece in &pieces {
            match self.run_piece(&hook, &run, piece, &mark).await? {
                None => {}
                Some(running @ Held::Running { .. }) => waiting = waiting.or(Some(running)),
                Some(other) => return Ok(Some(other)),
            }
        }
        if waiting.is_some()
            && !run.is_under_way()
            && let Some(recorded) = begun.record.hooks.get_mut(place)
        {
            recorded.last_run = HookRun::begun(Timestamp::now());
        }
        Ok(waiting)
    }

    /// Brings one object of a hook as far as it can be brought now.
    async fn run_piece(&self, hook: &Hook, run: &HookRun, piece: &Piece, mark: &str) -> Result<Option<Held>, Failure> {
        if piece.takes_time() {
            self.watch_hooks(piece);
        }
        let mut live = self.cluster.get(piece.target()).await?;
        loop {
            let found = self.found(piece, live.as_ref(), mark);
            match run::next(hook, piece.takes_time(), run.is_under_way(), found) {
                Next::Look(state) => return Ok(self.judge(piece, run, live.as_ref(), state)),
                Next::AwaitDeletion => return Ok(Some(being_deleted(piece, live.as_ref()))),
                Next::Delete => {
                    self.delete_piece(piece, live.as_ref()).await?;
                    live = self.cluster.get(piece.target()).await?;
                    if live.is_some() {
                        return Ok(Some(being_deleted(piece, live.as_ref())));
                    }
                }
                Next::Create => match self.cluster.apply(piece.target(), &piece.object.body).await {
                    Ok(object) => {
                        self.count("apply");
                        return Ok(self.judge(piece, run, Some(&object), State::of(&object)));
                    }
                    Err(error) if self.may_be_skipped(&error) => return Ok(None),
                    Err(error) if error.fate() == Fate::User => {
                        let told =
                            format!("warning: Hook {} {} failed: {}", mark_event(mark), hook.path, error.message());
                        return Ok(Some(Held::Failed(told)));
                    }
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    /// What is under the name of a hook's object.
    fn found(&self, piece: &Piece, live: Option<&Json>, mark: &str) -> Found {
        let Some(live) = live else {
            let seen = self.context.hooks.end_of(&self.set, &piece.object.id, mark);
            return seen.map_or(Found::Absent, Found::Own);
        };
        let label = |name| live.pointer("/metadata/labels").and_then(|labels| labels.get(name)).and_then(Json::as_str);
        let (hook_of, part_of) = (label(labels::HOOK_OF), label(labels::PART_OF));
        if hook_of == Some(&*self.set) && label(labels::HOOK_RUN) == Some(mark) {
            return Found::Own(State::of(live));
        }
        let controller = controller_of(live);
        let controlled = controller.as_ref().is_some_and(|controller| controller.uid == self.resource.uid());
        if let Some(other) = part_of.or(hook_of).filter(|set| **set != *self.set) {
            return Found::Taken(match self.context.describe_owner(other) {
                Some(owner) => format!("belongs to {owner}"),
                None => format!("belongs to another resource (ApplySet `{other}`)"),
            });
        }
        if let Some(other) = controller.filter(|_| !controlled) {
            return Found::Taken(format!("is controlled by {}", other.description));
        }
        let deleting = live.pointer("/metadata/deletionTimestamp").is_some();
        Found::Former { deleting, ours: controlled || hook_of.is_some() || part_of.is_some() }
    }

    /// What an object's state means for its hook.
    fn judge(&self, piece: &Piece, run: &HookRun, live: Option<&Json>, state: State) -> Option<Held> {
        match state {
            State::Succeeded => None,
            State::Failed(message) => Some(Held::Failed(piece.not_ready("Failed", &message))),
            State::Running(message) => {
                let timeout = live.map_or(LOOK.as_secs().cast_signed(), run::timeout);
                let since = run.started_at.map_or(0, |start| Timestamp::now().as_second() - start.as_second());
                let left = timeout - since;
                if left <= 0 {
                    let told = piece.not_ready("InProgress", message);
                    return Some(Held::Failed(format!("{told}: not within {timeout} s: context deadline exceeded")));
                }
                let left = Duration::from_secs(left.unsigned_abs());
                let message = format!("hook `{}` is under way: {message}", piece.object.id);
                Some(Held::Running { message, wake: left.min(self.until_next_look(piece)) })
            }
        }
    }

    /// How long nobody may look at a hook's object.
    fn until_next_look(&self, piece: &Piece) -> Duration {
        let states = self.context.watching.ensure_hooks(&piece.served);
        let synced = !states.is_empty() && states.iter().all(|state| *state.borrow() == WatchState::Synced);
        if synced { LOOK } else { POLL }
    }

    fn watch_hooks(&self, piece: &Piece) {
        // Its state is asked for when the pass ends; what happens until then is read.
        drop(self.context.watching.ensure_hooks(&piece.served));
    }

    /// The objects of a hook as they are sent, or why there are none.
    async fn pieces(&self, hook: &Hook, stage: Stage, mark: &str) -> Result<Result<Vec<Piece>, String>, Error> {
        let cannot = |why: String| {
            format!("unable to build kubernetes object for {} hook {}: {why}", stage.event.name(), hook.path)
        };
        let mut objects = match manifest::hook_objects(hook) {
            Ok(objects) => objects,
            Err(error) => return Ok(Err(cannot(chain(&error)))),
        };
        if let Err(error) = patches::apply(&mut objects, &self.entry.watch.patches) {
            return Ok(Err(cannot(chain(&error))));
        }
        let context = rendering::context(&self.entry, &self.resource, self.release.clone());
        let mut pieces = Vec::new();
        for (place, object) in objects.into_iter().enumerate() {
            let served = match self.context.discovery.resolve(&object.gvk).await {
                Ok(served) => served,
                // A kind that is gone must not stand in the way of a deletion.
                Err(error @ Error::NotServed { .. }) if self.may_be_skipped(&error) => continue,
                Err(error @ Error::NotServed { .. }) => return Ok(Err(cannot(error.message()))),
                Err(error) => return Err(error),
            };
            match prepare::hook(object, &context, &|_: &Gvk| Some(served.scope())) {
                Ok((object, _)) => pieces.push(Piece { object: self.marked(object, place, mark), served }),
                Err(error) => return Ok(Err(cannot(chain(&error)))),
            }
        }
        Ok(Ok(pieces))
    }

    /// The object with the labels by which it is found again, and with a name.
    fn marked(&self, mut object: Prepared, place: usize, mark: &str) -> Prepared {
        let Some(metadata) = object.body.get_mut("metadata").and_then(Json::as_object_mut) else { return object };
        if let Some(marks) = metadata.get_mut("labels").and_then(Json::as_object_mut) {
            marks.insert(labels::HOOK_OF.to_owned(), json!(&*self.set));
            marks.insert(labels::HOOK_RUN.to_owned(), json!(mark));
        }
        if object.id.name.is_empty() {
            // As the API server would name it, but the same again after a crash.
            let prefix = metadata.remove("generateName").and_then(|prefix| prefix.as_str().map(str::to_owned));
            let suffix = Digest::of(format!("{mark} {place} {}", object.source)).to_string();
            object.id.name = format!("{}{}", prefix.unwrap_or_default(), suffix.get(..8).unwrap_or(&suffix));
            metadata.insert("name".to_owned(), json!(object.id.name));
        }
        if self.resource.finalizers().any(|finalizer| finalizer == "foregroundDeletion") {
            // The garbage collector would take it away at once.
            metadata.remove("ownerReferences");
        }
        object
    }

    /// Whether a hook of a resource that is being deleted may be left out for that: what it needs is gone already.
    fn may_be_skipped(&self, error: &Error) -> bool {
        let gone = matches!(error, Error::NotServed { .. }) || error.is_of_terminating_namespace();
        let skipped = self.resource.is_deleting() && gone;
        if skipped {
            log!(warn, self, "Hook left out", error = error.message());
        }
        skipped
    }

    async fn delete_piece(&self, piece: &Piece, live: Option<&Json>) -> Result<(), Error> {
        let uid = live.and_then(|live| live.pointer("/metadata/uid")?.as_str()).map(str::to_owned);
        let only = Preconditions { uid, resource_version: None };
        self.cluster.delete(piece.target(), only).await?;
        self.count("delete");
        Ok(())
    }

    /// Deletes the objects of the stage's hooks that are to go once all have succeeded, and waits until they are gone.
    async fn remove_succeeded(&self, memo: &mut Memo, inputs: Digest, begun: &Begun) -> Result<Option<Held>, Failure> {
        let known: Vec<_> = begun.record.hooks.iter().map(Hook::from).collect();
        let places = hook::of_event(&known, begun.stage.event);
        let doomed: Vec<_> = places
            .into_iter()
            .rev()
            .filter_map(|place| known.get(place))
            .filter(|hook| hook.deletes(DeletePolicy::HookSucceeded))
            .collect();
        if doomed.is_empty() {
            return Ok(None);
        }
        // From here on their objects no longer tell that they ran.
        let stored = memo.under_way.as_ref().and_then(|under_way| under_way.record.as_deref());
        if stored != Some(&begun.record) {
            self.save(memo, inputs, begun).await?;
        }
        let mut waiting = None;
        for hook in doomed {
            waiting = self.remove_hook(hook, begun).await?.or(waiting);
        }
        Ok(waiting)
    }

    /// Deletes what a hook of this resource made; gives what is still there.
    async fn remove_hook(&self, hook: &Hook, begun: &Begun) -> Result<Option<Held>, Failure> {
        let mark = begun.stage.mark(begun.record.revision);
        let Ok(pieces) = self.pieces(hook, begun.stage, &mark).await? else { return Ok(None) };
        let mut waiting = None;
        for piece in &pieces {
            let Some(live) = self.cluster.get(piece.target()).await? else { continue };
            let hook_of = live.pointer("/metadata/labels").and_then(|labels| labels.get(labels::HOOK_OF)?.as_str());
            if hook_of != Some(&*self.set) {
                continue;
            }
            if live.pointer("/metadata/deletionTimestamp").is_none() {
                self.delete_piece(piece, Some(&live)).await?;
                let Some(live) = self.cluster.get(piece.target()).await? else { continue };
                waiting = Some(being_deleted(piece, Some(&live)));
                continue;
            }
            match being_deleted(piece, Some(&live)) {
                Held::Failed(message) => log!(warn, self, "Hook not deleted", error = message),
                held => waiting = Some(held),
            }
        }
        Ok(waiting)
    }

    /// Deletes what the policies of a failed event say: the one that failed, and those that had succeeded before it.
    pub(crate) async fn remove_failed(&self, begun: &Begun) {
        let known: Vec<_> = begun.record.hooks.iter().map(|hook| (Hook::from(hook), &hook.last_run)).collect();
        for (hook, run) in known.iter().filter(|(hook, _)| hook.events.contains(&begun.stage.event)) {
            let doomed = (run.has_failed() && hook.deletes(DeletePolicy::HookFailed))
                || (run.has_succeeded() && hook.deletes(DeletePolicy::HookSucceeded));
            if doomed && let Err(failure) = self.remove_hook(hook, begun).await {
                log!(warn, self, "Hook not deleted", error = failure.message());
            }
        }
    }
}

/// An object has to go first; one that takes too long is a failure.
fn being_deleted(piece: &Piece, live: Option<&Json>) -> Held {
    let since = live.and_then(|live| live.pointer("/metadata/deletionTimestamp")?.as_str()?.parse::<Timestamp>().ok());
    let waited = since.map_or(0, |since| Timestamp::now().as_second() - since.as_second());
    if waited > DELETION {
        let told = piece.not_ready("Terminating", "Resource scheduled for deletion");
        return Held::Failed(format!("{told}: not within {DELETION} s: context deadline exceeded"));
    }
    Held::Leaving(format!("hook `{}` is being deleted", piece.object.id))
}

/// The event in a mark: `pre-install` of `v3.pre-install.1`.
fn mark_event(mark: &str) -> &str {
    mark.split('.').nth(1).unwrap_or(mark)
}
