use std::ffi::OsString;

use super::*;
use crate::cli::run::{Environment, Run};
use crate::operator::options::MetricsSecurity;
use crate::telemetry::{Colour, Level, Style, TimeEncoding};

/// What `run` with these flags, separated by spaces, asks for, or the fault as the user reads it.
fn told(flags: &str, environment: &Environment) -> Result<Run, String> {
    let args: Vec<OsString> =
        ["helm-operator", "run"].into_iter().chain(flags.split_whitespace()).map(Into::into).collect();
    match parse("helm-operator", &args).map_err(|error| error.to_string())?.command {
        Command::Run(args) => run::options(*args, environment).map_err(|error| report::text(&error)),
        other => Err(format!("{other:?}")),
    }
}

fn ok(flags: &str) -> Run {
    told(flags, &Environment::default()).unwrap_or_else(|error| panic!("{flags}: {error}"))
}

fn fault(flags: &str) -> String {
    match told(flags, &Environment::default()) {
        Ok(run) => panic!("{flags}: {run:?}"),
        Err(text) => text,
    }
}

#[test]
fn the_defaults_are_helm_operator_s() {
    let mut run = ok("");
    assert!(run.operator.max_concurrent_reconciles.get() >= 1);
    run.operator.max_concurrent_reconciles = std::num::NonZeroUsize::MIN;
    run.operator.build.commit = "abc".into();
    insta::assert_debug_snapshot!(run, @r#"
    Run {
        telemetry: Options {
            style: Json,
            level: Info,
            time: Rfc3339,
        },
        operator: RunOptions {
            build: Build {
                commit: "abc",
                version: "v0.1.0",
            },
            watches_file: "./watches.yaml",
            reconcile_period: Some(
                60s,
            ),
            max_concurrent_reconciles: 1,
            metrics_bind_address: Some(
                [::]:8080,
            ),
            metrics_security: Open,
            health_probe_bind_address: Some(
                [::]:8081,
            ),
            leader_election: None,
            suppress_override_values: false,
            label_selector: None,
            version: None,
            namespaces: None,
        },
        notices: [],
    }
    "#);
}

#[test]
fn a_scaffolded_project_s_arguments_are_understood() {
    let run = ok("--watches-file=./watches.yaml --leader-elect --leader-election-id=memcached-operator \
                  --health-probe-bind-address=:8081");
    let lease = run.operator.leader_election.unwrap();
    assert_eq!((lease.id.as_str(), lease.namespace), ("memcached-operator", None));
    assert_eq!(run.notices, Vec::<String>::new());
}

#[test]
fn flags_are_read_in_go_s_syntax() {
    let options = |flags: &str| ok(flags).operator;
    assert_eq!(options("-watches-file=/opt/helm/w.yaml").watches_file, Path::new("/opt/helm/w.yaml"));
    assert!(options("-suppress-override-values").suppress_override_values);
    assert_eq!(options("-reconcile-period 30s").reconcile_period, Some(std::time::Duration::from_secs(30)));
    assert_eq!(options("--watches-file /opt/helm/w.yaml").watches_file, Path::new("/opt/helm/w.yaml"));
    let second = std::time::Duration::from_secs(1);
    for (text, want) in [
        ("1m30s", Some(90 * second)),
        ("0", None),
        ("0s", None),
        ("-1s", None),
        ("1.5h", Some(5400 * second)),
        ("5s --reconcile-period=7s", Some(7 * second)),
    ] {
        assert_eq!(options(&format!("--reconcile-period={text}")).reconcile_period, want, "{text}");
    }
    assert_eq!(options("--reconcile-period 30s").reconcile_period, Some(30 * second));
    assert_eq!(options("--reconcile-period -1s").reconcile_period, None);
    for (text, want) in [("4", 4), ("1", 1), ("0", 1), ("-3", 1)] {
        let flags = format!("--max-concurrent-reconciles={text}");
        assert_eq!(options(&flags).max_concurrent_reconciles.get(), want, "{text}");
    }
    for (text, want) in [("", true), ("=true", true), ("=T", true), ("=1", true), ("=false", false), ("=0", false)] {
        let flags = format!("--suppress-override-values{text}");
        assert_eq!(options(&flags).suppress_override_values, want, "{flags}");
    }
    assert_eq!(options("--label-selector=operator-version=v2").label_selector.as_deref(), Some("operator-version=v2"));
    assert_eq!(options("--label-selector=").label_selector, None);
    assert_eq!(options("--version=v2").version.as_deref(), Some("v2"));
}

#[test]
fn addresses_default_disable_and_have_a_deprecated_name() {
    let table = [
        ("", Some("[::]:8080"), Some("[::]:8081")),
        ("--metrics-bind-address=0 --health-probe-bind-address=0", None, None),
        ("--metrics-bind-address= --health-probe-bind-address=", Some("[::]:8080"), None),
        ("--metrics-bind-address 127.0.0.1:0", Some("127.0.0.1:0"), Some("[::]:8081")),
        ("--metrics-addr=:9090", Some("[::]:9090"), Some("[::]:8081")),
        ("--metrics-addr=0", None, Some("[::]:8081")),
    ];
    for (flags, metrics, health) in table {
        let options = ok(flags).operator;
        assert_eq!(options.metrics_bind_address.map(|a| a.to_string()).as_deref(), metrics, "{flags}");
        assert_eq!(options.health_probe_bind_address.map(|a| a.to_string()).as_deref(), health, "{flags}");
    }
    assert_eq!(ok("").operator.metrics_security, MetricsSecurity::Open);
    assert_eq!(ok("--metrics-secure --enable-http2=false").operator.metrics_security, MetricsSecurity::Tls);
    let notices = ok("--metrics-addr=:9090 --enable-http2").notices;
    assert_eq!(
        notices,
        [
            "--metrics-addr is deprecated, use --metrics-bind-address instead",
            "--enable-http2 has no effect: everything is served over HTTP/1.1",
        ]
    );
}

#[test]
fn leader_election_takes_its_lease_from_the_flag_or_the_deprecated_variable() {
    let operator_name = Environment { operator_name: Some("old".into()), ..Environment::default() };
    let none = Environment::default();
    let table = [
        ("", &none, None, 0),
        ("", &operator_name, None, 1),
        ("--leader-elect=false --leader-election-id=a", &none, None, 0),
        ("--leader-elect --leader-election-id=a", &none, Some(("a", None)), 0),
        ("--enable-leader-election --leader-election-id a", &none, Some(("a", None)), 1),
        ("--leader-elect --leader-election-id=a --leader-election-namespace=n", &none, Some(("a", Some("n"))), 0),
        ("--leader-elect", &operator_name, Some(("old", None)), 1),
        ("--leader-elect --leader-election-id=new", &operator_name, Some(("new", None)), 2),
        ("--leader-elect --leader-election-id=a false", &none, Some(("a", None)), 1),
    ];
    for (flags, environment, want, notices) in table {
        let run = told(flags, environment).unwrap();
        let lease = run.operator.leader_election;
        let lease = lease.as_ref().map(|lease| (lease.id.as_str(), lease.namespace.as_deref()));
        assert_eq!((lease, run.notices.len()), (want, notices), "{flags}: {:?}", run.notices);
    }
}

#[test]
fn namespaces_come_from_the_environment() {
    let names = |list: &str| {
        let environment = Environment { watch_namespace: Some(list.into()), ..Environment::default() };
        told("", &environment).unwrap().operator.namespaces.map(|names| names.join("|"))
    };
    for (list, want) in [("", None), (" , ", None), ("a", Some("a")), (" b, a ,,b", Some("b|a"))] {
        assert_eq!(names(list).as_deref(), want, "{list:?}");
    }
}

#[test]
fn logs_take_zap_s_flags_and_are_readable_on_a_terminal() {
    let file = Environment::default();
    let terminal = Environment { terminal: Some(Colour::On), ..Environment::default() };
    let table = [
        ("", &file, Style::Json, Level::Info),
        ("", &terminal, Style::Human(Colour::On), Level::Info),
        ("--zap-encoder=json", &terminal, Style::Json, Level::Info),
        ("--zap-encoder=console", &file, Style::Console, Level::Info),
        ("--zap-encoder CONSOLE", &terminal, Style::Human(Colour::On), Level::Info),
        ("--zap-devel", &file, Style::Console, Level::Debug(1)),
        ("--zap-devel --zap-encoder=json --zap-log-level=error", &file, Style::Json, Level::Error),
        ("--zap-log-level=5 --zap-stacktrace-level=panic", &file, Style::Json, Level::Debug(5)),
    ];
    for (flags, environment, style, level) in table {
        let options = told(flags, environment).unwrap().telemetry;
        assert_eq!((options.style, options.level, options.time), (style, level, TimeEncoding::Rfc3339), "{flags}");
    }
    assert_eq!(ok("--zap-time-encoding=iso8601").telemetry.time, TimeEncoding::Iso8601);
}

/// Each line of flags with the fault it is answered with.
fn faults(table: &[&str]) -> String {
    let faults: Vec<String> = table.iter().map(|flags| format!("> {flags}\n{}", fault(flags).trim_end())).collect();
    faults.join("\n").replace("\n\nFor more information, try '--help'.", "")
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let table = [
        "--metrics-addr=:1 --metrics-bind-address=:1",
        "--leader-elect --enable-leader-election --leader-election-id=a",
        "--leader-elect",
        "--metrics-require-rbac",
        "--metrics-require-rbac --metrics-secure=false",
        "--metrics-bind-address=8080",
        "--health-probe-bind-address=:http",
    ];
    insta::assert_snapshot!(faults(&table), @"
    > --metrics-addr=:1 --metrics-bind-address=:1
    error: only one of --metrics-addr and --metrics-bind-address may be set
    > --leader-elect --enable-leader-election --leader-election-id=a
    error: only one of --leader-elect and --enable-leader-election may be set
    > --leader-elect
    error: LeaderElectionID must be configured
      = hint: name the Lease with --leader-election-id
    > --metrics-require-rbac
    error: --metrics-secure flag is required when --metrics-require-rbac is present
    > --metrics-require-rbac --metrics-secure=false
    error: --metrics-secure flag is required when --metrics-require-rbac is present
    > --metrics-bind-address=8080
    error: invalid address `8080` in --metrics-bind-address
      caused by: expected `host:port`, `:port`, or `0` for none
    > --health-probe-bind-address=:http
    error: invalid address `:http` in --health-probe-bind-address
      caused by: expected a port from 0 to 65535, found `http`
    ");
}

#[test]
fn faults_of_the_command_line_say_what_was_expected() {
    let table = [
        "--reconcile-period=5",
        "--max-concurrent-reconciles=many",
        "--leader-elect=maybe",
        "--zap-encoder=text",
        "--zap-log-level=warn",
        "--zap-stacktrace-level=debug",
        "--zap-time-encoding=unix",
        "--config=x",
        "--reconcile-perod=5s",
        "-w=x",
    ];
    insta::assert_snapshot!(faults(&table), @r#"
    > --reconcile-period=5
    error: invalid value '5' for '--reconcile-period <DURATION>': time: missing unit in duration "5"
    > --max-concurrent-reconciles=many
    error: invalid value 'many' for '--max-concurrent-reconciles <N>': expected a whole number
    > --leader-elect=maybe
    error: invalid value 'maybe' for '--leader-elect[=<BOOL>]': expected `true` or `false`
    > --zap-encoder=text
    error: invalid value 'text' for '--zap-encoder <ENCODER>': expected `json` or `console`
    > --zap-log-level=warn
    error: invalid value 'warn' for '--zap-log-level <LEVEL>': expected `debug`, `info`, `error`, `panic` or a number above 0
    > --zap-stacktrace-level=debug
    error: invalid value 'debug' for '--zap-stacktrace-level <LEVEL>': expected `info`, `error` or `panic`
    > --zap-time-encoding=unix
    error: invalid value 'unix' for '--zap-time-encoding <ENCODING>': expected `epoch`, `millis`, `nanos`, `iso8601`, `rfc3339` or `rfc3339nano`
    > --config=x
    error: unknown flag: --config

    Usage: helm-operator <COMMAND>
    > --reconcile-perod=5s
    error: unknown flag: --reconcile-perod

      tip: a similar flag exists: --reconcile-period

    Usage: helm-operator <COMMAND>
    > -w=x
    error: unexpected argument '-w' found

      tip: to pass '-w' as a value, use '-- -w'

    Usage: helm-operator run [OPTIONS]
    "#);
}

#[test]
fn an_error_is_shown_with_its_causes_and_hints() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot load `{0}`")]
    struct Outer(&'static str, #[source] crate::diagnostic::Diagnostic);
    let cause = crate::diagnostic::Diagnostic::error("unknown field `chrat`").hint("did you mean `chart`?");
    let error = anyhow::Error::new(Outer("watches.yaml", cause.clone())).context("cannot start");
    insta::assert_snapshot!(report::text(&error), @"
    error: cannot start
      caused by: cannot load `watches.yaml`
      caused by: unknown field `chrat`
        = hint: did you mean `chart`?
    ");
    insta::assert_snapshot!(report::text(&cause.into()), @"
    error: unknown field `chrat`
      = hint: did you mean `chart`?
    ");
}

#[test]
fn the_program_answers_to_both_its_names() {
    let table = [
        ("/usr/local/bin/helm-operator", "helm-operator"),
        ("helm-operator.exe", "helm-operator"),
        ("./target/debug/chart-operator", "chart-operator"),
        ("renamed", "chart-operator"),
    ];
    for (path, want) in table {
        assert_eq!(name(Some(OsStr::new(path))), want, "{path}");
    }
    assert_eq!(name(None), "chart-operator");
    let line = version::line("helm-operator");
    let form = regex::Regex::new(
        r#"^helm-operator version: "v[^"]+", commit: "[^"]+", kubernetes version: "v1.33", rust version: "1.95", GOOS: "[a-z]+", GOARCH: "[a-z0-9]+"\n$"#,
    );
    assert!(form.unwrap().is_match(&line), "{line}");
}

/// What clap says to these arguments, at a width of its own, so that the terminal's does not count.
fn help(args: &[&str]) -> clap::Error {
    command("chart-operator").term_width(100).try_get_matches_from(args).unwrap_err()
}

#[test]
fn help_names_every_command() {
    insta::assert_snapshot!(help(&["x", "--help"]), @"
    A Kubernetes operator driven by Helm charts

    Every entry of watches.yaml maps a kind to a Helm chart. A resource of that kind is a release of the
    chart: its spec holds the values, its status says how the objects fare.

    Usage: chart-operator <COMMAND>

    Commands:
      run         Run the operator
      template    Render charts without a cluster
      check       Tell every fault of the watches file and its charts, without a cluster
      diff        Show what the operator would do to the cluster, without doing it
      rbac        Print the least role that the operator needs for its charts
      init        Begin a project in this directory: an operator for the kinds of your charts
      create      Add something to a project
      bundle      Write a bundle for the Operator Lifecycle Manager
      schema      Print the JSON Schema of a file, for editors
      version     Print the version
      completion  Print a completion script for a shell
      man         Write man pages

    Options:
      -h, --help
              Print help (see a summary with '-h')
    ");
    for (args, fails) in [(vec!["x", "run", "--help"], false), (vec!["x"], true), (vec!["x", "walk"], true)] {
        assert_eq!(help(&args).use_stderr(), fails, "{args:?}");
    }
}

#[test]
fn help_tells_how_resources_are_rendered() {
    let help = help(&["x", "template", "-h"]).to_string();
    let (_, section) = help.split_once("\nResource:\n").unwrap();
    insta::assert_snapshot!(section, @"
    --cr <FILE>            Print what the operator would apply for the resources in this YAML
                           file, or `-`
    --watches-file <PATH>  Watches file that tells their chart [default: ./watches.yaml]
    --outcome <FILE>       Print the status that `operator/status.yaml` gives them instead, with
                           `.Outcome` from this YAML file, or `-`
    ");
}

#[test]
fn help_names_every_flag() {
    insta::assert_snapshot!(help(&["x", "run", "-h"]), @"
    Run the operator

    Usage: chart-operator run [OPTIONS]

    Options:
          --watches-file <PATH>
              Path of the watches file [default: ./watches.yaml]
          --reconcile-period <DURATION>
              How often a resource is looked at although nothing happened; 0 is never [default: 1m0s]
          --max-concurrent-reconciles <N>
              Resources of one kind reconciled at the same time [default: 16]
          --label-selector <SELECTOR>
              Resources to care for, by their labels, as in `app=web,tier!=test`; all if empty
          --version <VERSION>
              What templates see as `.Operator.Version`, where versions of an operator run side by side
              [default: that of this program]
          --suppress-override-values[=<BOOL>]
              Hide the value in events about overridden values
      -h, --help
              Print help (see more with '--help')

    Endpoints:
          --metrics-bind-address <ADDRESS>
              Where metrics are served; 0 is nowhere [default: :8080]
          --metrics-secure[=<BOOL>]
              Serve metrics over TLS, with a certificate made at the start
          --metrics-require-rbac[=<BOOL>]
              Serve metrics only to whom the cluster allows it; needs --metrics-secure
          --health-probe-bind-address <ADDRESS>
              Where /healthz and /readyz are served; 0 is nowhere [default: :8081]
          --enable-http2[=<BOOL>]
              Accepted for helm-operator's sake: everything is served over HTTP/1.1

    Leader election:
          --leader-elect[=<BOOL>]
              Let one replica work and the others stand by
          --leader-election-id <NAME>
              Name of the Lease that the replicas compete for
          --leader-election-namespace <NAMESPACE>
              Namespace of the Lease; outside a cluster it must be given [default: the one this program
              runs in]

    Logs:
          --zap-devel[=<BOOL>]            Defaults for development: --zap-encoder=console
                                          --zap-log-level=debug
          --zap-encoder <ENCODER>         Form of the lines: json or console [default: json, and a
                                          readable form on a terminal]
          --zap-log-level <LEVEL>         What is logged: debug, info, error, panic, or a number above
                                          0, the higher the more [default: info]
          --zap-stacktrace-level <LEVEL>  Accepted for helm-operator's sake: an error is logged with its
                                          causes and without a stack trace
          --zap-time-encoding <ENCODING>  Form of times: epoch, millis, nanos, iso8601, rfc3339 or
                                          rfc3339nano [default: rfc3339]
    ");
}

#[test]
fn a_completion_script_knows_the_flags_under_the_name_called() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let args: Vec<OsString> = ["x", "completion", shell].map(Into::into).to_vec();
        let Command::Completion(args) = parse("helm-operator", &args).unwrap().command else { panic!("{shell}") };
        let script = completion::script(&args, "helm-operator", command("helm-operator"));
        assert!(script.contains("helm-operator") && script.contains("max-concurrent-reconciles"), "{shell}: {script}");
    }
}

#[test]
fn the_flags_make_a_sound_command() {
    Cli::command().debug_assert();
}
