//! The programs of control plane, node and command line: what they are built from, where each is found, and the key of the
//! cache.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

/// The variable that names another cache folder.
pub const CACHE_VARIABLE: &str = "CHART_OPERATOR_CACHE";
/// The variable by which kubebuilder's tools name a folder with etcd, kube-apiserver and kubectl.
pub const ASSETS_VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// One program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers: Deployments, garbage collection, namespaces and so on.
    ControllerManager,
    /// Puts Pods on nodes.
    Scheduler,
    /// Plays nodes and the Pods on them.
    Kwok,
    /// Runs the Pods of a real node.
    Kubelet,
    /// Leads the addresses of Services to Pods.
    KubeProxy,
    /// Knows the names of Services.
    CoreDns,
    /// The command line of Kubernetes.
    Kubectl,
    /// Makes manifests of bases and patches.
    Kustomize,
    /// Helm's command line.
    Helm,
    /// The server of NATS, which the chart of accounts is about.
    NatsServer,
}

impl Program {
    /// Those of a control plane whose nodes are simulated.
    pub const CONTROL_PLANE: [Self; 5] =
        [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::Scheduler, Self::Kwok];
    /// Those of a real node.
    pub const NODE: [Self; 3] = [Self::Kubelet, Self::KubeProxy, Self::CoreDns];
    /// What people use on a command line.
    pub const CLIENTS: [Self; 3] = [Self::Kubectl, Self::Kustomize, Self::Helm];

    /// What charts of this repository run.
    pub const WORKLOADS: [Self; 1] = [Self::NatsServer];

    /// Every program, in the order in which they are built.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::CONTROL_PLANE.into_iter().chain(Self::NODE).chain(Self::CLIENTS).chain(Self::WORKLOADS)
    }

    /// The file's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::CoreDns => "coredns",
            Self::Kubectl => "kubectl",
            Self::Kustomize => "kustomize",
            Self::Helm => "helm",
            Self::NatsServer => "nats-server",
        }
    }

    /// The Go package of its `main`.
    pub const fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::ApiServer => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::ControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Scheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Self::Kwok => "sigs.k8s.io/kwok/cmd/kwok",
            Self::Kubelet => "k8s.io/kubernetes/cmd/kubelet",
            Self::KubeProxy => "k8s.io/kubernetes/cmd/kube-proxy",
            Self::CoreDns => "github.com/coredns/coredns",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Kustomize => "sigs.k8s.io/kustomize/kustomize/v5",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::NatsServer => "github.com/nats-io/nats-server/v2",
        }
    }

    /// The Go module that pins its versions.
    pub const fn module(self) -> &'static Module {
        match self {
            Self::Etcd => &ETCD,
            Self::Kwok => &KWOK,
            Self::CoreDns => &COREDNS,
            Self::Helm => &HELM,
            Self::NatsServer => &NATS,
            _ => &KUBERNETES,
        }
    }

    /// The linker flags. Kubernetes programs and kwok do not know their version without them: a node would
    /// report one that is none.
    ///
    /// # Errors
    /// The module's `go.mod` names no version of what is built.
    pub fn linker_flags(self) -> Result<String> {
        let version = self.module().version()?;
        Ok(match self {
            Self::Etcd | Self::CoreDns | Self::Kustomize | Self::NatsServer => "-s -w".to_owned(),
            Self::Helm => format!("-s -w -X helm.sh/helm/v4/internal/version.version={version}"),
            Self::Kwok => format!("-s -w -X sigs.k8s.io/kwok/pkg/consts.Version={version}"),
            _ => kubernetes_flags(version),
        })
    }

    /// Where a built one would be in the cache folder `cache`.
    ///
    /// # Errors
    /// The module's `go.mod` names no version of what is built.
    pub fn cached(self, cache: &Path) -> Result<PathBuf> {
        Ok(cache.join(self.module().key()?).join(self.name()))
    }

    /// The file to run: `KUBEBUILDER_ASSETS` where it holds the program, else the cache.
    ///
    /// # Errors
    /// It is in neither; the message says how it gets there.
    pub fn locate(self) -> Result<PathBuf> {
        let assets = std::env::var_os(ASSETS_VARIABLE).map(|folder| Path::new(&folder).join(self.name()));
        if let Some(found) = assets.filter(|file| file.is_file()) {
            return Ok(found);
        }
        let cached = self.cached(&cache_folder()?)?;
        if cached.is_file() {
            return Ok(cached);
        }
        bail!(
            "`{}` is not built yet: expected {}\nbuild it once (needs Go, takes some minutes): cargo run -p testbed -- build all",
            self.name(),
            cached.display()
        )
    }
}

/// A Go module of ours without Go code: versions and check sums only.
#[derive(Debug)]
pub struct Module {
    /// Its name, that of its folder in `tools/`.
    pub name: &'static str,
    /// The text of its `go.mod`.
    pub go_mod: &'static str,
    /// The text of its `go.sum`.
    pub go_sum: &'static str,
    /// The module whose version is the programs' version.
    main: &'static str,
}

static ETCD: Module = Module {
    name: "etcd",
    go_mod: include_str!("../../../tools/control-plane/etcd/go.mod"),
    go_sum: include_str!("../../../tools/control-plane/etcd/go.sum"),
    main: "go.etcd.io/etcd/server/v3",
};
static KUBERNETES: Module = Module {
    name: "kubernetes",
    go_mod: include_str!("../../../tools/control-plane/kubernetes/go.mod"),
    go_sum: include_str!("../../../tools/control-plane/kubernetes/go.sum"),
    main: "k8s.io/kubernetes",
};
static KWOK: Module = Module {
    name: "kwok",
    go_mod: include_str!("../../../tools/control-plane/kwok/go.mod"),
    go_sum: include_str!("../../../tools/control-plane/kwok/go.sum"),
    main: "sigs.k8s.io/kwok",
};
static COREDNS: Module = Module {
    name: "coredns",
    go_mod: include_str!("../../../tools/control-plane/coredns/go.mod"),
    go_sum: include_str!("../../../tools/control-plane/coredns/go.sum"),
    main: "github.com/coredns/coredns",
};
static HELM: Module = Module {
    name: "helm",
    go_mod: include_str!("../../../tools/control-plane/helm/go.mod"),
    go_sum: include_str!("../../../tools/control-plane/helm/go.sum"),
    main: "helm.sh/helm/v4",
};
static NATS: Module = Module {
    name: "nats",
    go_mod: include_str!("../../../tools/control-plane/nats/go.mod"),
    go_sum: include_str!("../../../tools/control-plane/nats/go.sum"),
    main: "github.com/nats-io/nats-server/v2",
};

impl Module {
    /// The pinned version of what is built, e.g. `v1.35.4`.
    ///
    /// # Errors
    /// `go.mod` does not require the main module.
    pub fn version(&self) -> Result<&'static str> {
        let required = |line: &'static str| {
            let mut words = line.trim_start_matches("require").split_whitespace();
            (words.next() == Some(self.main)).then(|| words.next()).flatten()
        };
        self.go_mod
            .lines()
            .find_map(required)
            .with_context(|| format!("go.mod of the module `{}` does not require `{}`", self.name, self.main))
    }

    /// The name of the folder in the cache, e.g. `etcd-v3.6.7-linux-x86_64-0123456789ab`: another version of anything that
    /// is compiled in, or another platform, is another folder.
    ///
    /// # Errors
    /// As [`Module::version`].
    pub fn key(&self) -> Result<String> {
        let digest = Sha256::new().chain_update(self.go_mod).chain_update("\0").chain_update(self.go_sum).finalize();
        let short = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
        Ok(format!("{}-{}-{system}-{machine}-{short}", self.name, self.version()?))
    }
}

/// The folder of all builds: `$CHART_OPERATOR_CACHE`, else `chart-operator/control-plane` in `$XDG_CACHE_HOME` or `~/.cache`.
///
/// # Errors
/// None of the variables is set, nor `HOME`.
pub fn cache_folder() -> Result<PathBuf> {
    let named = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    named(CACHE_VARIABLE)
        .or_else(|| named("XDG_CACHE_HOME").map(|cache| cache.join("chart-operator")))
        .or_else(|| named("HOME").map(|home| home.join(".cache").join("chart-operator")))
        .map(|folder| folder.join("control-plane"))
        .with_context(|| format!("no cache folder: set {CACHE_VARIABLE}, XDG_CACHE_HOME or HOME"))
}

fn kubernetes_flags(version: &str) -> String {
    let minor = version.split('.').nth(1).unwrap_or_default();
    let client = format!("-X k8s.io/client-go/pkg/version.gitVersion={version}");
    let component = [
        ("gitVersion", version),
        ("gitMajor", "1"),
        ("gitMinor", minor),
        ("gitTreeState", "clean"),
        ("buildDate", "1970-01-01T00:00:00Z"),
    ]
    .map(|(variable, value)| format!("-X k8s.io/component-base/version.{variable}={value}"))
    .join(" ");
    format!("-s -w {component} {client}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::program::{COREDNS, ETCD, HELM, KUBERNETES, KWOK, Module, NATS, Program};

    #[test]
    fn versions_are_those_that_go_mod_requires() {
        for (module, start) in
            [(&ETCD, "v3."), (&KUBERNETES, "v1."), (&KWOK, "v0."), (&COREDNS, "v1."), (&HELM, "v4."), (&NATS, "v2.")]
        {
            let version = module.version().unwrap();
            assert!(version.starts_with(start), "{}: {version}", module.name);
        }
    }

    #[test]
    fn a_module_that_requires_nothing_of_the_kind_is_an_error() {
        let module = Module { name: "empty", go_mod: "module x\n", go_sum: "", main: "example.com/main" };
        assert!(module.version().unwrap_err().to_string().contains("example.com/main"));
    }

    #[test]
    fn the_key_changes_with_go_mod_and_with_go_sum() {
        let module = |go_mod, go_sum| Module { name: "m", go_mod, go_sum, main: "a.b/c" };
        let keys = [
            module("require a.b/c v1.2.3", "x").key().unwrap(),
            module("require a.b/c v1.2.4", "x").key().unwrap(),
            module("require a.b/c v1.2.3 ", "x").key().unwrap(),
            module("require a.b/c v1.2.3", "y").key().unwrap(),
        ];
        assert!(keys[0].starts_with(&format!("m-v1.2.3-{}-", std::env::consts::OS)), "{}", keys[0]);
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{key} twice");
        }
        assert_eq!(keys[0], module("require a.b/c v1.2.3", "x").key().unwrap());
    }

    #[test]
    fn each_program_has_a_tool_directive_in_its_module() {
        for program in Program::all() {
            let package = program.package();
            let directives: Vec<_> =
                program.module().go_mod.lines().map(|line| line.trim_start_matches("tool").trim()).collect();
            assert!(directives.contains(&package), "{package}");
            assert!(program.cached(Path::new("/c")).unwrap().ends_with(program.name()));
        }
    }

    #[test]
    fn kubernetes_programs_are_told_their_version() {
        let flags = Program::ApiServer.linker_flags().unwrap();
        let version = KUBERNETES.version().unwrap();
        assert!(flags.contains(&format!("version.gitVersion={version} ")), "{flags}");
        assert!(flags.contains("gitMinor=35 "), "{flags}");
    }
}
