//! The operator's image: what the stage `operator` of this repository's Dockerfile makes, and projects over it.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::image::dockerfile;
use crate::image::oci::{Config, Image};
use crate::image::tree::{Owner, ROOT, Tree};

/// The user of helm-operator's image (operator-sdk v1.42, `images/helm-operator/Dockerfile`), in root's group as `OpenShift`
/// has its users.
const USER: Owner = Owner { user: 1001, group: 0 };
/// Where a project lies.
const HOME: &str = "/opt/helm";

/// The image of an operator, to be used in a `FROM`.
///
/// # Errors
/// The program or its libraries cannot be read.
pub fn operator(binary: &Path) -> Result<Image> {
    let tree = Tree::default()
        .program("usr/local/bin/chart-operator", binary)?
        // What the entrypoint and projects call it.
        .link("usr/local/bin/helm-operator", "chart-operator")
        .text("etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nhelm:x:1001:0:helm:/opt/helm:/sbin/nologin\n")
        .text("etc/group", "root:x:0:\n")
        .directory(HOME, 0o775, USER)
        .directory("tmp", 0o1777, ROOT);
    let mut image = Image::scratch(Config {
        user: USER.user.to_string(),
        env: vec!["PATH=/usr/local/bin".to_owned(), format!("HOME={HOME}")],
        entrypoint: ["/usr/local/bin/helm-operator", "run", "--watches-file=./watches.yaml"]
            .map(str::to_owned)
            .to_vec(),
        working_dir: HOME.to_owned(),
        ..Config::default()
    });
    image.add(&tree, "COPY chart-operator /usr/local/bin/")?;
    Ok(image)
}

/// The image of a project: what its Dockerfile lays over the operator's.
///
/// # Errors
/// The Dockerfile cannot be read, or says what is not known here.
pub fn project(operator: &Image, folder: &Path) -> Result<Image> {
    let file = folder.join("Dockerfile");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut image = operator.clone();
    dockerfile::lay(&text, folder, &mut image).with_context(|| format!("cannot follow {}", file.display()))?;
    Ok(image)
}
