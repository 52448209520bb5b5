//! The operator's own Helm chart, installed by Helm.

use std::path::PathBuf;
use std::process::Command;
use std::sync::PoisonError;

use testbed::program::Program;

use crate::support::{DEPLOYED, IMAGE, Namespace, cluster, has, make, output, repository};

const VALUES: &str = "--set=image.tag=e2e,metrics.dashboard=true";

fn helm(arguments: &[&str]) -> String {
    let mut command = Command::new(Program::Helm.locate().unwrap());
    command.args(arguments).current_dir(repository()).env("KUBECONFIG", cluster().plane().kubeconfig());
    output(&mut command).unwrap_or_else(|failed| panic!("{failed}"))
}

#[test]
fn helm_renders_the_operators_chart_as_we_do_and_what_it_installs_runs() {
    let arguments = ["template", "mine", "charts/chart-operator", VALUES, "--include-crds"];
    let mut ours = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_chart-operator")));
    assert_eq!(output(ours.args(arguments).current_dir(repository())).unwrap(), helm(&arguments));

    // Two operators at a time would care for the same resources.
    let deployed = DEPLOYED.write().unwrap_or_else(PoisonError::into_inner);
    helm(&["install", "mine", "charts/chart-operator", VALUES, "--namespace=mine", "--create-namespace"]);
    let namespace = Namespace("mine".to_owned());
    let name = "mine-chart-operator-controller-manager";
    let running = namespace.until("deployment", name, "it runs", |deployment| has(deployment, "Available", "True"));
    assert_eq!(running["spec"]["template"]["spec"]["containers"][0]["image"], IMAGE);
    helm(&["uninstall", "mine", "--namespace=mine"]);
    namespace.until_gone("deployment", name);
    if !*deployed {
        make("uninstall", IMAGE);
    }
}
