//! What the papers say is so: links lead somewhere, commands print what stands below them, and their tables name what the
//! code has and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use chart_operator::status::{Condition, Reason};
use chart_operator::watches;

use crate::papers::{Page, Terminal, Typed, is_as_told, page, pages, root};

/// Languages of fences that nobody types.
const SHOWN: [&str; 6] = ["dockerfile", "json", "sh", "sql", "text", "yaml"];

/// What is typed in a `sh` fence, which no test here tries: it downloads, builds for minutes, or needs a container engine or
/// a node. What begins and deploys projects is tried by the tests of that, step by step.
const UNTRIED: [&str; 16] = [
    "RENDER_CHART=path/to/chart cargo bench",
    "chart-operator init --domain example.com --group cache",
    "corpus-compare",
    "export KUBECONFIG=",
    "kubectl apply -f config/samples/",
    "kubectl apply -k config/samples",
    "kubectl get memcacheds",
    "kubectl logs --namespace chart-operator-system",
    "make bundle VERSION=",
    "make check",
    "make cluster-",
    "make de",
    "make docker-build docker-push",
    "make image cluster-load",
    "make install run",
    "make undeploy",
];

/// Pages of projects that have a Makefile of their own.
const OF_PROJECTS: [&str; 2] = ["docs/migrating-from-operator-sdk.md", "docs/scaffold.md"];

fn terminal() -> Terminal {
    let program = format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_chart-operator"));
    Terminal::new(&[("chart-operator", &program)], &[("KUBECONFIG", "/dev/null".to_owned())])
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let pages = pages();
    let mut count = 0;
    for from in &pages {
        for link in from.links().into_iter().filter(|link| !link.contains("://") && !link.contains("::")) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = root().join(&from.name).parent().unwrap().to_owned();
            let target = if path.is_empty() { root().join(&from.name) } else { folder.join(path) };
            assert!(target.exists(), "{}: {link}", from.name);
            count += 1;
            let Some(to) = pages.iter().find(|to| root().join(&to.name) == fs::canonicalize(&target).unwrap()) else {
                assert!(anchor.is_empty(), "{}: {link}", from.name);
                continue;
            };
            assert!(anchor.is_empty() || to.anchors().contains(&anchor.to_owned()), "{}: {link}", from.name);
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_page_is_listed() {
    let index = page("docs/README.md");
    let listed: BTreeSet<String> = index.links().into_iter().map(|link| format!("docs/{link}")).collect();
    let pages = pages().into_iter().map(|page| page.name).filter(|name| name.starts_with("docs/"));
    for name in pages.filter(|name| *name != index.name) {
        assert!(listed.contains(&name), "{name}");
    }
}

#[test]
fn commands_that_need_no_cluster_print_what_is_told() {
    let mut count = 0;
    // The guide has a project of its own, and a test of its own.
    for page in pages().into_iter().filter(|page| page.name != "docs/policy.md") {
        if page.fences().iter().any(|fence| fence.is_console() && !fence.needs_cluster()) {
            count += terminal().read(&page, |fence| !fence.needs_cluster());
        }
    }
    assert!(count > 10, "{count}");
}

#[test]
fn what_no_test_tries_is_little() {
    for page in pages() {
        for fence in page.fences() {
            let place = format!("{}:{}", page.name, fence.line);
            assert!(fence.is_console() || SHOWN.contains(&fence.info.as_str()), "{place}: `{}`", fence.info);
            if fence.info == "text" {
                let is_typed = fence.text.starts_with("$ ") && !page.name.starts_with("docs/runs/");
                assert!(!is_typed, "{place}: a terminal is a `console`");
            }
            for line in fence.text.lines().filter(|_| fence.info == "sh") {
                assert!(UNTRIED.iter().any(|known| line.starts_with(known)), "{place}: nobody tries `{line}`");
            }
        }
    }
}

#[test]
fn a_terminal_tells_what_differs() {
    for (printed, told, same) in [
        ("a\nb\n", "a\nb\n", true),
        ("a\nb\n", "a\n", false),
        ("a 12s\nb\n", "a …\nb\n", true),
        ("a\nb\nc\nd\n", "a\n…\nd\n", true),
        ("a\nb\nc\n", "…\nb\n…\n", true),
        ("a\nb\n", "…\nc\n", false),
        ("ab", "a…b…b", false),
        ("b\n", "…\nb\n", true),
        ("", "…", true),
    ] {
        assert_eq!(is_as_told(printed, told), same, "{printed:?} {told:?}");
    }
    let page = Page {
        name: "x".to_owned(),
        text: "- a\n\n  ```console\n  $ echo a \\\n      b\n  a b\n  $ cd /\n  ```\n```console cluster\n$ c\n```\n"
            .to_owned(),
    };
    let typed = |command: &str, printed: &str| Typed { command: command.to_owned(), printed: printed.to_owned() };
    let fences = page.fences();
    assert_eq!(fences[0].typed(), [typed("echo a \\\n    b", "a b\n"), typed("cd /", "")]);
    assert!(fences[1].needs_cluster() && !fences[0].needs_cluster());
    let mut terminal = terminal();
    assert_eq!(terminal.read(&page, |fence| !fence.needs_cluster()), 2);
    assert_eq!(terminal.at(), std::path::Path::new("/"));
}

/// Inline code, and what stands in fences.
fn code(page: &Page) -> Vec<String> {
    let prose = page.prose();
    let inline = prose.split('`').skip(1).step_by(2).map(str::to_owned);
    let typed = page.fences().into_iter().flat_map(|fence| {
        fence.text.lines().map(|line| line.trim_start_matches("$ ").trim().to_owned()).collect::<Vec<_>>()
    });
    inline.chain(typed).collect()
}

#[test]
fn commands_and_targets_that_are_named_exist() {
    let known: BTreeSet<String> =
        page("docs/command-line.md").sections(2).into_iter().map(|(heading, _)| heading).collect();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile.lines().filter_map(|line| line.strip_prefix(".PHONY: ")).collect();
    let (mut commands, mut made) = (0, 0);
    for page in pages().into_iter().filter(|page| page.name != "CHANGELOG.md") {
        for code in code(&page) {
            let words: Vec<&str> = code.split_whitespace().skip_while(|word| word.contains('=')).collect();
            let is_name =
                |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
            match words.as_slice() {
                ["chart-operator", command, ..] if is_name(command) && *command != "markdown" => {
                    assert!(
                        known.iter().any(|known| *known == format!("chart-operator {command}")),
                        "{}: {code}",
                        page.name
                    );
                    commands += 1;
                }
                // In a project of a user's own there are others.
                ["make", rest @ ..] if !OF_PROJECTS.contains(&page.name.as_str()) => {
                    for target in rest.iter().take_while(|word| is_name(word)) {
                        assert!(targets.contains(target), "{}: {code}", page.name);
                        made += 1;
                    }
                }
                _ => {}
            }
        }
    }
    assert!(commands > 10 && made > 10, "{commands} {made}");
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}: ")) && makefile.contains("## "), "`{target}` is not described");
    }
}

#[test]
fn the_page_of_the_commands_is_what_they_print() {
    let output = Command::new(env!("CARGO_BIN_EXE_chart-operator")).arg("markdown").output().unwrap();
    let (kept, printed) = (page("docs/command-line.md").text, String::from_utf8(output.stdout).unwrap());
    assert!(kept == printed, "print it anew: cargo run -- markdown > docs/command-line.md");
}

/// What stands between the first backticks of each row of tables.
fn rows(text: &str) -> Vec<String> {
    let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    text.lines().filter_map(row).collect()
}

fn names<T: ToString>(all: &[T]) -> BTreeSet<String> {
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn every_reason_has_a_section_of_what_to_do() {
    let told: Vec<String> = page("docs/troubleshooting.md").sections(3).into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), names(Reason::ALL));
    assert_eq!(told.len(), Reason::ALL.len(), "a section is there twice");
}

/// The text of all that is not a test below `src`.
fn sources() -> String {
    let mut text = String::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

#[test]
fn there_is_no_reason_that_nobody_gives() {
    let sources = sources();
    let given = |reason: &&Reason| sources.contains(&format!("Reason::{reason}"));
    let idle: Vec<_> = Reason::ALL.iter().filter(|reason| !given(reason)).collect();
    assert_eq!(idle, Vec::<&Reason>::new());
}

#[test]
fn the_page_of_the_status_names_every_condition_and_every_event_of_its_own() {
    let page = page("docs/status-and-conditions.md");
    let section = |heading: &str| page.sections(2).into_iter().find(|(known, _)| known == heading).unwrap().1;
    assert_eq!(rows(&section("Conditions")), Condition::ALL.map(|condition| condition.to_string()));
    let sources = sources();
    let after = |call: &str| -> Vec<String> {
        sources.split(call).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    };
    let mut events = after("publish(EventType::Normal, \"");
    events.extend(after("publish(EventType::Warning, \""));
    events.extend(after("self.warn(\""));
    assert_eq!(names(&rows(&section("Events"))), names(&events));
    assert!(events.len() >= 4, "{events:?}");
}

#[test]
fn every_field_of_a_watch_that_is_shown_is_understood() {
    let mut count = 0;
    for name in ["docs/watches.md", "docs/lookups.md", "docs/rendering.md", "docs/security.md"] {
        for fence in page(name).fences().into_iter().filter(|fence| fence.info == "yaml") {
            let is_list = fence.text.starts_with("- ");
            let entry = "- {group: example.com, version: v1, kind: Shop, chart: shop}\n";
            let block = "- group: example.com\n  version: v1\n  kind: Shop\n  chart: shop\n";
            let text = match fence.text.as_str() {
                text if text.starts_with("# yaml-language-server") => format!("{text}{entry}"),
                text if is_list => text.to_owned(),
                fields => format!("{block}  {}\n", fields.trim_end().replace('\n', "\n  ")),
            };
            let read = watches::parse(name, &text).unwrap_or_else(|faults| panic!("{name}:{}: {faults:?}", fence.line));
            assert!(read.warnings.is_empty(), "{name}:{}: {:?}", fence.line, read.warnings);
            count += 1;
        }
    }
    assert!(count > 8, "{count}");
}
