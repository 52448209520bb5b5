//! An API server that refuses, or ends, and a namespace that goes.

use std::time::{Duration, Instant};

use serde_json::json;
use testbed::program::Program;
use testbed::proxy::{Action, Fault, Refusal, Seen};

use crate::disturbed::{Run, references};
use crate::support::{Namespace, Operator, Project, Setting, eventually, is_deployed, own_plane};

/// Refuses writes of the Deployment, that many times.
fn refusing(code: u16, reason: &'static str, retry_after: Option<u32>, times: usize) -> Fault {
    let when = Box::new(|seen: &Seen| seen.is_write() && seen.path.ends_with("/deployments/shop-web"));
    Fault { when, skip: 0, times, action: Action::Refuse(Refusal { code, reason, retry_after }) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_back_when_the_api_server_says_and_not_before() {
    let (project, references) = references().await;
    let reference = references.iter().find(|reference| reference.scenario.name == "update").unwrap();
    let run = Run::start(&reference.scenario, project).await;
    let refused = run.proxy.inject(refusing(429, "TooManyRequests", Some(2), 2));
    let start = Instant::now();
    run.act(&reference.scenario.deeds).await;
    run.finish(reference).await;
    assert_eq!(refused.met(), 2);
    assert!(start.elapsed() >= Duration::from_secs(4), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_again_and_again_is_tried_ever_less_often() {
    let (project, references) = references().await;
    let reference = references.iter().find(|reference| reference.scenario.name == "update").unwrap();
    let run = Run::start(&reference.scenario, project).await;
    let refused = run.proxy.inject(refusing(500, "InternalError", None, usize::MAX));
    run.act(&reference.scenario.deeds).await;
    refused.reached().await;
    let before = run.proxy.seen().len();
    tokio::time::sleep(Duration::from_secs(5)).await;
    // Pauses of 0.2, 0.4, 0.8, 1.6 and 3.2 s; with each try a status at most, and an event.
    let (tries, calls) = (refused.met(), run.proxy.seen().len() - before);
    assert!((3..=6).contains(&tries) && calls <= 4 * tries, "{tries} tries, {calls} calls: {:#?}", run.proxy.seen());
    let retrying =
        |web: &serde_json::Value| crate::support::condition_text(web, "Ready").as_deref() == Some("False/Retrying");
    run.namespace.until("Web", "shop", "it says that it tries again", retrying).await;
}

#[tokio::test]
async fn an_api_server_that_ends_while_resources_are_made_is_waited_for() {
    let mut plane = own_plane().await;
    let namespace = Namespace::create_in(plane.client().await.unwrap(), "ends").await;
    let project = Project::new();
    let setting = Setting::of(&plane, &namespace.name);
    let mut operator = Operator::launch(&project, setting, &[]);
    operator.until_ready().await;
    let names: Vec<_> = (0..10).map(|number| format!("shop-{number}")).collect();
    for name in &names {
        namespace.create_resource("Web", name, json!({})).await;
    }
    plane.kill(Program::ApiServer).unwrap();
    plane.restart(Program::ApiServer).await.unwrap();
    for name in &names {
        let web = namespace.until("Web", name, "it is deployed", is_deployed).await;
        assert_eq!(web["status"]["deployedRelease"]["revision"], 1);
    }
    let mut expected: Vec<_> = names.iter().map(|name| format!("sh.helm.release.v1.{name}.v1")).collect();
    expected.sort();
    assert_eq!(namespace.names("Secret").await, expected);
}

#[tokio::test]
async fn a_namespace_that_goes_takes_its_resources_with_it_and_then_it_is_quiet() {
    let namespace = Namespace::create("goes").await;
    let operator = Operator::start(&Project::new(), &namespace).await;
    for name in ["one", "two"] {
        namespace.create_resource("Web", name, json!({})).await;
        namespace.until("Web", name, "it is deployed", is_deployed).await;
    }
    let before = operator.calls().len();
    namespace.end().await;
    let after = operator.calls().len();
    let made: Vec<_> = operator.calls().split_off(before);
    let made: Vec<_> = made.into_iter().filter(|call| call.code == 201 && call.resource != "events").collect();
    assert!(made.is_empty(), "{made:#?}");
    // Ten objects, each deleted once, and tried to be put back until it is known that its resource goes too.
    assert!(after - before <= 120, "{} calls", after - before);
    let quiet = || async {
        let now = operator.calls().len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (operator.calls().len() == now).then_some(())
    };
    eventually("it is quiet", quiet).await;
}
