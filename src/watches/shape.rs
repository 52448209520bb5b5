//! What `watches.yaml` may hold: the keys that the reader knows, and what editors check them by.

use crate::shape::{Field, Keys, Shape};

/// The file. What editors call an unknown key is warned about when the file is read.
pub const WATCHES: Shape = Shape::List(&WATCH);

/// Where a string is wanted, numbers and bools count as their text.
const SCALAR: Shape = Shape::Own(r#"{"type": ["string", "number", "boolean"]}"#);
const NAME: Shape = Shape::Own(r#"{"type": ["string", "number", "boolean"], "minLength": 1}"#);
const SCALARS: Shape = Shape::Own(r#"{"type": "array", "items": {"type": ["string", "number", "boolean"]}}"#);
const SCALAR_MAP: Shape =
    Shape::Own(r#"{"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}"#);
const BOOL: Shape = Shape::Own(r#"{"type": "boolean"}"#);
const COUNT: Shape = Shape::Own(r#"{"type": "integer", "minimum": 0, "maximum": 4294967295}"#);
const POSITIVE: Shape = Shape::Own(r#"{"type": "integer", "minimum": 1, "maximum": 4294967295}"#);
const STEPS: Shape = Shape::Own(r#"{"type": "integer", "minimum": 1}"#);
const DEPTH: Shape = Shape::Own(r#"{"type": "integer", "minimum": 1, "maximum": 6000}"#);
const BYTES: Shape = Shape::Own(
    r#"{"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]+(Ki|Mi|Gi|k|M|G)?$"}]}"#,
);
const DURATION: Shape = Shape::Own(
    r#"{"type": "string", "pattern": "^[-+]?(0|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$"}"#,
);
const POINTERS: Shape =
    Shape::Own(r#"{"type": "array", "items": {"type": "string", "pattern": "^(/([^~]|~[01])*)?$"}}"#);
const OPERATIONS: Shape = Shape::Own(
    r#"{"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object", "required": ["op", "path"],
    "properties": {"op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]}, "path": {"type": "string"},
    "from": {"type": "string"}, "value": {}}}}]}"#,
);
const NAMESPACES: Shape = Shape::Own(
    r#"{"anyOf": [{"enum": ["own"]}, {"type": "array", "items": {"type": ["string", "number", "boolean"], "minLength": 1}}]}"#,
);
const KINDS: Shape =
    Shape::Own(r#"{"type": "array", "items": {"type": ["string", "number", "boolean"], "minLength": 1}}"#);

/// An entry.
pub(crate) const WATCH: Shape = object(&[
    Field::optional("group", SCALAR, "API group of the kind; left out for the core group."),
    Field::required("version", NAME, "Version of the kind, such as `v1alpha1`."),
    Field::required("kind", NAME, "The kind that is watched."),
    Field::required("chart", NAME, "Directory of the chart."),
    Field::optional("watchDependentResources", BOOL, "Whether what was installed is watched too."),
    Field::optional("overrideValues", SCALAR_MAP, "Strings that are put over the spec, by path; `$VAR` is expanded."),
    Field::optional("overrides", Shape::Own(r#"{"type": "object"}"#), "Values of any type that are put over the spec."),
    Field::optional("selector", SELECTOR, "Which resources are meant, by their labels."),
    Field::optional("reconcilePeriod", DURATION, "How often a resource is looked at without a cause."),
    Field::optional("dryRunOption", SCALAR, "Read for operator-sdk's sake."),
    Field::optional("maxConcurrentReconciles", POSITIVE, "How many resources are reconciled at once."),
    Field::optional("history", COUNT, "Release records kept; 0 is none."),
    Field::optional("rollback", BOOL, "Whether the last good revision is put back after a failed upgrade."),
    Field::optional("budget", BUDGET, "How much a render may use."),
    Field::optional("patches", Shape::List(&PATCH), "What is put over rendered objects."),
    Field::optional("restrict", RESTRICT, "What may be rendered."),
    Field::optional("drift", Shape::Choice(&["correct", "warn", "ignore"]), "What is done about what others change."),
    Field::optional("ignoreFields", Shape::List(&IGNORED), "Fields that are left to others once an object is there."),
    Field::optional("releaseNamespace", SCALAR, "Namespace of the releases of cluster-scoped resources."),
    Field::optional("serviceAccountName", SCALAR, "The account as which calls for a resource are made."),
    Field::optional(
        "crds",
        Shape::Choice(&["Create", "CreateReplace", "Skip"]),
        "What is done with the chart's `crds/`.",
    ),
    Field::optional("lookup", EITHER_LOOKUP, "What templates may look up."),
]);

/// `selector`
pub(crate) const SELECTOR: Shape = object(&[
    Field::optional("matchLabels", SCALAR_MAP, "Labels that resources have."),
    Field::optional("matchExpressions", Shape::List(&REQUIREMENT), "What is asked of labels."),
]);

/// An item of `matchExpressions`
pub(crate) const REQUIREMENT: Shape = object(&[
    Field::required("key", NAME, "Name of the label."),
    Field::required("operator", Shape::Choice(&["In", "NotIn", "Exists", "DoesNotExist"]), "What is asked."),
    Field::optional("values", SCALARS, "Values of the label."),
]);

/// `budget`
pub(crate) const BUDGET: Shape = object(&[
    Field::optional("steps", STEPS, "Steps of templates and functions."),
    Field::optional("output", BYTES, "Bytes of text rendered."),
    Field::optional("memory", BYTES, "Bytes that values hold at the same time."),
    Field::optional("depth", DEPTH, "Templates, blocks and parentheses open at the same time."),
    Field::optional("crypto", DURATION, "What keys and password hashes may cost."),
    Field::optional("time", DURATION, "How long a render may take."),
]);

/// An item of `patches`
pub(crate) const PATCH: Shape = object(&[
    Field::required("target", TARGET, "Which objects are patched."),
    Field::required("patch", OPERATIONS, "Operations of RFC 6902."),
]);

/// `target`
pub(crate) const TARGET: Shape = object(&TARGET_FIELDS);

const TARGET_FIELDS: [Field; 3] = [
    Field::optional("group", SCALAR, "Regular expression for the API group."),
    Field::optional("kind", SCALAR, "Regular expression for the kind."),
    Field::optional("name", SCALAR, "Regular expression for the name."),
];

/// An item of `ignoreFields`
pub(crate) const IGNORED: Shape = {
    const FIELDS: [Field; 4] = {
        let [group, kind, name] = TARGET_FIELDS;
        [group, kind, name, Field::required("paths", POINTERS, "JSON pointers to the fields.")]
    };
    object(&FIELDS)
};

/// `restrict`
pub(crate) const RESTRICT: Shape = object(&[
    Field::optional("namespaces", NAMESPACES, "`own`, or a list of namespaces."),
    Field::optional("clusterScoped", BOOL, "Whether objects may be in no namespace."),
    Field::optional("kinds", KINDS, "Kinds, such as `Service` or `Deployment.apps`."),
]);

/// `lookup`, where it is a mapping
pub(crate) const LOOKUP: Shape = object(&[
    Field::optional("allow", ALLOW, "`none`, `own`, or a list."),
    Field::optional("inTpl", BOOL, "Whether text that `tpl` renders may look up too."),
]);

const EITHER_LOOKUP: Shape = Shape::Either(&[Shape::Choice(&["none", "own"]), LOOKUP]);
const ALLOW: Shape = Shape::Either(&[Shape::Choice(&["none", "own"]), Shape::List(&ALLOWED)]);

/// An item of `allow`
pub(crate) const ALLOWED: Shape = object(&[
    Field::optional("group", SCALAR, "API group; `*` is every group."),
    Field::required("kind", NAME, "Kind; `*` is every kind."),
    Field::optional("namespace", SCALAR, "Namespace; `*` is every namespace, left out is the resource's own."),
]);

const fn object(fields: &'static [Field]) -> Shape {
    Shape::Object(fields, Keys::Required)
}
