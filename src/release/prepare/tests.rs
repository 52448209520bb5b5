use serde_json::json;

use super::*;

fn context(owner_namespace: &str) -> Context {
    Context {
        release: ReleaseId { name: "web".into(), namespace: "n".into() },
        chart: "demo".into(),
        owner: Owner {
            gvk: Gvk::new("example.com/v1", "Web"),
            namespace: owner_namespace.into(),
            name: "web".into(),
            uid: "owner-uid".into(),
        },
        part_of: "applyset-x-v1".into(),
        recorded: true,
    }
}

fn rendered(body: Json) -> Object {
    let text = |pointer| body.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
    let gvk = Gvk::new(&text("/apiVersion"), &text("/kind"));
    let (name, namespace) = (text("/metadata/name"), text("/metadata/namespace"));
    let Json::Object(body) = body else { panic!("no object") };
    Object { path: "demo/templates/x.yaml".into(), gvk, namespace, name, body }
}

fn scope(gvk: &Gvk) -> Option<Scope> {
    match gvk.kind.as_str() {
        "ClusterRole" | "CustomResourceDefinition" => Some(Scope::Cluster),
        "Gadget" => None,
        _ => Some(Scope::Namespaced),
    }
}

fn one(body: Json) -> Prepared {
    let mut preparation = objects(vec![rendered(body)], &context("n"), &scope).unwrap();
    assert_eq!(preparation.warnings, []);
    preparation.objects.remove(0)
}

#[test]
fn without_records_an_object_is_of_no_release() {
    let context = Context { recorded: false, ..context("n") };
    let preparation = objects(vec![rendered(config_map(json!({"name": "a"})))], &context, &scope).unwrap();
    assert_eq!(preparation.objects[0].body.pointer("/metadata/annotations"), None);
}

fn config_map(metadata: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
}

#[test]
fn an_object_gets_the_labels_annotations_and_owner_of_helm_operator_and_the_applyset() {
    let prepared = one(config_map(json!({"name": "a", "labels": {"x": "y", "app.kubernetes.io/managed-by": "me"},
        "ownerReferences": [{"uid": "rendered"}]})));
    let expected = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "namespace": "n",
            "labels": {
                "x": "y",
                "app.kubernetes.io/managed-by": "Helm",
                "applyset.kubernetes.io/part-of": "applyset-x-v1",
                "helm.sdk.operatorframework.io/chart": "demo",
            },
            "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "n"},
            "ownerReferences": [{
                "apiVersion": "example.com/v1", "kind": "Web", "name": "web", "uid": "owner-uid",
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
    });
    assert_eq!(prepared.body, expected);
    assert_eq!(prepared.id.to_string(), "ConfigMap n/a");
    assert_eq!(prepared.digest, Digest::of_json(&expected));
}

#[test]
fn the_owner_is_named_by_a_reference_where_the_garbage_collector_understands_it() {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a", "namespace": "x"}});
    let keep = json!({"name": "a", "annotations": {"helm.sh/resource-policy": " Keep "}});
    let cases = [
        ("same namespace", "n", config_map(json!({"name": "a"})), true),
        ("another namespace", "n", config_map(json!({"name": "a", "namespace": "m"})), false),
        ("cluster-scoped object", "n", role.clone(), false),
        ("kept", "n", config_map(keep.clone()), false),
        ("cluster-scoped owner", "", config_map(json!({"name": "a", "namespace": "m"})), true),
        ("both cluster-scoped", "", role, true),
        ("kept, cluster-scoped owner", "", config_map(keep), false),
    ];
    for (name, owner, body, reference) in cases {
        let prepared = objects(vec![rendered(body)], &context(owner), &scope).unwrap().objects.remove(0);
        let metadata = &prepared.body["metadata"];
        assert_eq!(metadata.get("ownerReferences").is_some(), reference, "{name}");
        let annotation = |key: &str| metadata["annotations"].get(key).and_then(Json::as_str).map(str::to_owned);
        let expected = (!reference).then(|| format!("{owner}/web"));
        assert_eq!(annotation(labels::PRIMARY_RESOURCE), expected, "{name}");
        assert_eq!(annotation(labels::PRIMARY_RESOURCE_TYPE).is_some(), !reference, "{name}");
        assert_eq!(prepared.keep, name.starts_with("kept"), "{name}");
    }
}

#[test]
fn an_object_is_sent_without_what_server_side_apply_would_misread() {
    let deployment =
        |spec: Json| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec});
    let secret = |fields: Json| {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
        secret.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        secret
    };
    let cases = [
        (
            "nulls",
            deployment(json!({"replicas": null, "a": [{"b": null, "c": {}}]})),
            "/spec",
            json!({"a": [{"c": {}}]}),
        ),
        ("whole floats", deployment(json!({"replicas": 2.0, "x": 1.5})), "/spec", json!({"replicas": 2, "x": 1.5})),
        (
            "empty maps of the pod template",
            deployment(
                json!({"template": {"metadata": {"labels": {}, "annotations": null, "creationTimestamp": "x"}, "spec": {"volumes": [{"emptyDir": {}}]}}}),
            ),
            "/spec",
            json!({"template": {"metadata": {}, "spec": {"volumes": [{"emptyDir": {}}]}}}),
        ),
        (
            "stringData",
            secret(json!({"stringData": {"a": "new", "b": "x"}, "data": {"a": "b2xk", "c": "eQ=="}})),
            "/data",
            json!({"a": "bmV3", "b": "eA==", "c": "eQ=="}),
        ),
        ("stringData alone", secret(json!({"stringData": {}})), "/data", json!({})),
        (
            "status",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "status": {"loadBalancer": {}}}),
            "/status",
            Json::Null,
        ),
        (
            "what the server writes",
            config_map(
                json!({"name": "a", "uid": "u", "resourceVersion": "1", "creationTimestamp": null, "managedFields": [], "generation": 3, "labels": null, "annotations": {}}),
            ),
            "/metadata/uid",
            Json::Null,
        ),
    ];
    for (name, body, pointer, expected) in cases {
        let prepared = one(body);
        assert_eq!(prepared.body.pointer(pointer).unwrap_or(&Json::Null), &expected, "{name}");
        assert_eq!(prepared.body.get("stringData"), None, "{name}");
    }
    let metadata = &one(config_map(json!({"name": "a", "resourceVersion": "1", "managedFields": [], "selfLink": "x"})))
        .body["metadata"];
    let keys: Vec<_> = metadata.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["annotations", "labels", "name", "namespace", "ownerReferences"]);
}

#[test]
fn our_annotations_are_taken_out() {
    let prepared = one(config_map(json!({"name": "a", "annotations": {"chart-operator.dev/phase": "late", "x": "y"}})));
    assert_eq!(prepared.directives, BTreeMap::from([("phase".to_owned(), "late".to_owned())]));
    assert_eq!(prepared.body["metadata"]["annotations"]["x"], "y");
    assert!(!prepared.body.to_string().contains("chart-operator.dev"));
}

#[test]
fn of_one_key_twice_the_last_item_is_sent_and_the_user_is_told() {
    let pod = json!({"containers": [{
        "name": "web",
        "env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}],
        "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}, {"containerPort": 80, "protocol": "TCP", "name": "x"}],
    }], "volumes": [{"name": "v"}, {"name": "v", "emptyDir": {}}]});
    let bodies = vec![
        rendered(
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}, "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}),
        ),
        rendered(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}, {"port": 1, "name": "b"}]}}),
        ),
        rendered(
            json!({"apiVersion": "x/v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}, {"port": 1, "name": "b"}]}}),
        ),
    ];
    let preparation = objects(bodies, &context("n"), &scope).unwrap();
    let spec = preparation.objects[0].body.pointer("/spec/jobTemplate/spec/template/spec").unwrap();
    let expected = json!({"containers": [{
        "name": "web",
        "env": [{"name": "B"}, {"name": "A", "value": "2"}],
        "ports": [{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 80, "protocol": "TCP", "name": "x"}],
    }], "volumes": [{"name": "v", "emptyDir": {}}]});
    assert_eq!(*spec, expected);
    assert_eq!(preparation.objects[1].body["spec"]["ports"], json!([{"port": 1, "name": "b"}]));
    assert_eq!(preparation.objects[2].body["spec"]["ports"].as_array().unwrap().len(), 2, "another group's Service");
    let warnings: Vec<_> = preparation.warnings.iter().map(ToString::to_string).collect();
    let prefix = "spec.jobTemplate.spec.template.spec";
    let expected = [
        format!(
            "demo/templates/x.yaml: `{prefix}.containers[web].env` of batch/CronJob n/a has `A` more than once, the last one is used"
        ),
        format!(
            "demo/templates/x.yaml: `{prefix}.containers[web].ports` of batch/CronJob n/a has `80/TCP` more than once, the last one is used"
        ),
        format!(
            "demo/templates/x.yaml: `{prefix}.volumes` of batch/CronJob n/a has `v` more than once, the last one is used"
        ),
        "demo/templates/x.yaml: `spec.ports` of Service n/a has `1/TCP` more than once, the last one is used"
            .to_owned(),
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn one_object_twice_names_both_templates() {
    let first = rendered(config_map(json!({"name": "a"})));
    let second =
        Object { path: "demo/templates/y.yaml".into(), ..rendered(config_map(json!({"name": "a", "namespace": "n"}))) };
    let error = objects(vec![first, second], &context("n"), &scope).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ConfigMap n/a is rendered twice, by demo/templates/x.yaml and by demo/templates/y.yaml"
    );
}

#[test]
fn maps_of_other_things_are_refused() {
    let cases = [
        (
            config_map(json!({"name": "a", "labels": "x"})),
            "demo/templates/x.yaml: expected `metadata.labels` of ConfigMap n/a to be a map of strings, found a string",
        ),
        (
            config_map(json!({"name": "a", "annotations": ["x"]})),
            "demo/templates/x.yaml: expected `metadata.annotations` of ConfigMap n/a to be a map of strings, found a list",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"a": 1}}),
            "demo/templates/x.yaml: expected `stringData` of Secret n/a to be a map of strings, found a number",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(objects(vec![rendered(body)], &context("n"), &scope).unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_scope_of_a_new_kind_is_read_from_its_definition() {
    let gadget = || rendered(json!({"apiVersion": "x.io/v1", "kind": "Gadget", "metadata": {"name": "g"}}));
    let definition = rendered(
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "gadgets.x.io"},
        "spec": {"group": "x.io", "names": {"kind": "Gadget"}, "scope": "Cluster"}}),
    );
    let prepared = objects(vec![definition, gadget()], &context("n"), &scope).unwrap();
    assert_eq!(prepared.objects[1].id.to_string(), "x.io/Gadget g");
    let unknown = objects(vec![gadget()], &context("n"), &scope).unwrap();
    assert_eq!((unknown.objects[0].id.to_string().as_str(), unknown.objects[0].scope), ("x.io/Gadget n/g", None));
}

#[test]
fn a_hook_s_object_is_owned_but_no_part_of_the_release() {
    let job = rendered(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "j-"}}));
    let (prepared, warnings) = hook(job, &context("n"), &scope).unwrap();
    assert_eq!(warnings, []);
    let metadata = &prepared.body["metadata"];
    assert_eq!(metadata["labels"], json!({labels::CHART: "demo"}));
    assert_eq!(metadata["generateName"], "j-");
    assert_eq!(metadata.get("name"), None);
    assert!(metadata.get("ownerReferences").is_some());
    assert_eq!(metadata.get("annotations"), None);
}
