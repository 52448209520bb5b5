use serde_json::json;

use super::*;

const US: &str = "chart-operator";

/// A Deployment that we applied, after its controllers and defaults.
fn deployment() -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "n", "uid": "u", "resourceVersion": "5",
            "labels": {"app": "web"},
            "ownerReferences": [{"uid": "o", "kind": "Web", "name": "web", "apiVersion": "e/v1"}],
            "managedFields": [
                {"manager": US, "operation": "Apply", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:app": {}}, "f:ownerReferences": {"k:{\"uid\":\"o\"}": {}}},
                    "f:spec": {
                        "f:replicas": {},
                        "f:selector": {},
                        "f:strategy": {"f:rollingUpdate": {}},
                        "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                            ".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                            "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
                        }}}},
                    },
                }},
                {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "apps/v1", "subresource": "status",
                 "fieldsV1": {"f:status": {"f:replicas": {}}}},
            ],
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "template": {"spec": {"containers": [
                {"name": "web", "image": "web:1", "args": ["a"], "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            ], "dnsPolicy": "ClusterFirst"}},
        },
        "status": {"replicas": 1},
    })
}

fn changed(change: impl FnOnce(&mut Json)) -> Json {
    let mut object = deployment();
    change(&mut object);
    object
}

fn add_manager(object: &mut Json, manager: &str, fields: Json) {
    let entry = json!({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "time": "2026-01-02T00:00:00Z", "fieldsV1": fields});
    object["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
}

const CONTAINER: &str = "/metadata/managedFields/0/fieldsV1/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"web\"}";

#[test]
fn what_others_own_does_not_change_the_digest() {
    let before = digest(&deployment(), US).unwrap();
    let cases: [(&str, Json); 6] = [
        ("status", changed(|o| o["status"]["replicas"] = json!(3))),
        ("resourceVersion", changed(|o| o["metadata"]["resourceVersion"] = json!("6"))),
        ("a default", changed(|o| o["spec"]["template"]["spec"]["dnsPolicy"] = json!("None"))),
        (
            "a foreign label",
            changed(|o| {
                o["metadata"]["labels"]["x"] = json!("y");
                add_manager(o, "them", json!({"f:metadata": {"f:labels": {"f:x": {}}}}));
            }),
        ),
        (
            "a foreign container before ours",
            changed(|o| {
                o["spec"]["template"]["spec"]["containers"]
                    .as_array_mut()
                    .unwrap()
                    .insert(0, json!({"name": "sidecar"}));
            }),
        ),
        (
            "what others put into a map that we sent empty",
            changed(|o| {
                o["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = json!(1);
                add_manager(
                    o,
                    "them",
                    json!({"f:spec": {"f:strategy": {"f:rollingUpdate": {"f:maxUnavailable": {}}}}}),
                );
            }),
        ),
    ];
    for (name, object) in cases {
        assert_eq!(digest(&object, US), Some(before), "{name}");
    }
}

#[test]
fn what_we_own_changes_the_digest() {
    let before = digest(&deployment(), US).unwrap();
    let container = "/spec/template/spec/containers/0";
    let cases: [(&str, Json); 8] = [
        ("a scalar", changed(|o| o["spec"]["replicas"] = json!(3))),
        ("a label", changed(|o| o["metadata"]["labels"]["app"] = json!("x"))),
        ("an ownerReference", changed(|o| o["metadata"]["ownerReferences"][0]["name"] = json!("x"))),
        ("an atomic list", changed(|o| o.pointer_mut(container).unwrap()["args"] = json!(["a", "b"]))),
        ("an atomic map", changed(|o| o["spec"]["selector"]["matchLabels"]["x"] = json!("y"))),
        ("an item's field", changed(|o| o.pointer_mut(container).unwrap()["image"] = json!("web:2"))),
        ("an item that is gone", changed(|o| o["spec"]["template"]["spec"]["containers"] = json!([]))),
        (
            "a field that is no longer ours",
            changed(|o| {
                o.pointer_mut("/metadata/managedFields/0/fieldsV1/f:spec")
                    .unwrap()
                    .as_object_mut()
                    .unwrap()
                    .remove("f:replicas");
            }),
        ),
    ];
    for (name, object) in cases {
        let after = digest(&object, US);
        assert!(after.is_some() && after != Some(before), "{name}");
    }
}

#[test]
fn there_is_no_digest_without_an_entry_in_the_version_that_was_read() {
    assert_eq!(digest(&deployment(), "other"), None);
    assert_eq!(digest(&json!({"kind": "X"}), US), None);
    assert_eq!(digest(&changed(|o| o["apiVersion"] = json!("apps/v2")), US), None);
    assert_eq!(digest(&changed(|o| o["metadata"]["managedFields"][0]["subresource"] = json!("scale")), US), None);
    assert_eq!(digest(&changed(|o| o["metadata"]["managedFields"][0]["operation"] = json!("Update")), US), None);
}

#[test]
fn a_change_is_told_with_its_path_and_its_author() {
    let take = |object: &mut Json, parent: &str, key: &str| {
        object.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
    };
    let image = changed(|o| {
        o["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
        take(o, CONTAINER, "f:image");
        let container = json!({"k:{\"name\":\"web\"}": {"f:image": {}}});
        add_manager(o, "kubectl-edit", json!({"f:spec": {"f:template": {"f:spec": {"f:containers": container}}}}));
    });
    let port = changed(|o| {
        o["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([]);
        take(o, CONTAINER, "f:ports");
    });
    let label = changed(|o| {
        o["metadata"]["labels"]["app"] = json!("x");
        take(o, "/metadata/managedFields/0/fieldsV1/f:metadata/f:labels", "f:app");
        add_manager(o, "old", json!({"f:metadata": {"f:labels": {"f:app": {}}}}));
        add_manager(o, "new", json!({"f:metadata": {"f:labels": {"f:app": {}}}}));
        o["metadata"]["managedFields"][3]["time"] = json!("2026-01-03T00:00:00Z");
    });
    let cases = [
        ("spec.template.spec.containers[name=web].image by kubectl-edit", image),
        ("spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP]", port),
        ("metadata.labels.app by new", label),
    ];
    for (expected, before) in cases {
        let found: Vec<_> = changes(&before, &deployment(), US).iter().map(ToString::to_string).collect();
        assert_eq!(found, [expected]);
    }
    assert_eq!(changes(&deployment(), &deployment(), US), []);
}

#[test]
fn keys_with_dots_are_shown_in_brackets() {
    for (key, shown) in [
        ("f:a", ".a"),
        ("f:app.kubernetes.io/name", "[app.kubernetes.io/name]"),
        ("v:\"x\"", "[\"x\"]"),
        ("i:2", "[2]"),
    ] {
        assert_eq!(Key::parse(key).unwrap().to_string(), shown);
    }
    assert_eq!(Key::parse("x:1"), None);
}
