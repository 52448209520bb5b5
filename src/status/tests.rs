use serde_json::json;

use super::*;

const EARLY: &str = "2026-01-01T00:00:00Z";
const LATE: &str = "2026-01-01T00:05:00.5Z";

fn at(time: &str) -> Occasion {
    Occasion { at: time.parse().unwrap(), generation: Some(3), drift: None, handled: None }
}

fn report(old: Option<&Json>, outcome: &Outcome, occasion: Occasion) -> Report {
    super::report(old, outcome, &occasion)
}

fn applied(revision: u32, blocker: Option<Blocker>) -> Outcome {
    Outcome::Applied { deployed: Deployed { name: "web".into(), revision }, notes: "hello".into(), blocker }
}

fn blocker(status: Status, cause: Option<&str>) -> Blocker {
    let readiness = Readiness { status, message: "Available: 0/1".into() };
    Blocker { id: "apps/Deployment n/web".parse().unwrap(), readiness, cause: cause.map(str::to_owned) }
}

fn failed(step: FailedStep, reason: Reason, fate: Fate) -> Outcome {
    Outcome::Failed { step, reason, message: "broken".into(), fate }
}

/// Conditions as `Type=Status Reason: message`.
fn shown(report: &Report) -> Vec<String> {
    let text = |item: &Json, field: &str| item.get(field).and_then(Json::as_str).unwrap_or("-").to_owned();
    let items = report.status["conditions"].as_array().unwrap().iter();
    items
        .map(|item| {
            format!(
                "{}={} {}: {}",
                text(item, "type"),
                text(item, "status"),
                text(item, "reason"),
                text(item, "message")
            )
        })
        .collect()
}

/// Events as `Type Reason: message`.
fn events(report: &Report) -> Vec<String> {
    let events = report.transitions.iter();
    events.map(|event| format!("{} {}: {}", event.severity.name(), event.reason, event.message)).collect()
}

#[test]
fn each_outcome_has_its_conditions_and_events() {
    let ready = "Ready=True Succeeded: all objects are ready";
    let installed = "Deployed=True InstallSuccessful: hello";
    let cases: Vec<(Outcome, Vec<&str>, Vec<&str>)> = vec![
        (
            applied(1, None),
            vec!["Initialized=True -: -", installed, ready],
            vec!["Normal InstallSuccessful: hello", "Normal Succeeded: all objects are ready"],
        ),
        (
            applied(2, Some(blocker(Status::InProgress, Some("Pod web-x: ImagePullBackOff: not found")))),
            vec![
                "Initialized=True -: -",
                "Deployed=True UpgradeSuccessful: hello",
                "Ready=False Progressing: Deployment web: Pod web-x: ImagePullBackOff: not found",
                "Reconciling=True Progressing: Deployment web: Pod web-x: ImagePullBackOff: not found",
            ],
            vec![
                "Normal UpgradeSuccessful: hello",
                "Normal Progressing: Deployment web: Pod web-x: ImagePullBackOff: not found",
            ],
        ),
        (
            applied(1, Some(blocker(Status::Failed, None))),
            vec![
                "Initialized=True -: -",
                installed,
                "Ready=False ObjectFailed: Deployment web: Available: 0/1",
                "Stalled=True ObjectFailed: Deployment web: Available: 0/1",
            ],
            vec!["Normal InstallSuccessful: hello", "Warning ObjectFailed: Deployment web: Available: 0/1"],
        ),
        (
            failed(FailedStep::Install, Reason::RenderFailed, Fate::WaitForUser),
            vec![
                "Initialized=True -: -",
                "ReleaseFailed=True InstallError: broken",
                "Ready=False RenderFailed: broken",
                "Stalled=True RenderFailed: broken",
            ],
            vec!["Warning InstallError: broken", "Warning RenderFailed: broken"],
        ),
        (
            failed(FailedStep::Reconcile, Reason::Retrying, Fate::Retry),
            vec![
                "Initialized=True -: -",
                "Irreconcilable=True ReconcileError: broken",
                "Ready=False Retrying: broken",
                "Reconciling=True Retrying: broken",
            ],
            vec!["Warning ReconcileError: broken", "Normal Retrying: broken"],
        ),
        (
            Outcome::Progressing { reason: Reason::Waiting, message: "for a database".into() },
            vec![
                "Initialized=True -: -",
                "Ready=False Waiting: for a database",
                "Reconciling=True Waiting: for a database",
            ],
            vec!["Normal Waiting: for a database"],
        ),
        (
            Outcome::Kept {
                deployed: Deployed { name: "web".into(), revision: 3 },
                reason: Reason::HookFailed,
                message: "broken".into(),
            },
            vec![
                "Initialized=True -: -",
                "ReleaseFailed=True UpgradeError: broken",
                "Ready=False HookFailed: broken",
                "Stalled=True HookFailed: broken",
            ],
            vec!["Warning UpgradeError: broken", "Warning HookFailed: broken"],
        ),
        (
            Outcome::Uninstalling { reason: Reason::TeardownBlocked, message: "Pod x".into() },
            vec!["Ready=False TeardownBlocked: Pod x", "Stalled=True TeardownBlocked: Pod x"],
            vec!["Warning TeardownBlocked: Pod x"],
        ),
        (
            Outcome::Uninstalling { reason: Reason::Uninstalling, message: "Job x".into() },
            vec!["Ready=False Uninstalling: Job x", "Reconciling=True Uninstalling: Job x"],
            vec!["Normal Uninstalling: Job x"],
        ),
        (
            failed(FailedStep::Uninstall, Reason::HookFailed, Fate::Retry),
            vec![
                "Initialized=True -: -",
                "ReleaseFailed=True UninstallError: broken",
                "Ready=False HookFailed: broken",
                "Reconciling=True HookFailed: broken",
            ],
            vec!["Warning UninstallError: broken", "Normal HookFailed: broken"],
        ),
        (
            Outcome::Leaving { message: "Pod x is not gone yet".into() },
            vec![
                "Deployed=False UninstallSuccessful: Waiting until all resources are deleted.",
                "Ready=False Uninstalling: Pod x is not gone yet",
                "Reconciling=True Uninstalling: Pod x is not gone yet",
            ],
            vec![
                "Normal UninstallSuccessful: Waiting until all resources are deleted.",
                "Normal Uninstalling: Pod x is not gone yet",
            ],
        ),
        (
            Outcome::Uninstalled,
            vec!["Deployed=False UninstallSuccessful: ", "Ready=False UninstallSuccessful: "],
            vec!["Normal UninstallSuccessful: "],
        ),
    ];
    for (outcome, conditions, expected_events) in cases {
        let report = report(None, &outcome, at(EARLY));
        assert_eq!(shown(&report), conditions, "{outcome:?}");
        assert_eq!(events(&report), expected_events, "{outcome:?}");
    }
}

#[test]
fn the_same_outcome_gives_an_equal_status_and_no_event() {
    let outcomes = [
        applied(1, None),
        applied(2, Some(blocker(Status::InProgress, None))),
        failed(FailedStep::Upgrade, Reason::Refused, Fate::WaitForUser),
        Outcome::Uninstalled,
    ];
    for outcome in outcomes {
        let first = report(None, &outcome, at(EARLY));
        let again = report(Some(&first.status), &outcome, at(LATE));
        assert_eq!((again.status, again.transitions), (first.status, vec![]), "{outcome:?}");
    }
}

#[test]
fn a_failed_upgrade_leaves_deployed_and_recovery_removes_what_failed() {
    let good = report(None, &applied(1, None), at(EARLY));
    let bad = report(Some(&good.status), &failed(FailedStep::Upgrade, Reason::Refused, Fate::WaitForUser), at(LATE));
    assert!(shown(&bad).contains(&"Deployed=True InstallSuccessful: hello".to_owned()));
    assert!(shown(&bad).contains(&"ReleaseFailed=True UpgradeError: broken".to_owned()));
    assert_eq!(bad.status["deployedRelease"], json!({"name": "web", "revision": 1}));
    let recovered = report(Some(&bad.status), &applied(2, None), at(LATE));
    let expected = [
        "Initialized=True -: -",
        "Deployed=True UpgradeSuccessful: hello",
        "Ready=True Succeeded: all objects are ready",
    ];
    assert_eq!(shown(&recovered), expected);
    assert_eq!(recovered.status["deployedRelease"]["revision"], 2);
    assert_eq!(report(Some(&recovered.status), &Outcome::Uninstalled, at(LATE)).status.get("deployedRelease"), None);
}

#[test]
fn the_transition_time_changes_with_the_status_alone() {
    let time = |report: &Report, kind: &str| {
        let conditions = report.status["conditions"].as_array().unwrap();
        conditions.iter().find(|item| item["type"] == kind).unwrap()["lastTransitionTime"].as_str().unwrap().to_owned()
    };
    let first = report(None, &applied(1, Some(blocker(Status::InProgress, None))), at(EARLY));
    let other_message =
        report(Some(&first.status), &applied(1, Some(blocker(Status::InProgress, Some("x")))), at(LATE));
    assert_eq!(time(&other_message, "Ready"), EARLY);
    assert_eq!(other_message.transitions, [], "only the message has changed");
    let ready = report(Some(&first.status), &applied(1, None), at(LATE));
    assert_eq!(time(&ready, "Ready"), "2026-01-01T00:05:00Z");
    assert_eq!(time(&ready, "Deployed"), EARLY);
}

#[test]
fn generations_stand_on_our_conditions_only_and_foreign_fields_are_kept() {
    let old = json!({"mine": 1, "conditions": [{"type": "Other", "status": "True"}], "deployedRelease": {"name": "web", "manifest": "secret"}});
    let report = report(Some(&old), &applied(1, None), at(EARLY));
    assert_eq!((&report.status["mine"], &report.status["observedGeneration"]), (&json!(1), &json!(3)));
    assert_eq!(report.status["deployedRelease"], json!({"name": "web", "revision": 1}));
    let conditions = report.status["conditions"].as_array().unwrap();
    assert_eq!(conditions[0], json!({"type": "Other", "status": "True"}));
    for condition in conditions {
        assert_eq!(condition.get("observedGeneration").is_some(), condition["type"] == "Ready", "{condition}");
    }
    let without = super::report(None, &applied(1, None), &Occasion { generation: None, ..at(EARLY) });
    assert!(!without.status.to_string().contains("observedGeneration"));
}

#[test]
fn reasons_are_what_kubernetes_takes_for_one() {
    for reason in Reason::ALL {
        assert!(reason.name().chars().all(char::is_alphanumeric), "{reason}");
    }
}

#[test]
fn a_pause_leaves_what_was_seen_and_is_gone_with_the_next_outcome() {
    let busy = report(None, &applied(1, Some(blocker(Status::InProgress, None))), at(EARLY));
    let paused = report(Some(&busy.status), &Outcome::Paused { message: "paused".into() }, at(LATE));
    assert_eq!(events(&paused), ["Normal Paused: paused"]);
    let conditions = shown(&paused);
    assert!(conditions.contains(&"Paused=True Paused: paused".to_owned()), "{conditions:?}");
    assert!(
        conditions.contains(&"Ready=False Progressing: Deployment web: Available: 0/1".to_owned()),
        "{conditions:?}"
    );
    assert!(!conditions.iter().any(|condition| condition.starts_with("Reconciling")), "{conditions:?}");
    let again = report(Some(&paused.status), &applied(1, None), at(LATE));
    assert!(!shown(&again).iter().any(|condition| condition.starts_with("Paused")), "{again:?}");
}

#[test]
fn drift_is_a_condition_while_it_is_there_and_no_event_and_a_request_is_echoed() {
    let occasion =
        |drift: Option<&str>| Occasion { drift: drift.map(str::to_owned), handled: Some("today".into()), ..at(EARLY) };
    let found = report(None, &applied(1, None), occasion(Some("`Service n/a` was deleted")));
    assert!(shown(&found).contains(&"Drifted=True DriftDetected: `Service n/a` was deleted".to_owned()), "{found:?}");
    assert_eq!(events(&found), events(&report(None, &applied(1, None), at(EARLY))));
    assert_eq!(found.status["lastHandledReconcileAt"], "today");
    let unknown = report(Some(&found.status), &applied(1, None), occasion(None));
    assert_eq!(unknown.status, found.status);
    let gone = report(Some(&found.status), &applied(1, None), occasion(Some("")));
    assert!(!shown(&gone).iter().any(|condition| condition.starts_with("Drifted")), "{gone:?}");
}

#[test]
fn what_a_stored_condition_says_is_read_back() {
    let items: Vec<_> =
        ["True", "False", "Unknown", "Odd"].map(|status| json!({"type": "Ready", "status": status})).into();
    let truths = [Some(Truth::True), Some(Truth::False), Some(Truth::Unknown), None];
    for (item, truth) in items.into_iter().zip(truths) {
        let status = json!({"conditions": [{"type": "Other", "status": "True"}, item]});
        let conditions = Conditions::of(Some(&status), EARLY.parse().unwrap(), None);
        assert_eq!(
            (conditions.truth(Condition::Ready), conditions.truth(Condition::Stalled)),
            (truth, None),
            "{status}"
        );
    }
    for condition in Condition::ALL {
        assert_eq!(condition.to_string(), condition.name());
    }
    assert_eq!(Reason::Refused.to_string(), "Refused");
}

#[test]
fn another_reason_is_news_and_what_several_conditions_say_is_told_of_the_first() {
    let first = report(None, &failed(FailedStep::Upgrade, Reason::Refused, Fate::WaitForUser), at(EARLY));
    let other = failed(FailedStep::Upgrade, Reason::Forbidden, Fate::WaitForUser);
    assert_eq!(events(&report(Some(&first.status), &other, at(LATE))), ["Warning Forbidden: broken"]);
    let gone = report(None, &Outcome::Uninstalled, at(EARLY));
    let told: Vec<_> = gone.transitions.iter().map(|event| &*event.condition).collect();
    assert_eq!(told, [Condition::Deployed.name()]);
}
