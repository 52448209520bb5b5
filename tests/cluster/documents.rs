//! What the papers say of a cluster is so: each page is read in a terminal and a namespace of its own, beside a control plane
//! of their own, where nothing is installed yet.

use testbed::program::Program;
use testbed::{ControlPlane, Options};

use crate::papers::{Fence, Page, Terminal, pages};

/// The operator as people start it, but on no port, so that it is in nobody's way.
const OPERATOR: &str = "[ \"$1\" = run ] && set -- \"$@\" --metrics-bind-address=0 --health-probe-bind-address=0";

/// What `make` builds and runs with cargo is built already.
const CARGO: &str = "while [ \"$1\" != -- ]; do shift; done; shift; exec chart-operator \"$@\"";

fn terminal(plane: &ControlPlane, namespace: &str) -> Terminal {
    let client = |program: Program| format!("exec '{}' \"$@\"", program.locate().unwrap().display());
    let [kubectl, kustomize] = [Program::Kubectl, Program::Kustomize].map(client);
    let operator = format!("{OPERATOR}; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_chart-operator"));
    let programs =
        [("kubectl", kubectl.as_str()), ("kustomize", &kustomize), ("chart-operator", &operator), ("cargo", CARGO)];
    let kubeconfig = plane.user_kubeconfig(namespace, &["system:masters"]).unwrap();
    let environment = [
        ("KUBECONFIG", kubeconfig.display().to_string()),
        ("KUBECACHEDIR", kubeconfig.with_extension("cache").display().to_string()),
        ("WATCH_NAMESPACE", namespace.to_owned()),
        // Whoever started this test has set it to another.
        ("CARGO", "cargo".to_owned()),
    ];
    let mut terminal = Terminal::new(&programs, &environment);
    let created = format!("$ kubectl create namespace {namespace}");
    let chosen = format!("$ kubectl config set-context --current --namespace={namespace}");
    terminal.read(&said(&format!("```console\n{created}\n{chosen}\n```\n")), |_| true);
    terminal
}

/// A page of ours.
fn said(text: &str) -> Page {
    Page { name: "tests/cluster/documents.rs".to_owned(), text: text.to_owned() }
}

fn needs_cluster(page: &Page) -> bool {
    page.fences().iter().any(|fence| fence.is_console() && fence.needs_cluster())
}

#[tokio::test]
async fn commands_that_need_a_cluster_print_what_is_told() {
    let plane = ControlPlane::start(Options { scheduler: true, kwok: true, ..Options::default() }).await.unwrap();
    // The README begins with nothing; the others with what it has installed, and with an operator of their own.
    let (first, others): (Vec<_>, Vec<_>) =
        pages().into_iter().filter(needs_cluster).partition(|page| page.name == "README.md");
    let mut count = 0;
    for (at, page) in first.iter().chain(&others).enumerate() {
        let mut terminal = terminal(&plane, &format!("page-{at}"));
        if page.name != "README.md" {
            terminal.read(&said("```console cluster window\n$ chart-operator run\n```\n"), |_| true);
        }
        count += terminal.read(page, Fence::needs_cluster);
    }
    assert!(first.len() == 1 && count > 10, "{count}");
}
