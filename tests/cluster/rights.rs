//! An operator that may not do everything: what is forbidden is named, and the rest goes on.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::{
    Namespace, Operator, Project, Setting, condition, condition_text, eventually, is_deployed, plane,
};

/// A group, plurals of its kinds, and verbs.
pub(crate) type Rule<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

/// Gives `user` these rights in the namespace, by a Role of that name.
pub(crate) async fn grant(namespace: &Namespace, user: &str, role: &str, rules: &[Rule<'_>]) {
    let rule =
        |(group, resources, verbs): &Rule<'_>| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let rules: Vec<_> = rules.iter().map(rule).collect();
    namespace.create_named("Role", role, json!({"rules": rules})).await;
    let binding = json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    namespace.create_named("RoleBinding", role, binding).await;
}

pub(crate) const RESOURCES: Rule<'static> =
    ("charts.samutup.com", &["webs", "webs/status", "minimarts", "minimarts/status", "pages", "pages/status"], &["*"]);
pub(crate) const EVENTS: Rule<'static> = ("", &["events"], &["create"]);

/// Lines of the log that tell that something is forbidden. An API server that has just started has other faults too.
fn failures(operator: &Operator) -> Vec<Json> {
    let forbidden = |line: &Json| line["error"].as_str().is_some_and(|error| error.contains("forbidden"));
    operator.log().into_iter().filter(|line| line["level"] == "error" && forbidden(line)).collect()
}

#[tokio::test]
async fn an_object_that_it_may_not_write_is_named_and_other_resources_go_on() {
    let namespace = Namespace::create("unwritable").await;
    let setting = Setting::without_rights(plane(), &namespace.name);
    let core: &[&str] = &["configmaps", "secrets", "services", "serviceaccounts"];
    let rules = [RESOURCES, EVENTS, ("", core, &["*"]), ("apps", &["deployments"], &["*"])];
    grant(&namespace, &setting.user, "operator", &rules).await;
    let project = Project::new();
    let mut operator = Operator::launch(&project, setting, &["--reconcile-period=1s"]);
    operator.until_ready().await;

    namespace.create_resource("Web", "scaled", json!({"autoscaling": {"enabled": true}})).await;
    let refused = |web: &Json| condition(web, "ReleaseFailed").is_some();
    let web = namespace.until("Web", "scaled", "it names what is forbidden", refused).await;
    let message = condition(&web, "ReleaseFailed").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("horizontalpodautoscalers.autoscaling"), "{message}");
    assert!(message.contains("forbidden") && message.contains(&operator.user), "{message}");
    assert_eq!(condition_text(&web, "Ready").unwrap().split('/').next(), Some("False"));
    assert_eq!(condition_text(&web, "Stalled").as_deref(), Some("True/Forbidden"));

    namespace.create_resource("Web", "plain", json!({})).await;
    namespace.until("Web", "plain", "it is deployed", is_deployed).await;

    // No more than one try per period, and one line for each.
    let before = failures(&operator).len();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let after = failures(&operator);
    assert!(after.len() - before <= 6, "{:?}", &after[before..]);
}

#[tokio::test]
async fn a_kind_that_it_may_write_but_not_watch_is_served_and_told_once() {
    let namespace = Namespace::create("unwatchable").await;
    let setting = Setting::without_rights(plane(), &namespace.name);
    let core: &[&str] = &["configmaps", "secrets", "serviceaccounts"];
    let blind: &[&str] = &["get", "create", "patch", "delete"];
    let rules = [RESOURCES, EVENTS, ("", core, &["*"]), ("", &["services"], blind), ("apps", &["deployments"], &["*"])];
    grant(&namespace, &setting.user, "operator", &rules).await;
    let project = Project::new();
    let mut operator = Operator::launch(&project, setting, &["--reconcile-period=1s"]);
    operator.until_ready().await;

    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    assert!(namespace.find("Service", "shop-web").await.is_some());
    namespace.patch("Web", "shop", json!({"spec": {"service": {"port": 81}}})).await;
    let changed = |service: &Json| service["spec"]["ports"][0]["port"] == 81;
    namespace.until("Service", "shop-web", "it has the new port", changed).await;
    let failed = failures(&operator);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["msg"], "Watch failed");
    assert_eq!(failed[0]["source"], "v1 Service");
    assert!(failed[0]["error"].as_str().unwrap().contains("services is forbidden"), "{failed:?}");

    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    namespace.until_gone("Service", "shop-web").await;
}

#[tokio::test]
async fn without_rights_on_pods_the_message_is_shorter_and_that_is_told_once() {
    let namespace = Namespace::create("podless").await;
    let setting = Setting::without_rights(plane(), &namespace.name);
    let core: &[&str] = &["configmaps", "secrets", "services", "serviceaccounts"];
    let rules = [RESOURCES, EVENTS, ("", core, &["*"]), ("apps", &["deployments"], &["*"])];
    grant(&namespace, &setting.user, "operator", &rules).await;
    let project = Project::new();
    let operator = Operator::launch(&project, setting, &["--reconcile-period=1s"]);
    for name in ["one", "two"] {
        namespace.create_resource("Web", name, json!({})).await;
    }
    for resource in ["pods", "events"] {
        let series = format!("chart_operator_forbidden_total{{group=\"\",resource=\"{resource}\",verb=\"list\"}}");
        eventually("it has tried", || async { operator.metric(&series).await }).await;
    }
    for name in ["one", "two"] {
        let web = namespace.find("Web", name).await.unwrap();
        let message = condition(&web, "Ready").unwrap()["message"].as_str().unwrap();
        assert_eq!(message, format!("Deployment {name}-web: Available: 0/1"));
    }
    let told = operator.logged("Causes below objects stay unknown");
    assert_eq!(told.len(), 2, "once for Pods and once for events: {told:?}");
}

#[tokio::test]
async fn without_rights_on_secrets_the_resource_says_so_and_nothing_is_tried_hot() {
    let namespace = Namespace::create("secretless").await;
    let setting = Setting::without_rights(plane(), &namespace.name);
    let user = setting.user.clone();
    let core: &[&str] = &["configmaps", "services", "serviceaccounts"];
    let rules = [RESOURCES, EVENTS, ("", core, &["*"]), ("apps", &["deployments"], &["*"])];
    grant(&namespace, &user, "operator", &rules).await;
    let project = Project::new();
    let mut operator = Operator::launch(&project, setting, &["--reconcile-period=1s"]);
    operator.until_ready().await;

    namespace.create_resource("Web", "shop", json!({})).await;
    let told = || async { operator.logged("Reconciler error").into_iter().next() };
    let line = eventually("the log names what is forbidden", told).await;
    let error = line["error"].as_str().unwrap();
    assert!(error.contains("secrets") && error.contains("forbidden") && error.contains(&user), "{error}");
    let refused = |web: &Json| condition(web, "ReleaseFailed").is_some();
    let web = namespace.until("Web", "shop", "it names what is forbidden", refused).await;
    let message = condition(&web, "ReleaseFailed").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("secrets") && message.contains("forbidden"), "{message}");
    let before = failures(&operator).len();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = failures(&operator);
    assert!(after.len() - before <= 4, "{:?}", &after[before..]);

    // Nobody has to do more than grant it.
    grant(&namespace, &user, "secrets", &[("", &["secrets"], &["*"])]).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
}

#[tokio::test]
async fn a_kind_that_it_may_not_list_makes_it_not_ready_with_the_reason() {
    let namespace = Namespace::create("unlistable").await;
    let setting = Setting::without_rights(plane(), &namespace.name);
    let project = Project::new();
    let operator = Operator::launch(&project, setting, &[]);
    let forbidden = || async {
        let answer = operator.readyz().await?;
        answer.text.contains("webs.charts.samutup.com is forbidden").then_some(answer)
    };
    let answer = eventually("it is not ready", forbidden).await;
    assert_eq!(answer.code, 500, "{answer:?}");
    let told = failures(&operator);
    assert!(told.len() <= 3, "once for each of the three kinds: {told:?}");
}

/// What `rbac` prints for the project, and its exit code.
async fn rbac(project: &Project, arguments: &[&str]) -> (String, i32) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chart-operator"));
    command.arg("rbac").arg("--watches-file").arg(project.watches()).args(arguments);
    command.env("KUBECONFIG", plane().kubeconfig());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

#[tokio::test]
async fn the_role_that_rbac_prints_is_enough() {
    let namespace = Namespace::create("least").await;
    let setting = Setting::without_rights(plane(), &namespace.name);
    let project = Project::new();
    let (printed, code) = rbac(&project, &[]).await;
    assert_eq!(code, 0);
    let role = chart_operator::yaml::to_json(&printed, chart_operator::yaml::Numbers::Exact).unwrap();
    namespace.create_named("Role", "operator", json!({"rules": role["rules"]})).await;
    let binding = json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": setting.user}],
    });
    namespace.create_named("RoleBinding", "operator", binding).await;
    let mut operator = Operator::launch(&project, setting, &[]);
    operator.until_ready().await;
    let everything = json!({"autoscaling": {"enabled": true}, "ingress": {"enabled": true}});
    namespace.create_resource("Web", "shop", everything).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    for kind in ["HorizontalPodAutoscaler", "Ingress"] {
        assert!(namespace.find(kind, "shop-web").await.is_some(), "{kind}");
    }
    namespace.patch("Web", "shop", json!({"spec": {"ingress": {"enabled": false}}})).await;
    namespace.until_gone("Ingress", "shop-web").await;
    namespace.delete("Service", "shop-web").await;
    eventually("the Service is back", || namespace.find("Service", "shop-web")).await;
    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    assert_eq!(failures(&operator), Vec::<Json>::new());
    assert_eq!(operator.metric("chart_operator_forbidden_total{").await, None);
}

#[tokio::test]
async fn rights_that_are_missing_are_listed() {
    let project = Project::new();
    assert_eq!(rbac(&project, &["--check"]).await, (String::new(), 0));
    let (missing, code) = rbac(&project, &["--check", "--as", "system:serviceaccount:default:nobody"]).await;
    assert_eq!(code, 1);
    assert!(missing.contains("missing: patch deployments.apps\n"), "{missing}");
    assert!(missing.contains("missing: patch webs/status.charts.samutup.com\n"), "{missing}");
}
