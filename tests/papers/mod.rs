//! The project's papers as tests read them: pages with their headings, links and fences, and a terminal in which the commands
//! of a page are typed one after the other.
//!
//! A fence that begins with `console` is a terminal: lines with `$ ` are typed, what stands below is what they print, and `…`
//! stands for anything. `console cluster` needs a cluster, `console cluster window` is a window of its own, whose command
//! runs until the page is read. Commands of a `sh` fence are not tried.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use testbed::guard::{Folder, tail};

/// How many seconds a window stays open at most, should we be killed before we close it.
const OPEN: &str = "600";

/// One paper.
pub(crate) struct Page {
    /// Its path from the root.
    pub name: String,
    pub text: String,
}

/// A block between lines of three backticks.
#[derive(Debug)]
pub(crate) struct Fence {
    /// What stands behind the first backticks.
    pub info: String,
    pub text: String,
    /// Its line in the page, from 1.
    pub line: usize,
}

/// What is typed, and what it should print.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    pub command: String,
    pub printed: String,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every paper: those at the root, and all below `docs`.
pub(crate) fn pages() -> Vec<Page> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![(root(), false), (root().join("docs"), true), (root().join(".github"), true)];
    while let Some((folder, is_deep)) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && is_deep {
                folders.push((path, true));
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| Page { name: name(path), text: fs::read_to_string(path).unwrap() }).collect()
}

/// The paper of that path.
pub(crate) fn page(name: &str) -> Page {
    let found = pages().into_iter().find(|page| page.name == name);
    assert!(found.is_some(), "there is no {name}");
    found.unwrap()
}

impl Page {
    pub(crate) fn fences(&self) -> Vec<Fence> {
        let mut fences = Vec::new();
        let mut open: Option<(Fence, usize)> = None;
        for (at, line) in self.text.lines().enumerate() {
            let (indent, text) = (line.len() - line.trim_start().len(), line.trim_start());
            match (open.take(), text.strip_prefix("```")) {
                (Some((fence, _)), Some("")) => fences.push(fence),
                (Some((mut fence, indent)), _) => {
                    fence.text.push_str(line.get(indent..).unwrap_or_default());
                    fence.text.push('\n');
                    open = Some((fence, indent));
                }
                (None, Some(info)) => {
                    let fence = Fence { info: info.to_owned(), text: String::new(), line: at + 1 };
                    open = Some((fence, indent));
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence does not end", self.name);
        fences
    }

    /// The text without its fences.
    pub(crate) fn prose(&self) -> String {
        let mut is_code = false;
        let lines = self.text.lines().filter(|line| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Where its links lead.
    pub(crate) fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        targets.map(|(link, _)| link.to_owned()).collect()
    }

    /// The names by which GitHub lets links lead to its headings.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings =
            prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
        headings.map(anchor).collect()
    }

    /// Headings of that rank, with what stands below each, up to the next of its rank or above.
    pub(crate) fn sections(&self, rank: usize) -> Vec<(String, String)> {
        let mut sections: Vec<(String, String)> = Vec::new();
        let mut is_inside = false;
        for line in self.text.lines() {
            let hashes = line.len() - line.trim_start_matches('#').len();
            if (1..=rank).contains(&hashes) {
                is_inside = hashes == rank;
                if is_inside {
                    sections.push((line.trim_start_matches('#').trim().to_owned(), String::new()));
                }
            } else if let Some((_, text)) = sections.last_mut().filter(|_| is_inside) {
                text.push_str(line);
                text.push('\n');
            }
        }
        sections
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

impl Fence {
    fn is(&self, word: &str) -> bool {
        self.info.split(' ').any(|known| known == word)
    }

    pub(crate) fn is_console(&self) -> bool {
        self.is("console")
    }

    pub(crate) fn needs_cluster(&self) -> bool {
        self.is("cluster")
    }

    fn is_window(&self) -> bool {
        self.is("window")
    }

    /// What is typed, line by line; one that ends with a backslash goes on in the next.
    pub(crate) fn typed(&self) -> Vec<Typed> {
        let mut typed: Vec<Typed> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                typed.push(Typed { command: command.to_owned(), printed: String::new() });
            } else {
                assert!(!typed.is_empty(), "line {}: what is typed begins with `$ `", self.line);
                let last = typed.last_mut().unwrap();
                let text = if goes_on { &mut last.command } else { &mut last.printed };
                text.push_str(if goes_on { "\n" } else { "" });
                text.push_str(line);
                text.push_str(if goes_on { "" } else { "\n" });
            }
            goes_on = line.ends_with('\\');
        }
        typed
    }

    /// The path in the first line of a file that the page shows, as in `# shop/values.yaml`.
    pub(crate) fn file(&self) -> Option<&str> {
        let name = self.text.lines().next()?.strip_prefix("# ")?;
        let is_path = !name.contains(' ') && Path::new(name).extension().is_some();
        is_path.then_some(name)
    }
}

/// Whether that was printed; `…` stands for anything.
pub(crate) fn is_as_told(printed: &str, told: &str) -> bool {
    let mut rest = printed.trim();
    let mut parts = told.trim().split('…').map(str::trim).peekable();
    let first = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

/// A terminal in a folder of its own.
pub(crate) struct Terminal {
    folder: Folder,
    at: PathBuf,
    environment: Vec<(&'static str, String)>,
    windows: Vec<Window>,
}

/// A window whose command runs until it is closed.
struct Window {
    process: Child,
    output: PathBuf,
}

impl Drop for Window {
    fn drop(&mut self) {
        // `timeout` passes it on to all that it has started.
        Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        self.process.wait().unwrap();
    }
}

impl Terminal {
    /// In a copy of this repository's project, with these programs as they are named.
    pub(crate) fn new(programs: &[(&str, &str)], environment: &[(&'static str, String)]) -> Self {
        let folder = Folder::new("chart-operator-papers-").unwrap();
        let (at, bin) = (folder.path().join("project"), folder.path().join("bin"));
        for part in ["Cargo.toml", "Makefile", "watches.yaml", "config", "helm-charts", "samples"] {
            copy(&root().join(part), &at.join(part));
        }
        fs::create_dir_all(&bin).unwrap();
        for (name, script) in programs {
            fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut environment = environment.to_vec();
        environment.push(("PATH", path));
        Self { folder, at, environment, windows: Vec::new() }
    }

    /// The folder in which it is now.
    pub(crate) fn at(&self) -> &Path {
        &self.at
    }

    /// Writes the files that a page shows, and types what it says, except what needs a cluster or what does not.
    pub(crate) fn read(&mut self, page: &Page, wanted: impl Fn(&Fence) -> bool) -> usize {
        let mut count = 0;
        for fence in page.fences() {
            if let Some(file) = fence.file().filter(|_| fence.info == "yaml") {
                let path = self.at.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &fence.text).unwrap();
            }
            if !fence.is_console() || !wanted(&fence) {
                continue;
            }
            for typed in fence.typed() {
                let place = format!("{}:{}", page.name, fence.line);
                if fence.is_window() {
                    self.open(&typed.command);
                } else {
                    self.enter(&typed, &place);
                }
                count += 1;
            }
        }
        count
    }

    fn enter(&mut self, typed: &Typed, place: &str) {
        let state = self.folder.path().join("at");
        let script = format!("{}\ncode=$?; pwd > '{}'; exit $code", typed.command, state.display());
        let output = self.shell(&script).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let windows = self.windows.iter().map(|window| tail(&window.output, 20)).collect::<String>();
        assert!(output.status.success(), "{place}: $ {}\n{printed}\n{windows}", typed.command);
        let is_told = typed.printed.is_empty() || is_as_told(&printed, &typed.printed);
        assert!(is_told, "{place}: $ {}\n--- told\n{}--- printed\n{printed}", typed.command, typed.printed);
        self.at = PathBuf::from(fs::read_to_string(state).unwrap().trim_end());
    }

    /// As a person sees it: both outputs as they come.
    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args([OPEN, "bash", "-c", &format!("exec 2>&1\n{script}")]).current_dir(&self.at).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Another window, whose command runs until the terminal is closed.
    fn open(&mut self, command: &str) {
        let output = self.folder.path().join(format!("window-{}", self.windows.len()));
        let mut shell = self.shell(command);
        let process = shell.stdout(fs::File::create(&output).unwrap()).process_group(0).spawn().unwrap();
        self.windows.push(Window { process, output });
    }
}

/// Copies a file, or a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        copy(&from.join(&name), &to.join(&name));
    }
}
