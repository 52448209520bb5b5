//! The namespace that a release without `--namespace` is in: that of the kubeconfig's current context, as in Helm and
//! kubectl.
//!
//! Mirrors Helm v4.3.1, `pkg/cli/environment.go`, and the loading rules of client-go's `tools/clientcmd`.

use std::path::PathBuf;
use std::{env, fs};

use serde_json::Value as Json;

use crate::yaml::{self, Numbers};

/// Where a release is installed where nothing says.
const DEFAULT: &str = "default";

/// The namespace of the Pod this program runs in.
const POD_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// The file that tells that this program runs in a Pod.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The flags that tell the namespace.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Release")]
pub(super) struct Namespace {
    /// Namespace of the release [default: that of the kubeconfig's context, else `default`]
    #[arg(id = "namespace", short = 'n', long, value_name = "NAMESPACE")]
    name: Option<String>,
    /// Kubeconfig that tells the namespace
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    kubeconfig: String,
    /// Context of the kubeconfig that tells the namespace
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    kube_context: String,
}

impl Namespace {
    /// As `--namespace` says it.
    pub(super) fn given(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The namespace.
    pub(super) fn resolve(&self) -> String {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let given = self.name.clone().or_else(|| variable("HELM_NAMESPACE"));
        if let Some(given) = given.filter(|namespace| !namespace.is_empty()) {
            return given;
        }
        let context = match self.kube_context.as_str() {
            "" => variable("HELM_KUBECONTEXT"),
            context => Some(context.to_owned()),
        };
        let configs: Vec<Json> = self.files().into_iter().filter_map(read).collect();
        let found = of_context(&configs, context.as_deref());
        found.or_else(of_pod).unwrap_or_else(|| DEFAULT.to_owned())
    }

    fn files(&self) -> Vec<PathBuf> {
        if !self.kubeconfig.is_empty() {
            return vec![PathBuf::from(&self.kubeconfig)];
        }
        match env::var_os("KUBECONFIG").filter(|paths| !paths.is_empty()) {
            Some(paths) => env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()).collect(),
            None => env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
        }
    }
}

/// A kubeconfig; what is none tells nothing.
fn read(path: PathBuf) -> Option<Json> {
    let text = fs::read_to_string(path).ok()?;
    yaml::to_json(&text, Numbers::Exact).ok()
}

/// The namespace of a context, by default the current one. Of files that name one thing, the first counts.
fn of_context(configs: &[Json], context: Option<&str>) -> Option<String> {
    let current = || configs.iter().find_map(|config| text(config, "current-context"));
    let wanted = context.or_else(current)?;
    let contexts = configs.iter().filter_map(|config| config.get("contexts")?.as_array()).flatten();
    let mut named = contexts.filter(|context| text(context, "name") == Some(wanted));
    text(named.next()?.get("context")?, "namespace").map(str::to_owned)
}

fn text<'a>(json: &'a Json, field: &str) -> Option<&'a str> {
    json.get(field)?.as_str().filter(|text| !text.is_empty())
}

fn of_pod() -> Option<String> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    variable("KUBERNETES_SERVICE_HOST")?;
    variable("KUBERNETES_SERVICE_PORT")?;
    fs::metadata(POD_TOKEN).ok().filter(fs::Metadata::is_file)?;
    let from_file = || fs::read_to_string(POD_NAMESPACE).ok().map(|name| name.trim().to_owned());
    variable("POD_NAMESPACE").or_else(from_file).filter(|namespace| !namespace.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_namespace_is_that_of_the_context_in_the_first_file_that_has_it() {
        let one = json!({"current-context": "b", "contexts": [{"name": "a", "context": {"namespace": "x"}}]});
        let two = json!({"current-context": "a", "contexts": [
            {"name": "a", "context": {"namespace": "y"}}, {"name": "b", "context": {"namespace": "z"}},
            {"name": "c", "context": {}},
        ]});
        let configs = [one, two];
        for (context, namespace) in [(None, Some("z")), (Some("a"), Some("x")), (Some("c"), None), (Some("d"), None)] {
            assert_eq!(of_context(&configs, context).as_deref(), namespace, "{context:?}");
        }
        assert_eq!(of_context(&[json!("no map")], None), None);
    }
}
