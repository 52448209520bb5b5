//! Watches that stop, repeat, reorder and end, and lists that are older than what has been done.

use std::time::Duration;

use serde_json::json;
use testbed::proxy::{Action, Disturbance, Fault, Seen};

use crate::disturbed::{Deed, End, Reference, Run, Scenario, references, try_cases};
use crate::support::{Project, definition, eventually};

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

/// Counts passes that found something in their way.
const IN_VAIN: &str = "controller_runtime_reconcile_total{controller=\"web-controller\",result=\"error\"";

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_that_only_an_old_list_shows_brings_no_definitions() {
    let before = vec![Deed::Create(json!({}))];
    let scenario = Scenario { name: "outdated", before, deeds: vec![Deed::Delete], end: End::Gone };
    let project = Project::new();
    let mut run = Run::start(&scenario, &project).await;
    let past = run.proxy.remember().await.unwrap().only(|path| Which::Resources.matches(path));
    run.act(&scenario.deeds).await;
    run.until(&End::Gone).await;
    run.kill();

    let definition = definition("Outdated").to_string();
    project.edit("helm-charts/web/crds/outdated.yaml", |_| definition);
    run.proxy.show(past);
    run.start_operator().await;
    let refused = || async { (run.operator().sum(IN_VAIN).await > 0.0).then_some(()) };
    eventually("it has looked, and found that the resource is not there", refused).await;
    run.proxy.catch_up();
    tokio::time::sleep(WHILE).await;
    assert!(run.namespace.find("CustomResourceDefinition", "outdateds.tests.samutup.com").await.is_none());
}
