//! The guide of `operator/` (`docs/policy.md`): the chart that it grows is what it says of it, after every section.

use std::collections::BTreeMap;
use std::fs;
use std::rc::Rc;

use chart_operator::chart::{Chart, File, load};
use chart_operator::functions::Selection;
use chart_operator::policy::{Collision, Policy};
use chart_operator::release::action::{On, Retry};
use chart_operator::release::labels;
use chart_operator::release::manifest;
use chart_operator::release::mode::Mode;
use chart_operator::release::prepare::{Context as Release, Owner};
use chart_operator::release::staged::{Item, Staged, Task, stage};
use chart_operator::release::{Gvk, ReleaseId, scope};
use chart_operator::render::{
    Capabilities, Compiled, Context, Error, Inputs, Operation, ReleaseInfo, Rendered, Trace, World, status, traced,
};
use chart_operator::status::given::complete;
use chart_operator::status::picture::{Object, Phase, Picture};
use chart_operator::status::{Occasion, Outcome, Reason};
use chart_operator::template::Limits;
use chart_operator::yaml::{self, Numbers};
use serde_json::{Value as Json, json};

use crate::papers::{Terminal, page};

const GUIDE: &str = include_str!("../../docs/policy.md");
const MADE: &str = "2026-01-01T00:00:00Z";

/// The files of a chart.
type Files = BTreeMap<String, String>;

/// The chart at the end of each section that adds to it, by the section's heading.
fn sections() -> Vec<(&'static str, Files)> {
    let metadata = "apiVersion: v2\nname: shop\nversion: 1.0.0\n".to_owned();
    let mut files = Files::from([("Chart.yaml".to_owned(), metadata)]);
    let mut sections = Vec::new();
    for section in GUIDE.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap();
        for snippet in section.split("```yaml\n").skip(1) {
            let (text, _) = snippet.split_once("```").unwrap();
            let name = text.lines().next().unwrap().strip_prefix("# ").unwrap();
            if name.starts_with("yaml-language-server") {
                files.get_mut("operator/policy.yaml").unwrap().insert_str(0, text);
                continue;
            }
            files.insert(name.to_owned(), text.to_owned());
        }
        sections.push((heading, files.clone()));
    }
    // What stands before the first section is the chart's values.
    let (before, _) = GUIDE.split_once("\n## ").unwrap();
    let values = before.split_once("```yaml\n# values.yaml\n").unwrap().1.split_once("```").unwrap().0;
    for (_, files) in &mut sections {
        files.insert("values.yaml".to_owned(), values.to_owned());
    }
    sections
}

fn after(heading: &str) -> Files {
    sections().into_iter().find(|(known, _)| *known == heading).unwrap().1
}

/// A cluster at some time, with a fast node or without.
struct Cluster {
    now: &'static str,
    has_fast_node: bool,
}

const EARLY: Cluster = Cluster { now: "2026-01-10T00:00:00Z", has_fast_node: true };

impl World for Cluster {
    fn now(&self) -> jiff::Timestamp {
        self.now.parse().unwrap()
    }

    fn random(&self, _buffer: &mut [u8]) {
        panic!("the guide's chart asks for chance")
    }

    fn resolve_host(&self, _name: &str) -> Option<String> {
        None
    }

    fn lookup(&self, _api_version: &str, _kind: &str, _namespace: &str, _name: &str) -> Result<Json, String> {
        Ok(json!({}))
    }

    fn select(&self, wanted: &Selection) -> Result<Vec<Json>, String> {
        assert_eq!((&*wanted.kind, &*wanted.selector), ("Node", "disk in (fast)"));
        let node = json!({"metadata": {"name": "one"}});
        Ok(self.has_fast_node.then_some(node).into_iter().collect())
    }
}

fn chart(files: &Files) -> Chart {
    load::from_files(files.iter().map(|(name, text)| File::new(name.clone(), text.clone().into_bytes())).collect())
        .unwrap()
}

fn render<T>(files: &Files, act: impl FnOnce(&Compiled, Inputs<'_>) -> T) -> T {
    let resource = json!({
        "apiVersion": "example.com/v1", "kind": "Shop", "spec": {},
        "metadata": {"name": "shop", "namespace": "market", "uid": "u", "creationTimestamp": MADE},
    });
    render_of(files, &resource, act)
}

fn render_of<T>(files: &Files, resource: &Json, act: impl FnOnce(&Compiled, Inputs<'_>) -> T) -> T {
    let chart = chart(files);
    let release =
        ReleaseInfo { name: "shop".into(), namespace: "market".into(), revision: 1, operation: Operation::Install };
    let (context, capabilities) = (Context::new(resource, "operators"), Capabilities::default());
    let inputs = Inputs {
        values: &chart.values,
        release: &release,
        capabilities: &capabilities,
        context: Some(&context),
        limits: Limits::default(),
    };
    act(&Compiled::with_operator(&chart).unwrap(), inputs)
}

fn templates(files: &Files, cluster: Cluster) -> (Result<Rendered, Error>, Trace) {
    render(files, |compiled, inputs| traced(compiled, inputs, Rc::new(cluster)))
}

fn policy(files: &Files) -> Policy {
    let text = templates(files, EARLY).0.unwrap().policy.unwrap();
    Policy::read(&text, "operator/policy.yaml").unwrap()
}

/// The objects with their places, as a pass gives them.
fn staged(files: &Files, cluster: Cluster) -> Staged {
    let rendered = templates(files, cluster).0.unwrap();
    let objects = manifest::sort(&rendered.files).unwrap().objects().unwrap();
    stage(objects, &policy(files), &release(), &scope::builtin).unwrap()
}

fn release() -> Release {
    Release {
        release: ReleaseId { namespace: "market".to_owned(), name: "shop".to_owned() },
        chart: "shop".to_owned(),
        owner: Owner {
            gvk: Gvk::new("example.com/v1", "Shop"),
            namespace: "market".to_owned(),
            name: "shop".to_owned(),
            uid: "u".to_owned(),
        },
        part_of: "applyset-x".to_owned(),
        recorded: true,
    }
}

/// Kind, mode and phase of each object.
fn places(staged: &Staged) -> Vec<(&str, Mode, usize)> {
    staged.items.iter().map(|item| (item.id.kind.as_str(), item.mode(), item.phase)).collect()
}

#[test]
fn after_every_section_the_chart_can_be_carried_out() {
    let sections = sections();
    let growing = sections.iter().filter(|(_, files)| files.contains_key("operator/policy.yaml"));
    assert_eq!(growing.clone().count(), sections.len(), "the first section makes a policy");
    for (heading, files) in growing {
        assert!(!staged(files, EARLY).items.is_empty(), "{heading}");
    }
}

#[test]
fn the_application_comes_after_the_database() {
    let files = after("An order");
    assert_eq!(policy(&files).phases, ["database", "application"]);
    assert_eq!(policy(&files).probes, None);
    let staged = staged(&files, EARLY);
    assert_eq!(places(&staged), [("Deployment", Mode::Manage, 1), ("StatefulSet", Mode::Manage, 0)]);
}

#[test]
fn probes_say_what_is_missing() {
    let probes = policy(&after("What ready means")).probes.unwrap();
    let judge = |api_version: &str, kind: &str, rest: Json| {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"labels": {"app": "shop"}}});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        probes.judge(&object)
    };
    let missing = "\".status.readyReplicas\" == \".spec.replicas\": \".status.readyReplicas\" missing";
    assert_eq!(judge("apps/v1", "StatefulSet", json!({"spec": {"replicas": 1}, "status": {}})), [missing]);
    let ready = json!({"spec": {"replicas": 1}, "status": {"readyReplicas": 1}});
    assert_eq!(judge("apps/v1", "StatefulSet", ready), [""; 0]);
    let not_reported = "condition \"Available\" == \"True\": not reported";
    assert_eq!(judge("apps/v1", "Deployment", json!({"status": {"conditions": []}})), [not_reported]);
    assert_eq!(judge("v1", "Secret", json!({})), ["has no password yet"]);
    assert_eq!(judge("v1", "Secret", json!({"data": {"password": "eA=="}})), [""; 0]);
    assert_eq!(judge("v1", "ConfigMap", json!({})), [""; 0], "what no probe is for is ready");
}

#[test]
fn what_is_not_the_charts_own_is_observed_or_patched() {
    let files = after("Objects that are not the chart's own");
    let staged = staged(&files, EARLY);
    let others: Vec<_> = places(&staged).into_iter().filter(|(_, mode, _)| *mode != Mode::Manage).collect();
    assert_eq!(others, [("Namespace", Mode::Patch, 1), ("Secret", Mode::Observe, 0)]);
    let patch = staged.items.iter().find_map(|item| match &item.task {
        Task::Patch(patch) => Some(patch),
        _ => None,
    });
    assert_eq!(patch.unwrap()["metadata"], json!({"labels": {"example.com/shop": "shop"}}));
}

#[test]
fn the_shop_before_may_be_taken_over() {
    let policy = policy(&after("What may be taken over"));
    assert_eq!(policy.collision, Collision::IfNoController);
    let friends: Vec<_> = policy.adopt_from.iter().map(|friend| (&*friend.kind, &*friend.name)).collect();
    assert_eq!(friends, [("Shop", "shop-before")]);
    assert_eq!(policy.adopt_from[0].namespace, None);
}

#[test]
fn it_waits_for_a_node_and_the_trial_ends_in_its_instant() {
    let files = after("Waiting");
    let (rendered, _) = templates(&files, Cluster { has_fast_node: false, ..EARLY });
    let waiting = rendered.unwrap_err().template().waiting().map(ToString::to_string);
    assert_eq!(waiting.unwrap(), "NoFastNode: no node has the label disk=fast");
    let replicas = |cluster| {
        let staged = staged(&files, cluster);
        let sent = |item: &Item| match &item.task {
            Task::Manage(object) if item.id.kind == "Deployment" => Some(object.body["spec"]["replicas"].clone()),
            _ => None,
        };
        staged.items.iter().find_map(sent).unwrap()
    };
    assert_eq!(replicas(EARLY), 2);
    assert_eq!(templates(&files, EARLY).1.due.unwrap().to_string(), "2026-01-31T00:00:00Z");
    assert_eq!(replicas(Cluster { now: "2026-01-31T00:00:00Z", ..EARLY }), 0);
}

#[test]
fn the_schema_is_made_once_and_tried_again_until_the_database_is_there() {
    let files = after("Jobs that run once");
    let staged = staged(&files, EARLY);
    let actions: Vec<_> = staged.items.iter().filter_map(Item::action).collect();
    let [(action, job)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((&*action.name, action.on), ("schema", On::Apply));
    assert_eq!(action.retry, Some(Retry { after: jiff::SignedDuration::from_secs(30), max: Some(20) }));
    assert_eq!(
        (&job.body["spec"]["activeDeadlineSeconds"], &job.body["spec"]["backoffLimit"]),
        (&json!(600), &json!(0))
    );
    assert_eq!(job.id.name.len(), "shop-schema-01234567".len());
    let section = GUIDE.split("\n## ").find(|section| section.starts_with("Jobs that run once\n")).unwrap();
    assert!(section.contains(&format!("`{}`", labels::ACTIONS)) && section.contains(&format!("`{}`", labels::ATTEMPT)));
}

#[test]
fn the_backup_is_made_before_the_shop_goes() {
    let files = after("Jobs that run once");
    let deleted = json!({"metadata": {"name": "shop", "namespace": "market", "deletionTimestamp": MADE, "creationTimestamp": MADE}});
    let rendered = render_of(&files, &deleted, |compiled, inputs| traced(compiled, inputs, Rc::new(EARLY))).0.unwrap();
    let objects = manifest::sort(&rendered.files).unwrap().objects().unwrap();
    let staged = stage(objects, &policy(&files), &release(), &scope::builtin).unwrap();
    let backup = staged.items.iter().find(|item| item.id.name == "shop-backup").unwrap();
    assert_eq!((backup.runs_on(On::PreDelete), backup.phase), (true, 1));
}

/// What a pass came to, as it is told of the chart's own objects.
fn picture(files: &Files, is_ready: bool) -> Picture {
    let objects = staged(files, EARLY).items.into_iter().map(|item| Object {
        ready: is_ready,
        message: String::new(),
        uid: String::new(),
        mode: item.mode(),
        phase: item.phase,
        version: item.version,
        id: item.id,
    });
    let phase = |name: &String| Phase {
        name: name.clone(),
        entered: None,
        ready: is_ready,
        message: if is_ready { String::new() } else { "Secret shop-password: not found".to_owned() },
    };
    let phases = policy(files).phases.iter().map(phase).collect();
    Picture { phases, objects: objects.collect(), ..Picture::default() }
}

fn told(files: &Files, picture: &Picture, outcome: &Outcome) -> Json {
    let text = render(files, |compiled, inputs| {
        status(compiled, inputs, &picture.to_json(&json!({})), Rc::new(EARLY)).0.unwrap().unwrap()
    });
    let given = yaml::to_json(&text, Numbers::Exact).unwrap();
    let occasion = Occasion { at: MADE.parse().unwrap(), generation: Some(1), drift: None, handled: None };
    complete(None, &given, outcome, &occasion).status
}

#[test]
fn the_status_is_what_the_file_says_and_the_operators_conditions() {
    let files = after("The status");
    let waiting = picture(&files, false);
    let outcome = Outcome::Progressing { reason: Reason::Progressing, message: waiting.message() };
    let status = told(&files, &waiting, &outcome);
    assert_eq!((&status["phase"], &status["objects"][1]["ready"]), (&json!("Closed"), &json!(false)));
    let cause = "phase `database`: Secret shop-password: not found";
    assert!(GUIDE.contains(&format!("``{cause}``")));
    assert_eq!(status["waitsFor"], cause);
    let conditions = |status: &Json| {
        let one = |condition: &Json| {
            let text = |field: &str| condition[field].as_str().unwrap().to_owned();
            format!("{}={} {}", text("type"), text("status"), text("reason"))
        };
        status["conditions"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(conditions(&status), ["Open=False database", "Ready=False Progressing", "Reconciling=True Progressing"]);
    let ready =
        told(&files, &picture(&files, true), &Outcome::Progressing { reason: Reason::Waiting, message: String::new() });
    assert_eq!((&ready["phase"], &ready["waitsFor"]), (&json!("Open"), &json!("")));
    assert_eq!(conditions(&ready)[0], "Open=True Ready");
}

#[test]
fn the_status_can_be_tried_without_a_cluster() {
    let program = format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_chart-operator"));
    let mut terminal = Terminal::new(&[("chart-operator", &program)], &[]);
    for (name, text) in after("The status") {
        let path = terminal.at().join("shop").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let watches = "- {group: example.com, version: v1, kind: Shop, chart: shop}\n";
    fs::write(terminal.at().join("watches.yaml"), watches).unwrap();
    assert_eq!(terminal.read(&page("docs/policy.md"), |_| true), 1);
}

/// What the tables name is what there is.
#[test]
fn the_tables_name_every_field_of_the_outcome() {
    let section = GUIDE.split("\n## ").find(|section| section.starts_with("The status\n")).unwrap();
    let named: Vec<_> =
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
    let told = picture(&after("The status"), true).to_json(&json!({}));
    let fields: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    for field in &fields {
        assert!(named.contains(field), "{field}");
    }
    assert_eq!(named.len(), fields.len() + 1, "beside the heading of the table: {named:?}");
    for field in told["objects"][0].as_object().unwrap().keys() {
        assert!(section.contains(&format!("`{field}`")), "{field}");
    }
}
