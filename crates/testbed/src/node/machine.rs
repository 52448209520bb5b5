//! What a machine must have for a real node.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Where Debian's plugins for networks are.
pub(crate) const PLUGINS: &str = "/usr/lib/cni";

/// Debian packages that a node needs, each with one of its programs.
pub const PACKAGES: [(&str, &str); 6] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("containernetworking-plugins", "/usr/lib/cni/bridge"),
    ("iptables", "iptables"),
    ("iproute2", "ip"),
    ("util-linux", "nsenter"),
];

/// Tells everything that keeps this machine from running a node.
///
/// # Errors
/// Something does; the message says what can be done.
pub fn check() -> Result<()> {
    let mut missing = Vec::new();
    if !rustix::process::geteuid().is_root() {
        missing.push("root: namespaces, mounts and cgroups are made".to_owned());
    }
    let absent = PACKAGES.iter().filter(|(_, program)| find(program).is_none());
    let packages: Vec<&str> = absent.map(|(package, _)| *package).collect();
    if !packages.is_empty() {
        missing.push(format!("the packages {0} (Debian: apt-get install {0})", packages.join(" ")));
    }
    if missing.is_empty() {
        missing.extend(allowed().err().map(|error| format!("{error:#}")));
    }
    missing.extend(other_kubelet()?.map(|pid| format!("no other kubelet: process {pid} is one")));
    if !missing.is_empty() {
        bail!("no real node can run on this machine. It needs:\n  {}", missing.join("\n  "));
    }
    Ok(())
}

/// Whether namespaces, mounts and cgroups can be made indeed: root alone does not tell.
fn allowed() -> Result<()> {
    let script = "mount -t tmpfs none /mnt && ip link add x type veth peer name y";
    let tried = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "/bin/sh", "-c", script])
        .stdin(Stdio::null())
        .output()
        .context("cannot run `unshare`")?;
    if !tried.status.success() {
        bail!("the right to make namespaces, mounts and links: {}", String::from_utf8_lossy(&tried.stderr).trim());
    }
    for root in group_roots()? {
        let folder = root.join(format!("chart-operator-try-{}", std::process::id()));
        let made = fs::create_dir(&folder).and_then(|()| fs::remove_dir(&folder));
        made.with_context(|| format!("the right to make cgroups in {}", root.display()))?;
    }
    Ok(())
}

/// The process id of a kubelet that is not ours: it uses fixed folders, so there can be one. Ours ends before another starts.
fn other_kubelet() -> Result<Option<String>> {
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let path = entry?.path();
        let read = |file: &str| fs::read_to_string(path.join(file)).unwrap_or_default();
        if read("comm").trim() == "kubelet" && !read("cgroup").contains(crate::node::GROUP) {
            return Ok(path.file_name().map(|pid| pid.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Where cgroups are made: the mount of version 2, or those of every hierarchy of version 1.
pub(crate) fn group_roots() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
    let of = |wanted: &str| -> Vec<PathBuf> {
        let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        fields
            .filter_map(|fields| match fields.as_slice() {
                [_, place, kind, ..] if *kind == wanted => Some(PathBuf::from(place)),
                _ => None,
            })
            .collect()
    };
    let roots = of("cgroup");
    let roots = if roots.is_empty() { of("cgroup2") } else { roots };
    if roots.is_empty() {
        bail!("expected cgroups, found none mounted");
    }
    Ok(roots)
}

/// The file of a program, by its path or in `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // root's programs are not in everybody's path.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(Path::new(program))).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use crate::node::machine::{find, group_roots};

    #[test]
    fn programs_are_found_by_name_and_by_path() {
        assert!(find("sh").is_some_and(|file| file.is_absolute()));
        assert_eq!(find("/bin/sh").unwrap(), std::path::Path::new("/bin/sh"));
        assert!(find("no-such-program").is_none());
    }

    #[test]
    fn cgroups_are_mounted_where_they_say() {
        match group_roots() {
            Ok(roots) => {
                for root in &roots {
                    assert!(root.join("cgroup.procs").exists(), "{}", root.display());
                }
            }
            Err(error) => assert_eq!(error.to_string(), "expected cgroups, found none mounted"),
        }
    }
}
