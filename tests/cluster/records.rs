//! Records of revisions: how many, how large, and what a crash leaves.

use serde_json::{Value as Json, json};

use crate::hooks::project;
use crate::support::{Namespace, Operator, eventually, is_deployed};

async fn until_revision(namespace: &Namespace, revision: u32) {
    let runs = |web: &Json| web["status"]["deployedRelease"]["revision"] == revision;
    namespace.until("Web", "shop", &format!("revision {revision} runs"), runs).await;
}

#[tokio::test]
async fn no_more_records_are_kept_than_the_watch_says() {
    let namespace = Namespace::create("history").await;
    let project = project(&[]);
    project.edit("watches.yaml", |text| format!("{text}  history: 2\n"));
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    for revision in 2..=4 {
        namespace.patch("Web", "shop", json!({"spec": {"text": format!("text {revision}")}})).await;
        until_revision(&namespace, revision).await;
    }
    assert_eq!(namespace.history("shop").await, ["3 superseded: Upgrade complete", "4 deployed: Upgrade complete"]);
}

#[tokio::test]
async fn without_history_there_is_no_record_and_a_chart_with_hooks_is_refused() {
    let namespace = Namespace::create("no-history").await;
    let project = project(&[("a", crate::hooks::job("work", &[("hook", "pre-install")]))]);
    project.edit("watches.yaml", |text| format!("{text}  history: 0\n"));
    let _operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "plain", json!({"hooks": false})).await;
    namespace.until("Web", "plain", "it is deployed", is_deployed).await;
    namespace.create_resource("Web", "hooked", json!({})).await;
    let told = |web: &Json| web["status"].to_string().contains("expected `history` to be at least 1, found 0");
    namespace.until("Web", "hooked", "it is refused", told).await;
    assert!(namespace.names("Secret").await.is_empty());
    namespace.delete("Web", "plain").await;
    namespace.until_gone("Web", "plain").await;
}

#[tokio::test]
async fn a_record_too_large_for_a_secret_is_split_put_together_and_deleted_with_its_parts() {
    let namespace = Namespace::create("large").await;
    let template = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-noise-PLACE}
data: {noise: {{ .Files.Get \"noise-PLACE.txt\" | quote }}}
";
    // Each object fits, all together do not: digits of a chain of digests compress to a good half.
    let project = project(&[]);
    let mut digest = chart_operator::release::Digest::of("");
    let digits = std::iter::repeat_with(|| {
        digest = digest.keyed(b"x");
        digest.to_string()
    });
    let digits: String = digits.take(80_000).collect();
    for place in 0..3 {
        let part = digits[place * 850_000..(place + 1) * 850_000].to_owned();
        project.edit(&format!("helm-charts/probe/noise-{place}.txt"), |_| part);
        let template = template.replace("PLACE", &place.to_string());
        project.edit(&format!("helm-charts/probe/templates/noise-{place}.yaml"), |_| template);
    }
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({"hooks": false})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let main = namespace.find("Secret", "sh.helm.release.v1.shop.v1").await.unwrap();
    assert_eq!(
        (&main["type"], &main["metadata"]["labels"]["status"]),
        (&json!("helm.sh/release.v1"), &json!("deployed"))
    );
    let parts: Vec<_> = namespace.names("Secret").await.into_iter().filter(|name| name.contains("shop.v1.")).collect();
    assert!(parts.len() >= 2, "{parts:?}");
    let record = namespace.record("shop", 1).await.unwrap();
    assert!(record.manifest.contains(&digits[..850_000]) && record.manifest.contains("shop-page"));

    // It is read again for what it holds: to go back to, and to be superseded.
    operator.kill();
    let _operator = Operator::start(&project, &namespace).await;
    namespace.patch("Web", "shop", json!({"spec": {"text": "new"}})).await;
    until_revision(&namespace, 2).await;
    let superseded = || async {
        let record = namespace.record("shop", 1).await?;
        (record.info.status.name() == "superseded" && record.manifest.contains(&digits[..850_000])).then_some(())
    };
    eventually("the first is superseded and whole", superseded).await;

    namespace.delete("Web", "shop").await;
    namespace.until_gone("Web", "shop").await;
    assert!(namespace.names("Secret").await.is_empty());
}

#[tokio::test]
async fn what_was_made_by_chance_is_recorded_before_it_is_applied_and_applied_again_after_a_kill() {
    let namespace = Namespace::create("chance").await;
    let secret = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-chance}
data: {word: {{ randAlphaNum 12 | quote }}}
";
    // The post-install hook keeps the revision pending until the test lets it go.
    let project =
        project(&[("chance", secret.to_owned()), ("hook", crate::hooks::job("late", &[("hook", "post-install")]))]);
    let operator = Operator::start(&project, &namespace).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Job", "shop-late", "it runs", |_| true).await;
    let before = namespace.find("ConfigMap", "shop-chance").await.unwrap();
    let record = namespace.record("shop", 1).await.unwrap();
    assert!(record.manifest.contains(before["data"]["word"].as_str().unwrap()));
    operator.kill();
    namespace.delete("ConfigMap", "shop-chance").await;
    let _operator = Operator::start(&project, &namespace).await;
    namespace.end_job("shop-late", "Succeeded").await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let after = namespace.find("ConfigMap", "shop-chance").await.unwrap();
    assert_eq!(after["data"], before["data"]);
}

#[tokio::test]
async fn what_helm_uninstall_takes_away_comes_back_and_so_does_the_record() {
    let namespace = Namespace::create("uninstalled").await;
    let project = project(&[]);
    let flags = ["--reconcile-period=1s"];
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    namespace.create_resource("Web", "shop", json!({})).await;
    namespace.until("Web", "shop", "it is deployed", is_deployed).await;
    let before = namespace.record("shop", 1).await.unwrap();
    let page = namespace.find("ConfigMap", "shop-page").await.unwrap();
    // First the objects, and the record when they are gone; by then they are back.
    namespace.delete("ConfigMap", "shop-page").await;
    let back = |found: &Json| found["metadata"]["uid"] != page["metadata"]["uid"];
    let mut page = namespace.until("ConfigMap", "shop-page", "it is back", back).await;
    namespace.delete("Secret", "sh.helm.release.v1.shop.v1").await;
    let again = ["1 deployed: Recorded again after its record was deleted"];
    let recorded = || async { (namespace.history("shop").await == again).then_some(()) };
    let soon = std::time::Duration::from_secs(5);
    if tokio::time::timeout(soon, eventually("it is recorded again", recorded)).await.is_err() {
        // The operator was faster than this test, and had looked for the record before it went.
        let former = page["metadata"]["uid"].clone();
        namespace.delete("ConfigMap", "shop-page").await;
        page =
            namespace.until("ConfigMap", "shop-page", "it is back", |found| found["metadata"]["uid"] != former).await;
    }
    eventually("it is recorded again", recorded).await;
    let record = namespace.record("shop", 1).await.unwrap();
    assert_eq!((&record.manifest, &record.config, &record.chart), (&before.manifest, &before.config, &before.chart));

    // The record alone: when somebody asks. What it is of is not touched.
    namespace.delete("Secret", "sh.helm.release.v1.shop.v1").await;
    let asked = json!({"metadata": {"annotations": {"chart-operator.dev/requestedAt": "now"}}});
    namespace.patch("Web", "shop", asked).await;
    eventually("it is recorded once more", recorded).await;
    assert_eq!(namespace.find("ConfigMap", "shop-page").await.unwrap()["metadata"], page["metadata"]);
    operator.kill();
    let operator = Operator::start_with(&project, &namespace, &flags).await;
    crate::quiet::three_passes(&operator, "Web").await;
    assert_eq!(crate::quiet::writes(&operator), Vec::<String>::new());
}
