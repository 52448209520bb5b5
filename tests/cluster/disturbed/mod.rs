//! Faults between the operator and the API server. A scenario runs once without them and then with one each: the end must be
//! the same, nothing may have been created or deleted more often, and then nothing more is written.

mod acting;
mod phased;
mod releases;
mod server;
mod state;
mod watches;
mod writes;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use testbed::audit::Request;
use testbed::proxy::{Proxy, Seen};
use tokio::sync::OnceCell;

use crate::support::{Namespace, Operator, Project, Setting, bare_plane, condition, eventually, is_deployed};
use state::{Counts, State, counts, differences, excess, state};

/// What a user does to the resource `shop`, or to its objects.
#[derive(Clone, Debug)]
enum Deed {
    Create(Json),
    Edit(Json),
    Delete,
    /// Removes one of its objects.
    Remove(&'static str),
    /// Changes one of its objects.
    Change(&'static str, Json),
    /// Installs a release of that name with Helm.
    Helm,
}

/// What shows that the deeds have been followed.
#[derive(Clone, Debug)]
enum End {
    /// The revision is deployed.
    Revision(u64),
    /// What was asked for failed, and this revision put the former one back.
    Back(u64),
    Gone,
    /// An object of this kind holds the value at the pointer.
    Holds(&'static str, &'static str, Json),
}

/// Deeds, before which others may have been followed without a fault.
#[derive(Clone, Debug)]
struct Scenario {
    name: &'static str,
    before: Vec<Deed>,
    deeds: Vec<Deed>,
    end: End,
}

/// What happens without a fault.
struct Reference {
    scenario: Scenario,
    /// Its writes: what, and which of its kind.
    writes: Vec<(String, usize)>,
    state: State,
    counts: Counts,
}

/// What is to be found when the deeds have been done.
fn scenarios() -> Vec<Scenario> {
    let created = || vec![Deed::Create(json!({}))];
    let without_account = || json!({"serviceAccount": {"create": false, "name": "default"}});
    let scenario = |name, before, deeds, end| Scenario { name, before, deeds, end };
    vec![
        scenario("create", vec![], created(), End::Revision(1)),
        scenario("update", created(), vec![Deed::Edit(json!({"replicaCount": 3}))], End::Revision(2)),
        scenario("prune", created(), vec![Deed::Edit(without_account())], End::Revision(2)),
        scenario("delete", created(), vec![Deed::Delete], End::Gone),
        scenario(
            "restore",
            created(),
            vec![Deed::Remove("Service")],
            End::Holds("Service", "/spec/ports/0/port", json!(80)),
        ),
        scenario(
            "correct",
            created(),
            vec![Deed::Change("Deployment", json!({"spec": {"replicas": 5}}))],
            End::Holds("Deployment", "/spec/replicas", json!(1)),
        ),
    ]
}

/// A task that ends with what started it.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One run of a scenario: a namespace, and an operator behind a proxy.
struct Run<'a> {
    project: &'a Project,
    namespace: Namespace,
    proxy: Proxy,
    user: String,
    operator: Option<Operator>,
    /// Ends Jobs; there are no controllers.
    _jobs: AbortOnDrop,
}

impl<'a> Run<'a> {
    /// Starts, and does what comes before the deeds.
    async fn start(scenario: &Scenario, project: &'a Project) -> Self {
        let plane = bare_plane();
        let namespace = Namespace::create_in(plane.client().await.unwrap(), scenario.name).await;
        let user = format!("operator-of-{}", namespace.name);
        let proxy = plane.proxy(&user, &["system:masters"]).await.unwrap();
        let jobs = releases::end_jobs(Namespace { client: namespace.client.clone(), name: namespace.name.clone() });
        let jobs = AbortOnDrop(tokio::spawn(jobs));
        let mut run = Self { project, namespace, proxy, user, operator: None, _jobs: jobs };
        run.start_operator().await;
        if !scenario.before.is_empty() {
            run.act(&scenario.before).await;
            run.until(&End::Revision(1)).await;
            run.settle(&End::Revision(1)).await;
        }
        run
    }

    async fn start_operator(&mut self) {
        let setting = Setting::through(&self.proxy, bare_plane(), &self.user, &self.namespace.name);
        let mut operator = Operator::launch(self.project, setting, &[]);
        operator.until_ready().await;
        self.operator = Some(operator);
    }

    /// Kills the operator with SIGKILL.
    fn kill(&mut self) {
        self.operator.take().unwrap().kill();
    }

    fn operator(&self) -> &Operator {
        self.operator.as_ref().unwrap()
    }

    async fn act(&self, deeds: &[Deed]) {
        for deed in deeds {
            match deed {
                Deed::Create(spec) => drop(self.namespace.create_resource("Web", "shop", spec.clone()).await),
                Deed::Edit(spec) => drop(self.namespace.patch("Web", "shop", json!({"spec": spec})).await),
                Deed::Delete => self.namespace.delete("Web", "shop").await,
                Deed::Remove(kind) => self.namespace.delete(kind, "shop-web").await,
                Deed::Change(kind, patch) => drop(self.namespace.patch(kind, "shop-web", patch.clone()).await),
                Deed::Helm => releases::install(&self.namespace).await,
            }
        }
    }

    async fn until(&self, end: &End) {
        match end {
            End::Revision(revision) => {
                let there = |web: &Json| is_deployed(web) && web["status"]["deployedRelease"]["revision"] == *revision;
                drop(self.namespace.until("Web", "shop", "it has the revision", there).await);
            }
            End::Back(revision) => {
                let there = |web: &Json| {
                    condition(web, "ReleaseFailed").is_some()
                        && web["status"]["deployedRelease"]["revision"] == *revision
                };
                drop(self.namespace.until("Web", "shop", "it went back", there).await);
            }
            End::Gone => self.namespace.until_gone("Web", "shop").await,
            End::Holds(kind, pointer, value) => {
                let holds = |object: &Json| object.pointer(pointer) == Some(value);
                drop(self.namespace.until(kind, "shop-web", "it is as rendered", holds).await);
            }
        }
    }

    /// Writes so far: method and path.
    fn writes(&self) -> Vec<String> {
        self.proxy.seen().iter().filter(|seen| seen.is_write()).map(|seen| self.describe(seen)).collect()
    }

    /// Method and path, the same in every namespace.
    fn describe(&self, seen: &Seen) -> String {
        format!("{} {}", seen.method, seen.path).replace(&self.namespace.name, "NAMESPACE")
    }

    /// Makes the operator look at the resource until it twice has nothing to write.
    async fn settle(&self, end: &End) {
        let (mut quiet, mut rounds) = (0, 0);
        while quiet < 2 {
            assert!(rounds < 20, "it does not cease to write: {:#?}", self.writes());
            rounds += 1;
            let before = self.writes().len();
            self.pass(end).await;
            quiet = if self.writes().len() == before { quiet + 1 } else { 0 };
        }
    }

    /// Makes the operator look at the resource once more, and waits until it has.
    async fn pass(&self, end: &End) {
        const PASSES: &str = "controller_runtime_reconcile_total{controller=\"web-controller\"";
        if matches!(end, End::Gone) {
            // Nothing can be asked for any more: what were still to come needs time to come in.
            tokio::time::sleep(Duration::from_millis(150)).await;
            return;
        }
        let before = self.operator().sum(PASSES).await;
        let mark = json!({"metadata": {"annotations": {"tests/pass": uuid::Uuid::new_v4().to_string()}}});
        self.namespace.patch("Web", "shop", mark).await;
        let passed = || async {
            let passed = self.operator().sum(PASSES).await > before;
            let works = self.operator().sum("controller_runtime_active_workers{controller=\"web-controller\"").await;
            (passed && works == 0.0).then_some(())
        };
        eventually("a pass over the resource", passed).await;
    }

    /// Waits for the end of the reference, and checks what has happened on the way to it.
    async fn finish(&self, reference: &Reference) {
        let start = std::time::Instant::now();
        loop {
            let differences = differences(&reference.state, &state(&self.namespace).await);
            if differences.is_empty() {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "not the same end:\n{}", differences.join("\n"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.settle(&reference.scenario.end).await;
        let differences = differences(&reference.state, &state(&self.namespace).await);
        assert!(differences.is_empty(), "not the same in the end:\n{}", differences.join("\n"));
        let excess = excess(&reference.counts, &self.counts());
        assert!(excess.is_empty(), "too much was written:\n{}\n{:#?}", excess.join("\n"), self.writes());
    }

    fn counts(&self) -> Counts {
        counts(&self.audited())
    }

    /// Writes that the API server has carried out.
    fn written(&self) -> Vec<Request> {
        let all = self.audited().into_iter();
        all.filter(|call| call.is_write() && call.resource != "events" && call.code < 300).collect()
    }

    /// What the API server has answered.
    fn audited(&self) -> Vec<Request> {
        bare_plane().audit().unwrap().read_of(&self.user).unwrap()
    }
}

/// Runs a scenario without a fault.
async fn reference(scenario: Scenario, project: &Project) -> Reference {
    let run = Run::start(&scenario, project).await;
    let before = run.writes().len();
    run.act(&scenario.deeds).await;
    run.until(&scenario.end).await;
    run.settle(&scenario.end).await;
    let mut seen = BTreeMap::new();
    let writes = run.writes().into_iter().skip(before).map(|write| {
        let count = seen.entry(write.clone()).or_insert(0);
        *count += 1;
        (write, *count - 1)
    });
    let writes = writes.collect();
    Reference { writes, state: state(&run.namespace).await, counts: run.counts(), scenario }
}

/// A project, and scenarios of it without a fault.
type References = (Project, Vec<Reference>);

/// Every scenario of a resource's objects.
async fn references() -> &'static References {
    static REFERENCES: OnceCell<References> = OnceCell::const_new();
    REFERENCES.get_or_init(|| all(Project::new(), scenarios())).await
}

/// Runs scenarios without a fault.
async fn all(project: Project, scenarios: Vec<Scenario>) -> References {
    let mut references = Vec::new();
    for scenario in scenarios {
        references.push(reference(scenario, &project).await);
    }
    (project, references)
}

/// The seed of this run: another one each time, unless `TEST_SEED` says which.
fn seed() -> String {
    std::env::var("TEST_SEED").unwrap_or_else(|_| uuid::Uuid::new_v4().simple().to_string()[..8].to_owned())
}

/// Runs `most` of the cases, chosen by the seed, or all where `TEST_LONG` asks for them, and tells which of them fail.
/// `TEST_CASE` chooses those whose names it is part of.
async fn try_cases<C, F: Future<Output = ()>>(most: usize, cases: Vec<(String, C)>, run: impl Fn(C) -> F) {
    let seed = seed();
    let long = std::env::var_os("TEST_LONG").is_some();
    let mut cases = cases;
    cases.sort_by_cached_key(|(name, _)| Sha256::digest(format!("{seed} {name}")).to_vec());
    let named = std::env::var("TEST_CASE").unwrap_or_default();
    cases.retain(|(name, _)| name.contains(&named));
    let all = cases.len();
    cases.truncate(if long { all } else { most });
    let tried = cases.len();
    let runs = cases.into_iter().map(|(name, case)| {
        let run = run(case);
        async move { AssertUnwindSafe(run).catch_unwind().await.err().map(|_| name) }
    });
    let failed: Vec<_> =
        futures::stream::iter(runs).buffer_unordered(3).filter_map(|failed| async { failed }).collect().await;
    assert!(failed.is_empty(), "{} of {tried} (of {all}) cases fail with TEST_SEED={seed}: {failed:#?}", failed.len());
}
