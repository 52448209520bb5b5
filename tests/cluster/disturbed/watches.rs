//! Watches that stop, repeat, reorder and end, and lists that are older than what has been done.

use std::time::Duration;

use serde_json::json;
use testbed::proxy::{Action, Disturbance, Fault, Seen};

use crate::disturbed::{Deed, End, Reference, Run, Scenario, references, try_cases};
use crate::support::Project;

/// Which watches.
#[derive(Clone, Copy, Debug)]
enum Which {
    Resources,
    Objects,
    All,
}

impl Which {
    fn matches(self, path: &str) -> bool {
        match self {
            Self::Resources => path.ends_with("/webs"),
            Self::Objects => !path.ends_with("/webs"),
            Self::All => true,
        }
    }
}

const WHICH: [Which; 3] = [Which::Resources, Which::Objects, Which::All];

/// For what is not to happen, time not to happen in.
const WHILE: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_watches_it_reaches_the_same_end() {
    let (project, references) = references().await;
    let mut cases = Vec::new();
    for reference in references {
        for which in WHICH {
            use Disturbance::{Break, End, Expire, Freeze, Repeat, Swap};
            for disturbance in [Freeze, Repeat, Swap, End, Break, Expire] {
                let name = format!("{}: {disturbance:?} of {which:?}", reference.scenario.name);
                cases.push((name, (reference, which, disturbance)));
            }
        }
    }
    try_cases(12, cases, |(reference, which, disturbance)| disturbed(project, reference, which, disturbance)).await;
}

async fn disturbed(project: &Project, reference: &Reference, which: Which, disturbance: Disturbance) {
    let run = Run::start(&reference.scenario, project).await;
    let when = move |seen: &Seen| which.matches(&seen.path);
    if matches!(disturbance, Disturbance::Freeze | Disturbance::Repeat | Disturbance::Swap) {
        run.proxy.disturb(when, disturbance);
        run.act(&reference.scenario.deeds).await;
    } else {
        run.act(&reference.scenario.deeds).await;
        run.proxy.disturb(when, disturbance);
    }
    if disturbance == Disturbance::Freeze {
        tokio::time::sleep(WHILE).await;
        run.proxy.calm();
    }
    run.finish(reference).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn started_again_where_lists_are_old_it_undoes_nothing() {
    let (project, references) = references().await;
    let mut cases = Vec::new();
    for reference in references {
        for which in WHICH {
            cases.push((format!("{}: old list of {which:?}", reference.scenario.name), (reference, which)));
        }
    }
    try_cases(6, cases, |(reference, which)| outdated(project, reference, which)).await;
}

async fn outdated(project: &Project, reference: &Reference, which: Which) {
    let mut run = Run::start(&reference.scenario, project).await;
    let past = run.proxy.remember().await.unwrap().only(|path| which.matches(path));
    run.act(&reference.scenario.deeds).await;
    run.until(&reference.scenario.end).await;
    run.settle(&reference.scenario.end).await;
    run.kill();
    run.proxy.show(past);
    run.start_operator().await;
    tokio::time::sleep(WHILE).await;
    run.proxy.catch_up();
    run.finish(reference).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_objects_of_a_new_resource_are_not_taken_for_those_of_the_deleted_one_before_it() {
    let before = vec![Deed::Create(json!({}))];
    let scenario = Scenario { name: "again", before, deeds: vec![Deed::Delete], end: End::Gone };
    let project = Project::new();
    let mut run = Run::start(&scenario, &project).await;
    let when = Box::new(|seen: &Seen| seen.method == "DELETE");
    let held = run.proxy.inject(Fault { when, skip: 0, times: 1, action: Action::Hold });
    run.act(&scenario.deeds).await;
    held.reached().await;
    // The resource as it is being deleted; its objects as they will be.
    let past = run.proxy.remember().await.unwrap().only(|path| Which::Resources.matches(path));
    held.release();
    run.until(&End::Gone).await;
    run.act(&scenario.before).await;
    run.until(&End::Revision(1)).await;
    run.settle(&End::Revision(1)).await;
    let (state, before) = (crate::disturbed::state(&run.namespace).await, run.written());
    run.kill();

    run.proxy.show(past);
    run.start_operator().await;
    tokio::time::sleep(WHILE).await;
    run.proxy.catch_up();
    run.settle(&End::Revision(1)).await;
    assert_eq!(run.written(), before);
    assert_eq!(crate::disturbed::state(&run.namespace).await, state);
}
