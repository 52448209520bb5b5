//! The objects of a chart with a policy, each with its place: what is applied as it is sent, the rest as it was rendered.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;

use crate::policy::{Collision, Policy};
use crate::release::action::{Action, On, job};
use crate::release::manifest::Object;
use crate::release::mode::{Fault, Mode, Placement, of_policy, placement};
use crate::release::prepare::{self, Context, Prepared, ScopeOf, Warning, directives};
use crate::release::{Error, Gvk, Json, ObjectId, Scope, labels};

/// An object with its place.
#[derive(Clone, Debug)]
pub struct Item {
    /// The object.
    pub id: ObjectId,
    /// The version it was rendered in.
    pub version: String,
    /// Index of its phase.
    pub phase: usize,
    /// The template that rendered it.
    pub source: String,
    /// What is done with it.
    pub task: Task,
}

/// What is done with an object.
#[derive(Clone, Debug)]
pub enum Task {
    /// It is applied.
    Manage(Arc<Prepared>),
    /// It is read.
    Observe,
    /// This is merged into it.
    Patch(Json),
    /// It only is not taken for one that is no longer rendered: a patch of nothing, and nothing is asked of it.
    Spare,
    /// It is created, and runs once.
    Act(Action, Arc<Prepared>),
}

impl Item {
    /// Group, version and kind.
    pub fn gvk(&self) -> Gvk {
        Gvk { group: self.id.group.clone(), version: self.version.clone(), kind: self.id.kind.clone() }
    }

    /// What is done with it, in a word.
    pub const fn mode(&self) -> Mode {
        match self.task {
            Task::Manage(_) => Mode::Manage,
            Task::Observe => Mode::Observe,
            Task::Patch(_) | Task::Spare => Mode::Patch,
            Task::Act(..) => Mode::Action,
        }
    }

    /// Whether it is an action that runs then.
    pub fn runs_on(&self, on: On) -> bool {
        self.action().is_some_and(|(action, _)| action.on == on)
    }

    /// The action that it is, with its Job.
    pub fn action(&self) -> Option<(&Action, &Arc<Prepared>)> {
        match &self.task {
            Task::Act(action, job) => Some((action, job)),
            Task::Manage(_) | Task::Observe | Task::Patch(_) | Task::Spare => None,
        }
    }
}

/// The objects of a render, in install order.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    /// Each with its place.
    pub items: Vec<Item>,
    /// What of those that are applied may be taken over, where that is not what the policy says.
    pub collisions: BTreeMap<ObjectId, Collision>,
    /// What was changed on the way and may surprise.
    pub warnings: Vec<Warning>,
}

impl Staged {
    /// The Jobs among `items` that run then.
    pub fn actions(items: &[Item], on: On) -> impl Iterator<Item = &Arc<Prepared>> {
        items.iter().filter_map(Item::action).filter(move |(action, _)| action.on == on).map(|(_, job)| job)
    }

    /// Those of `items` that are applied.
    pub fn managed(items: &[Item]) -> impl Iterator<Item = &Arc<Prepared>> {
        items.iter().filter_map(|item| match &item.task {
            Task::Manage(object) => Some(object),
            _ => None,
        })
    }
}

/// Gives each rendered object its place.
///
/// # Errors
/// As [`prepare::objects`], or if an annotation of an object says what there is not, or two actions have one name.
pub fn stage(rendered: Vec<Object>, policy: &Policy, context: &Context, scope: ScopeOf<'_>) -> Result<Staged, Error> {
    let mut places = Vec::with_capacity(rendered.len());
    for object in &rendered {
        places.push(place_of(object, policy)?);
    }
    let mut managed = Vec::new();
    let mut partial = Vec::new();
    for (at, (object, place)) in rendered.into_iter().zip(&places).enumerate() {
        let is_sent = matches!(place.mode, Mode::Manage | Mode::Action);
        if is_sent { managed.push((at, object)) } else { partial.push((at, object)) }
    }
    let (order, managed): (Vec<_>, Vec<_>) = managed.into_iter().unzip();
    let preparation = prepare::objects(managed, context, scope)?;
    let mut staged = Staged { warnings: preparation.warnings, ..Staged::default() };
    let mut items = BTreeMap::new();
    for (at, prepared) in order.into_iter().zip(preparation.objects) {
        items.insert(at, managed_item(prepared));
    }
    for (at, object) in partial {
        items.insert(at, partial_item(object, context, scope));
    }
    for ((_, mut item), place) in items.into_iter().zip(places) {
        item.phase = place.phase;
        if place.mode == Mode::Observe {
            item.task = Task::Observe;
        }
        if matches!(&item.task, Task::Patch(patch) if is_of_nothing(patch)) && policy.asks_nothing() {
            item.task = Task::Spare;
        }
        if let (Some(action), Task::Manage(object)) = (place.action, &item.task) {
            item.task = Task::Act(action, Arc::new(job::with_defaults(Prepared::clone(object))));
        }
        staged.collisions.extend(place.collision.map(|collision| (item.id.clone(), collision)));
        staged.items.push(item);
    }
    refuse_twins(&staged.items)?;
    refuse_namesakes(&staged.items)?;
    Ok(staged)
}

/// The place of an object.
///
/// # Errors
/// If an annotation of it says what there is not.
pub fn place_of(object: &Object, policy: &Policy) -> Result<Placement, Error> {
    let place = placement(&directives(&object.body), policy).map_err(|fault| faulty(object, fault))?;
    if let Some(action) = place.action.as_ref().filter(|_| (&*object.gvk.group, &*object.gvk.kind) != ("batch", "Job"))
    {
        let expected = format!("none on `{}`: an action is a Job", object.gvk.kind);
        return Err(faulty(object, Fault { annotation: "action", found: action.name.clone(), expected }));
    }
    Ok(place)
}

/// Checks an object of a chart without a policy.
///
/// # Errors
/// If an annotation of it only means something to a policy.
pub fn without_policy(object: &Object) -> Result<(), Error> {
    of_policy(&directives(&object.body)).map_or(Ok(()), |fault| Err(faulty(object, fault)))
}

fn faulty(object: &Object, fault: Fault) -> Error {
    let what = format!("{} {}", object.gvk.kind, object.name);
    Error::Placement { path: object.path.clone(), what, fault: Box::new(fault) }
}

fn managed_item(prepared: Prepared) -> Item {
    let (id, version, source) = (prepared.id.clone(), prepared.version.clone(), prepared.source.clone());
    Item { id, version, phase: 0, source, task: Task::Manage(Arc::new(prepared)) }
}

/// An object that is not ours: what was rendered of it, without our annotations.
fn partial_item(object: Object, context: &Context, scope: ScopeOf<'_>) -> Item {
    let Object { path: source, gvk, name, namespace, mut body } = object;
    let namespace = match scope(&gvk) {
        Some(Scope::Cluster) => String::new(),
        _ if namespace.is_empty() => context.release.namespace.clone(),
        _ => namespace,
    };
    let Gvk { group, version, kind } = gvk;
    if let Some(metadata) = body.get_mut("metadata").and_then(Json::as_object_mut) {
        strip(metadata);
    }
    let id = ObjectId { group, kind, namespace, name };
    Item { id, version, phase: 0, source, task: Task::Patch(Json::Object(body)) }
}

/// Whether a patch names its object and nothing else.
fn is_of_nothing(patch: &Json) -> bool {
    let is_name = |(field, value): (&String, &Json)| match field.as_str() {
        "apiVersion" | "kind" => true,
        "metadata" => value.as_object().is_some_and(Map::is_empty),
        _ => false,
    };
    patch.as_object().is_some_and(|fields| fields.iter().all(is_name))
}

/// Takes out what is ours, and what names the object.
fn strip(metadata: &mut Map<String, Json>) {
    metadata.retain(|field, _| !matches!(field.as_str(), "name" | "namespace" | "uid" | "resourceVersion"));
    let Some(annotations) = metadata.get_mut("annotations").and_then(Json::as_object_mut) else { return };
    annotations.retain(|name, _| !name.starts_with(labels::OURS));
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}

/// One object has one place.
fn refuse_twins(items: &[Item]) -> Result<(), Error> {
    let mut sources = BTreeMap::new();
    for item in items {
        if let Some(first) = sources.insert(&item.id, &item.source) {
            let (first, second) = (first.clone(), item.source.clone());
            return Err(Error::RenderedTwice { id: Box::new(item.id.clone()), first, second });
        }
    }
    Ok(())
}

/// What is known of an action is known by its name.
fn refuse_namesakes(items: &[Item]) -> Result<(), Error> {
    let mut sources = BTreeMap::new();
    for (item, name) in items.iter().filter_map(|item| Some((item, &item.action()?.0.name))) {
        if let Some(first) = sources.insert(name, &item.source) {
            let (first, second) = (first.clone(), item.source.clone());
            return Err(Error::ActionTwice { name: name.clone(), first, second });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::release::ReleaseId;
    use crate::release::prepare::Owner;
    use crate::release::scope::builtin;

    fn context() -> Context {
        Context {
            release: ReleaseId { namespace: "n".into(), name: "web".into() },
            chart: "demo".into(),
            owner: Owner {
                gvk: Gvk::new("example.com/v1", "Web"),
                namespace: "n".into(),
                name: "web".into(),
                uid: "u".into(),
            },
            part_of: "applyset-x-v1".into(),
            recorded: true,
        }
    }

    #[test]
    fn a_patch_of_nothing_is_looked_at_only_where_something_is_asked_of_its_object() {
        let probes = "probes: [{probes: [{condition: {type: Ready, status: 'True'}}]}]";
        for (policy, more, is_spared) in [
            ("{}", json!({}), true),
            ("probes: []", json!({}), true),
            (probes, json!({}), false),
            ("{}", json!({"data": {}}), false),
            ("{}", json!({"metadata": {"annotations": {"chart-operator.dev/mode": "patch"}, "labels": {}}}), false),
        ] {
            let mut body = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "a", "annotations": {"chart-operator.dev/mode": "patch"}},
            });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let object = Object {
                path: "demo/templates/x.yaml".into(),
                gvk: Gvk::new("v1", "ConfigMap"),
                namespace: String::new(),
                name: "a".into(),
                body: body.as_object().unwrap().clone(),
            };
            let policy = Policy::read(policy, "operator/policy.yaml").unwrap();
            let staged = stage(vec![object], &policy, &context(), &builtin).unwrap();
            assert_eq!(staged.items[0].mode(), Mode::Patch);
            assert_eq!(matches!(staged.items[0].task, Task::Spare), is_spared, "{body}");
        }
    }
}
