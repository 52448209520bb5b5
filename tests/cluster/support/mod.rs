//! A real API server for all tests of this binary, and for each test a namespace, a project and an operator of its own.

mod history;
mod namespace;
mod operator;
mod project;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use testbed::{ControlPlane, Controllers, Options};

pub(crate) use history::History;
pub(crate) use namespace::Namespace;
pub(crate) use operator::{Operator, Setting};
pub(crate) use project::{Project, definition, install_definition, sample};

/// How long anything may take before a test fails: far longer than it should, so that a busy machine is no failure.
const DEADLINE: Duration = Duration::from_mins(1);

/// The control plane: API server and etcd, with a controller-manager, so that Deployments make `ReplicaSets` and what has no
/// owner any more is collected. No node: Pods stay Pending.
pub(crate) fn plane() -> &'static ControlPlane {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    PLANE.get_or_init(|| start(Options::default()))
}

/// The control plane with a node that kwok plays: Pods are scheduled, and pretend to run.
pub(crate) fn noded_plane() -> &'static ControlPlane {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    PLANE.get_or_init(|| start(Options { scheduler: true, kwok: true, ..Options::default() }))
}

/// API server and etcd alone, where nobody but users and operators writes: what happens is the same each time.
pub(crate) fn bare_plane() -> &'static ControlPlane {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    PLANE.get_or_init(|| start(without_controllers()))
}

fn without_controllers() -> Options {
    Options { controllers: Controllers::None, ..Options::default() }
}

/// Starts a control plane that several tests use.
fn start(options: Options) -> ControlPlane {
    // A thread of its own: the runtime of the test that comes first must not own what all use.
    let start = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(start_with(options))
    };
    std::thread::spawn(start).join().unwrap()
}

/// A control plane for one test, which may stop its programs: no controllers, and the definitions of this repository.
pub(crate) async fn own_plane() -> ControlPlane {
    start_with(without_controllers()).await
}

async fn start_with(options: Options) -> ControlPlane {
    let plane = ControlPlane::start(Options { audit: true, ..options }).await.unwrap();
    project::install_definitions(&plane.client().await.unwrap()).await;
    plane
}

/// Waits until `probe` finds something, and gives it.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The condition of that type in the status of `resource`.
pub(crate) fn condition<'a>(resource: &'a Json, condition_type: &str) -> Option<&'a Json> {
    let conditions = resource.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == condition_type)
}

/// The message of the condition of that type; empty where there is none.
pub(crate) fn condition_message(resource: &Json, condition_type: &str) -> String {
    let found = condition(resource, condition_type);
    found.and_then(|found| found["message"].as_str()).unwrap_or_default().to_owned()
}

/// Status and reason of a condition, such as `True/InstallSuccessful`.
pub(crate) fn condition_text(resource: &Json, condition_type: &str) -> Option<String> {
    let condition = condition(resource, condition_type)?;
    Some(format!("{}/{}", condition["status"].as_str()?, condition["reason"].as_str().unwrap_or_default()))
}

/// Whether the chart's objects are in place.
pub(crate) fn is_deployed(resource: &Json) -> bool {
    condition_text(resource, "Deployed").is_some_and(|text| text.starts_with("True/"))
}

/// Every line of a list has one test, which is called after it: `<prefix>_<number>_…`.
pub(crate) fn assert_a_test_each(prefix: &str, lines: &[&str], text: &str) {
    for (at, line) in lines.iter().enumerate() {
        let test = format!("async fn {prefix}_{:02}_", at + 1);
        assert_eq!(text.matches(&test).count(), 1, "{prefix} {}: {line}", at + 1);
    }
    assert_eq!(text.matches(&format!("async fn {prefix}_")).count(), lines.len());
}
