//! `patches`: RFC 6902 patches that are put over what a chart rendered.

use std::fmt;

use json_patch::{PatchErrorKind, PatchOperation, patch};

use crate::release::manifest::Object;
use crate::release::target::Target;
use crate::release::{Gvk, Json};

/// One entry of `patches`.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The objects it is for.
    pub target: Target,
    /// What is done to each of them, in this order, or not at all.
    pub operations: Vec<PatchOperation>,
}

/// A patch that does not fit an object that it is for. It tells no values: they may be secret.
#[derive(Debug, thiserror::Error)]
#[error("`patches[{patch}]`: cannot {operation} of `{object}` ({path})")]
pub struct Error {
    /// Its place in `patches`, from 0.
    pub patch: usize,
    /// Place, name and path of the operation.
    pub operation: Operation,
    /// The object: `apps/Deployment web`.
    pub object: String,
    /// The template that rendered it.
    pub path: String,
    /// Why not.
    #[source]
    pub fault: Fault,
}

/// An operation as users find it in their file.
#[derive(Debug)]
pub struct Operation {
    index: usize,
    name: &'static str,
    path: String,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "carry out `patch[{}]`, `{}`, at `{}`", self.index, self.name, self.path)
    }
}

/// Why a patch does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// `test` found another value.
    #[error("the value there is another one")]
    Test,
    /// There is nothing at the path, or nothing that it could be added to.
    #[error("there is nothing at this path")]
    Path,
    /// There is nothing to move or copy.
    #[error("there is nothing at the path in `from`")]
    From,
    /// A value cannot be moved into itself.
    #[error("a value cannot be moved into itself")]
    Inside,
}

/// Puts the patches over the objects, in their order. Gives the places of those that are for none of them.
///
/// # Errors
/// The first patch that does not fit.
pub fn apply(objects: &mut [Object], patches: &[Patch]) -> Result<Vec<usize>, Error> {
    let mut idle = Vec::new();
    for (place, patch) in patches.iter().enumerate() {
        let mut matched = false;
        for object in objects.iter_mut().filter(|object| patch.target.matches(&object.gvk, &object.name)) {
            matched = true;
            patch_object(object, &patch.operations).map_err(|(index, fault)| Error {
                patch: place,
                operation: operation(&patch.operations, index),
                object: named(&object.gvk, &object.name),
                path: object.path.clone(),
                fault,
            })?;
        }
        if !matched {
            idle.push(place);
        }
    }
    Ok(idle)
}

/// `apps/Deployment web`, as [`crate::release::ObjectId`] shows it where no namespace is known.
fn named(gvk: &Gvk, name: &str) -> String {
    let slash = if gvk.group.is_empty() { "" } else { "/" };
    format!("{}{slash}{} {name}", gvk.group, gvk.kind)
}

/// That no operation changes what makes the object the one it is was seen when `watches.yaml` was read.
fn patch_object(object: &mut Object, operations: &[PatchOperation]) -> Result<(), (usize, Fault)> {
    let mut body = Json::Object(std::mem::take(&mut object.body));
    patch(&mut body, operations).map_err(|error| (error.operation, fault(&error.kind)))?;
    let namespace = body.pointer("/metadata/namespace").and_then(Json::as_str).unwrap_or_default();
    namespace.clone_into(&mut object.namespace);
    if let Json::Object(body) = body {
        object.body = body;
    }
    Ok(())
}

/// Whether an operation at this pointer could make an object another one: group, version, kind and name stay.
pub fn is_identity(pointer: &str) -> bool {
    matches!(pointer, "" | "/apiVersion" | "/kind" | "/metadata" | "/metadata/name")
}

fn fault(kind: &PatchErrorKind) -> Fault {
    match kind {
        PatchErrorKind::TestFailed => Fault::Test,
        PatchErrorKind::InvalidFromPointer => Fault::From,
        PatchErrorKind::CannotMoveInsideItself => Fault::Inside,
        _ => Fault::Path,
    }
}

fn operation(operations: &[PatchOperation], index: usize) -> Operation {
    let found = operations.get(index);
    let name = match found {
        Some(PatchOperation::Add(_)) => "add",
        Some(PatchOperation::Remove(_)) => "remove",
        Some(PatchOperation::Replace(_)) => "replace",
        Some(PatchOperation::Move(_)) => "move",
        Some(PatchOperation::Copy(_)) => "copy",
        Some(PatchOperation::Test(_)) | None => "test",
    };
    Operation { index, name, path: found.map(|found| found.path().to_string()).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;
    use crate::release::target::Pattern;

    fn object(api_version: &str, kind: &str, name: &str, spec: &Json) -> Object {
        let body = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
        let body = body.as_object().unwrap().clone();
        let path = format!("web/templates/{name}.yaml");
        Object { path, gvk: Gvk::new(api_version, kind), namespace: String::new(), name: name.to_owned(), body }
    }

    fn patch_of(kind: &str, operations: Json) -> Patch {
        let target = Target { kind: Some(Pattern::parse(kind).unwrap()), ..Target::default() };
        Patch { target, operations: from_value(operations).unwrap() }
    }

    #[test]
    fn patches_are_put_over_what_they_are_for_in_their_order() {
        let mut objects =
            [object("apps/v1", "Deployment", "web", &json!({"a": [1]})), object("v1", "Service", "web", &json!({}))];
        let patches = [
            patch_of("Deployment", json!([{"op": "add", "path": "/spec/a/-", "value": 2}])),
            patch_of("Job", json!([{"op": "remove", "path": "/spec"}])),
            patch_of(".*", json!([{"op": "add", "path": "/metadata/namespace", "value": "n"}])),
            patch_of(
                "Deployment",
                json!([{"op": "test", "path": "/spec/a/1", "value": 2}, {"op": "remove", "path": "/spec/a/0"}]),
            ),
        ];
        assert_eq!(apply(&mut objects, &patches).unwrap(), [1]);
        assert_eq!(objects[0].body["spec"], json!({"a": [2]}));
        assert_eq!(objects.map(|object| object.namespace), ["n", "n"]);
    }

    #[test]
    fn a_patch_that_does_not_fit_is_told_without_any_value() {
        let cases = [
            (json!([{"op": "remove", "path": "/spec/x"}]), "`patch[0]`, `remove`, at `/spec/x`", Fault::Path),
            (
                json!([{"op": "add", "path": "/spec/b", "value": 1}, {"op": "test", "path": "/spec/a", "value": "s3cret"}]),
                "`patch[1]`, `test`, at `/spec/a`",
                Fault::Test,
            ),
            (
                json!([{"op": "move", "path": "/spec/b", "from": "/spec/x"}]),
                "`patch[0]`, `move`, at `/spec/b`",
                Fault::From,
            ),
            (
                json!([{"op": "move", "path": "/spec/a/b", "from": "/spec/a"}]),
                "`patch[0]`, `move`, at `/spec/a/b`",
                Fault::Inside,
            ),
        ];
        for (operations, operation, fault) in cases {
            let mut objects = [object("apps/v1", "Deployment", "web", &json!({"a": {"c": 1}}))];
            let error = apply(&mut objects, &[patch_of("Deployment", operations)]).unwrap_err();
            let object = "`apps/Deployment web` (web/templates/web.yaml)";
            assert_eq!(error.to_string(), format!("`patches[0]`: cannot carry out {operation} of {object}"));
            assert_eq!(error.fault, fault);
        }
    }
}
