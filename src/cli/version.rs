//! `version`: what this program is.

use std::env::consts;

use crate::metrics::Build;

/// The Kubernetes version whose types are built in: the feature of k8s-openapi in `Cargo.toml`.
const KUBERNETES: &str = "v1.33";

/// Version and commit of this build. The commit is what `CHART_OPERATOR_COMMIT` said when it was built.
pub(super) fn build() -> Build {
    Build {
        commit: option_env!("CHART_OPERATOR_COMMIT").unwrap_or("unknown").to_owned(),
        version: concat!("v", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

/// The line helm-operator prints, with the compiler's oldest version in place of Go's.
pub(super) fn line(name: &str) -> String {
    let Build { commit, version } = build();
    let (rust, os, arch) = (env!("CARGO_PKG_RUST_VERSION"), os(), arch());
    format!(
        "{name} version: \"{version}\", commit: \"{commit}\", kubernetes version: \"{KUBERNETES}\", \
         rust version: \"{rust}\", GOOS: \"{os}\", GOARCH: \"{arch}\"\n"
    )
}

/// The operating system by Go's name.
pub(super) fn os() -> &'static str {
    match consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

/// The processor by Go's name.
pub(super) fn arch() -> &'static str {
    match consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "x86" => "386",
        other => other,
    }
}
