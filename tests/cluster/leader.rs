//! Several replicas: one works.

use std::time::{Duration, Instant};

use serde_json::json;
use testbed::audit::Request;

use crate::support::{Namespace, Operator, Project, eventually, is_deployed};

/// Flags of replicas that compete for a Lease in the namespace.
fn flags(namespace: &Namespace) -> Vec<String> {
    let namespace = format!("--leader-election-namespace={}", namespace.name);
    vec!["--leader-elect".to_owned(), "--leader-election-id=test-lease".to_owned(), namespace]
}

async fn replica(project: &Project, namespace: &Namespace) -> Operator {
    let flags = flags(namespace);
    Operator::start_with(project, namespace, &flags.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn until_it_leads(operator: &Operator) {
    let leads = || async { operator.metric("leader_election_master_status").await.filter(|leads| *leads > 0.0) };
    eventually("it leads", leads).await;
}

fn writes(operator: &Operator) -> Vec<Request> {
    operator.calls().into_iter().filter(Request::is_write).collect()
}

#[tokio::test]
async fn only_the_leader_works_and_the_next_one_takes_over_at_once_when_it_leaves() {
    let namespace = Namespace::create("lease").await;
    let project = Project::new();
    let first = replica(&project, &namespace).await;
    until_it_leads(&first).await;
    let second = replica(&project, &namespace).await;
    namespace.create_resource("Web", "one", json!({})).await;
    namespace.until("Web", "one", "it is deployed", is_deployed).await;
    assert!(writes(&second).is_empty());

    let start = Instant::now();
    first.terminate().await;
    until_it_leads(&second).await;
    assert!(start.elapsed() < Duration::from_secs(10), "the lease was given back: {:?}", start.elapsed());
    namespace.create_resource("Web", "two", json!({})).await;
    namespace.until("Web", "two", "it is deployed by the second", is_deployed).await;
}

#[tokio::test]
async fn a_leader_that_was_stopped_for_longer_than_its_lease_writes_nothing_more_and_ends() {
    let namespace = Namespace::create("stopped").await;
    let project = Project::new();
    let mut first = replica(&project, &namespace).await;
    until_it_leads(&first).await;
    let second = replica(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;

    // Asked for something and stopped at once: what it does next, it does after the other one leads.
    first.signal("STOP");
    namespace.patch("Web", "shop", json!({"spec": {"replicaCount": 3}})).await;
    until_it_leads(&second).await;
    let before = writes(&first).len();
    let second_revision = |web: &serde_json::Value| web["status"]["deployedRelease"]["revision"] == 2;
    namespace.until("Web", "shop", "the second has gone on", second_revision).await;
    namespace.patch("Deployment", "shop-web", json!({"metadata": {"annotations": {"x": "y"}}})).await;

    first.signal("CONT");
    first.until_ended().await;
    let after = writes(&first);
    assert_eq!(after.len(), before, "{:?}", &after[before..]);
    let lease = namespace.find("Lease", "test-lease").await.unwrap();
    assert_eq!(lease["spec"]["leaseTransitions"], 1, "{lease}");
}
