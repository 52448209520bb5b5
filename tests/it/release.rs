//! Releases against the recorded answers of Helm: `tests/golden/release`.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chart_operator::release::record::{HookRecord, Record, Stamps, Status};
use chart_operator::release::{manifest, migrate, projection};
use serde_json::{Value as Json, json};

const SORTED: &str = include_str!("../golden/release/sort-manifests.jsonl");
const HELM_3: &str = include_str!("../golden/release/helm-3-secret.json");
const CLIENT_SIDE: &str = include_str!("../golden/release/helm-4-client-side.json");
const SERVER_SIDE: &str = include_str!("../golden/release/helm-4-server-side.json");

#[test]
fn files_are_sorted_into_hooks_and_manifests_as_helm_does() {
    for line in SORTED.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let files: BTreeMap<String, String> = serde_json::from_value(case["files"].clone()).unwrap();
        match manifest::sort(&files) {
            Ok(sorted) => {
                let hooks: Vec<_> = sorted.hooks.iter().map(HookRecord::from).collect();
                let found = json!({"files": case["files"], "text": sorted.text(), "hooks": hooks});
                assert_eq!(found, case);
                let stored = manifest::stored(&sorted.text()).unwrap();
                let paths = |documents: &[manifest::Document]| -> Vec<_> {
                    let documents = documents.iter().filter(|document| !document.json.is_null());
                    documents.map(|document| (document.path.clone(), document.json.clone())).collect()
                };
                assert_eq!(paths(&stored), paths(&sorted.documents), "{line}");
            }
            Err(error) => assert_eq!(error.to_string(), case["error"], "{line}"),
        }
    }
}

#[test]
fn a_record_of_helm_3_is_read_and_written_again_as_it_was() {
    let secret: Json = serde_json::from_str(HELM_3).unwrap();
    let record = Record::decode(&secret).unwrap();
    assert_eq!((record.name.as_str(), record.namespace.as_str(), record.revision), ("web", "demo", 3));
    assert_eq!((record.info.status, record.info.notes.as_str()), (Status::Deployed, "hello"));
    assert_eq!(record.info.last_deployed.unwrap().to_string(), "2024-01-26T12:18:58.123456789Z");
    assert_eq!(record.info.deleted, None);
    assert_eq!((record.chart.name(), &record.chart.values["x"]), ("demo", &json!(1.5)));
    assert_eq!(Json::Object(record.config.clone()), json!({"replicas": 2, "a": null}));
    assert_eq!((record.hooks[0].weight, record.hooks[0].events[0].as_str()), (-1, "pre-install"));
    assert_eq!(record.labels, BTreeMap::from([("team".to_owned(), "blue".to_owned())]));
    let created = secret["metadata"]["labels"]["createdAt"].as_str().unwrap().parse().unwrap();
    let written = record.secret(Stamps { created: Some(created), modified: None }).unwrap();
    assert_eq!((&written["metadata"], &written["type"]), (&secret["metadata"], &secret["type"]));
    assert_eq!(Record::decode(&written).unwrap(), record);
}

/// The text in a record's Secret, as JSON.
fn unpacked(secret: &Json) -> Json {
    let bytes = STANDARD.decode(secret["data"]["release"].as_str().unwrap()).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(STANDARD.decode(bytes).unwrap().as_slice()).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_record_of_helm_4_loses_nothing_when_it_is_written_again() {
    for golden in [CLIENT_SIDE, SERVER_SIDE] {
        let golden: Json = serde_json::from_str(golden).unwrap();
        let mut record = Record::decode(&golden["secret"]).unwrap();
        record.info.status = Status::Superseded;
        let written = unpacked(&record.secret(Stamps::default()).unwrap());
        let mut expected = unpacked(&golden["secret"]);
        expected["info"]["status"] = json!("superseded");
        for (field, value) in expected["chart"].as_object().unwrap() {
            let of_go = value.is_null() && written["chart"][field].is_array();
            assert!(of_go || written["chart"][field] == *value, "chart.{field}");
        }
        for field in ["info", "config", "manifest", "name", "namespace", "version"] {
            assert_eq!(written[field], expected[field], "{field}");
        }
        assert!(!expected["chart"]["templates"].as_array().unwrap().is_empty());
    }
}

#[test]
fn everything_that_helm_wrote_is_ours_after_the_migration_whichever_way_it_wrote() {
    for golden in [CLIENT_SIDE, SERVER_SIDE] {
        let golden: Json = serde_json::from_str(golden).unwrap();
        for object in golden["objects"].as_array().unwrap() {
            let mut migrated = object.clone();
            migrated["metadata"]["managedFields"] = migrate::migrated(object).unwrap();
            let entries = migrated["metadata"]["managedFields"].as_array().unwrap();
            let managers: Vec<_> = entries.iter().map(|entry| entry["manager"].as_str().unwrap()).collect();
            let kind = object["kind"].as_str().unwrap();
            let expected: &[&str] = if kind == "StatefulSet" {
                &["kube-controller-manager", "chart-operator"]
            } else {
                &["chart-operator"]
            };
            assert_eq!(managers, expected, "{kind}");
            assert!(projection::digest(&migrated, "chart-operator").is_some(), "{kind}");
        }
    }
}
