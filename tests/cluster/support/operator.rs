//! The operator as its users run it: the binary, with flags and environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use testbed::ControlPlane;
use testbed::audit::{AuditLog, Request};
use testbed::guard::{Folder, Guarded, Program};
use testbed::port::Port;
use testbed::proxy::Proxy;

use crate::support::{DEADLINE, Namespace, Project, plane};

/// Where an operator works, and as whom.
pub(crate) struct Setting {
    /// A user of its own, so that the audit log tells whose calls are whose.
    pub user: String,
    kubeconfig: PathBuf,
    audit: AuditLog,
    /// `WATCH_NAMESPACE`.
    namespaces: String,
}

impl Setting {
    /// With all rights.
    pub(crate) fn of(plane: &ControlPlane, namespaces: &str) -> Self {
        Self::with_groups(plane, namespaces, &["system:masters"])
    }

    /// With the rights that RBAC gives to its user.
    pub(crate) fn without_rights(plane: &ControlPlane, namespaces: &str) -> Self {
        Self::with_groups(plane, namespaces, &[])
    }

    /// As the proxy's user, through the proxy.
    pub(crate) fn through(proxy: &Proxy, plane: &ControlPlane, user: &str, namespaces: &str) -> Self {
        let (user, kubeconfig) = (user.to_owned(), proxy.kubeconfig().to_path_buf());
        Self { user, kubeconfig, audit: plane.audit().unwrap(), namespaces: namespaces.to_owned() }
    }

    /// As a `ServiceAccount` with the rights that RBAC gives it, in all namespaces.
    pub(crate) async fn of_account(plane: &ControlPlane, namespace: &str, account: &str) -> Self {
        let kubeconfig = plane.service_account_kubeconfig(namespace, account).await.unwrap();
        let user = format!("system:serviceaccount:{namespace}:{account}");
        Self { user, kubeconfig, audit: plane.audit().unwrap(), namespaces: String::new() }
    }

    fn with_groups(plane: &ControlPlane, namespaces: &str, groups: &[&str]) -> Self {
        let user = format!("operator-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let kubeconfig = plane.user_kubeconfig(&user, groups).unwrap();
        Self { user, kubeconfig, audit: plane.audit().unwrap(), namespaces: namespaces.to_owned() }
    }
}

/// What an endpoint says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub code: u16,
    pub text: String,
}

/// A running operator; killed when it is dropped.
pub(crate) struct Operator {
    process: Guarded,
    health: Port,
    pub metrics: Port,
    pub user: String,
    audit: AuditLog,
    _folder: Folder,
}

impl Operator {
    /// Starts it for the project, watching the namespace, and waits until it is ready.
    pub(crate) async fn start(project: &Project, namespace: &Namespace) -> Self {
        Self::start_with(project, namespace, &[]).await
    }

    /// As [`Operator::start`], with more flags.
    pub(crate) async fn start_with(project: &Project, namespace: &Namespace, flags: &[&str]) -> Self {
        let mut operator = Self::spawn(project, namespace, flags);
        operator.until_ready().await;
        operator
    }

    /// Starts it, and does not wait.
    pub(crate) fn spawn(project: &Project, namespace: &Namespace, flags: &[&str]) -> Self {
        Self::launch(project, Setting::of(plane(), &namespace.name), flags)
    }

    /// Starts it in that setting, and does not wait.
    pub(crate) fn launch(project: &Project, setting: Setting, flags: &[&str]) -> Self {
        let folder = Folder::new("chart-operator-test-").unwrap();
        let (health, metrics) = (Port::reserve().unwrap(), Port::reserve().unwrap());
        let mut arguments = vec![
            "run".to_owned(),
            format!("--watches-file={}", project.watches().display()),
            format!("--metrics-bind-address=127.0.0.1:{}", metrics.number()),
            format!("--health-probe-bind-address=127.0.0.1:{}", health.number()),
            "--zap-encoder=json".to_owned(),
        ];
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let environment: [(&str, &OsStr); 2] =
            [("KUBECONFIG", setting.kubeconfig.as_os_str()), ("WATCH_NAMESPACE", OsStr::new(&setting.namespaces))];
        let file = Path::new(env!("CARGO_BIN_EXE_chart-operator"));
        let program = Program { name: "chart-operator", file, folder: folder.path(), directory: None };
        let process = Guarded::start(&program, &arguments, &environment).unwrap();
        Self { process, health, metrics, user: setting.user, audit: setting.audit, _folder: folder }
    }

    /// Starts it as the image of a scaffolded project does: by the name `helm-operator`, in the project's directory, with the
    /// arguments of its Deployment. What a cluster would give it, addresses and the namespace of the Lease, comes behind them.
    pub(crate) fn launch_scaffolded(project: &Project, namespace: &Namespace) -> Self {
        let folder = Folder::new("chart-operator-test-").unwrap();
        let setting = Setting::of(plane(), &namespace.name);
        let (health, metrics) = (Port::reserve().unwrap(), Port::reserve().unwrap());
        let deployment = project.yaml("config/manager/manager.yaml");
        let scaffolded = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
        let mut arguments = vec!["run".to_owned(), "--watches-file=./watches.yaml".to_owned()];
        arguments.extend(scaffolded.iter().map(|argument| argument.as_str().unwrap().to_owned()));
        arguments.extend([
            format!("--metrics-bind-address=127.0.0.1:{}", metrics.number()),
            format!("--health-probe-bind-address=127.0.0.1:{}", health.number()),
            format!("--leader-election-namespace={}", namespace.name),
        ]);
        let environment: [(&str, &OsStr); 2] =
            [("KUBECONFIG", setting.kubeconfig.as_os_str()), ("WATCH_NAMESPACE", OsStr::new(&setting.namespaces))];
        let file = folder.path().join("helm-operator");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_chart-operator"), &file).unwrap();
        let directory = Some(project.folder());
        let program = Program { name: "helm-operator", file: &file, folder: folder.path(), directory };
        let process = Guarded::start(&program, &arguments, &environment).unwrap();
        Self { process, health, metrics, user: setting.user, audit: setting.audit, _folder: folder }
    }

    /// Waits until it is ready.
    pub(crate) async fn until_ready(&mut self) {
        let end = Instant::now() + DEADLINE;
        while !self.is_ready().await {
            assert!(self.process.ended().is_none(), "the operator has ended");
            assert!(Instant::now() < end, "the operator is not ready: {:?}", self.readyz().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.readyz().await.is_some_and(|answer| answer.code == 200)
    }

    /// What `/readyz` says, if anybody answers.
    pub(crate) async fn readyz(&self) -> Option<Answer> {
        ask(&self.health, "/readyz").await
    }

    /// The value of the metric whose line begins with `series`, if there is one.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let text = ask(&self.metrics, "/metrics").await?.text;
        text.lines().find(|line| line.starts_with(series))?.rsplit(' ').next()?.parse().ok()
    }

    /// The sum of the metrics whose lines begin with `series`.
    pub(crate) async fn sum(&self, series: &str) -> f64 {
        let text = ask(&self.metrics, "/metrics").await.map(|answer| answer.text).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with(series));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// All that it counts.
    pub(crate) async fn metrics_text(&self) -> String {
        ask(&self.metrics, "/metrics").await.unwrap().text
    }

    /// Asks it to stop, as a kubelet does, and waits until it has.
    pub(crate) async fn terminate(mut self) {
        self.signal("TERM");
        self.until_ended().await;
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.process.pid().unwrap().to_string();
        let sent = std::process::Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended.
    pub(crate) async fn until_ended(&mut self) {
        let end = Instant::now() + DEADLINE;
        while self.process.ended().is_none() {
            assert!(Instant::now() < end, "it does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.process.stop();
    }

    /// Its log, line by line.
    pub(crate) fn log(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.process.log()).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Lines of the log with that message.
    pub(crate) fn logged(&self, message: &str) -> Vec<Json> {
        self.log().into_iter().filter(|line| line["msg"] == message).collect()
    }

    /// The calls it has made so far as itself, watches, lease and looks at what is served apart.
    pub(crate) fn calls(&self) -> Vec<Request> {
        self.calls_as(&self.user)
    }

    /// The calls that were made so far as `user`, watches, lease and looks at what is served apart.
    pub(crate) fn calls_as(&self, user: &str) -> Vec<Request> {
        let own = self.audit.read_of(user).unwrap().into_iter();
        let apart = |request: &Request| {
            request.verb == "watch" || request.resource == "leases" || request.resource.starts_with('/')
        };
        own.filter(|request| !apart(request)).collect()
    }
}

/// Asks an endpoint of this machine over HTTP.
async fn ask(port: &Port, path: &str) -> Option<Answer> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port.number())).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).await.ok()?;
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, text) = answer.split_once("\r\n\r\n")?;
    Some(Answer { code: head.split(' ').nth(1)?.parse().ok()?, text: text.to_owned() })
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the operator's last lines:\n{}", self.process.last_lines(40));
        }
    }
}
