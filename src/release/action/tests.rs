use serde_json::{Value, json};

use super::*;

const JOB: &str = "load-1";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn run(state: State, attempts: u32) -> Run {
    Run {
        job: JOB.to_owned(),
        uid: "u1".to_owned(),
        state,
        attempts,
        started: Some(at(0)),
        completed: None,
        retry_at: None,
        message: String::new(),
        result: None,
    }
}

fn failed(state: State, attempts: u32, retry_at: Option<i64>) -> Run {
    Run { retry_at: retry_at.map(at), message: "broken".to_owned(), ..run(state, attempts) }
}

fn done() -> Run {
    Run { completed: Some(at(9)), result: Some(json!("old")), ..run(State::Succeeded, 1) }
}

fn of(job: &str, run: Run) -> Run {
    Run { job: job.to_owned(), ..run }
}

fn seen(uid: &str) -> Seen {
    Seen { uid: uid.to_owned(), attempt: 1, created: at(5), deleting: false, end: None }
}

fn going(uid: &str) -> Seen {
    Seen { deleting: true, ..seen(uid) }
}

fn ended(uid: &str, outcome: Result<Value, &str>) -> Seen {
    Seen { end: Some(End { at: at(20), outcome: outcome.map_err(str::to_owned) }), ..seen(uid) }
}

fn retry(max: Option<u32>) -> Retry {
    Retry { after: SignedDuration::from_secs(10), max }
}

fn told(next: Next) -> String {
    let seconds = |time: Option<Timestamp>| time.map_or(-1, |time| time.as_second() - at(0).as_second());
    match next {
        Next::Rest => "rest".to_owned(),
        Next::Await(time) => format!("await {}", seconds(Some(time))),
        Next::AwaitDeletion => "await deletion".to_owned(),
        Next::Create(attempt) => format!("create {attempt}"),
        Next::Delete(uid) => format!("delete {uid}"),
        Next::Store(run) => {
            let Run { job, uid, attempts, message, .. } = &run;
            let (completed, retry_at) = (seconds(run.completed), seconds(run.retry_at));
            let result = run.result.as_ref().map(Value::to_string).unwrap_or_default();
            let state = run.state.name();
            format!("{state} {job} {uid} #{attempts} {completed} {retry_at} {message} {result}").trim_end().to_owned()
        }
    }
}

/// A row for each row of the table: what is stored, what is seen, whether it is tried again, and what follows at second 30.
#[test]
fn what_is_done_next_follows_from_what_is_stored_and_what_is_seen() {
    let (once, ever, thrice) = (None, Some(retry(None)), Some(retry(Some(3))));
    let running = || Some(run(State::Running, 1));
    let gone = "its Job was deleted before its end was seen";
    for (name, known, seen, retry, want) in [
        // None, or another Job.
        ("new", None, None, once, "create 1".to_owned()),
        ("new, its Job is there", None, Some(seen("u9")), once, "Running load-1 u9 #1 -1 -1".into()),
        ("new, its Job has ended", None, Some(ended("u9", Ok(json!(1)))), once, "Running load-1 u9 #1 -1 -1".into()),
        ("new, one before it goes", None, Some(going("u9")), once, "await deletion".into()),
        ("another Job", Some(of("load-0", done())), None, once, "create 1".into()),
        (
            "another Job, which is there",
            Some(of("load-0", done())),
            Some(seen("u9")),
            once,
            "Running load-1 u9 #1 -1 -1  \"old\"".into(),
        ),
        ("another Job failed", Some(of("load-0", failed(State::Failed, 3, None))), None, once, "create 1".into()),
        // Running.
        ("running", running(), Some(seen("u1")), once, "rest".into()),
        (
            "complete",
            running(),
            Some(ended("u1", Ok(json!({"id": 7})))),
            once,
            "Succeeded load-1 u1 #1 20 -1  {\"id\":7}".into(),
        ),
        ("failed", running(), Some(ended("u1", Err("no"))), once, "Failed load-1 u1 #1 20 -1 no".into()),
        ("failed, again", running(), Some(ended("u1", Err("no"))), ever, "Retrying load-1 u1 #1 -1 30 no".into()),
        (
            "failed, as often as it may",
            Some(run(State::Running, 3)),
            Some(ended("u1", Err("no"))),
            thrice,
            "Failed load-1 u1 #3 20 -1 no".into(),
        ),
        ("gone", running(), None, once, format!("Failed load-1 u1 #1 30 -1 {gone}")),
        ("gone, again", running(), None, ever, format!("Retrying load-1 u1 #1 -1 40 {gone}")),
        ("another in its place", running(), Some(seen("u9")), once, format!("Failed load-1 u1 #1 30 -1 {gone}")),
        ("going", running(), Some(going("u1")), once, "await deletion".into()),
        // Retrying.
        ("too early", Some(failed(State::Retrying, 1, Some(31))), None, ever, "await 31".into()),
        (
            "due",
            Some(failed(State::Retrying, 1, Some(30))),
            Some(ended("u1", Err("no"))),
            ever,
            "Retrying load-1 u1 #2 -1 -1 broken".into(),
        ),
        (
            "due, and not wanted any more",
            Some(failed(State::Retrying, 1, Some(30))),
            None,
            once,
            "Failed load-1 u1 #1 30 -1 broken".into(),
        ),
        (
            "the failed one is there",
            Some(failed(State::Retrying, 2, None)),
            Some(ended("u1", Err("no"))),
            ever,
            "delete u1".into(),
        ),
        (
            "the failed one goes",
            Some(failed(State::Retrying, 2, None)),
            Some(going("u1")),
            ever,
            "await deletion".into(),
        ),
        ("the failed one is gone", Some(failed(State::Retrying, 2, None)), None, ever, "create 2".into()),
        (
            "its successor is there",
            Some(failed(State::Retrying, 2, None)),
            Some(seen("u2")),
            ever,
            "Running load-1 u2 #2 -1 -1 broken".into(),
        ),
        // Succeeded, Failed.
        ("done", Some(done()), Some(ended("u1", Ok(json!(1)))), ever, "rest".into()),
        ("done, its Job is deleted", Some(done()), None, ever, "rest".into()),
        ("failed for good", Some(failed(State::Failed, 1, None)), None, ever, "rest".into()),
    ] {
        let next = next(known.as_ref(), Wanted { job: JOB, retry }, seen.as_ref(), at(30));
        assert_eq!(told(next), want, "{name}");
    }
}

/// What a cluster does with a Job of an action, to see that nothing runs twice wherever the process is cut off.
#[derive(Clone, Default)]
struct Played {
    stored: Option<Run>,
    job: Option<Seen>,
    created: u32,
}

impl Played {
    /// Carries out one step; `false` where there is none.
    fn step(&mut self, retry: Option<Retry>, now: i64) -> bool {
        match next(self.stored.as_ref(), Wanted { job: JOB, retry }, self.job.as_ref(), at(now)) {
            Next::Rest | Next::Await(_) | Next::AwaitDeletion => return false,
            Next::Store(run) => self.stored = Some(run),
            Next::Create(attempt) => {
                assert!(self.job.is_none(), "a Job is in the way");
                self.created += 1;
                self.job = Some(Seen { attempt, ..seen(&format!("u{}", self.created)) });
            }
            Next::Delete(uid) => {
                assert_eq!(self.job.take().map(|job| job.uid), Some(uid));
            }
        }
        true
    }

    fn end(&mut self, outcome: Result<Value, &str>) {
        if let Some(job) = &mut self.job {
            job.end = job.end.take().or_else(|| ended("", outcome).end);
        }
    }
}

/// Each step either creates, deletes or stores: being cut off means that the next process begins with what is there.
#[test]
fn two_failures_and_a_success_are_three_jobs_and_every_step_can_be_taken_up_from_what_is_there() {
    let mut played = Played::default();
    let mut now = 0;
    for outcome in [Err("first"), Err("second"), Ok(json!("third"))] {
        while played.step(Some(retry(None)), now) {}
        played.end(outcome);
        while played.step(Some(retry(None)), now) {}
        now += 100;
    }
    let run = played.stored.unwrap();
    assert_eq!((played.created, run.attempts, run.state), (3, 3, State::Succeeded));
    assert_eq!((run.result, run.message.as_str()), (Some(json!("third")), ""));
    assert_eq!(run.started, Some(at(5)), "when the first of them was created");
}

#[test]
fn what_is_stored_is_read_as_it_was_and_what_cannot_be_read_is_nothing() {
    let mut runs = Runs::default();
    assert_eq!((runs.annotation(), runs.results()), (None, json!({})));
    runs.insert("load", done());
    runs.insert("drop", failed(State::Retrying, 2, Some(7)));
    let text = runs.annotation().unwrap();
    assert_eq!(Runs::read(Some(&text)), runs);
    assert_eq!(runs.results(), json!({"load": "old"}));
    let told = runs.to_json();
    assert_eq!(told["drop"]["retryAt"], "2023-11-14T22:13:27Z");
    assert_eq!((&told["drop"]["completed"], &told["drop"]["result"]), (&Value::Null, &Value::Null));
    for text in [None, Some(""), Some("{"), Some("[]"), Some("{\"load\": 1}")] {
        assert_eq!(Runs::read(text), Runs::default(), "{text:?}");
    }
    assert!(!runs.clone().retain(&["drop", "load"].into()));
    assert!(runs.retain(&["drop"].into()));
    assert_eq!(runs.get("load"), None);
}

#[test]
fn a_revision_has_begun_with_its_first_action_and_not_with_what_an_earlier_one_did() {
    let begun = at(5);
    for (run, started, has_failed) in [
        (None, false, false),
        (Some(run(State::Running, 1)), true, false),
        (Some(done()), false, false),
        (Some(Run { started: Some(at(5)), ..done() }), true, false),
        (Some(failed(State::Retrying, 1, Some(40))), true, true),
        (Some(failed(State::Retrying, 2, None)), true, false),
        (Some(failed(State::Failed, 1, None)), false, true),
    ] {
        let mut runs = Runs::default();
        run.clone().into_iter().for_each(|run| runs.insert("load", run));
        assert_eq!((runs.have_begun(begun), runs.have_failed()), (started, has_failed), "{run:?}");
    }
}

#[test]
fn why_an_action_is_not_done_is_told_with_its_last_failure() {
    for (run, want) in [
        (None, Some("not started")),
        (Some(run(State::Running, 1)), Some("is running")),
        (Some(failed(State::Running, 2, None)), Some("try 2 is running; the one before failed: broken")),
        (Some(failed(State::Retrying, 2, None)), Some("try 2 is running; the one before failed: broken")),
        (Some(failed(State::Retrying, 1, Some(7))), Some("failed, is tried again at 2023-11-14T22:13:27Z: broken")),
        (Some(failed(State::Failed, 1, None)), Some("failed: broken")),
        (Some(done()), None),
    ] {
        assert_eq!(not_ready(run.as_ref()).as_deref(), want);
    }
}

mod jobs {
    use super::*;
    use crate::release::action::job::{of_attempt, progress, seen, with_defaults};
    use crate::release::prepare::Prepared;
    use crate::release::{Digest, labels};

    fn prepared(body: Value) -> Prepared {
        Prepared {
            id: "batch/Job n/load".parse().unwrap(),
            version: "v1".to_owned(),
            scope: None,
            digest: Digest::of_json(&body),
            body,
            ignored: None,
            keep: false,
            directives: BTreeMap::new(),
            source: "t.yaml".to_owned(),
        }
    }

    #[test]
    fn a_job_gets_a_deadline_and_one_try_unless_it_says_otherwise_and_says_which_try_it_is() {
        let job = with_defaults(prepared(json!({"metadata": {"name": "load"}, "spec": {"template": {"spec": {}}}})));
        let sent = of_attempt(&job, On::Apply, 2);
        assert_eq!((&sent["spec"]["activeDeadlineSeconds"], &sent["spec"]["backoffLimit"]), (&json!(600), &json!(0)));
        let attempt = json!({labels::ATTEMPT: "2"});
        assert_eq!(sent["metadata"]["annotations"], attempt);
        assert_eq!(sent["spec"]["template"]["metadata"]["annotations"], attempt);
        let own = json!({"spec": {"activeDeadlineSeconds": 5, "backoffLimit": 3}});
        assert_eq!(with_defaults(prepared(own.clone())).body, own);
        let sent = of_attempt(&prepared(json!({"metadata": {"annotations": {"a": "b"}}})), On::PreDelete, 1);
        let annotations = json!({"a": "b", labels::ATTEMPT: "1", labels::ON: "pre-delete"});
        assert_eq!(sent, json!({"metadata": {"annotations": annotations}}));
        assert_eq!(of_attempt(&prepared(json!({"metadata": "odd"})), On::Apply, 1), json!({"metadata": "odd"}));
    }

    fn job(condition: Option<(&str, &str)>) -> Value {
        let conditions = condition.map(|(kind, status)| {
            json!([{"type": kind, "status": status, "reason": "BackoffLimitExceeded", "message": "too often",
                    "lastTransitionTime": "2023-11-14T22:13:40Z"}])
        });
        json!({
            "metadata": {"uid": "u1", "creationTimestamp": "2023-11-14T22:13:25Z", "annotations": {labels::ATTEMPT: "2"}},
            "status": {"conditions": conditions},
        })
    }

    fn pod(phase: &str, containers: &[(&str, i64, &str)]) -> Value {
        let names: Vec<_> = containers.iter().map(|(name, ..)| json!({"name": name})).collect();
        // In another order than they are declared.
        let statuses = containers.iter().rev().map(|(name, code, message)| {
            let terminated = json!({"exitCode": code, "message": message, "finishedAt": "2023-11-14T22:13:39Z"});
            json!({"name": name, "state": {"terminated": terminated}})
        });
        let status = json!({"phase": phase, "containerStatuses": statuses.collect::<Vec<_>>()});
        json!({"spec": {"containers": names}, "status": status})
    }

    #[test]
    fn the_result_is_what_the_first_container_of_the_pod_that_succeeded_left_as_its_termination_message() {
        let complete = job(Some(("Complete", "True")));
        for (pods, want) in [
            (vec![], json!("")),
            (vec![pod("Succeeded", &[("main", 0, " {\"name\": \"my_blob\"}\n")])], json!({"name": "my_blob"})),
            (vec![pod("Succeeded", &[("main", 0, "v1.2.3\n")])], json!("v1.2.3")),
            (vec![pod("Succeeded", &[("main", 0, "{\"name\": ")])], json!("{\"name\":")),
            (vec![pod("Failed", &[("main", 1, "a")]), pod("Succeeded", &[("main", 0, "b")])], json!("b")),
            (vec![pod("Succeeded", &[("main", 0, "a"), ("proxy", 0, "b")])], json!("a")),
        ] {
            let end = seen(&complete, &pods).end.unwrap();
            assert_eq!((end.at, end.outcome), (at(20), Ok(want)), "{pods:?}");
        }
    }

    #[test]
    fn a_failure_tells_what_the_job_and_what_the_container_said_and_no_more_than_a_kibibyte() {
        let broken = job(Some(("Failed", "True")));
        let why = |pods: &[Value]| seen(&broken, pods).end.unwrap().outcome.unwrap_err();
        assert_eq!(why(&[]), "BackoffLimitExceeded: too often");
        let pods = [pod("Failed", &[("main", 1, "ERROR: no such table\n"), ("proxy", 0, "bye")])];
        assert_eq!(why(&pods), "BackoffLimitExceeded: too often: ERROR: no such table");
        let long = [pod("Failed", &[("main", 1, &"ä".repeat(1024))])];
        assert_eq!(why(&long).len(), 1024 - 1, "cut between two characters");
        let bare = json!({"metadata": {}, "status": {"conditions": [{"type": "Failed", "status": "True"}]}});
        assert_eq!(seen(&bare, &[]).end.unwrap().outcome.unwrap_err(), "the Job failed");
    }

    #[test]
    fn a_job_has_ended_when_it_says_so_and_is_an_action_when_it_says_which_try_it_is() {
        for (condition, has_ended) in [
            (None, false),
            (Some(("Complete", "True")), true),
            (Some(("Failed", "True")), true),
            (Some(("Complete", "False")), false),
            (Some(("FailureTarget", "True")), false),
        ] {
            let job = job(condition);
            assert_eq!(progress(&job).map(|progress| (progress.on, progress.has_ended)), Some((On::Apply, has_ended)));
            let found = seen(&job, &[]);
            assert_eq!((found.uid.as_str(), found.attempt, found.created), ("u1", 2, at(5)));
            assert_eq!(found.end.is_some(), has_ended);
        }
        assert_eq!(progress(&json!({"metadata": {"annotations": {"a": "b"}}})), None);
    }
}
