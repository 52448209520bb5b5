use serde_json::{Value, json};

use super::*;
use Status::{Current, Failed, InProgress, Terminating, Unknown};

fn object(api_version: &str, kind: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "generation": 2}});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}

/// Checks what each `rest` of an object of this kind comes to.
fn check(api_version: &str, kind: &str, cases: &[(Value, Status, &str)]) {
    for (rest, status, message) in cases {
        let found = readiness(Some(&object(api_version, kind, rest.clone())));
        assert_eq!((found.status, found.message.as_str()), (*status, *message), "{kind} {rest}");
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

#[test]
fn an_object_that_does_not_exist_is_not_found() {
    assert_eq!(readiness(None), Readiness { status: Status::NotFound, message: "not found".into() });
}

#[test]
fn the_generic_rules_come_first_whatever_the_kind() {
    let conditions = |conditions: Value| json!({"status": {"conditions": conditions}});
    for (api_version, kind) in [("example.com/v1", "Web"), ("apps/v1", "Deployment"), ("v1", "ConfigMap")] {
        let behind = format!("{kind} generation is 2, but latest observed generation is 1");
        check(
            api_version,
            kind,
            &[
                (
                    json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
                    Terminating,
                    "Resource scheduled for deletion",
                ),
                (json!({"status": {"observedGeneration": 1}}), InProgress, &behind),
                (conditions(json!([condition("Reconciling", "True", "R", "at it")])), InProgress, "at it"),
                (conditions(json!([condition("Stalled", "True", "R", "stuck")])), Failed, "stuck"),
                (
                    conditions(json!([
                        condition("Stalled", "True", "R", "stuck"),
                        condition("Reconciling", "True", "R", "at it")
                    ])),
                    Failed,
                    "stuck",
                ),
            ],
        );
    }
}

#[test]
fn other_kinds_follow_their_condition_ready() {
    let conditions = |conditions: Value| json!({"status": {"conditions": conditions}});
    check(
        "example.com/v1",
        "Web",
        &[
            (json!({}), Current, "Resource is current"),
            (json!({"status": "odd"}), Current, "Resource is current"),
            (conditions(json!([condition("Reconciling", "False", "", "")])), Current, "Resource is current"),
            (conditions(json!([condition("Ready", "True", "", "")])), Current, "Resource is Ready"),
            (conditions(json!([condition("Ready", "False", "R", "no")])), InProgress, "no"),
            (conditions(json!([condition("Ready", "Unknown", "R", "who knows")])), InProgress, "who knows"),
            (conditions(json!([condition("Ready", "Odd", "R", "x")])), Current, "Resource is current"),
        ],
    );
    check("example.com/v1", "Deployment", &[(json!({}), Current, "Resource is current")]);
}

#[test]
fn some_kinds_are_always_ready() {
    for (api_version, kind) in [("v1", "Secret"), ("v1", "ConfigMap"), ("batch/v1", "CronJob")] {
        check(api_version, kind, &[(json!({}), Current, "Resource is always ready")]);
    }
    check("policy/v1", "PodDisruptionBudget", &[(json!({}), Current, "AllowedDisruptions has been computed.")]);
}

#[test]
fn a_deployment_is_ready_when_all_replicas_are_new_and_available() {
    let available = || condition("Available", "True", "", "");
    let progressed = || condition("Progressing", "True", "NewReplicaSetAvailable", "");
    let rest = |replicas: [i64; 4], conditions: Value| {
        let [replicas, updated, ready, available] = replicas;
        json!({"spec": {"replicas": 3, "progressDeadlineSeconds": 600}, "status": {"observedGeneration": 2, "replicas": replicas,
            "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": available, "conditions": conditions}})
    };
    check(
        "apps/v1",
        "Deployment",
        &[
            (json!({}), InProgress, "Replicas: 0/1"),
            (json!({"spec": {"replicas": 0}}), InProgress, "Deployment not Available"),
            (
                json!({"spec": {"replicas": 0}, "status": {"conditions": [available()]}}),
                Current,
                "Deployment is available. Replicas: 0",
            ),
            (rest([2, 2, 2, 2], json!([])), InProgress, "Replicas: 2/3"),
            (rest([3, 1, 3, 3], json!([])), InProgress, "Updated: 1/3"),
            (rest([4, 3, 3, 3], json!([])), InProgress, "Pending termination: 1"),
            (rest([3, 3, 3, 2], json!([])), InProgress, "Available: 2/3"),
            (rest([3, 3, 2, 3], json!([])), InProgress, "Ready: 2/3"),
            (rest([3, 3, 3, 3], json!([available()])), InProgress, "ReplicaSet not Available"),
            (rest([3, 3, 3, 3], json!([progressed()])), InProgress, "Deployment not Available"),
            (rest([3, 3, 3, 3], json!([progressed(), available()])), Current, "Deployment is available. Replicas: 3"),
            (
                rest([3, 3, 3, 3], json!([condition("Progressing", "False", "ProgressDeadlineExceeded", "")])),
                Failed,
                "Progress deadline exceeded",
            ),
        ],
    );
}

#[test]
fn a_replica_set_is_ready_when_all_replicas_are_available() {
    let rest = |replicas: [i64; 4]| {
        let [replicas, labelled, available, ready] = replicas;
        json!({"spec": {"replicas": 2}, "status": {"replicas": replicas, "fullyLabeledReplicas": labelled, "availableReplicas": available, "readyReplicas": ready}})
    };
    check(
        "apps/v1",
        "ReplicaSet",
        &[
            (
                json!({"status": {"conditions": [condition("ReplicaFailure", "True", "", "quota")]}}),
                InProgress,
                "Replica Failure condition. Check Pods",
            ),
            (
                json!({"status": {"conditions": [condition("ReplicaFailure", "False", "", ""), condition("Other", "True", "", "")]}}),
                InProgress,
                "Labelled: 0/1",
            ),
            (rest([2, 1, 2, 2]), InProgress, "Labelled: 1/2"),
            (rest([2, 2, 1, 2]), InProgress, "Available: 1/2"),
            (rest([2, 2, 2, 1]), InProgress, "Ready: 1/2"),
            (rest([3, 2, 2, 2]), InProgress, "Pending termination: 1"),
            (rest([2, 2, 2, 2]), Current, "ReplicaSet is available. Replicas: 2"),
        ],
    );
}

#[test]
fn a_stateful_set_is_ready_when_its_revision_is_rolled_out_above_the_partition() {
    let rest = |replicas: [i64; 4], revision: &str, strategy: Value| {
        let [replicas, ready, current, updated] = replicas;
        json!({"spec": {"replicas": 3, "updateStrategy": strategy}, "status": {"replicas": replicas, "readyReplicas": ready,
            "currentReplicas": current, "updatedReplicas": updated, "currentRevision": revision, "updateRevision": "b"}})
    };
    let rolling = || json!({"type": "RollingUpdate"});
    let partition = || json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    check(
        "apps/v1",
        "StatefulSet",
        &[
            (
                rest([0, 0, 0, 0], "a", json!({"type": "OnDelete"})),
                Current,
                "StatefulSet is using the ondelete update strategy",
            ),
            (rest([2, 2, 2, 2], "b", rolling()), InProgress, "Replicas: 2/3"),
            (rest([3, 2, 3, 3], "b", rolling()), InProgress, "Ready: 2/3"),
            (rest([4, 3, 3, 3], "b", rolling()), InProgress, "Pending termination: 1"),
            (rest([3, 3, 3, 1], "a", partition()), InProgress, "updated: 1/2"),
            (rest([3, 3, 0, 2], "a", partition()), Current, "Partition rollout complete. updated: 2"),
            (rest([3, 3, 2, 1], "b", rolling()), InProgress, "current: 2/3"),
            (rest([3, 3, 3, 3], "a", rolling()), InProgress, "Waiting for updated revision to match current"),
            (rest([3, 3, 3, 3], "b", rolling()), Current, "All replicas scheduled as expected. Replicas: 3"),
        ],
    );
}

#[test]
fn a_daemon_set_is_ready_when_every_node_has_its_pod() {
    let rest = |numbers: [i64; 4]| {
        let [current, updated, available, ready] = numbers;
        json!({"status": {"observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": current,
            "updatedNumberScheduled": updated, "numberAvailable": available, "numberReady": ready}})
    };
    check(
        "apps/v1",
        "DaemonSet",
        &[
            (json!({"metadata": {}}), InProgress, "DaemonSet metadata.generation not found"),
            (json!({}), InProgress, "DaemonSet status.observedGeneration not found"),
            (json!({"status": {"observedGeneration": 2}}), InProgress, "Missing .status.desiredNumberScheduled"),
            (rest([1, 2, 2, 2]), InProgress, "Current: 1/2"),
            (rest([2, 1, 2, 2]), InProgress, "Updated: 1/2"),
            (rest([2, 2, 1, 2]), InProgress, "Available: 1/2"),
            (rest([2, 2, 2, 1]), InProgress, "Ready: 1/2"),
            (rest([2, 2, 2, 2]), Current, "All replicas scheduled as expected. Replicas: 2"),
            (
                json!({"status": {"observedGeneration": 2, "desiredNumberScheduled": 0}}),
                Current,
                "All replicas scheduled as expected. Replicas: 0",
            ),
        ],
    );
}

#[test]
fn a_pod_is_ready_when_it_says_so_or_has_ended() {
    let phase = |phase: &str| json!({"status": {"phase": phase}});
    let waiting = |name: &str, reason: &str| json!({"name": name, "state": {"waiting": {"reason": reason}}});
    let running = |statuses: Value| json!({"status": {"phase": "Running", "containerStatuses": statuses}});
    let unschedulable = || json!({"status": {"phase": "Pending", "conditions": [condition("PodScheduled", "False", "Unschedulable", "")]}});
    check(
        "v1",
        "Pod",
        &[
            (phase("Succeeded"), Current, "Pod has completed successfully"),
            (phase("Failed"), Current, "Pod has completed, but not successfully"),
            (
                json!({"status": {"phase": "Running", "conditions": [condition("Ready", "True", "", "")]}}),
                Current,
                "Pod is Ready",
            ),
            (phase("Running"), InProgress, "Pod is running but is not Ready"),
            (
                json!({"status": {"phase": "Running",
                    "conditions": [condition("Ready", "False", "", ""), condition("ContainersReady", "True", "", "")]}}),
                InProgress,
                "Pod is running but is not Ready",
            ),
            (running(json!([waiting("a", "ImagePullBackOff")])), InProgress, "Pod is running but is not Ready"),
            (
                running(json!([waiting("a", "CrashLoopBackOff"), waiting("b", "CrashLoopBackOff")])),
                Failed,
                "Containers in CrashLoop state: a,b",
            ),
            (phase("Pending"), InProgress, "Pod is in the Pending phase"),
            (unschedulable(), InProgress, "Pod has not been scheduled"),
            (
                json!({"status": {"phase": "Pending", "conditions": [
                    condition("PodScheduled", "False", "SchedulingGated", ""),
                    condition("PodScheduled", "True", "Unschedulable", ""),
                    condition("Ready", "False", "Unschedulable", ""),
                ]}}),
                InProgress,
                "Pod is in the Pending phase",
            ),
            (json!({}), InProgress, "Pod phase not available"),
            (phase("Odd"), Unknown, "unknown phase Odd"),
        ],
    );
    let mut pod = object("v1", "Pod", unschedulable());
    pod["metadata"]["creationTimestamp"] = json!("1970-01-01T00:01:00Z");
    for (now, status) in [(60, InProgress), (74, InProgress), (75, Failed), (1000, Failed)] {
        assert_eq!(readiness_at(Some(&pod), Some(now)).status, status, "at {now}");
    }
}

#[test]
fn a_job_is_ready_while_it_runs_and_when_it_is_complete() {
    let rest = |conditions: Value| json!({"spec": {"completions": 3}, "status": {"startTime": "t", "succeeded": 1, "active": 1, "failed": 2, "conditions": conditions}});
    check(
        "batch/v1",
        "Job",
        &[
            (json!({}), InProgress, "Job not started"),
            (rest(json!([])), Current, "Job in progress. success:1, active: 1, failed: 2"),
            (rest(json!([condition("Complete", "True", "", "")])), Current, "Job Completed. succeeded: 1/3"),
            (rest(json!([condition("Failed", "True", "", "")])), Failed, "Job Failed. failed: 2/3"),
            (
                rest(json!([condition("Failed", "False", "", "")])),
                Current,
                "Job in progress. success:1, active: 1, failed: 2",
            ),
        ],
    );
}

#[test]
fn a_claim_is_ready_when_bound() {
    check(
        "v1",
        "PersistentVolumeClaim",
        &[
            (json!({}), InProgress, "PVC is not Bound. phase: unknown"),
            (json!({"status": {"phase": "Pending"}}), InProgress, "PVC is not Bound. phase: Pending"),
            (json!({"status": {"phase": "Bound"}}), Current, "PVC is Bound"),
        ],
    );
}

#[test]
fn a_service_is_ready_unless_a_load_balancer_has_no_address_inside() {
    check(
        "v1",
        "Service",
        &[
            (json!({}), Current, "Service is ready"),
            (json!({"spec": {"type": "LoadBalancer"}}), InProgress, "ClusterIP not set. Service type: LoadBalancer"),
            (json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}}), Current, "Service is ready"),
        ],
    );
}

#[test]
fn a_definition_is_ready_when_established() {
    let conditions = |conditions: Value| json!({"status": {"conditions": conditions}});
    check(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &[
            (json!({}), InProgress, "Install in progress"),
            (conditions(json!([condition("NamesAccepted", "False", "Conflict", "taken")])), Failed, "taken"),
            (
                conditions(json!([condition("Established", "False", "Installing", "x")])),
                InProgress,
                "Install in progress",
            ),
            (conditions(json!([condition("Established", "False", "NotAccepted", "x")])), Failed, "x"),
            (
                conditions(json!([
                    condition("NamesAccepted", "True", "", ""),
                    condition("Established", "True", "", "")
                ])),
                Current,
                "CRD is established",
            ),
        ],
    );
}
