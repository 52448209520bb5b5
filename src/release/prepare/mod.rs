//! From a rendered object to what is sent.
//!
//! Server-side apply owns what it is sent, nulls and empty maps included, and refuses lists with one key twice; Helm
//! sends by other means. What must be done to an object so that both come to the same was measured (live-half §1.6).
//! Labels, annotations and owners are those of helm-operator and Helm, so that the tools around them keep working.

mod dedupe;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, json};

use crate::release::ignore::Ignored;
use crate::release::manifest::{Object, type_name};
use crate::release::number::whole_numbers;
use crate::release::{Digest, Error, Gvk, Json, ObjectId, ReleaseId, Scope, labels};

/// What is the same for all objects of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The release.
    pub release: ReleaseId,
    /// Name of the chart.
    pub chart: String,
    /// The resource.
    pub owner: Owner,
    /// Id of the resource's ApplySet.
    pub part_of: String,
    /// Whether the release has records. Without them there is none for Helm, and objects do not say that they are of one: a
    /// Deployment whose annotations change has a new generation, also where nothing else of it changes.
    pub recorded: bool,
}

/// The resource that owns the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its kind, with the version it is read in.
    pub gvk: Gvk,
    /// Its namespace, empty for a cluster-scoped resource.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Owner {
    /// What helm-operator's annotations say of it: `shop/web` and `Web.example.com`.
    pub fn primary(&self) -> (String, String) {
        let kind = match self.gvk.group.as_str() {
            "" => self.gvk.kind.clone(),
            group => format!("{}.{group}", self.gvk.kind),
        };
        (format!("{}/{}", self.namespace, self.name), kind)
    }
}

/// An object as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// What makes it the one it is.
    pub id: ObjectId,
    /// The version it was rendered in, in which it is also applied and watched.
    pub version: String,
    /// Where it lives; `None` where nobody knows its kind yet (it is then taken for namespaced).
    pub scope: Option<Scope>,
    /// The body of the apply.
    pub body: Json,
    /// Digest of the body.
    pub digest: Digest,
    /// What of it is sent only to make it, by the rules of the watch.
    pub ignored: Option<Ignored>,
    /// Whether it is left alone when it is no longer rendered.
    pub keep: bool,
    /// Our own annotations, which are not sent, without their prefix `chart-operator.dev/`.
    pub directives: BTreeMap<String, String>,
    /// The template that rendered it.
    pub source: String,
}

impl Prepared {
    /// Group, version and kind.
    pub fn gvk(&self) -> Gvk {
        Gvk { group: self.id.group.clone(), version: self.version.clone(), kind: self.id.kind.clone() }
    }
}

/// The objects of a release as they are sent, in the order in which they were given, and what users should know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preparation {
    /// The objects.
    pub objects: Vec<Prepared>,
    /// What was changed on the way and may surprise.
    pub warnings: Vec<Warning>,
}

/// Items of a list that were left out because a later one has the same key; the API server takes a key only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The object.
    pub id: ObjectId,
    /// The template that rendered it.
    pub source: String,
    /// The list: `spec.template.spec.containers[web].env`.
    pub path: String,
    /// The key, as it is shown: `A`, `80/TCP`.
    pub key: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, source, path, key } = self;
        write!(f, "{source}: `{path}` of {id} has `{key}` more than once, the last one is used")
    }
}

/// Whether objects of a kind live in a namespace, as far as the caller knows; `None` for kinds that are not served.
pub type ScopeOf<'a> = &'a dyn Fn(&Gvk) -> Option<Scope>;

/// Prepares the objects of a release.
///
/// The scope of a kind that is not served yet is taken from a `CustomResourceDefinition` among the objects.
///
/// # Errors
/// If one object is rendered twice, or if its labels, annotations or `stringData` are no maps of strings.
pub fn objects(rendered: Vec<Object>, context: &Context, scope: ScopeOf<'_>) -> Result<Preparation, Error> {
    let defined = defined_scopes(&rendered);
    let scope = |gvk: &Gvk| scope(gvk).or_else(|| defined.get(&(gvk.group.clone(), gvk.kind.clone())).copied());
    let mut preparation = Preparation::default();
    let mut sources = BTreeMap::new();
    for object in rendered {
        let prepared = prepare(object, context, &scope, Membership::Member, &mut preparation.warnings)?;
        if let Some(first) = sources.insert(prepared.id.clone(), prepared.source.clone()) {
            let second = prepared.source;
            return Err(Error::RenderedTwice { id: Box::new(prepared.id), first, second });
        }
        preparation.objects.push(prepared);
    }
    Ok(preparation)
}

/// Prepares the object of a hook: as [`objects`], but it gets no part-of label, since it is no object of the release
/// that would be repaired or pruned.
///
/// # Errors
/// As [`objects`].
pub fn hook(rendered: Object, context: &Context, scope: ScopeOf<'_>) -> Result<(Prepared, Vec<Warning>), Error> {
    let mut warnings = Vec::new();
    let prepared = prepare(rendered, context, scope, Membership::Hook, &mut warnings)?;
    Ok((prepared, warnings))
}

/// An object that belongs to nobody, as it can be applied: without nulls, status, and what is the server's.
pub fn unowned(object: &Json) -> Json {
    let mut object = object.clone();
    drop_nulls(&mut object);
    whole_numbers(&mut object);
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
        metadata.retain(|field, _| !SERVER_FIELDS.contains(&field.as_str()));
    }
    object
}

/// Whether the resource-policy of a live or rendered object says `keep`.
pub fn is_kept(object: &Json) -> bool {
    let annotations = object.pointer("/metadata/annotations");
    keeps(annotations.and_then(|annotations| annotations.get(labels::RESOURCE_POLICY)))
}

fn keeps(policy: Option<&Json>) -> bool {
    policy.and_then(Json::as_str).is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Membership {
    Member,
    Hook,
}

fn prepare(
    rendered: Object,
    context: &Context,
    scope: ScopeOf<'_>,
    membership: Membership,
    warnings: &mut Vec<Warning>,
) -> Result<Prepared, Error> {
    let Object { path: source, gvk, name, namespace, mut body } = rendered;
    let scope = scope(&gvk);
    let namespace = match scope {
        Some(Scope::Cluster) => String::new(),
        _ if namespace.is_empty() => context.release.namespace.clone(),
        _ => namespace,
    };
    let Gvk { group, version, kind } = gvk;
    let id = ObjectId { group, kind, namespace, name };
    let faults = Faults { id: &id, source: &source };
    body.retain(|_, value| !value.is_null());
    for value in body.values_mut() {
        drop_nulls(value);
        whole_numbers(value);
    }
    move_string_data(&mut body, &faults)?;
    for (path, key) in dedupe::dedupe(&mut body) {
        warnings.push(Warning { id: id.clone(), source: source.clone(), path, key });
    }
    let mut metadata = faults.map(body.remove("metadata"), "metadata", "fields")?;
    let mut own = faults.map(metadata.remove("annotations"), "metadata.annotations", "strings")?;
    let mut marks = faults.map(metadata.remove("labels"), "metadata.labels", "strings")?;
    let keep = keeps(own.get(labels::RESOURCE_POLICY));
    let directives = take_directives(&mut own);
    mark(&mut marks, context, membership);
    if membership == Membership::Member && context.recorded {
        own.insert(labels::RELEASE_NAME.into(), context.release.name.as_str().into());
        own.insert(labels::RELEASE_NAMESPACE.into(), context.release.namespace.as_str().into());
    }
    own_by(&context.owner, &id, keep, &mut Belongings { metadata: &mut metadata, annotations: &mut own });
    place(&mut metadata, &id);
    metadata.insert("labels".into(), Json::Object(marks));
    if !own.is_empty() {
        metadata.insert("annotations".into(), Json::Object(own));
    }
    body.insert("metadata".into(), Json::Object(metadata));
    body.remove("status");
    drop_empty_maps(&mut body);
    let body = Json::Object(body);
    Ok(Prepared { digest: Digest::of_json(&body), id, version, scope, body, ignored: None, keep, directives, source })
}

/// Where a fault of an object is reported.
struct Faults<'a> {
    id: &'a ObjectId,
    source: &'a str,
}

impl Faults<'_> {
    fn wrong(&self, field: &'static str, of: &'static str, found: &Json) -> Error {
        Error::WrongType {
            path: self.source.to_owned(),
            id: Box::new(self.id.clone()),
            field,
            of,
            found: type_name(found),
        }
    }

    /// A field that is absent or a map.
    fn map(&self, value: Option<Json>, field: &'static str, of: &'static str) -> Result<Map<String, Json>, Error> {
        match value {
            None => Ok(Map::new()),
            Some(Json::Object(map)) => Ok(map),
            Some(other) => Err(self.wrong(field, of, &other)),
        }
    }
}

/// Scopes of the kinds that `CustomResourceDefinitions` among the objects define.
pub fn defined_scopes(rendered: &[Object]) -> BTreeMap<(String, String), Scope> {
    let definitions = rendered.iter().filter(|object| object.gvk.kind == "CustomResourceDefinition");
    definitions.filter_map(|object| scope_in(object.body.get("spec")?)).collect()
}

/// Group and kind that a `CustomResourceDefinition` defines, and their scope.
pub fn defined_scope(definition: &Json) -> Option<((String, String), Scope)> {
    scope_in(definition.get("spec")?)
}

fn scope_in(spec: &Json) -> Option<((String, String), Scope)> {
    let text = |value: Option<&Json>| Some(value?.as_str()?.to_owned());
    let cluster = spec.get("scope")?.as_str()? == "Cluster";
    let kind = (text(spec.get("group"))?, text(spec.pointer("/names/kind"))?);
    Some((kind, if cluster { Scope::Cluster } else { Scope::Namespaced }))
}

/// Removes the null entries of maps: server-side apply would own them.
fn drop_nulls(value: &mut Json) {
    match value {
        Json::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            entries.values_mut().for_each(drop_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Moves a Secret's `stringData` to `data`: applied as it is, we would own a field that the object never shows.
fn move_string_data(body: &mut Map<String, Json>, faults: &Faults<'_>) -> Result<(), Error> {
    if !(faults.id.group.is_empty() && faults.id.kind == "Secret") {
        return Ok(());
    }
    let Some(texts) = body.remove("stringData") else { return Ok(()) };
    let mut data = faults.map(body.remove("data"), "data", "strings")?;
    for (key, text) in faults.map(Some(texts), "stringData", "strings")? {
        let text = text.as_str().ok_or_else(|| faults.wrong("stringData", "strings", &text))?;
        data.insert(key, Json::String(STANDARD.encode(text)));
    }
    body.insert("data".into(), Json::Object(data));
    Ok(())
}

/// Our own annotations on a rendered object, without their prefix.
pub fn directives(body: &Map<String, Json>) -> BTreeMap<String, String> {
    let annotations = body.get("metadata").and_then(|metadata| metadata.get("annotations"));
    annotations
        .and_then(Json::as_object)
        .map(|annotations| take_directives(&mut annotations.clone()))
        .unwrap_or_default()
}

/// Takes our own annotations out, without their prefix.
fn take_directives(annotations: &mut Map<String, Json>) -> BTreeMap<String, String> {
    let mut directives = BTreeMap::new();
    annotations.retain(|key, value| match key.strip_prefix(labels::OURS) {
        Some(name) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            directives.insert(name.to_owned(), text);
            false
        }
        None => true,
    });
    directives
}

/// The labels by which an object is found again.
fn mark(marks: &mut Map<String, Json>, context: &Context, membership: Membership) {
    marks.insert(labels::CHART.into(), context.chart.as_str().into());
    if membership == Membership::Member {
        marks.insert(labels::MANAGED_BY.into(), labels::MANAGED_BY_HELM.into());
        marks.insert(labels::PART_OF.into(), context.part_of.as_str().into());
    }
}

/// The two places that tell an object's owner.
struct Belongings<'a> {
    metadata: &'a mut Map<String, Json>,
    annotations: &'a mut Map<String, Json>,
}

/// Names the owner: by an ownerReference, which replaces any that the chart rendered, where the garbage collector
/// understands it; by annotations where it does not, or where the object must outlive its owner.
///
/// Mirrors operator-sdk v1.42.3, `internal/helm/client/client.go`.
fn own_by(owner: &Owner, id: &ObjectId, keep: bool, to: &mut Belongings<'_>) {
    to.metadata.remove("ownerReferences");
    let reachable = owner.namespace.is_empty() || owner.namespace == id.namespace;
    if reachable && !keep {
        let reference = json!({
            "apiVersion": owner.gvk.api_version(),
            "kind": owner.gvk.kind,
            "name": owner.name,
            "uid": owner.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        });
        to.metadata.insert("ownerReferences".into(), json!([reference]));
        return;
    }
    let (primary, kind) = owner.primary();
    to.annotations.insert(labels::PRIMARY_RESOURCE.into(), primary.into());
    to.annotations.insert(labels::PRIMARY_RESOURCE_TYPE.into(), kind.into());
}

/// Fields of the metadata that belong to the server; some of them would make the apply fail.
const SERVER_FIELDS: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Writes name and namespace, and leaves out what belongs to the server.
fn place(metadata: &mut Map<String, Json>, id: &ObjectId) {
    for field in SERVER_FIELDS {
        metadata.remove(field);
    }
    // Without one, the object of a hook has a `generateName`.
    if !id.name.is_empty() {
        metadata.insert("name".into(), id.name.as_str().into());
    }
    metadata.remove("namespace");
    if !id.namespace.is_empty() {
        metadata.insert("namespace".into(), id.namespace.as_str().into());
    }
}

/// Where pod templates stand.
const TEMPLATES: [&str; 3] =
    ["/spec/template/metadata", "/spec/jobTemplate/metadata", "/spec/jobTemplate/spec/template/metadata"];

/// Drops the empty labels and annotations of pod templates: an owned empty map makes us own what others put into it.
/// Those of the object itself are never empty.
fn drop_empty_maps(body: &mut Map<String, Json>) {
    let Some(spec) = body.get_mut("spec") else { return };
    for template in TEMPLATES {
        let Some(metadata) = spec.pointer_mut(template.trim_start_matches("/spec")).and_then(Json::as_object_mut)
        else {
            continue;
        };
        metadata.remove("creationTimestamp");
        for field in ["labels", "annotations"] {
            if metadata.get(field).and_then(Json::as_object).is_some_and(Map::is_empty) {
                metadata.remove(field);
            }
        }
    }
}
