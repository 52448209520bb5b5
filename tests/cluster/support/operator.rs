//! The operator as its users run it: the binary, with flags and environment.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value as Json;
use testbed::audit::Request;
use testbed::guard::{Folder, Guarded, Program};
use testbed::port::Port;

use crate::support::{DEADLINE, Namespace, Project, plane};

/// A running operator; killed when it is dropped.
pub struct Operator {
    process: Guarded,
    health: Port,
    pub user: String,
    _folder: Folder,
}

impl Operator {
    /// Starts it for the project, watching the namespace, and waits until it is ready.
    pub async fn start(project: &Project, namespace: &Namespace) -> Self {
        Self::start_with(project, namespace, &[]).await
    }

    /// As [`Operator::start`], with more flags.
    pub async fn start_with(project: &Project, namespace: &Namespace, flags: &[&str]) -> Self {
        let mut operator = Self::spawn(project, namespace, flags);
        let end = std::time::Instant::now() + DEADLINE;
        while !operator.is_ready().await {
            assert!(operator.process.ended().is_none(), "the operator has ended");
            assert!(std::time::Instant::now() < end, "the operator is not ready");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        operator
    }

    /// Starts it, and does not wait.
    pub fn spawn(project: &Project, namespace: &Namespace, flags: &[&str]) -> Self {
        // A user of its own, so that the audit log tells whose calls are whose.
        let user = format!("operator-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let kubeconfig = plane().user_kubeconfig(&user, &["system:masters"]).unwrap();
        let folder = Folder::new("chart-operator-test-").unwrap();
        let health = Port::reserve().unwrap();
        let mut arguments = vec![
            "run".to_owned(),
            format!("--watches-file={}", project.watches().display()),
            "--metrics-bind-address=0".to_owned(),
            format!("--health-probe-bind-address=127.0.0.1:{}", health.number()),
            "--zap-encoder=json".to_owned(),
        ];
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let environment: [(&str, &OsStr); 2] =
            [("KUBECONFIG", kubeconfig.as_os_str()), ("WATCH_NAMESPACE", OsStr::new(&namespace.name))];
        let file = Path::new(env!("CARGO_BIN_EXE_chart-operator"));
        let program = Program { name: "chart-operator", file, folder: folder.path(), directory: None };
        let process = Guarded::start(&program, &arguments, &environment).unwrap();
        Self { process, health, user, _folder: folder }
    }

    /// What `/readyz` says.
    pub async fn is_ready(&self) -> bool {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", self.health.number())).await else {
            return false;
        };
        let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request).await.is_ok()
            && stream.read_to_string(&mut answer).await.is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    /// Asks it to stop, as a kubelet does, and waits until it has.
    pub async fn terminate(mut self) {
        let pid = self.process.pid().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let end = std::time::Instant::now() + DEADLINE;
        while self.process.ended().is_none() {
            assert!(std::time::Instant::now() < end, "it does not stop");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Kills it with SIGKILL.
    pub fn kill(mut self) {
        self.process.stop();
    }

    /// Its log, line by line.
    pub fn log(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.process.log()).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Lines of the log with that message.
    pub fn logged(&self, message: &str) -> Vec<Json> {
        self.log().into_iter().filter(|line| line["msg"] == message).collect()
    }

    /// The calls it has made so far, watches and lease apart.
    pub fn calls(&self) -> Vec<Request> {
        let requests = plane().audit().unwrap().read().unwrap();
        let own = requests.into_iter().filter(|request| request.user == self.user);
        own.filter(|request| request.verb != "watch" && request.resource != "leases").collect()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the operator's last lines:\n{}", self.process.last_lines(40));
        }
    }
}
