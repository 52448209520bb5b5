use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::functions::{Host, World, table};
use crate::template::{Limits, Run, Set};
use crate::value::{Type, Value};

/// A world where it is always the same time, and whose chance is a count.
#[derive(Default)]
struct Pinned(Cell<u8>);

impl World for Pinned {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn random(&self, buffer: &mut [u8]) {
        self.0.set(self.0.get().wrapping_add(1));
        buffer.fill(self.0.get());
    }

    fn resolve_host(&self, name: &str) -> Option<String> {
        (name == "known").then(|| "10.0.0.1".to_owned())
    }

    fn lookup(&self, _: &str, _: &str, _: &str, _: &str) -> Result<serde_json::Value, String> {
        Ok(serde_json::json!({}))
    }
}

/// What a template writes, or its error.
fn run(text: &str) -> Result<String, String> {
    let mut set = Set::new(Arc::new(table()));
    set.parse("t", text).map_err(|error| error.to_string())?;
    let host = Host { world: Rc::new(Pinned::default()) };
    let mut out = Vec::new();
    let run = Run { host: &host, limits: Limits::UNLIMITED };
    match set.execute("t", Value::dict(), run, &mut out) {
        Ok(()) => Ok(String::from_utf8_lossy(&out).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn write(text: &str) -> String {
    run(text).unwrap()
}

/// What render adds, because it needs the engine and the chart.
const ELSEWHERE: &[&str] = &["fail", "include", "lookup", "required", "tpl"];

/// The Go types of a function's parameters, the variadic one with its dots, as `tests/golden/oracle/funcs.txt` has them.
fn parameters(go: &str) -> Vec<&str> {
    let inside = go.strip_prefix("func(").unwrap();
    let mut depth = 0;
    let end = inside
        .char_indices()
        .find(|(_, c)| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth < 0
        })
        .unwrap()
        .0;
    inside.get(..end).unwrap().split(", ").filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_function_takes_what_go_s_takes() {
    let functions = table();
    let mut missing = Vec::new();
    for line in include_str!("../../tests/golden/oracle/funcs.txt").lines() {
        let (name, go) = line.split_once('\t').unwrap();
        let Some(function) = functions.get(name) else {
            missing.push(name);
            continue;
        };
        let signature = function.signature();
        let mut ours: Vec<String> = signature.params.iter().map(|param| param.name().to_owned()).collect();
        ours.extend(signature.variadic.map(|param: Type| format!("...{}", param.name())));
        assert_eq!(ours, parameters(go), "{name}");
    }
    assert_eq!(missing, ELSEWHERE);
}

#[test]
fn functions_answer_as_go_s() {
    let mut wrong = Vec::new();
    for line in include_str!("../../tests/golden/functions/answers.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| case.get(name).unwrap().as_str().unwrap();
        let want = if text("error").is_empty() { Ok(text("want").to_owned()) } else { Err(text("error").to_owned()) };
        let got = run(text("template"));
        if got != want {
            wrong.push(format!("{}\n  got  {got:?}\n  want {want:?}", text("template")));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_would_exhaust_memory_is_refused() {
    for (template, want) in [
        ("{{ repeat 2000000000 `a` }}", "the result would have 2000000000 bytes"),
        ("{{ indent 2000000000 `a` }}", "the result would have 2000000001 bytes"),
        ("{{ replace `` (repeat 60000 `a`) (repeat 60000 `b`) }}", "the result would have"),
        ("{{ regexReplaceAll `` (repeat 60000 `b`) (repeat 60000 `a`) }}", "the result would have"),
        ("{{ until 100000000 }}", "the list would have 100000000 elements"),
        ("{{ seq 1 100000000 }}", "the list would have 100000000 elements"),
        ("{{ randAlphaNum 500000000 }}", "the result would have 500000000 bytes"),
        ("{{ mustRegexMatch (repeat 100000 `(a|b)?`) `ab` }}", "expression too large"),
        (
            "{{ mustRegexMatch (printf `%sa%s` (repeat 5000 `(`) (repeat 5000 `)`)) `a` }}",
            "expression nests too deeply",
        ),
        ("{{ mustFromJson (repeat 100000 `[`) }}", "exceeded max depth"),
        ("{{ $d := dict }}{{ $_ := set $d `d` $d }}{{ mustToToml $d }}", "toml: the value is nested too deeply"),
        ("{{ $d := dict }}{{ $_ := set $d `d` $d }}{{ mustToJson $d }}", "encountered a cycle"),
    ] {
        let error = run(template).unwrap_err();
        assert!(error.contains(want), "{template}: {error}");
    }
}

#[test]
fn chance_and_time_come_from_the_world() {
    for (template, want) in [
        ("{{ now }}", "2023-11-14 22:13:20 +0000 UTC"),
        ("{{ ago (sub (now.Unix) 90) }} {{ ago nil }}", "1m30s 0s"),
        ("{{ date `2006` `2020` }}", "2023"),
        ("{{ durationRound (dateModify `-49h` now) }}", "2d"),
        ("{{ getHostByName `known` }}|{{ getHostByName `unknown` }}", "10.0.0.1|"),
        ("{{ decryptAES `k` (encryptAES `k` `sixteen bytes ok`) }}", "sixteen bytes ok"),
        ("{{ regexMatch `^[A-Za-z0-9]{40}$` (randAlphaNum 40) }}", "true"),
        ("{{ regexMatch `^[A-Za-z]{40}$` (randAlpha 40) }} {{ regexMatch `^[0-9]{9}$` (randNumeric 9) }}", "true true"),
        ("{{ regexMatch `^[ -~]{40}$` (randAscii 40) }} {{ randBytes 20 | b64dec | len }}", "true 20"),
        ("{{ regexMatch `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$` uuidv4 }}", "true"),
        ("{{ $n := randInt 3 5 }}{{ or (eq $n 3) (eq $n 4) }}", "true"),
        ("{{ shuffle `abc` | splitList `` | sortAlpha | join `` }}", "abc"),
        ("{{ regexMatch `^u:[$]2a[$]10[$].{53}$` (htpasswd `u` `p`) }}", "true"),
        ("{{ htpasswd `a:b` `p` }}", "invalid username: a:b"),
    ] {
        assert_eq!(write(template), want, "{template}");
    }
    assert_eq!(write("{{ randAlphaNum 30 }}{{ uuidv4 }}"), write("{{ randAlphaNum 30 }}{{ uuidv4 }}"));
    assert_eq!(write("{{ eq (randAlpha 30) (randAlpha 30) }}"), "false");
}

#[test]
fn certificates_can_be_made_and_used_again() {
    let text = write(concat!(
        "{{ $ca := genCA `ca` 10 }}{{ $c := genSignedCert `web` (list `10.0.0.1`) (list `a.b`) 5 $ca }}",
        "{{ $again := genCAWithKey `ca` 10 $ca.Key }}{{ eq $again.Key $ca.Key }} {{ eq $again.Cert $ca.Cert }}",
        "{{ $custom := buildCustomCert (b64enc $c.Cert) (b64enc $c.Key) }} {{ eq $custom.Cert $c.Cert }} {{ typeOf $c }}",
        " {{ hasPrefix `-----BEGIN RSA PRIVATE KEY-----` $c.Key }} {{ hasPrefix `-----BEGIN CERTIFICATE-----` $c.Cert }}",
    ));
    assert_eq!(text, "true false true sprig.certificate true true");
    for (template, want) in [
        ("{{ genSelfSignedCert `a` (list `x`) nil 1 }}", "error parsing ip: x"),
        ("{{ genSelfSignedCert `a` nil (list 1) 1 }}", "error processing alternate dns name: 1 is not a string"),
        ("{{ genCAWithKey `a` 1 `x` }}", "parsing private key: no PEM data in input"),
        ("{{ buildCustomCert `!` `` }}", "unable to decode base64 certificate"),
        (
            "{{ genCAWithKey `a` 1 (genPrivateKey `dsa`) }}",
            "x509: certificate private key does not implement crypto.Signer",
        ),
    ] {
        let error = run(template).unwrap_err();
        assert!(error.ends_with(want), "{template}: {error}");
    }
    assert_eq!(write("{{ genPrivateKey `x` }}"), "Unknown type x");
    for kind in ["ecdsa", "ed25519"] {
        let text = write(&format!(
            "{{{{ $k := genPrivateKey `{kind}` }}}}{{{{ $ca := genCAWithKey `ca` 10 $k }}}}{{{{ eq $ca.Key $k }}}} \
             {{{{ (genSignedCertWithKey `web` nil nil 5 $ca $k).Key | eq $k }}}}"
        ));
        assert_eq!(text, "true true", "{kind}");
    }
    // 48 bytes of PKCS #8, of which 16 say what the rest is.
    let key = write("{{ genPrivateKey `ed25519` }}");
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI"), "{key}");
    assert!(key.ends_with("\n-----END PRIVATE KEY-----\n"), "{key}");
}
