use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::audit::{count, parse};

fn event(changes: &Json) -> Json {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/a/pods/p?timeout=5s", "verb": "get",
        "user": {"username": "admin", "groups": ["system:masters"]}, "userAgent": "me/1",
        "objectRef": {"resource": "pods", "namespace": "a", "name": "p", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.000001Z", "stageTimestamp": "2026-01-02T03:04:05.100000Z",
    });
    for (key, value) in changes.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

fn log(events: &[Json]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect::<Vec<_>>().concat()
}

#[test]
fn a_request_is_told_by_verb_and_resource() {
    let table = [
        (json!({}), Some(("admin", "get", "pods", 200))),
        (
            json!({"objectRef": {"resource": "webs", "subresource": "status", "apiGroup": "g"}, "verb": "patch"}),
            Some(("admin", "patch", "webs/status", 200)),
        ),
        (json!({"objectRef": null, "requestURI": "/readyz?verbose"}), Some(("admin", "get", "/readyz", 200))),
        (json!({"verb": "watch", "stage": "ResponseStarted"}), Some(("admin", "watch", "pods", 200))),
        (json!({"verb": "watch", "stage": "ResponseComplete"}), None),
        (json!({"stage": "RequestReceived"}), None),
        (json!({"stage": "Panic", "responseStatus": null}), Some(("admin", "get", "pods", 0))),
        (json!({"impersonatedUser": {"username": "jane"}}), Some(("jane", "get", "pods", 200))),
        (json!({"responseStatus": {"code": 409, "reason": "Conflict"}}), Some(("admin", "get", "pods", 409))),
    ];
    for (changes, want) in table {
        let got = parse(&log(&[event(&changes)])).unwrap();
        let got: Vec<_> = got.iter().map(|r| (r.user.as_str(), r.verb.as_str(), r.resource.as_str(), r.code)).collect();
        assert_eq!(got, want.into_iter().collect::<Vec<_>>(), "{changes}");
    }
}

#[test]
fn a_line_that_is_still_being_written_is_left_out_and_a_broken_one_is_named() {
    let whole = log(&[event(&json!({}))]);
    assert_eq!(parse(&format!("{whole}{{\"kind\":\"Ev")).unwrap().len(), 1);
    assert_eq!(parse("{\"kind\":").unwrap().len(), 0);
    assert!(parse(&format!("{whole}{{}}\n")).unwrap_err().to_string().contains("line 2"));
}

#[test]
fn counts_are_by_agent_verb_and_resource() {
    let events =
        [event(&json!({})), event(&json!({})), event(&json!({"userAgent": "you/2"})), event(&json!({"verb": "patch"}))];
    let requests = parse(&log(&events)).unwrap();
    let counts: Vec<_> =
        count(&requests).into_iter().map(|(call, n)| (call.agent, call.verb, call.resource, n)).collect();
    let row = |agent: &str, verb: &str, n| (agent.to_owned(), verb.to_owned(), "pods".to_owned(), n);
    assert_eq!(counts, [row("me/1", "get", 2), row("me/1", "patch", 1), row("you/2", "get", 1)]);
}

#[test]
fn a_window_includes_its_start_and_excludes_its_end() {
    let request = &parse(&log(&[event(&json!({}))])).unwrap()[0];
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let received = at("2026-01-02T03:04:05.000001Z");
    for (start, end, want) in [
        (received, at("2026-01-02T03:04:06Z"), true),
        (at("2026-01-02T03:04:05Z"), received, false),
        (at("2026-01-02T03:04:06Z"), at("2026-01-02T03:04:07Z"), false),
    ] {
        assert_eq!(request.within(start, end), want, "{start} {end}");
    }
    assert!(!request.is_write());
}
