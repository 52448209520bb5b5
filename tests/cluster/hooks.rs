//! Hooks, with a controller-manager that runs Jobs and no kubelet: the test ends their Pods as a kubelet would.

use kube::api::DeleteParams;
use serde_json::{Value as Json, json};

use crate::support::{
    Namespace, Operator, Project, condition, condition_message, condition_text, eventually, is_deployed,
};

pub(crate) const WATCHES: &str = "- group: charts.samutup.com
  version: v1alpha1
  kind: Web
  chart: helm-charts/probe
";

const PAGE: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-page}
data: {text: {{ .Values.text | quote }}}
";

/// The template of a Job that is a hook; `annotations` without the prefix `helm.sh/`.
pub(crate) fn job(name: &str, annotations: &[(&str, &str)]) -> String {
    let line = |(name, value): &(&str, &str)| format!("    helm.sh/{name}: \"{value}\"\n");
    let annotations = annotations.iter().map(line).collect::<Vec<_>>().concat();
    format!(
        "{{{{- if .Values.hooks }}}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{{{ .Release.Name }}}}-{name}
  annotations:
{annotations}spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: work, image: busybox}}]
{{{{- end }}}}
"
    )
}

/// A project whose chart renders one ConfigMap and these hooks.
pub(crate) fn project(hooks: &[(&str, String)]) -> Project {
    let project = Project::of(&[
        ("watches.yaml", WATCHES),
        ("helm-charts/probe/Chart.yaml", "apiVersion: v2\nname: probe\nversion: 1.0.0\n"),
        ("helm-charts/probe/values.yaml", "text: hello\nhooks: true\n"),
        ("helm-charts/probe/templates/page.yaml", PAGE),
        ("helm-charts/probe/templates/NOTES.txt", "It says {{ .Values.text }}."),
    ]);
    for (name, text) in hooks {
        project.edit(&format!("helm-charts/probe/templates/{name}.yaml"), |_| text.clone());
    }
    project
}

async fn until_exists(namespace: &Namespace, kind: &str, name: &str) -> Json {
    namespace.until(kind, name, "it exists", |_| true).await
}

async fn until_deployed(namespace: &Namespace, name: &str) -> Json {
    namespace.until("Web", name, "it is deployed", is_deployed).await
}

/// How the last run of each hook ended, by name.
async fn phases(namespace: &Namespace, release: &str, revision: u32) -> Vec<String> {
    let record = namespace.record(release, revision).await.unwrap();
    record.hooks.iter().map(|hook| format!("{} {}", hook.name, hook.last_run.phase)).collect()
}

#[tokio::test]
async fn hooks_run_by_weight_one_after_the_other_around_the_objects() {
    let namespace = Namespace::create("hook-order").await;
    let pre = |weight| [("hook", "pre-install"), ("hook-weight", weight)];
    let project = project(&[
        ("a", job("second", &pre("1"))),
        ("b", job("first", &pre("-5"))),
        ("c", job("last", &[("hook", "post-install")])),
        ("d", job("test", &[("hook", "test")])),
    ]);
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;

    let first = until_exists(&namespace, "Job", "shop-first").await;
    assert_eq!(first["metadata"]["labels"]["applyset.kubernetes.io/part-of"], Json::Null);
    assert_eq!(first["metadata"]["labels"]["helm.sdk.operatorframework.io/chart"], "probe");
    assert_eq!(first["metadata"]["ownerReferences"][0]["kind"], "Web");
    let waits = |web: &Json| condition_message(web, "Reconciling").contains("shop-first");
    let web = namespace.until("Web", "shop", "it tells what it waits for", waits).await;
    assert!(condition_message(&web, "Reconciling").ends_with("is under way: Job in progress"), "{web}");
    assert_eq!(namespace.history("shop").await, ["1 pending-install: Initial install underway"]);
    assert_eq!(namespace.names("Job").await, ["shop-first"]);

    namespace.end_job("shop-first", "Succeeded").await;
    until_exists(&namespace, "Job", "shop-second").await;
    assert!(namespace.find("ConfigMap", "shop-page").await.is_none());
    assert_eq!(phases(&namespace, "shop", 1).await[1], "shop-first Succeeded");

    namespace.end_job("shop-second", "Succeeded").await;
    until_exists(&namespace, "Job", "shop-last").await;
    assert!(namespace.find("ConfigMap", "shop-page").await.is_some());
    assert!(!is_deployed(&namespace.find("Web", "shop").await.unwrap()));

    namespace.end_job("shop-last", "Succeeded").await;
    let web = until_deployed(&namespace, "shop").await;
    assert_eq!(condition_text(&web, "Deployed").unwrap(), "True/InstallSuccessful");
    assert_eq!(condition_message(&web, "Deployed"), "It says hello.");
    assert_eq!(condition_text(&web, "Ready").unwrap(), "True/Succeeded");
    assert_eq!(namespace.history("shop").await, ["1 deployed: Install complete"]);
    let ended = ["shop-last Succeeded", "shop-first Succeeded", "shop-second Succeeded", "shop-test "];
    let mut found = phases(&namespace, "shop", 1).await;
    found.sort_by_key(|line| ended.iter().position(|known| known == line));
    assert_eq!(found, ended);
    assert_eq!(operator.logged("Installed release").len(), 1);
    assert!(namespace.find("Job", "shop-test").await.is_none());

    // Nothing of it runs again: not by an upgrade, for which it is not meant.
    namespace.patch("Web", "shop", json!({"spec": {"text": "bye"}})).await;
    namespace.until("ConfigMap", "shop-page", "it is upgraded", |page| page["data"]["text"] == "bye").await;
    assert_eq!(namespace.find("Job", "shop-first").await.unwrap()["metadata"]["uid"], first["metadata"]["uid"]);
}

#[tokio::test]
async fn each_delete_policy_deletes_when_it_says() {
    let namespace = Namespace::create("hook-policies").await;
    let both = ("hook", "pre-install,pre-upgrade");
    let account = "apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Release.Name }}-account
  annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-weight: '-9', \
                   helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded'}
";
    let project = project(&[
        ("account", account.to_owned()),
        ("a", job("stays", &[both])),
        ("b", job("goes", &[both, ("hook-delete-policy", "hook-succeeded"), ("hook-weight", "1")])),
    ]);
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let first = until_exists(&namespace, "Job", "shop-stays").await;
    assert!(namespace.find("ServiceAccount", "shop-account").await.is_some());
    namespace.end_job("shop-stays", "Succeeded").await;
    namespace.end_job("shop-goes", "Succeeded").await;
    until_deployed(&namespace, "shop").await;
    assert_eq!(namespace.names("Job").await, ["shop-stays"]);
    assert!(namespace.find("ServiceAccount", "shop-account").await.is_none());

    namespace.patch("Web", "shop", json!({"spec": {"text": "bye"}})).await;
    let anew = |found: &Json| found["metadata"]["uid"] != first["metadata"]["uid"];
    namespace.until("Job", "shop-stays", "it is made anew", anew).await;
    namespace.end_job("shop-stays", "Succeeded").await;
    namespace.end_job("shop-goes", "Succeeded").await;
    namespace.until("ConfigMap", "shop-page", "it is upgraded", |page| page["data"]["text"] == "bye").await;
    namespace.until_gone("Job", "shop-goes").await;
    let history = ["1 superseded: Install complete", "2 deployed: Upgrade complete"];
    let as_expected = || async { (namespace.history("shop").await == history).then_some(()) };
    eventually("the history tells of both", as_expected).await;
}

#[tokio::test]
async fn a_hook_that_fails_fails_the_install_with_its_cause_until_the_user_asks_again() {
    let namespace = Namespace::create("hook-fails").await;
    let policy = ("hook-delete-policy", "hook-failed");
    let project = project(&[("a", job("broken", &[("hook", "pre-install"), policy]))]);
    let operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1s"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.end_job("shop-broken", "Failed").await;

    let failed = |web: &Json| condition(web, "ReleaseFailed").is_some();
    let web = namespace.until("Web", "shop", "it has failed", failed).await;
    assert_eq!(condition_text(&web, "ReleaseFailed").unwrap(), "True/InstallError");
    assert_eq!(condition_text(&web, "Stalled").unwrap(), "True/HookFailed");
    let told = format!(
        "failed pre-install: resource Job/{}/shop-broken not ready. status: Failed, message: Job Failed. failed: 1/1: \
         BackoffLimitExceeded",
        namespace.name
    );
    assert!(
        condition_message(&web, "ReleaseFailed").starts_with(&told),
        "{}",
        condition_message(&web, "ReleaseFailed")
    );
    namespace.until_gone("Job", "shop-broken").await;
    assert!(namespace.find("ConfigMap", "shop-page").await.is_none());
    let history = namespace.history("shop").await;
    assert!(
        history.len() == 1 && history[0].starts_with("1 failed: Release \"shop\" failed: failed pre-"),
        "{history:?}"
    );

    // Periods pass, and a restart.
    let passes = "controller_runtime_reconcile_total{controller=\"web-controller\",result=\"requeue_after\"}";
    let looked = operator.metric(passes).await.unwrap_or_default();
    eventually("three more passes", || async {
        (operator.metric(passes).await.unwrap_or_default() >= looked + 3.0).then_some(())
    })
    .await;
    operator.kill();
    let _again = Operator::start(&project, &namespace).await;
    let asked = json!({"metadata": {"annotations": {"chart-operator.dev/requestedAt": "now"}}});
    assert!(namespace.names("Job").await.is_empty());
    namespace.patch("Web", "shop", asked).await;
    namespace.end_job("shop-broken", "Succeeded").await;
    let web = until_deployed(&namespace, "shop").await;
    assert!(condition(&web, "ReleaseFailed").is_none() && condition(&web, "Stalled").is_none());
    assert_eq!(namespace.history("shop").await[1], "2 deployed: Install complete");
}

#[tokio::test]
async fn a_hanging_hook_holds_no_worker_and_an_edit_starts_over() {
    let namespace = Namespace::create("hook-hangs").await;
    let project = project(&[("a", job("hangs", &[("hook", "pre-install,pre-upgrade")]))]);
    let _operator = Operator::start_with(&project, &namespace, &["--max-concurrent-reconciles=1"]).await;
    namespace.create_resource("Web", "stuck", json!({})).await;
    let first = until_exists(&namespace, "Job", "stuck-hangs").await;
    namespace.create_resource("Web", "free", json!({"hooks": false})).await;
    until_deployed(&namespace, "free").await;

    namespace.patch("Web", "stuck", json!({"spec": {"text": "other"}})).await;
    let anew = |found: &Json| found["metadata"]["uid"] != first["metadata"]["uid"];
    namespace.until("Job", "stuck-hangs", "it is made anew", anew).await;
    namespace.end_job("stuck-hangs", "Succeeded").await;
    until_deployed(&namespace, "stuck").await;
    assert_eq!(namespace.find("ConfigMap", "stuck-page").await.unwrap()["data"]["text"], "other");
    let history = ["1 failed: Given up for what was asked for next", "2 deployed: Install complete"];
    assert_eq!(namespace.history("stuck").await, history);
}

#[tokio::test]
async fn a_kill_between_hooks_neither_repeats_nor_skips_one() {
    let namespace = Namespace::create("hook-crash").await;
    let pre = |weight| [("hook", "pre-install"), ("hook-weight", weight)];
    let project = project(&[
        ("a", job("one", &pre("1"))),
        ("b", job("two", &pre("2"))),
        ("c", job("three", &[("hook", "pre-install,post-install"), ("hook-weight", "3")])),
    ]);
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.end_job("shop-one", "Succeeded").await;
    let two = until_exists(&namespace, "Job", "shop-two").await;
    operator.kill();

    // What ends while nobody looks is seen afterwards, and what was done is not done again, even if its Job is gone.
    namespace.end_job("shop-two", "Succeeded").await;
    namespace.delete("Job", "shop-one").await;
    let again = Operator::start(&project, &namespace).await;
    let three = until_exists(&namespace, "Job", "shop-three").await;
    assert_eq!(namespace.find("Job", "shop-two").await.unwrap()["metadata"]["uid"], two["metadata"]["uid"]);
    again.kill();

    let again = Operator::start(&project, &namespace).await;
    assert_eq!(namespace.find("Job", "shop-three").await.unwrap()["metadata"]["uid"], three["metadata"]["uid"]);
    namespace.end_job("shop-three", "Succeeded").await;
    // The same hook for the other event is another run.
    let anew = |found: &Json| found["metadata"]["uid"] != three["metadata"]["uid"];
    let after = namespace.until("Job", "shop-three", "it is made anew", anew).await;
    assert!(namespace.find("ConfigMap", "shop-page").await.is_some());
    again.kill();
    let _again = Operator::start(&project, &namespace).await;
    namespace.end_job("shop-three", "Succeeded").await;
    until_deployed(&namespace, "shop").await;
    let jobs = namespace.names("Job").await;
    assert_eq!(jobs, ["shop-three", "shop-two"], "the first is not run again");
    assert_eq!(namespace.find("Job", "shop-three").await.unwrap()["metadata"]["uid"], after["metadata"]["uid"]);
}

#[tokio::test]
async fn a_job_that_vanished_before_its_end_was_seen_is_a_failure_and_not_run_twice() {
    let namespace = Namespace::create("hook-lost").await;
    let project = project(&[("a", job("lost", &[("hook", "pre-install")]))]);
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    until_exists(&namespace, "Job", "shop-lost").await;
    let begun =
        || async { phases(&namespace, "shop", 1).await.contains(&"shop-lost Running".to_owned()).then_some(()) };
    eventually("the record tells that it runs", begun).await;
    namespace.delete("Job", "shop-lost").await;
    let failed =
        |web: &Json| condition_message(web, "ReleaseFailed").contains("it was deleted before its end was seen");
    namespace.until("Web", "shop", "it has failed", failed).await;
    assert!(namespace.names("Job").await.is_empty());
}

#[tokio::test]
async fn hooks_of_a_deletion_run_around_it_from_the_record_alone_and_one_that_fails_is_tried_again() {
    let namespace = Namespace::create("hook-delete").await;
    let project = project(&[
        ("a", job("before", &[("hook", "pre-delete")])),
        ("b", job("after", &[("hook", "post-delete"), ("hook-delete-policy", "hook-succeeded")])),
    ]);
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    until_deployed(&namespace, "shop").await;
    assert!(namespace.names("Job").await.is_empty());
    namespace.delete("Web", "shop").await;
    let first = until_exists(&namespace, "Job", "shop-before").await;
    let status =
        || async { Some(namespace.history("shop").await).filter(|lines| lines[0].starts_with("1 uninstalling")) };
    eventually("the record tells of the deletion", status).await;
    assert!(namespace.find("ConfigMap", "shop-page").await.is_some());
    operator.kill();

    // The chart has other hooks by now, which nobody installed.
    project.edit("helm-charts/probe/templates/a.yaml", |text| text.replace("before", "other"));
    let operator = Operator::start(&project, &namespace).await;
    namespace.end_job("shop-before", "Failed").await;
    let anew = |found: &Json| found["metadata"]["uid"] != first["metadata"]["uid"];
    namespace.until("Job", "shop-before", "it is tried again", anew).await;
    assert!(!operator.logged("Failed to uninstall release").is_empty());
    assert!(namespace.find("ConfigMap", "shop-page").await.is_some());
    namespace.end_job("shop-before", "Succeeded").await;

    until_exists(&namespace, "Job", "shop-after").await;
    namespace.until_gone("ConfigMap", "shop-page").await;
    assert!(namespace.find("Web", "shop").await.is_some());
    namespace.end_job("shop-after", "Succeeded").await;
    namespace.until_gone("Web", "shop").await;
    assert!(namespace.history("shop").await.is_empty());
    // The collector takes what is left of the hooks.
    namespace.until_gone("Job", "shop-before").await;
    namespace.until_gone("Job", "shop-after").await;
    assert_eq!(operator.logged("Uninstalled release").len(), 1);
}

#[tokio::test]
async fn a_hook_does_not_take_what_belongs_to_another() {
    let namespace = Namespace::create("hook-taken").await;
    let project = project(&[(
        "a",
        "{{- if .Values.hooks }}
apiVersion: v1
kind: ConfigMap
metadata: {name: first-page, annotations: {helm.sh/hook: pre-install}}
{{- end }}
"
        .to_owned(),
    )]);
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "first", json!({"hooks": false})).await;
    until_deployed(&namespace, "first").await;
    let before = namespace.find("ConfigMap", "first-page").await.unwrap();
    namespace.create_resource("Web", "second", json!({})).await;
    let failed = |web: &Json| condition_message(web, "ReleaseFailed").contains("it exists and belongs to Web ");
    namespace.until("Web", "second", "it has failed", failed).await;
    assert_eq!(namespace.find("ConfigMap", "first-page").await.unwrap()["metadata"]["uid"], before["metadata"]["uid"]);
}

#[tokio::test]
async fn hooks_run_for_what_a_look_up_changes_and_what_changes_meanwhile_comes_after() {
    let namespace = Namespace::create("hook-lookup").await;
    let copy = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-copy}
data: {text: {{ (lookup \"v1\" \"ConfigMap\" .Release.Namespace \"source\").data.text | quote }}}
";
    let project = project(&[("copy", copy.to_owned()), ("a", job("up", &[("hook", "pre-upgrade")]))]);
    let text = |text: &str| json!({"data": {"text": text}});
    namespace.create_named("ConfigMap", "source", text("first")).await;
    let _operator = Operator::start_with(&project, &namespace, &["--reconcile-period=1h"]).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    until_deployed(&namespace, "shop").await;

    namespace.patch("ConfigMap", "source", text("second")).await;
    let first = until_exists(&namespace, "Job", "shop-up").await;
    namespace.patch("ConfigMap", "source", text("third")).await;
    namespace.end_job("shop-up", "Succeeded").await;
    let anew = |found: &Json| found["metadata"]["uid"] != first["metadata"]["uid"];
    let second = namespace.until("Job", "shop-up", "it runs for the next revision", anew).await;
    assert_eq!(namespace.find("ConfigMap", "shop-copy").await.unwrap()["data"]["text"], "second");
    namespace.end_job("shop-up", "Succeeded").await;
    namespace.until("ConfigMap", "shop-copy", "it has the last text", |copy| copy["data"]["text"] == "third").await;
    let revision = |web: &Json| web["status"]["deployedRelease"]["revision"] == 3;
    namespace.until("Web", "shop", "it is the third revision", revision).await;
    let superseded =
        ["1 superseded: Install complete", "2 superseded: Upgrade complete", "3 deployed: Upgrade complete"];
    assert_eq!(namespace.history("shop").await, superseded);
    assert_eq!(namespace.find("Job", "shop-up").await.unwrap()["metadata"]["uid"], second["metadata"]["uid"]);
}

#[tokio::test]
async fn hooks_of_a_deletion_in_the_foreground_run_to_their_end() {
    let namespace = Namespace::create("hook-foreground").await;
    let project =
        project(&[("a", job("before", &[("hook", "pre-delete")])), ("b", job("after", &[("hook", "post-delete")]))]);
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    until_deployed(&namespace, "shop").await;
    namespace.api("Web").delete("shop", &DeleteParams::foreground()).await.unwrap();
    let before = until_exists(&namespace, "Job", "shop-before").await;
    // The collector would take what the resource owns.
    assert_eq!(before["metadata"]["ownerReferences"], Json::Null);
    namespace.end_job("shop-before", "Succeeded").await;
    until_exists(&namespace, "Job", "shop-after").await;
    namespace.until_gone("ConfigMap", "shop-page").await;
    assert!(namespace.find("Web", "shop").await.is_some());
    namespace.end_job("shop-after", "Succeeded").await;
    namespace.until_gone("Web", "shop").await;
    assert!(namespace.history("shop").await.is_empty());
    assert_eq!(operator.logged("Uninstalled release").len(), 1);
    assert!(operator.logged("Failed to uninstall release").is_empty());
}

#[tokio::test]
async fn a_hook_that_exceeds_its_deadline_has_failed() {
    let namespace = Namespace::create("hook-deadline").await;
    let slow = job("slow", &[("hook", "pre-install")]).replace("backoffLimit: 0", "activeDeadlineSeconds: 1");
    let project = project(&[("a", slow)]);
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let failed = |web: &Json| condition_text(web, "Stalled").as_deref() == Some("True/HookFailed");
    let web = namespace.until("Web", "shop", "it has failed", failed).await;
    let told = condition_message(&web, "ReleaseFailed");
    assert!(told.contains("shop-slow") && told.contains("DeadlineExceeded"), "{told}");
    assert!(namespace.find("ConfigMap", "shop-page").await.is_none());
}

#[tokio::test]
async fn patches_are_put_over_hooks_too_and_one_that_does_not_fit_is_refused_before_anything_is_written() {
    let namespace = Namespace::create("hook-patches").await;
    let patched = |path: &str| {
        let project = project(&[("a", job("work", &[("hook", "pre-install")]))]);
        let patch = format!("[{{op: replace, path: {path}, value: 3}}]");
        project
            .edit("watches.yaml", |text| format!("{text}  patches:\n  - {{target: {{kind: Job}}, patch: {patch}}}\n"));
        project
    };
    let operator = Operator::start(&patched("/spec/nothing"), &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    let refused = |web: &Json| condition_message(web, "ReleaseFailed").contains("cannot carry out `patch[0]`");
    namespace.until("Web", "shop", "it is refused", refused).await;
    assert!(namespace.names("Job").await.is_empty() && namespace.history("shop").await.is_empty());
    operator.kill();

    let operator = Operator::start(&patched("/spec/backoffLimit"), &namespace).await;
    let job = until_exists(&namespace, "Job", "shop-work").await;
    assert_eq!(job["spec"]["backoffLimit"], 3);
    namespace.end_job("shop-work", "Succeeded").await;
    // Its Pod is replaced as often as the patch allows; one that succeeds ends it.
    until_deployed(&namespace, "shop").await;
    let record = namespace.record("shop", 1).await.unwrap();
    assert!(record.hooks[0].manifest.contains("backoffLimit: 0"), "the record holds what the chart rendered");
    assert!(operator.logged("Patch not used").is_empty());
}
