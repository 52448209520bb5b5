use super::*;

fn secret(release: &[u8]) -> Json {
    let data = STANDARD.encode(STANDARD.encode(release));
    json!({"metadata": {"name": "s"}, "data": {"release": data}})
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn what_is_no_record_is_refused() {
    let cases = [
        (json!({}), "Secret `` holds no record of a release: no `data.release`"),
        (json!({"metadata": {"name": "s"}, "data": {"release": "%"}}), "the record in Secret `s` is not base64"),
        (secret(b"\x1f\x8b\x08broken"), "the record in Secret `s` cannot be decompressed"),
        (secret(b"5"), "the record in Secret `s` is not a release of Helm"),
        (secret(b"{}"), "Secret `s` holds no record of a release: a release without a name"),
    ];
    for (secret, expected) in cases {
        assert_eq!(Record::decode(&secret).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_record_that_unfolds_too_far_is_not_unfolded() {
    let bomb = gzip(&[b' '; 1000]);
    assert_eq!(decompress(bomb.clone(), 1000).unwrap().len(), 1000);
    assert_eq!(decompress(bomb, 999).unwrap_err().to_string(), "it unfolds to more than 999 bytes");
}

#[test]
fn old_uncompressed_records_with_nulls_and_unknown_states_are_read() {
    let text = br#"{"name":"a","info":{"status":"odd","deleted":null},"chart":{"metadata":null,"templates":null},"config":null,"hooks":null,"version":1}"#;
    let record = Record::decode(&secret(text)).unwrap();
    assert_eq!((record.info.status, record.revision), (Status::Unknown, 1));
    assert!(record.config.is_empty() && record.hooks.is_empty());
}

/// Text that does not compress to less than half: digests in a chain.
fn noise(digests: usize) -> String {
    let mut digest = crate::release::Digest::of("");
    let next = std::iter::repeat_with(|| {
        digest = digest.keyed(b"x");
        digest.to_string()
    });
    next.take(digests).collect()
}

fn large() -> Record {
    let hook = |phase: &str| HookRecord {
        name: "h".into(),
        manifest: "kind: Job".into(),
        last_run: HookRun { phase: phase.into(), ..HookRun::default() },
        ..HookRecord::default()
    };
    Record {
        name: "a".into(),
        namespace: "n".into(),
        revision: 1,
        manifest: noise(60_000),
        config: Map::from_iter([("x".to_owned(), json!(1))]),
        hooks: vec![hook("Succeeded"), hook("")],
        info: Info { status: Status::Deployed, ..Info::default() },
        ..Record::default()
    }
}

#[test]
fn a_record_that_fits_into_no_secret_is_split_and_what_helm_lists_stays_in_its_own() {
    let error = large().secret(Stamps::default()).unwrap_err().to_string();
    assert!(error.starts_with("the record of release `a`, revision 1, has 1"), "{error}");
    let Secrets { main, parts } = large().secrets(Stamps::default()).unwrap();
    assert_eq!(parts.len(), 2);
    assert!(parts.iter().all(|part| part["data"]["part"].as_str().unwrap().len() < SECRET_LIMIT * 4 / 3));
    let names: Vec<_> = parts.iter().map(|part| part["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(part_names(&main), names);
    assert!(names[0].starts_with("sh.helm.release.v1.a.v1.") && names[0].ends_with(".0"), "{names:?}");
    assert_eq!(parts[0]["metadata"]["labels"], json!({"name": "a", "owner": "chart-operator", "version": "1"}));

    let listed = Record::decode(&main).unwrap();
    assert_eq!((listed.info.status, &listed.config["x"]), (Status::Deployed, &json!(1)));
    assert!(listed.manifest.starts_with("# The manifest did not fit"), "{}", listed.manifest);
    assert_eq!(Record::join(&main, &parts).unwrap(), large());
    assert!(Record::join(&main, &parts[..1]).unwrap_err().to_string().contains("cannot be decompressed"));
}

#[test]
fn the_parts_of_a_record_stay_while_its_status_and_hooks_change() {
    let first = large().secrets(Stamps::default()).unwrap();
    let mut later = large();
    later.info.status = Status::Superseded;
    later.hooks[1].last_run.phase = "Failed".into();
    let second = later.secrets(Stamps { created: None, modified: Some(1) }).unwrap();
    assert_eq!(first.parts, second.parts);
    assert_eq!(Record::join(&second.main, &first.parts).unwrap(), later);
}

#[test]
fn values_that_take_the_room_are_stored_beside_too() {
    let mut record = large();
    record.config.insert("big".into(), json!(noise(60_000)));
    record.manifest = "kind: Pod".into();
    let Secrets { main, parts } = record.secrets(Stamps::default()).unwrap();
    assert!(Record::decode(&main).unwrap().config.is_empty());
    assert_eq!(Record::join(&main, &parts).unwrap(), record);
}

#[test]
fn names_of_secrets_and_states_are_read_back() {
    assert_eq!(parse_secret_name(&secret_name("web.v2", 13)), Some(("web.v2", 13)));
    assert_eq!(parse_secret_name("sh.helm.release.v1.web"), None);
    assert_eq!(parse_secret_name("other"), None);
    for status in [Status::Deployed, Status::PendingInstall, Status::Unknown] {
        assert_eq!(Status::named(status.name()), status);
        assert_eq!(serde_json::to_value(status).unwrap(), status.name());
    }
    assert!(Status::PendingRollback.is_pending() && !Status::Failed.is_pending());
}
