use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn metrics() -> Metrics {
    Metrics::new(&Build { commit: "abc".into(), version: "v1.2.3".into() }, || None)
}

#[test]
fn the_creation_time_of_a_resource_is_printed_as_the_incumbent_prints_it() {
    let metrics = metrics();
    let resource = Resource {
        group: "cache.example.com".into(),
        kind: "Memcached".into(),
        name: "memcached-sample".into(),
        namespace: "default".into(),
        version: "v1alpha1".into(),
    };
    let known = Arc::new(AtomicBool::new(true));
    let knows = Arc::clone(&known);
    metrics.resource_created_at.add(move |tell| {
        tell(&resource, 1_706_275_138);
        knows.load(Ordering::Relaxed)
    });
    insta::assert_snapshot!(metrics.encode(), @r#"
    # HELP chart_operator_catalog_last_reload_success_timestamp_seconds Unix time at which the watches and charts in force were read
    # TYPE chart_operator_catalog_last_reload_success_timestamp_seconds gauge
    chart_operator_catalog_last_reload_success_timestamp_seconds 0
    # HELP chart_operator_catalog_last_reload_successful Whether watches.yaml and its charts as they are on disk are in force
    # TYPE chart_operator_catalog_last_reload_successful gauge
    chart_operator_catalog_last_reload_successful 0
    # HELP helm_operator_build_info Build information for the helm-operator binary
    # TYPE helm_operator_build_info gauge
    helm_operator_build_info{commit="abc",version="v1.2.3"} 1
    # HELP resource_created_at_seconds Timestamp at which a resource was created
    # TYPE resource_created_at_seconds gauge
    resource_created_at_seconds{group="cache.example.com",kind="Memcached",name="memcached-sample",namespace="default",version="v1alpha1"} 1.706275138e+09
    "#);
    known.store(false, Ordering::Relaxed);
    metrics.encode();
    assert!(!metrics.encode().contains("resource_created_at_seconds"));
}

#[test]
fn a_controller_is_printed_whole_before_anything_happened() {
    let metrics = metrics();
    let controller = metrics.controller("memcached-controller", 2);
    controller.reconciled(Reconciled::RequeueAfter, Duration::from_millis(7));
    controller.reconciled(Reconciled::Error, Duration::from_secs(90));
    controller.unfinished_work.set(0.25);
    let text = metrics.encode();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter(|line| {
            !line.contains("_bucket") || line.contains("0.00") || line.contains("e-") || line.contains("Inf")
        })
        .collect();
    assert!(text.contains("\n# TYPE controller_runtime_reconcile_total counter\n"));
    assert!(text.contains("\n# HELP workqueue_adds_total Total number of adds handled by workqueue\n"));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    chart_operator_catalog_last_reload_success_timestamp_seconds 0
    chart_operator_catalog_last_reload_successful 0
    controller_runtime_active_workers{controller="memcached-controller"} 0
    controller_runtime_max_concurrent_reconciles{controller="memcached-controller"} 2
    controller_runtime_reconcile_errors_total{controller="memcached-controller"} 1
    controller_runtime_reconcile_panics_total{controller="memcached-controller"} 0
    controller_runtime_reconcile_time_seconds_bucket{controller="memcached-controller",le="0.005"} 0
    controller_runtime_reconcile_time_seconds_bucket{controller="memcached-controller",le="+Inf"} 2
    controller_runtime_reconcile_time_seconds_sum{controller="memcached-controller"} 90.007
    controller_runtime_reconcile_time_seconds_count{controller="memcached-controller"} 2
    controller_runtime_reconcile_total{controller="memcached-controller",result="error"} 1
    controller_runtime_reconcile_total{controller="memcached-controller",result="requeue"} 0
    controller_runtime_reconcile_total{controller="memcached-controller",result="requeue_after"} 1
    controller_runtime_reconcile_total{controller="memcached-controller",result="success"} 0
    controller_runtime_terminal_reconcile_errors_total{controller="memcached-controller"} 0
    helm_operator_build_info{commit="abc",version="v1.2.3"} 1
    workqueue_adds_total{controller="memcached-controller",name="memcached-controller"} 0
    workqueue_depth{controller="memcached-controller",name="memcached-controller",priority=""} 0
    workqueue_longest_running_processor_seconds{controller="memcached-controller",name="memcached-controller"} 0
    workqueue_queue_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="1e-08"} 0
    workqueue_queue_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="1e-07"} 0
    workqueue_queue_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="1e-06"} 0
    workqueue_queue_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="1e-05"} 0
    workqueue_queue_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="0.0001"} 0
    workqueue_queue_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="0.001"} 0
    workqueue_queue_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="+Inf"} 0
    workqueue_queue_duration_seconds_sum{controller="memcached-controller",name="memcached-controller"} 0
    workqueue_queue_duration_seconds_count{controller="memcached-controller",name="memcached-controller"} 0
    workqueue_retries_total{controller="memcached-controller",name="memcached-controller"} 0
    workqueue_unfinished_work_seconds{controller="memcached-controller",name="memcached-controller"} 0.25
    workqueue_work_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="1e-08"} 0
    workqueue_work_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="1e-07"} 0
    workqueue_work_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="1e-06"} 0
    workqueue_work_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="1e-05"} 0
    workqueue_work_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="0.0001"} 0
    workqueue_work_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="0.001"} 0
    workqueue_work_duration_seconds_bucket{controller="memcached-controller",name="memcached-controller",le="+Inf"} 0
    workqueue_work_duration_seconds_sum{controller="memcached-controller",name="memcached-controller"} 0
    workqueue_work_duration_seconds_count{controller="memcached-controller",name="memcached-controller"} 0
    "#);
}

/// Metrics of which every family has a row.
fn full() -> Metrics {
    let process = Process {
        cpu_seconds: 1.5,
        resident_bytes: 73_400_320,
        virtual_bytes: 1 << 40,
        start_time_seconds: 1_706_275_138.25,
        open_fds: 12,
        max_fds: u64::MAX,
        threads: 4,
    };
    let metrics = Metrics::new(&Build { commit: String::new(), version: "a\"b\\c\nd".into() }, move || Some(process));
    let of = OfController { controller: "c".into() };
    // Every family by name: a new one is missed here until it gets its row.
    let Metrics {
        resource_created_at,
        // These are filled together.
        reconcile: _,
        reconcile_errors: _,
        terminal_reconcile_errors: _,
        reconcile_panics: _,
        reconcile_time: _,
        max_concurrent_reconciles: _,
        active_workers: _,
        queue_depth: _,
        queue_adds: _,
        queue_duration: _,
        work_duration: _,
        unfinished_work: _,
        longest_running: _,
        queue_retries: _,
        requests,
        leader,
        writes,
        writes_avoided,
        renders,
        render_seconds,
        budget_exceeded,
        drift_corrections,
        catalog_reloads,
        catalog_in_force: _,
        catalog_loaded_at: _,
        forbidden,
        lookups_denied,
        registry: _,
        samplers: _,
    } = &metrics;
    metrics.controller("c", 1);
    metrics.catalog_loaded(1_706_275_138);
    let [group, kind, name, namespace, version] = ["g", "k", "n", "s", "v"].map(str::to_owned);
    let resource = Resource { group, kind, name, namespace, version };
    resource_created_at.add(move |tell| {
        tell(&resource, 1_706_275_138);
        true
    });
    render_seconds.get_or_create(&of).observe(0.001);
    writes.get_or_create(&Write { controller: "c".into(), verb: "apply" }).inc();
    writes_avoided.get_or_create(&of).inc_by(1_000_000);
    renders.get_or_create(&Render { controller: "c".into(), result: Outcome::Success }).inc();
    drift_corrections.get_or_create(&Drift { manager: "kubectl {edit} 1".into() }).inc();
    drift_corrections.get_or_create(&Drift { manager: "argo".into() }).inc();
    catalog_reloads.get_or_create(&Reload { result: Outcome::Error }).inc();
    let refused = Forbidden { group: String::new(), resource: "pods".into(), verb: "list".into() };
    forbidden.get_or_create(&refused).inc();
    lookups_denied.get_or_create(&DeniedLookup { controller: "c".into(), reason: "rule" }).inc();
    budget_exceeded.get_or_create(&Budget { budget: "steps", controller: "c".into() }).inc();
    let request = Request { code: "200".into(), host: "10.0.0.1:443".into(), method: "GET".into() };
    requests.get_or_create(&request).inc();
    leader.get_or_create(&Lease { name: "id".into() }).set(1);
    metrics
}

#[test]
fn our_counters_and_the_process_have_their_names() {
    let text = full().encode();
    let ours = ["chart_operator_", "helm_operator_", "leader_", "process_", "rest_client_"];
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| ours.iter().any(|prefix| line.starts_with(prefix)))
        .filter(|line| !line.contains("render_seconds"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    chart_operator_catalog_last_reload_success_timestamp_seconds 1.706275138e+09
    chart_operator_catalog_last_reload_successful 1
    chart_operator_catalog_reloads_total{result="error"} 1
    chart_operator_drift_corrections_total{manager="argo"} 1
    chart_operator_drift_corrections_total{manager="kubectl {edit} 1"} 1
    chart_operator_forbidden_total{group="",resource="pods",verb="list"} 1
    chart_operator_lookups_denied_total{controller="c",reason="rule"} 1
    chart_operator_render_budget_exceeded_total{budget="steps",controller="c"} 1
    chart_operator_renders_total{controller="c",result="success"} 1
    chart_operator_writes_avoided_total{controller="c"} 1e+06
    chart_operator_writes_total{controller="c",verb="apply"} 1
    helm_operator_build_info{commit="",version="a\"b\\c\nd"} 1
    leader_election_master_status{name="id"} 1
    process_cpu_seconds_total 1.5
    process_max_fds 1.8446744073709552e+19
    process_open_fds 12
    process_resident_memory_bytes 7.340032e+07
    process_start_time_seconds 1.70627513825e+09
    process_threads 4
    process_virtual_memory_bytes 1.099511627776e+12
    rest_client_requests_total{code="200",host="10.0.0.1:443",method="GET"} 1
    "#);
}

#[test]
fn numbers_are_written_as_go_writes_them() {
    // Written by Go's strconv.FormatFloat(f, 'g', -1, 64).
    let table = [
        ("0", "0"),
        ("1", "1"),
        ("1706275138", "1.706275138e+09"),
        ("123456", "123456"),
        ("1234567", "1.234567e+06"),
        ("1000000", "1e+06"),
        ("999999.0", "999999"),
        ("1e20", "1e+20"),
        ("1e21", "1e+21"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("1.5e-9", "1.5e-09"),
        ("1e-8", "1e-08"),
        ("1e-7", "1e-07"),
        ("123456.789", "123456.789"),
        ("1234567.5", "1.2345675e+06"),
        ("-2.5", "-2.5"),
        ("inf", "+Inf"),
        ("-inf", "-Inf"),
        ("NaN", "NaN"),
    ];
    for (text, want) in table {
        assert_eq!(text::number(text), want, "{text}");
    }
}

/// Name, type and labels of each family, as a row of the page has them.
fn printed(text: &str) -> Vec<[String; 3]> {
    let families = text.split("# TYPE ").skip(1);
    let family = |family: &str| {
        let (head, rows) = family.split_once('\n').unwrap();
        let (name, kind) = head.split_once(' ').unwrap();
        let row = rows.lines().next().unwrap();
        let labels = row.split_once('{').map_or("", |(_, rest)| rest.split_once("} ").unwrap().0);
        let names = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0));
        let names: Vec<_> = names.filter(|name| *name != "le").map(|name| format!("`{name}`")).collect();
        [name.to_owned(), kind.to_owned(), names.join(", ")]
    };
    families.map(family).collect()
}

#[test]
fn the_page_of_the_metrics_tells_of_each_and_of_no_other() {
    let page = include_str!("../../docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `")).filter_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, meaning] = *cells else { return None };
        assert!(!meaning.is_empty(), "{name}");
        Some([name.trim_matches('`'), kind, labels].map(str::to_owned))
    });
    let mut told: Vec<_> = rows.collect();
    told.sort();
    assert_eq!(told, printed(&full().encode()));
}
