#![expect(clippy::cognitive_complexity, reason = "each event macro of tracing counts as a dozen branches")]

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use serde_json::{Value as Json, json};
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// A writer that keeps what it is given.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A closed standard error.
struct Closed;

impl io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

fn logged_to<W>(options: Options, writer: W, events: impl FnOnce())
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = Lines::new(options.style, options.time, writer).with_filter(options.level.targets());
    tracing::subscriber::with_default(Registry::default().with(lines), events);
}

/// What `events` log in that form, the times replaced by `TIME`.
fn logged(style: Style, level: Level, events: impl FnOnce()) -> String {
    let kept = Kept::default();
    let writer = kept.clone();
    let options = Options { style, level, time: TimeEncoding::Rfc3339Nano };
    logged_to(options, move || writer.clone(), events);
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)").unwrap();
    time.replace_all(&text, "TIME").into_owned()
}

#[derive(Debug, thiserror::Error)]
#[error("cannot apply `apps/v1 Deployment web/api`")]
struct Outer(#[source] io::Error);

fn events() {
    tracing::info!(
        target: "helm.controller", namespace = "ns", name = "cr", apiVersion = "g/v", kind = "K", release = "cr",
        "Release not found"
    );
    let error = Outer(io::Error::other("connection refused"));
    tracing::error!(target: "helm.controller", attempt = 3, ok = false, ratio = 0.5, error = &error as &dyn std::error::Error, "Release failed");
    tracing::warn!(target: "t", nan = f64::NAN, inf = f64::INFINITY, debug = ?Some(1), display = %"a b", "quote \" and \\ and\ttab");
    tracing::info!(target: "t", diff = "- a\n+ b\u{1b}[31m", empty = "");
}

#[test]
fn json_lines_have_zap_s_order_and_the_fields_as_given() {
    insta::assert_snapshot!(logged(Style::Json, Level::Info, events), @r#"
    {"level":"info","ts":"TIME","logger":"helm.controller","msg":"Release not found","namespace":"ns","name":"cr","apiVersion":"g/v","kind":"K","release":"cr"}
    {"level":"error","ts":"TIME","logger":"helm.controller","msg":"Release failed","attempt":3,"ok":false,"ratio":0.5,"error":"cannot apply `apps/v1 Deployment web/api`: connection refused"}
    {"level":"warn","ts":"TIME","logger":"t","msg":"quote \" and \\ and\ttab","nan":"NaN","inf":"+Inf","debug":"Some(1)","display":"a b"}
    {"level":"info","ts":"TIME","logger":"t","msg":"","diff":"- a\n+ b\u001b[31m","empty":""}
    "#);
}

#[test]
fn the_console_form_is_zap_s_and_the_human_form_is_for_terminals() {
    insta::assert_snapshot!(logged(Style::Console, Level::Info, events), @r#"
    TIME	INFO	helm.controller	Release not found	{"namespace": "ns", "name": "cr", "apiVersion": "g/v", "kind": "K", "release": "cr"}
    TIME	ERROR	helm.controller	Release failed	{"attempt": 3, "ok": false, "ratio": 0.5, "error": "cannot apply `apps/v1 Deployment web/api`: connection refused"}
    TIME	WARN	t	quote " and \ and	tab	{"nan": "NaN", "inf": "+Inf", "debug": "Some(1)", "display": "a b"}
    TIME	INFO	t		{"diff": "- a\n+ b\u001b[31m", "empty": ""}
    "#);
    insta::assert_snapshot!(logged(Style::Human(Colour::Off), Level::Info, events), @r#"
    TIME  INFO helm.controller: Release not found namespace=ns name=cr apiVersion=g/v kind=K release=cr
    TIME ERROR helm.controller: Release failed attempt=3 ok=false ratio=0.5 error="cannot apply `apps/v1 Deployment web/api`: connection refused"
    TIME  WARN t: quote " and \ and�tab nan=NaN inf=+Inf debug=Some(1) display="a b"
    TIME  INFO t:  empty=""
      diff:
        - a
        + b�[31m
    "#);
    let coloured = logged(Style::Human(Colour::On), Level::Info, || tracing::info!(target: "t", a = 1, "m"));
    assert_eq!(
        coloured,
        "\u{1b}[2mTIME\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m \u{1b}[2mt:\u{1b}[0m \u{1b}[1mm\u{1b}[0m \u{1b}[36ma\u{1b}[0m=1\n"
    );
}

#[test]
fn fields_of_spans_come_first_and_the_nearer_of_two_with_one_name_stays() {
    let text = logged(Style::Json, Level::Info, || {
        let outer = tracing::info_span!("reconcile", controller = "c", name = "a", later = tracing::field::Empty);
        let _outer = outer.enter();
        outer.record("later", 7);
        let _inner = tracing::info_span!("step", name = "b").entered();
        tracing::info!(target: "t", own = true, controller = "d", "m");
    });
    assert_eq!(
        text,
        "{\"level\":\"info\",\"ts\":\"TIME\",\"logger\":\"t\",\"msg\":\"m\",\"later\":7,\"name\":\"b\",\"own\":true,\"controller\":\"d\"}\n"
    );
}

#[test]
fn levels_let_through_what_zap_s_let_through() {
    let all = || {
        tracing::error!(target: "t", "e");
        tracing::warn!(target: "t", "w");
        tracing::info!(target: "t", "i");
        tracing::debug!(target: "t", "d");
        tracing::trace!(target: "t", "v2");
        tracing::info!(target: "hyper_util::client", "noise");
        tracing::warn!(target: "hyper_util::client", "trouble");
    };
    let table = [
        ("panic", ""),
        ("error", "e"),
        ("info", "e w i trouble"),
        ("INFO", "e w i trouble"),
        ("debug", "e w i d trouble"),
        ("1", "e w i d trouble"),
        ("2", "e w i d v2 trouble"),
        ("3", "e w i d v2 noise trouble"),
        ("300", "e w i d v2 noise trouble"),
    ];
    for (level, want) in table {
        let text = logged(Style::Json, level.parse().unwrap(), all);
        let messages: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap()["msg"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(messages.join(" "), want, "{level}");
    }
    for level in ["", "0", "-1", "warn", "1.5", "9223372036854775808"] {
        let error = level.parse::<Level>().unwrap_err().to_string();
        assert_eq!(error, "expected `debug`, `info`, `error`, `panic` or a number above 0", "{level}");
    }
}

#[test]
fn times_are_written_as_zap_writes_them() {
    let time: Timestamp = "2024-01-26T13:18:58.120000000Z".parse().unwrap();
    let utc = time.to_zoned(TimeZone::UTC);
    let whole: Zoned = "2024-01-26T13:18:58Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC);
    let west = time.to_zoned(Offset::from_hours(-5).unwrap().to_time_zone());
    let table = [
        ("epoch", &utc, json!(1_706_275_138.12)),
        ("millis", &utc, json!(1_706_275_138_120.0)),
        ("nanos", &utc, json!(1_706_275_138_120_000_000_i64)),
        ("Nano", &utc, json!(1_706_275_138_120_000_000_i64)),
        ("iso8601", &utc, json!("2024-01-26T13:18:58.120Z")),
        ("ISO8601", &west, json!("2024-01-26T08:18:58.120-0500")),
        ("rfc3339", &utc, json!("2024-01-26T13:18:58Z")),
        ("RFC3339", &west, json!("2024-01-26T08:18:58-05:00")),
        ("rfc3339nano", &utc, json!("2024-01-26T13:18:58.12Z")),
        ("RFC3339Nano", &west, json!("2024-01-26T08:18:58.12-05:00")),
        ("rfc3339nano", &whole, json!("2024-01-26T13:18:58Z")),
    ];
    for (name, time, want) in table {
        assert_eq!(name.parse::<TimeEncoding>().unwrap().encode(time), want, "{name}");
    }
    assert_eq!(
        "unix".parse::<TimeEncoding>().unwrap_err().to_string(),
        "expected `epoch`, `millis`, `nanos`, `iso8601`, `rfc3339` or `rfc3339nano`"
    );
}

#[test]
fn a_closed_standard_error_loses_the_line_and_nothing_else() {
    let options = Options { style: Style::Json, level: Level::Info, time: TimeEncoding::Rfc3339 };
    logged_to(options, || Closed, events);
}
