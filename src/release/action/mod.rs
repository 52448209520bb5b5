//! Actions: Jobs that a chart runs once. How far each is, and what is to be done for it next.
//!
//! All of it stands in one annotation of the resource, so that nothing runs twice and nothing is forgotten, whenever the process
//! is killed: what could be done twice is stored before it is done, and a Job that was created without that being stored is found
//! under its name.

pub mod job;
mod retry;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::release::Json;
use crate::release::record::time;

pub use retry::Retry;

/// What the annotations of an object say of the action that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name: not that of its Job, which changes with what is to be done.
    pub name: String,
    /// When it runs.
    pub on: On,
    /// When it is tried again after a failure.
    pub retry: Option<Retry>,
}

/// When an action runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum On {
    /// When its phase is entered.
    #[default]
    Apply,
    /// When the resource is deleted, before anything of it is.
    PreDelete,
}

impl On {
    /// As the annotation says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::PreDelete => "pre-delete",
        }
    }

    /// The one of that name, as the annotation says it.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Apply, Self::PreDelete].into_iter().find(|on| on.name() == name)
    }
}

/// How far an action is, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The name of its Job.
    pub job: String,
    /// UID of the Job that runs, or ran last.
    pub uid: String,
    /// How far it is.
    pub state: State,
    /// How many Jobs were, or are about to be, created for it.
    pub attempts: u32,
    /// When the first of them was.
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it was over.
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub completed: Option<Timestamp>,
    /// When it is tried again; none while a Job that failed is being replaced.
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What the last success gave, be it that of a Job of another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Its Job was created.
    Running,
    /// Its Job failed, and another is to replace it.
    Retrying,
    /// It is done.
    Succeeded,
    /// It has failed for good.
    Failed,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Retrying => "Retrying",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// What was seen under the name of an action's Job. It is one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `metadata.uid`
    pub uid: String,
    /// Which try it says it is, from 1.
    pub attempt: u32,
    /// `metadata.creationTimestamp`
    pub created: Timestamp,
    /// Whether it is on its way out.
    pub deleting: bool,
    /// How it ended.
    pub end: Option<End>,
}

/// How a Job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// What it gave, or why it failed.
    pub outcome: Result<Json, String>,
}

/// What is wanted of an action.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The name of its Job.
    pub job: &'a str,
    /// When it is tried again after a failure.
    pub retry: Option<Retry>,
}

/// What is to be done for an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is over, or its Job runs.
    Rest,
    /// Nothing before this time.
    Await(Timestamp),
    /// Nothing until the Job in the way has gone.
    AwaitDeletion,
    /// Store this, and ask again.
    Store(Run),
    /// Create its Job as this try, and ask again.
    Create(u32),
    /// Delete the Job of this UID, and ask again.
    Delete(String),
}

/// What is to be done for an action of which `known` is stored, where `seen` is under the name of its Job.
pub fn next(known: Option<&Run>, wanted: Wanted<'_>, seen: Option<&Seen>, now: Timestamp) -> Next {
    let Some(run) = known.filter(|run| run.job == wanted.job) else { return begin(known, wanted, seen) };
    match (run.state, run.retry_at) {
        (State::Succeeded | State::Failed, _) => Next::Rest,
        (State::Running, _) => follow(run, wanted.retry, seen, now),
        (State::Retrying, Some(at)) if now < at => Next::Await(at),
        (State::Retrying, Some(at)) => Next::Store(match wanted.retry.filter(|retry| retry.permits(run.attempts)) {
            Some(_) => Run { attempts: run.attempts.saturating_add(1), retry_at: None, ..run.clone() },
            // It is not to be tried again any more.
            None => Run { state: State::Failed, retry_at: None, completed: run.completed.or(Some(at)), ..run.clone() },
        }),
        (State::Retrying, None) => replace(run, seen),
    }
}

/// A Job of another name than was known, if any was.
fn begin(known: Option<&Run>, wanted: Wanted<'_>, seen: Option<&Seen>) -> Next {
    let Some(seen) = seen else { return Next::Create(1) };
    if seen.deleting {
        return Next::AwaitDeletion;
    }
    Next::Store(Run {
        job: wanted.job.to_owned(),
        uid: seen.uid.clone(),
        state: State::Running,
        attempts: seen.attempt,
        started: Some(seen.created),
        completed: None,
        retry_at: None,
        message: String::new(),
        result: known.and_then(|run| run.result.clone()),
    })
}

/// A Job that runs, as far as is known.
fn follow(run: &Run, retry: Option<Retry>, seen: Option<&Seen>, now: Timestamp) -> Next {
    let seen = seen.filter(|seen| seen.uid == run.uid);
    let (at, outcome) = match seen {
        Some(Seen { end: Some(end), .. }) => (end.at, end.outcome.clone()),
        Some(Seen { deleting: true, .. }) => return Next::AwaitDeletion,
        Some(_) => return Next::Rest,
        None => (whole_second(now), Err("its Job was deleted before its end was seen".to_owned())),
    };
    let message = match outcome {
        Ok(result) => {
            let (state, completed, message) = (State::Succeeded, Some(at), String::new());
            return Next::Store(Run { state, completed, message, result: Some(result), ..run.clone() });
        }
        Err(message) => message,
    };
    let again = retry.filter(|retry| retry.permits(run.attempts));
    Next::Store(match again.map(|retry| at.saturating_add(retry.after).unwrap_or(Timestamp::MAX)) {
        Some(at) => Run { state: State::Retrying, retry_at: Some(at), message, ..run.clone() },
        None => Run { state: State::Failed, completed: Some(at), message, ..run.clone() },
    })
}

/// A Job that failed, whose successor is due.
fn replace(run: &Run, seen: Option<&Seen>) -> Next {
    match seen {
        None => Next::Create(run.attempts),
        Some(seen) if seen.deleting => Next::AwaitDeletion,
        Some(seen) if seen.uid == run.uid => Next::Delete(run.uid.clone()),
        Some(seen) => Next::Store(Run { uid: seen.uid.clone(), state: State::Running, ..run.clone() }),
    }
}

impl Run {
    /// Whether it needs no look at its Job now: nothing follows from that.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        let waits = self.state == State::Retrying && self.retry_at.is_some_and(|at| now < at);
        matches!(self.state, State::Succeeded | State::Failed) || waits
    }

    /// Whether it has failed, be it to be tried again later.
    pub fn has_failed(&self) -> bool {
        self.state == State::Failed || (self.state == State::Retrying && self.retry_at.is_some())
    }

    /// For status files, which shall find every field.
    fn to_json(&self) -> Json {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        json!({
            "job": self.job, "uid": self.uid, "state": self.state.name(), "attempts": self.attempts,
            "started": time(self.started), "completed": time(self.completed), "retryAt": time(self.retry_at),
            "message": self.message, "result": self.result,
        })
    }
}

/// Why an action is not done, for users; `None` if it is.
pub fn not_ready(run: Option<&Run>) -> Option<String> {
    let Some(run) = run else { return Some("not started".to_owned()) };
    let Run { attempts, message, .. } = run;
    match (run.state, run.retry_at) {
        (State::Succeeded, _) => None,
        (State::Running, _) if message.is_empty() => Some("is running".to_owned()),
        (State::Running, _) | (State::Retrying, None) => {
            Some(format!("try {attempts} is running; the one before failed: {message}"))
        }
        (State::Retrying, Some(at)) => Some(format!("failed, is tried again at {at}: {message}")),
        (State::Failed, _) => Some(format!("failed: {message}")),
    }
}

/// How far the actions of a resource are, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Runs(BTreeMap<String, Run>);

impl Runs {
    /// What the annotation of a resource says. What cannot be read counts as nothing: Jobs are found by their names.
    pub fn read(annotation: Option<&str>) -> Self {
        annotation.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// As the annotation holds it; none where there is nothing to hold.
    pub fn annotation(&self) -> Option<String> {
        // Strings and numbers always serialise.
        (!self.0.is_empty()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// How far the action of this name is.
    pub fn get(&self, name: &str) -> Option<&Run> {
        self.0.get(name)
    }

    /// Notes how far the action of this name is.
    pub fn insert(&mut self, name: &str, run: Run) {
        self.0.insert(name.to_owned(), run);
    }

    /// Drops actions of other names; tells whether there were any.
    pub fn retain(&mut self, names: &BTreeSet<&str>) -> bool {
        let before = self.0.len();
        self.0.retain(|name, _| names.contains(name.as_str()));
        self.0.len() < before
    }

    /// Every action with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Run)> {
        self.0.iter()
    }

    /// Whether an action has failed, be it to be tried again later.
    pub fn have_failed(&self) -> bool {
        self.0.values().any(Run::has_failed)
    }

    /// Whether an action of a revision that was begun at that time has been started.
    pub fn have_begun(&self, begun: Timestamp) -> bool {
        let started = |run: &Run| match run.state {
            State::Running | State::Retrying => true,
            // What an earlier revision has done need not be done again.
            State::Succeeded => run.started.is_some_and(|started| started >= whole_second(begun)),
            State::Failed => false,
        };
        self.0.values().any(started)
    }

    /// `.Results`: the last successful result by name.
    pub fn results(&self) -> Json {
        let given = self.0.iter().filter_map(|(name, run)| Some((name.clone(), run.result.clone()?)));
        Json::Object(given.collect::<Map<_, _>>())
    }

    /// `.Outcome.actions`
    pub fn to_json(&self) -> Json {
        Json::Object(self.0.iter().map(|(name, run)| (name.clone(), run.to_json())).collect::<Map<_, _>>())
    }
}

/// The time without what is below a second: Kubernetes' own times have no more.
fn whole_second(time: Timestamp) -> Timestamp {
    let below = SignedDuration::from_nanos(time.subsec_nanosecond().into());
    time.saturating_sub(below).unwrap_or(time)
}
