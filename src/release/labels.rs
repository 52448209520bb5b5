//! Names of the labels, annotations and finalizers that the operator reads and writes.

/// Label of an owned object: the id of the ApplySet (of the resource) it belongs to (KEP-3659).
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// Label of a resource: the id of its ApplySet.
pub const APPLYSET_ID: &str = "applyset.kubernetes.io/id";
/// Annotation of a resource: which program owns its ApplySet; kubectl refuses to prune what another one owns.
pub const TOOLING: &str = "applyset.kubernetes.io/tooling";
/// The value of [`TOOLING`].
pub const TOOLING_VALUE: &str = "chart-operator/v1";
/// Annotation of a resource: the kinds of its objects, `Deployment.apps,Service`.
pub const CONTAINS_GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
/// Annotation of a resource: the namespaces of its objects beside its own.
pub const ADDITIONAL_NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// Label of a CRD whose resources may be parents of an ApplySet.
pub const IS_PARENT_TYPE: &str = "applyset.kubernetes.io/is-parent-type";

/// Label of an owned object: the name of the chart that rendered it (operator-sdk since v1.32).
pub const CHART: &str = "helm.sdk.operatorframework.io/chart";
/// Label of an object that Helm manages.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const MANAGED_BY_HELM: &str = "Helm";
/// Annotation of an object that Helm manages: the name of its release.
pub const RELEASE_NAME: &str = "meta.helm.sh/release-name";
/// Annotation of an object that Helm manages: the namespace of its release.
pub const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// Annotation of a rendered object: `keep` leaves it alone when it is no longer rendered.
pub const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// Annotation of an object that cannot carry an ownerReference: `<namespace>/<name>` of the resource.
pub const PRIMARY_RESOURCE: &str = "operator-sdk/primary-resource";
/// Annotation of an object that cannot carry an ownerReference: `<Kind>.<group>` of the resource.
pub const PRIMARY_RESOURCE_TYPE: &str = "operator-sdk/primary-resource-type";

/// Annotation of a resource: how often it is looked at without a cause.
pub const RECONCILE_PERIOD: &str = "helm.sdk.operatorframework.io/reconcile-period";
/// Annotation of a resource: `true`, or a time until which it is left alone.
pub const PAUSED: &str = "chart-operator.dev/paused";
/// Annotation of a resource: any text; another one asks for a pass now.
pub const REQUESTED_AT: &str = "chart-operator.dev/requestedAt";

/// Finalizer of a resource.
pub const FINALIZER: &str = "helm.sdk.operatorframework.io/uninstall-release";
/// Finalizer that older operators wrote; it is honoured and removed.
pub const LEGACY_FINALIZER: &str = "uninstall-helm-release";

/// Annotation of a resource: how far the actions of its chart are.
pub const ACTIONS: &str = "chart-operator.dev/actions";
/// Annotation of the Job of an action, and of its Pods: which try it is, from 1.
pub const ATTEMPT: &str = "chart-operator.dev/attempt";

/// Annotation of the Job of an action that does not run when its phase is entered: when else.
pub const ON: &str = "chart-operator.dev/on";

/// Prefix of our own annotations on rendered objects; none that is rendered is ever sent.
pub const OURS: &str = "chart-operator.dev/";

/// Annotation of a hook: its events, comma-separated.
pub const HOOK: &str = "helm.sh/hook";
/// Annotation of a hook: its place among the hooks of one event.
pub const HOOK_WEIGHT: &str = "helm.sh/hook-weight";
/// Annotation of a hook: when it is deleted, comma-separated.
pub const HOOK_DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
/// Annotation of a hook: when its logs are shown, comma-separated.
pub const HOOK_OUTPUT_LOG_POLICY: &str = "helm.sh/hook-output-log-policy";

/// Annotation of a resource: its finalizer stays until every object is gone.
pub const UNINSTALL_WAIT: &str = "helm.sdk.operatorframework.io/uninstall-wait";
/// Annotation of a resource: objects whose new content the API server does not accept as a change are made anew.
pub const UPGRADE_FORCE: &str = "helm.sdk.operatorframework.io/upgrade-force";

/// Annotation of a rendered object, behind [`OURS`]: as [`UPGRADE_FORCE`], for this object alone; it wins over that one.
pub const RECREATE: &str = "recreate";
/// Annotation of a custom resource definition: the digest of what the chart's `crds/` held when it was applied.
pub const DEFINITION: &str = "chart-operator.dev/definition";

/// A boolean as Go's `strconv.ParseBool` reads it.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
/// Label of the object of a hook: the id of the ApplySet of the resource it runs for. Such an object is no part of the set:
/// it is neither repaired nor pruned.
pub const HOOK_OF: &str = "chart-operator.dev/hook-of";
/// Label of the object of a hook: which run of the hook made it.
pub const HOOK_RUN: &str = "chart-operator.dev/hook-run";
