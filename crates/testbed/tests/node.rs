//! A real node on this machine, and what is left of it: needs root and Debian's containerd.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{Api, PostParams};
use serde_json::json;
use testbed::node::{Cluster, FOLDER, GROUP, NAMESPACE, PAUSE, machine};

/// Set where this program is to start a node and wait to be killed.
const CHILD: &str = "TESTBED_NODE_CHILD";

fn eventually(what: &str, mut probe: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !probe() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What of the node is there.
fn left() -> Vec<String> {
    let mut found = Vec::new();
    let namespace = format!("/run/netns/{NAMESPACE}");
    found.extend([FOLDER, &namespace].into_iter().filter(|path| Path::new(path).exists()).map(str::to_owned));
    let groups = Command::new("find").args(["/sys/fs/cgroup", "-type", "d", "-name", GROUP]).output().unwrap();
    found.extend(String::from_utf8(groups.stdout).unwrap().lines().map(str::to_owned));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    found.extend(mounts.lines().filter(|line| line.contains(FOLDER)).map(str::to_owned));
    for entry in fs::read_dir("/proc").unwrap() {
        let command = fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        // The janitor ends last, and goes by itself.
        if command.contains(FOLDER) && !command.contains("janitor") {
            found.push(command);
        }
    }
    found
}

/// A node with a Pod that runs.
async fn start() -> Cluster {
    let cluster = Cluster::start(&[]).await.unwrap();
    let client = cluster.plane().client().await.unwrap();
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
    assert!(accounts.get_opt("default").await.unwrap().is_some());
    let pods = Api::<Pod>::namespaced(client, "default");
    let container = json!({"name": "sleeper", "image": PAUSE, "imagePullPolicy": "Never"});
    let pod = json!({"metadata": {"name": "sleeper"}, "spec": {"containers": [container]}});
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let pod = pods.get("sleeper").await.unwrap();
        if pod.status.and_then(|status| status.phase).as_deref() == Some("Running") {
            return cluster;
        }
        assert!(Instant::now() < end, "the Pod does not run");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// This program once more, with a node that has a Pod.
fn child() -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_node_leaves_nothing_however_it_ends", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let up = BufReader::new(child.stdout.take().unwrap()).lines().any(|line| line.is_ok_and(|line| line == "up"));
    assert!(up, "the child did not start a node: {}", child.wait().unwrap());
    child
}

fn kill_janitor() {
    let of_node = |pid: &str| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.ends_with(b"\0co-host\0")
    };
    let pids = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let janitors: Vec<String> = pids.filter(|pid| of_node(pid)).collect();
    assert_eq!(janitors.len(), 1);
    assert!(Command::new("kill").args(["-s", "KILL"]).args(janitors).status().unwrap().success());
}

#[tokio::test]
async fn a_node_leaves_nothing_however_it_ends() {
    if std::env::var_os(CHILD).is_some() {
        let _cluster = start().await;
        std::io::stdout().lock().write_all(b"\nup\n").unwrap();
        std::future::pending::<()>().await;
    }
    machine::check().unwrap();
    let mut killed = child();
    let Err(second) = Cluster::start(&[]).await else { panic!("there were two nodes") };
    assert!(format!("{second:#}").contains("another node"), "{second:#}");
    assert!(left().len() > 4, "{:?}", left());
    killed.kill().unwrap();
    killed.wait().unwrap();
    eventually("nothing is left of a node whose process was killed", || left().is_empty());

    let mut killed = child();
    kill_janitor();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(!left().is_empty(), "who took it away?");
    let next = start().await;
    next.stop();
    assert_eq!(left(), Vec::<String>::new());
}
