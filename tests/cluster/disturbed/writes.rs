//! A fault at every write.

use std::time::Duration;

use testbed::proxy::{Action, Fault, Refusal};

use crate::disturbed::acting::acting;
use crate::disturbed::phased::phased;
use crate::disturbed::releases::releases;
use crate::disturbed::{Reference, References, Run, references, try_cases};
use crate::support::Project;

/// What happens at a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The operator is killed before the API server hears of it.
    KilledBefore,
    /// The operator is killed when the API server has done it.
    KilledAfter,
    /// The request is lost.
    Lost,
    /// The answer is lost.
    AnswerLost,
    /// All connections break, and no others are made for a while.
    Away,
    /// The API server is too busy, as it says.
    TooManyRequests,
    /// The API server is not available, as it says.
    Unavailable,
    /// The API server fails.
    InternalError,
}

impl Cut {
    fn action(self) -> Action {
        let refusal = |code, reason, retry_after| Action::Refuse(Refusal { code, reason, retry_after });
        match self {
            Self::KilledBefore | Self::Away => Action::Hold,
            Self::KilledAfter => Action::HoldAnswer,
            Self::Lost => Action::Lose,
            Self::AnswerLost => Action::LoseAnswer,
            Self::TooManyRequests => refusal(429, "TooManyRequests", Some(1)),
            Self::Unavailable => refusal(503, "ServiceUnavailable", Some(1)),
            Self::InternalError => refusal(500, "InternalError", None),
        }
    }

    fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }
}

/// Tries the cuts at every write of every scenario.
async fn cut_at_every_write((project, references): &References, most: usize, cuts: &[Cut]) {
    let mut cases = Vec::new();
    for reference in references {
        for (write, place) in &reference.writes {
            for cut in cuts {
                let name = format!("{}: {cut:?} at {write} #{place}", reference.scenario.name);
                cases.push((name, (reference, write.clone(), *place, *cut)));
            }
        }
    }
    try_cases(most, cases, |(reference, write, place, cut)| run(project, reference, write, place, cut)).await;
}

async fn run(project: &Project, reference: &Reference, write: String, place: usize, cut: Cut) {
    let mut run = Run::start(&reference.scenario, project).await;
    let namespace = run.namespace.name.clone();
    let when = move |seen: &testbed::proxy::Seen| {
        seen.is_write() && format!("{} {}", seen.method, seen.path).replace(&namespace, "NAMESPACE") == write
    };
    let fault = Fault { when: Box::new(when), skip: place, times: 1, action: cut.action() };
    let injected = run.proxy.inject(fault);
    run.act(&reference.scenario.deeds).await;
    let reached = tokio::time::timeout(Duration::from_secs(20), injected.reached()).await;
    assert!(reached.is_ok(), "the write never came: {:#?}", run.writes());
    if cut.kills() {
        run.kill();
        run.start_operator().await;
    }
    if cut == Cut::Away {
        run.proxy.go_away();
        tokio::time::sleep(Duration::from_millis(300)).await;
        run.proxy.come_back();
    }
    run.finish(reference).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_write_and_started_again_it_reaches_the_same_end() {
    cut_at_every_write(references().await, 12, &[Cut::KilledBefore, Cut::KilledAfter]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_write_or_its_answer_is_lost_it_reaches_the_same_end() {
    cut_at_every_write(references().await, 10, &[Cut::Lost, Cut::AnswerLost]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_api_server_goes_away_at_a_write_it_reaches_the_same_end() {
    cut_at_every_write(references().await, 5, &[Cut::Away]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_api_server_refuses_a_write_for_a_while_it_reaches_the_same_end() {
    cut_at_every_write(references().await, 6, &[Cut::TooManyRequests, Cut::Unavailable, Cut::InternalError]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_write_of_hooks_of_going_back_or_of_taking_over_it_reaches_the_same_end() {
    cut_at_every_write(releases().await, 7, &[Cut::KilledBefore, Cut::KilledAfter]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_write_of_hooks_of_going_back_or_of_taking_over_or_its_answer_is_lost_it_reaches_the_same_end() {
    cut_at_every_write(releases().await, 6, &[Cut::Lost, Cut::AnswerLost]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_write_of_phases_it_reaches_the_same_end() {
    cut_at_every_write(phased().await, 8, &[Cut::KilledBefore, Cut::KilledAfter]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_write_of_phases_or_its_answer_is_lost_it_reaches_the_same_end() {
    cut_at_every_write(phased().await, 6, &[Cut::Lost, Cut::AnswerLost]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_write_of_actions_it_runs_none_twice_and_reaches_the_same_end() {
    cut_at_every_write(acting().await, 8, &[Cut::KilledBefore, Cut::KilledAfter]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_write_of_actions_or_its_answer_is_lost_it_runs_none_twice_and_reaches_the_same_end() {
    cut_at_every_write(acting().await, 6, &[Cut::Lost, Cut::AnswerLost]).await;
}
