//! Nothing changed: nothing is read and nothing is written.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::{Namespace, Operator, Project, condition_text};

fn is_ready(resource: &Json) -> bool {
    condition_text(resource, "Ready").is_some_and(|text| text.starts_with("True/"))
}

/// Waits until the operator has made no call for as long as a reconcile period takes, then watches three more.
async fn assert_quiet(operator: &Operator, period: Duration) {
    let settle = async {
        let mut last = operator.calls().len();
        loop {
            tokio::time::sleep(period).await;
            let now = operator.calls().len();
            if now == last {
                return;
            }
            last = now;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), settle).await.unwrap();
    let before = operator.calls().len();
    tokio::time::sleep(period * 3).await;
    let calls = operator.calls();
    assert_eq!(calls.len(), before, "calls while nothing changed: {:?}", &calls[before..]);
}

#[tokio::test]
async fn with_everything_in_place_no_call_is_made_and_a_restart_writes_nothing() {
    let namespace = Namespace::create("quiet").await;
    let project = Project::new();
    let flags = ["--reconcile-period=1s"];
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    for name in ["one", "two", "three"] {
        // No node runs Pods here: without any it is ready.
        namespace.create_resource("Web", name, json!({"replicaCount": 0})).await;
        namespace.until("Web", name, "it is ready", is_ready).await;
    }
    assert_quiet(&operator, Duration::from_secs(1)).await;
    operator.kill();

    let again = Operator::start_with(&project, &namespace, &flags).await;
    assert_quiet(&again, Duration::from_secs(1)).await;
    let writes: Vec<_> = again.calls().into_iter().filter(testbed::audit::Request::is_write).collect();
    assert!(writes.is_empty(), "{writes:?}");
}
