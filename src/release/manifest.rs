//! From rendered files to hooks and objects, in Helm's order and with Helm's text.
//!
//! Mirrors Helm v4.3.1, `pkg/release/v1/util/manifest.go` and `manifest_sorter.go`, and `renderResources` of
//! `pkg/action/action.go` for the text that is stored.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Map;

use crate::release::hook::{Head, Hook};
use crate::release::{Error, Gvk, Json, labels, order};
use crate::value::format_float;
use crate::yaml::{self, Numbers};

/// What the files of a chart came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sorted {
    /// Hooks in Helm's install order of their kinds.
    pub hooks: Vec<Hook>,
    /// Everything else in Helm's install order.
    pub documents: Vec<Document>,
    /// Documents with a hook annotation that names an unknown event: Helm skips them with a notice, and so do we.
    pub skipped: Vec<Document>,
}

/// One document of a rendered file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The template, for instance `demo/templates/x.yaml`.
    pub path: String,
    /// Its text, without the `---`.
    pub text: String,
    /// Its kind, maybe empty.
    pub kind: String,
    /// What it says.
    pub json: Json,
}

/// A rendered object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The template that rendered it.
    pub path: String,
    /// Group, version and kind.
    pub gvk: Gvk,
    /// Namespace as rendered, maybe empty.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// All of it.
    pub body: Map<String, Json>,
}

/// Sorts rendered files, by path, into hooks and documents.
///
/// Files whose name begins with `_` and empty documents are left out; `NOTES.txt` must not be among the files.
///
/// # Errors
/// If a document is no YAML, or its head is of other types than Helm expects, in Helm's words.
pub fn sort(files: &BTreeMap<String, String>) -> Result<Sorted, Error> {
    let mut sorted = Sorted::default();
    sorted.fill(files)?;
    sorted.hooks.sort_by(|a, b| order::install(&a.kind, &b.kind));
    sorted.documents.sort_by(|a, b| order::install(&a.kind, &b.kind));
    Ok(sorted)
}

/// The hooks of rendered files up to the document that makes [`sort`] fail, in the order of the files: what Helm shows
/// then for debugging.
pub fn hooks_before_fault(files: &BTreeMap<String, String>) -> Vec<Hook> {
    let mut sorted = Sorted::default();
    // The fault has been told by `sort`.
    drop(sorted.fill(files));
    sorted.hooks
}

/// The documents of a stored manifest, each with the template that the comment `# Source:` at its head, or at that of a
/// document before it, names.
///
/// # Errors
/// As [`sort`].
pub fn stored(manifest: &str) -> Result<Vec<Document>, Error> {
    let mut source = "manifest";
    let mut documents = Vec::new();
    for text in split(manifest) {
        source = text.lines().next().and_then(|line| line.strip_prefix("# Source: ")).unwrap_or(source);
        documents.push(read(source, text)?.0);
    }
    Ok(documents)
}

/// The objects of a hook: as [`Document::objects`], but a name may be left to the server by `metadata.generateName`.
///
/// # Errors
/// As [`sort`] and [`Document::objects`].
pub fn hook_objects(hook: &Hook) -> Result<Vec<Object>, Error> {
    let (document, _) = read(&hook.path, &hook.manifest)?;
    document.flattened(Naming::MayBeGenerated)
}

impl Sorted {
    /// The text of the documents as Helm stores and shows it: `---`, the source, the document.
    pub fn text(&self) -> String {
        self.documents.iter().fold(String::new(), |mut text, document| {
            // Writing to a string cannot fail.
            _ = write!(text, "---\n# Source: {}\n{}\n", document.path, document.text);
            text
        })
    }

    /// The objects of all documents in install order.
    ///
    /// # Errors
    /// As [`Document::objects`].
    pub fn objects(&self) -> Result<Vec<Object>, Error> {
        let objects = self.documents.iter().map(Document::objects).collect::<Result<Vec<_>, _>>()?;
        let mut objects: Vec<_> = objects.into_iter().flatten().collect();
        // What came out of a List has its own place.
        objects.sort_by(|a, b| order::install(&a.gvk.kind, &b.gvk.kind));
        Ok(objects)
    }

    fn fill(&mut self, files: &BTreeMap<String, String>) -> Result<(), Error> {
        for (path, text) in files {
            if path.rsplit('/').next().is_some_and(|name| name.starts_with('_')) {
                continue;
            }
            for text in split(text) {
                self.add(path, text)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, text: &str) -> Result<(), Error> {
        let (document, head) = read(path, text)?;
        if !head.annotations.contains_key(labels::HOOK) {
            self.documents.push(document.applied());
            return Ok(());
        }
        let read = Head { path, kind: &document.kind, name: &head.name, annotations: &head.annotations };
        match Hook::parse(read, text) {
            Some(hook) => self.hooks.push(hook),
            None => self.skipped.push(document),
        }
        Ok(())
    }
}

impl Document {
    /// As Helm applies it, which is from the stored manifest: there a line end follows, and a block scalar at the end takes
    /// it for its own. A hook is applied by its text alone.
    fn applied(mut self) -> Self {
        let open = !self.text.ends_with('\n') || self.text.contains('+');
        if open
            && self.text.contains(['|', '>'])
            && let Ok(json) = yaml::to_json(&format!("{}\n", self.text), Numbers::Exact)
        {
            self.json = json;
        }
        self
    }

    /// Its objects: none where it holds only comments, several where it is a List.
    ///
    /// # Errors
    /// If it is no object, or one without `apiVersion`, `kind` or name.
    pub fn objects(&self) -> Result<Vec<Object>, Error> {
        self.flattened(Naming::Required)
    }

    fn flattened(&self, naming: Naming) -> Result<Vec<Object>, Error> {
        let mut objects = Vec::new();
        if !self.json.is_null() {
            flatten(&self.path, self.json.clone(), naming, &mut objects)?;
        }
        Ok(objects)
    }
}

/// Splits a file at its lines that begin with `---`, wherever they stand, as Helm does: what follows in such a line
/// belongs to the next document. Empty documents are left out.
pub fn split(text: &str) -> Vec<&str> {
    let text = text.trim_start();
    let mut ends = Vec::new();
    let mut starts = vec![0];
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            ends.push(offset);
            starts.push(offset + line.len() - rest.trim_start_matches([' ', '\t']).len());
        }
        offset += line.len();
    }
    ends.push(offset);
    let documents = starts.into_iter().zip(ends).filter_map(|(start, end)| text.get(start..end));
    documents.map(str::trim_start).filter(|document| !document.is_empty()).collect()
}

/// What Helm reads of a document beside its kind.
struct Name {
    name: String,
    annotations: BTreeMap<String, String>,
}

/// Reads a document and its head, with Helm's errors for a head of wrong types.
fn read(path: &str, text: &str) -> Result<(Document, Name), Error> {
    let fault = |message: String| Error::Yaml { path: path.to_owned(), message };
    let json = yaml::to_json(text, Numbers::Exact).map_err(|error| fault(error.to_string()))?;
    let (kind, name) = head(&json).map_err(|found| {
        fault(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go {found}",
            found.go
        ))
    })?;
    Ok((Document { path: path.to_owned(), text: text.to_owned(), kind, json }, name))
}

/// A value of another type than Helm's Go code expects.
struct Mismatch {
    /// What JSON calls it.
    go: &'static str,
    /// Where it stands, in Go's words.
    into: &'static str,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.into)
    }
}

impl Mismatch {
    fn new(found: &Json, into: &'static str) -> Self {
        Self { go: yaml::json_type(found), into }
    }
}

/// Go's name of the type of `metadata` in Helm's head of a document.
const METADATA: &str = "struct field SimpleHead.metadata of type struct { Name string \"json:\\\"name\\\"\"; \
     Annotations map[string]string \"json:\\\"annotations\\\"\" }";

/// Kind, name and annotations as `util.SimpleHead` has them. The fields are looked at in the order of their names, as Go
/// does, so that the same one is blamed.
fn head(json: &Json) -> Result<(String, Name), Mismatch> {
    let nobody = || Name { name: String::new(), annotations: BTreeMap::new() };
    let document = match json {
        Json::Null => return Ok((String::new(), nobody())),
        Json::Object(document) => document,
        other => return Err(Mismatch::new(other, "value of type util.SimpleHead")),
    };
    text(field(document, "apiVersion"), "struct field SimpleHead.apiVersion of type string")?;
    let kind = text(field(document, "kind"), "struct field SimpleHead.kind of type string")?;
    let metadata = match field(document, "metadata") {
        None | Some(Json::Null) => return Ok((kind, nobody())),
        Some(Json::Object(metadata)) => metadata,
        Some(other) => return Err(Mismatch::new(other, METADATA)),
    };
    let annotations = match field(metadata, "annotations") {
        None | Some(Json::Null) => BTreeMap::new(),
        Some(Json::Object(entries)) => {
            let read = |(name, value): (&String, &Json)| {
                Ok((name.clone(), text(Some(value), "struct field .metadata.annotations of type string")?))
            };
            entries.iter().map(read).collect::<Result<_, _>>()?
        }
        Some(other) => {
            return Err(Mismatch::new(other, "struct field .metadata.annotations of type map[string]string"));
        }
    };
    let name = text(field(metadata, "name"), "struct field .metadata.name of type string")?;
    Ok((kind, Name { name, annotations }))
}

/// A field by its name, whose case Go ignores.
fn field<'a>(map: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// A scalar as text, as sigs.k8s.io/yaml converts it for a target of type string.
fn text(value: Option<&Json>, into: &'static str) -> Result<String, Mismatch> {
    Ok(match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Bool(bool)) => bool.to_string(),
        Some(Json::Number(number)) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => format_float(float),
            None => number.to_string(),
        },
        Some(other) => return Err(Mismatch::new(other, into)),
    })
}

/// Whether an object must say its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Required,
    MayBeGenerated,
}

/// Adds an object, or those of a List, whose items take version and kind from it where they have none.
fn flatten(path: &str, json: Json, naming: Naming, objects: &mut Vec<Object>) -> Result<(), Error> {
    let Json::Object(mut body) = json else {
        return Err(Error::NoObject { path: path.to_owned(), found: type_name(&json) });
    };
    let text = |body: &Map<String, Json>, field| body.get(field).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (text(&body, "apiVersion"), text(&body, "kind"));
    let Some(item_kind) = kind.strip_suffix("List").filter(|_| body.get("items").is_some_and(Json::is_array)) else {
        objects.push(object(path, body, naming)?);
        return Ok(());
    };
    let Some(Json::Array(items)) = body.remove("items") else { return Ok(()) };
    for mut item in items {
        if let Some(item) = item.as_object_mut().filter(|_| !item_kind.is_empty()) {
            item.entry("apiVersion").or_insert_with(|| version.clone().into());
            item.entry("kind").or_insert_with(|| item_kind.into());
        }
        flatten(path, item, naming, objects)?;
    }
    Ok(())
}

fn object(path: &str, body: Map<String, Json>, naming: Naming) -> Result<Object, Error> {
    let text = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().to_owned();
    let in_metadata = |field| text(body.get("metadata").and_then(|metadata| metadata.get(field)));
    let (version, kind) = (text(body.get("apiVersion")), text(body.get("kind")));
    let (name, namespace) = (in_metadata("name"), in_metadata("namespace"));
    let generated = naming == Naming::MayBeGenerated && !in_metadata("generateName").is_empty();
    let odd_namespace = body
        .get("metadata")
        .and_then(|metadata| metadata.get("namespace"))
        .is_some_and(|namespace| !namespace.is_null() && !namespace.is_string());
    let missing = [
        ("apiVersion", version.is_empty()),
        ("kind", kind.is_empty()),
        ("metadata.name", name.is_empty() && !generated),
        // An unquoted `n` or `1` is no string: it must not end up in the release's namespace.
        ("metadata.namespace", odd_namespace),
    ];
    if let Some((field, _)) = missing.into_iter().find(|(_, missing)| *missing) {
        let what = [version, kind, name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let what = if what.is_empty() { "an object".to_owned() } else { format!("`{what}`") };
        return Err(Error::MissingField { path: path.to_owned(), field, what });
    }
    Ok(Object { path: path.to_owned(), gvk: Gvk::new(&version, &kind), namespace, name, body })
}

/// What a value is, in words of an error.
pub(crate) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str) -> Result<Vec<String>, String> {
        let files = BTreeMap::from([("demo/templates/x.yaml".to_owned(), text.to_owned())]);
        let objects = sort(&files).and_then(|sorted| sorted.objects()).map_err(|error| error.to_string())?;
        Ok(objects.iter().map(|object| format!("{} {}/{}", object.gvk, object.namespace, object.name)).collect())
    }

    #[test]
    fn documents_become_objects_and_lists_are_taken_apart() {
        let cases: [(&str, &[&str]); 6] = [
            ("# only a comment", &[]),
            ("{apiVersion: v1, kind: Pod, metadata: {name: a}}", &["v1/Pod /a"]),
            (
                "{apiVersion: v1, kind: List, items: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}, {apiVersion: v1, kind: Secret, metadata: {name: b, namespace: m}}]}",
                &["v1/Secret m/b", "apps/v1/Deployment /a"],
            ),
            ("{apiVersion: v1, kind: ConfigMapList, items: [{metadata: {name: a}}]}", &["v1/ConfigMap /a"]),
            ("{apiVersion: x/v1, kind: Wishlist, items: [1], metadata: {name: a}}", &["x/v1/Wishlist /a"]),
            ("{apiVersion: v1, kind: List, items: []}", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(objects(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_block_at_the_end_of_a_file_is_read_as_from_the_stored_manifest() {
        let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: ";
        for (block, value) in [
            ("|\n    y", "y\n"),
            ("|\n    y\n", "y\n"),
            ("|-\n    y", "y"),
            (">\n    y\n    z", "y z\n"),
            ("|+\n    y\n", "y\n\n"),
            ("'|'", "|"),
        ] {
            let sorted = sort(&BTreeMap::from([("a.yaml".to_owned(), format!("{head}{block}"))])).unwrap();
            let [document] = &sorted.documents[..] else { panic!("{block}: one document") };
            assert_eq!(document.json["data"]["x"], value, "{block}");
            assert_eq!(stored(&sorted.text()).unwrap()[0].json, document.json, "{block}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_template() {
        let cases = [
            ("{}", "demo/templates/x.yaml: expected `apiVersion` to be a non-empty string in an object"),
            ("{kind: Pod}", "demo/templates/x.yaml: expected `apiVersion` to be a non-empty string in `Pod`"),
            ("{apiVersion: v1}", "demo/templates/x.yaml: expected `kind` to be a non-empty string in `v1`"),
            (
                "{apiVersion: v1, kind: Pod, metadata: {generateName: a-}}",
                "demo/templates/x.yaml: expected `metadata.name` to be a non-empty string in `v1 Pod`",
            ),
            (
                "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n}}",
                "demo/templates/x.yaml: expected `metadata.namespace` to be a non-empty string in `v1 Pod a`",
            ),
            ("{apiVersion: v1, kind: List, items: [a]}", "demo/templates/x.yaml: expected an object, found a string"),
        ];
        for (text, expected) in cases {
            assert_eq!(objects(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn the_name_of_a_hook_s_object_may_be_left_to_the_server() {
        let text =
            "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-, annotations: {helm.sh/hook: pre-install}}";
        let files = BTreeMap::from([("x.yaml".to_owned(), text.to_owned())]);
        let sorted = sort(&files).unwrap();
        assert_eq!(hook_objects(&sorted.hooks[0]).unwrap()[0].name, "");
    }
}
