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

#[test]
fn a_record_that_fits_into_no_secret_is_refused() {
    // Digests in a chain do not compress.
    let mut digest = crate::release::Digest::of("");
    let manifest = std::iter::repeat_with(|| {
        digest = digest.keyed(b"x");
        digest.to_string()
    });
    let manifest = manifest.take(60_000).collect();
    let record = Record { name: "a".into(), revision: 1, manifest, ..Record::default() };
    let error = record.secret(Stamps::default()).unwrap_err().to_string();
    assert!(error.starts_with("the record of release `a`, revision 1, has 1"), "{error}");
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
