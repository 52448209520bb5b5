//! The files of a layer.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tar::{Builder, EntryType, Header};

/// Root, to whom everything belongs that nobody gives away.
pub const ROOT: Owner = Owner { user: 0, group: 0 };

/// Whose a file is, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: u64,
    /// The group.
    pub group: u64,
}

/// Files by their paths, which begin at the root and without a slash.
#[derive(Clone, Debug, Default)]
pub struct Tree(BTreeMap<String, Node>);

#[derive(Clone, Debug)]
struct Node {
    content: Content,
    mode: u32,
    owner: Owner,
}

#[derive(Clone, Debug)]
enum Content {
    Directory,
    /// One that is made where there is none.
    Folder,
    Text(String),
    /// A file of this machine, read when the layer is written.
    File(PathBuf),
    Link(PathBuf),
}

impl Tree {
    /// A directory.
    #[must_use]
    pub fn directory(mut self, path: &str, mode: u32, owner: Owner) -> Self {
        self.add(path, Content::Directory, mode, owner);
        self
    }

    /// A directory that is left as it is where a lower layer has it.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        self.add(path, Content::Folder, 0o755, ROOT);
        self
    }

    /// A file with that text.
    #[must_use]
    pub fn text(mut self, path: &str, text: &str) -> Self {
        self.add(path, Content::Text(text.to_owned()), 0o644, ROOT);
        self
    }

    /// A symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.add(path, Content::Link(target.into()), 0o777, ROOT);
        self
    }

    /// A program of this machine, and what it needs where nothing else is: the loader and the libraries that it is linked with,
    /// at the places where it looks for them. A static one needs nothing.
    ///
    /// # Errors
    /// It is not there, or `ldd` of this machine finds not all that it needs.
    pub fn program(mut self, path: &str, file: &Path) -> Result<Self> {
        for library in libraries(file)? {
            let place = library.to_string_lossy().into_owned();
            self.add(&place, Content::File(library), 0o755, ROOT);
        }
        self.add(path, Content::File(file.to_path_buf()), 0o755, ROOT);
        Ok(self)
    }

    /// A file or folder of this machine, under `path`; all of it becomes root's.
    ///
    /// # Errors
    /// It cannot be read, or holds something that is neither file, folder nor link.
    pub fn copy(mut self, path: &str, from: &Path) -> Result<Self> {
        self.take(path.trim_matches('/'), from)?;
        Ok(self)
    }

    /// What Debian packages hold, those that they depend on not among them. apt downloads them into `folder`.
    ///
    /// # Errors
    /// apt or dpkg are missing or fail.
    pub fn packages(mut self, names: &[&str], folder: &Path) -> Result<Self> {
        let unpacked = folder.join("unpacked");
        run(Command::new("apt-get").arg("download").args(names).current_dir(folder))?;
        for entry in fs::read_dir(folder)? {
            let file = entry?.path();
            if file.extension() == Some(OsStr::new("deb")) {
                run(Command::new("dpkg").arg("-x").arg(&file).arg(&unpacked))?;
            }
        }
        self.take("", &unpacked)?;
        Ok(self)
    }

    /// As a tar over layers that have these directories: sorted, with no time but the beginning of time.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn layer(&self, below: &BTreeSet<String>) -> Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        for (path, node) in self.with_parents() {
            if matches!(node.content, Content::Folder) && below.contains(&path) {
                continue;
            }
            append(&mut tar, &path, &node).with_context(|| format!("cannot put `/{path}` into a layer"))?;
        }
        tar.into_inner().context("cannot finish a layer")
    }

    fn add(&mut self, path: &str, content: Content, mode: u32, owner: Owner) {
        let path = path.trim_matches('/');
        if !path.is_empty() {
            self.0.insert(path.to_owned(), Node { content, mode, owner });
        }
    }

    fn take(&mut self, path: &str, from: &Path) -> Result<()> {
        let data = fs::symlink_metadata(from).with_context(|| format!("cannot read {}", from.display()))?;
        // Of the rights, only whether it can be executed: those of a checkout depend on who made it.
        let mode = if data.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        if data.is_symlink() {
            self.add(path, Content::Link(fs::read_link(from)?), 0o777, ROOT);
        } else if data.is_file() {
            self.add(path, Content::File(from.to_path_buf()), mode, ROOT);
        } else if data.is_dir() {
            self.add(path, Content::Folder, 0o755, ROOT);
            for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
                let entry = entry?;
                self.take(&format!("{path}/{}", entry.file_name().to_string_lossy()), &entry.path())?;
            }
        } else {
            bail!("{} is neither file, folder nor link", from.display());
        }
        Ok(())
    }

    /// With each directory that only the path of another file names.
    fn with_parents(&self) -> BTreeMap<String, Node> {
        let mut all = self.0.clone();
        for path in self.0.keys() {
            let parents = path.char_indices().filter(|(_, c)| *c == '/').filter_map(|(at, _)| path.get(..at));
            for parent in parents {
                let node = Node { content: Content::Folder, mode: 0o755, owner: ROOT };
                all.entry(parent.to_owned()).or_insert(node);
            }
        }
        all
    }
}

fn append(tar: &mut Builder<Vec<u8>>, path: &str, node: &Node) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(node.mode);
    header.set_uid(node.owner.user);
    header.set_gid(node.owner.group);
    header.set_mtime(0);
    header.set_size(0);
    match &node.content {
        Content::Directory | Content::Folder => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, format!("{path}/"), std::io::empty())?;
        }
        Content::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            tar.append_link(&mut header, path, target)?;
        }
        Content::Text(text) => {
            header.set_size(text.len().try_into()?);
            tar.append_data(&mut header, path, text.as_bytes())?;
        }
        Content::File(file) => {
            let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            header.set_size(bytes.len().try_into()?);
            tar.append_data(&mut header, path, bytes.as_slice())?;
        }
    }
    Ok(())
}

/// The libraries and the loader that a program needs, where it looks for them.
fn libraries(file: &Path) -> Result<Vec<PathBuf>> {
    if !file.is_file() {
        bail!("there is no program {}", file.display());
    }
    let output = Command::new("ldd").arg(file).output().context("cannot run `ldd`")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("not a dynamic executable") {
            return Ok(Vec::new());
        }
        bail!("ldd {}: {}", file.display(), said.trim());
    }
    if let Some(line) = text.lines().find(|line| line.contains("not found")) {
        bail!("{} needs a library that is not there: {}", file.display(), line.trim());
    }
    Ok(text
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect())
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run `{name}`"))?;
    if !output.status.success() {
        bail!("`{name}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// The Debian packages that the libraries of a program come from, as `name` and `version`; empty where there is no dpkg.
///
/// # Errors
/// As [`Tree::program`].
pub fn packages_of(file: &Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for library in libraries(file)? {
        // Debian may know it by the path under / or by that under /usr.
        let paths = [library.canonicalize().unwrap_or_else(|_| library.clone()), library];
        let asked = Command::new("dpkg-query").arg("-S").args(paths).output();
        let Ok(owner) = asked else { return Ok(Vec::new()) };
        let text = String::from_utf8_lossy(&owner.stdout).into_owned();
        let Some(name) = text.split(": ").next().filter(|name| !name.is_empty()) else { continue };
        let shown = Command::new("dpkg-query").args(["-W", "-f", "${Version}", name]).output()?;
        let name = name.split(':').next().unwrap_or(name).to_owned();
        found.push((name, String::from_utf8_lossy(&shown.stdout).into_owned()));
    }
    found.sort();
    found.dedup();
    Ok(found)
}
