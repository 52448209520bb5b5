//! Which module may name which, and which may name the world outside: the law of `ARCHITECTURE.md`, as a test.
//!
//! Every file under `src` is parsed. What stands under `#[cfg(test)]` is left out; all other tokens are read for paths,
//! so that a path in a `use`, a type, an expression, an attribute or the body of a macro counts alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, LineColumn, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Holds the table: each module, and the modules it may name. A row names only rows above it, so there are no cycles.
/// A row may wait for its module; a module without a row is a fault. `*`: every module.
const LAW: &str = include_str!("../../ARCHITECTURE.md");

/// The half that is given the world and never looks at it.
const PURE: &str = "value diagnostic yaml shape readiness template functions chart values policy release render watches status metrics analysis scaffold";

/// Where a path outside the crate may stand.
enum Place {
    /// Only in these modules or files.
    Only(&'static [&'static str]),
    /// Everywhere but in [`PURE`].
    NotPure,
}

/// Paths outside the crate, by their beginning. A name with `!` is a macro.
const OUTSIDE: &[(&str, Place)] = &[
    ("kube", Place::Only(&["cluster", "reconcile", "operator"])),
    ("k8s_openapi", Place::Only(&["cluster", "reconcile", "operator"])),
    ("tokio", Place::NotPure),
    ("tokio_stream", Place::NotPure),
    ("futures", Place::NotPure),
    ("axum", Place::Only(&["server"])),
    ("hyper", Place::Only(&["fetch"])),
    ("hyper_util", Place::Only(&["fetch"])),
    ("notify", Place::Only(&["catalog"])),
    ("prometheus_client", Place::Only(&["metrics"])),
    ("tracing_subscriber", Place::Only(&["telemetry"])),
    ("anyhow", Place::Only(&["cli", "main"])),
    ("clap", Place::Only(&["cli", "main"])),
    ("indicatif", Place::Only(&["cli"])),
    ("tokio::fs", Place::Only(&["catalog", "cli", "server"])),
    ("std::fs", Place::Only(&["chart/files.rs", "catalog", "cli", "server"])),
    ("std::env", Place::Only(&["cli", "main"])),
    ("std::process", Place::Only(&["cli", "main"])),
    ("std::io::stdin", Place::Only(&["cli", "main"])),
    ("std::io::stdout", Place::Only(&["cli", "main"])),
    ("std::io::stderr", Place::Only(&["cli", "main", "telemetry"])),
    ("print!", Place::Only(&["cli"])),
    ("println!", Place::Only(&["cli"])),
    ("eprint!", Place::Only(&["cli", "main"])),
    ("eprintln!", Place::Only(&["cli", "main"])),
    ("std::time::SystemTime", Place::NotPure),
    ("std::time::Instant", Place::NotPure),
    ("jiff::Timestamp::now", Place::NotPure),
    ("jiff::Zoned::now", Place::NotPure),
    ("rand", Place::NotPure),
    ("getrandom", Place::NotPure),
    ("uuid::Uuid::new_v4", Place::NotPure),
];

/// The crate's own name: inside the library it would be a detour around `crate`.
const OWN_NAME: &str = "chart_operator";

/// Files under `src` by path, `/` between the parts.
type Sources = BTreeMap<String, String>;

#[test]
fn modules_name_only_what_their_row_allows() -> anyhow::Result<()> {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))?;
    assert_eq!(faults(&sources), Vec::<String>::new());
    Ok(())
}

#[test]
fn the_scan_of_this_tree_sees_its_paths() -> anyhow::Result<()> {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))?;
    let text = sources.get("template/function.rs").map_or("", String::as_str);
    let scan = Scan::of(text).map_err(anyhow::Error::msg)?;
    assert!(scan.paths.iter().any(|path| path.segments.starts_with(&["crate".to_owned(), "value".to_owned()])));
    let seen: usize = sources.values().filter_map(|text| Scan::of(text).ok()).map(|scan| scan.paths.len()).sum();
    assert!(seen > 500, "{seen} paths in {} files", sources.len());
    Ok(())
}

#[test]
fn a_row_names_only_rows_above_it() {
    let mut above: Vec<&str> = Vec::new();
    for (module, allowed) in rows() {
        assert!(!above.contains(&module), "`{module}` has two rows");
        for name in allowed {
            assert!(name == "*" || above.contains(&name), "`{module}` names `{name}`, which is not above it");
        }
        above.push(module);
    }
    for name in PURE.split(' ') {
        assert!(above.contains(&name), "`{name}` is pure and has no row");
    }
    assert!(above.len() > 20, "{above:?}");
}

#[test]
fn what_the_law_allows_is_no_fault() {
    for (file, text) in [
        ("render/mod.rs", "use crate::{value::Value, chart::{self, Chart}};"),
        ("render/mod.rs", "use crate::render::world::World; fn f() { self::g(); } fn g() {}"),
        ("render/mod.rs", "pub(crate) fn f() {} pub(super) fn g() {} pub(in crate::render) fn h() {}"),
        ("render/mod.rs", "#[cfg(test)] mod tests { use super::*; use crate::cli::run; }"),
        ("render/mod.rs", "#[cfg(all(test, unix))] use std::fs;\n#[test] fn t() { std::env::var(\"A\").unwrap(); }"),
        ("render/mod.rs", "impl X { #[cfg(test)] fn f() -> std::time::Instant { std::time::Instant::now() } }"),
        ("render/mod.rs", "/// As `crate::cli` and kube::Client do.\nfn f() -> &'static str { \"crate::cli\" }"),
        ("render/mod.rs", "mod rand { pub fn f() {} } fn g() { rand::f() }"),
        ("render/mod.rs", "use std::time::Duration; fn f() -> Duration { Duration::ZERO }"),
        ("chart/files.rs", "use std::fs; fn f() { fs::read(\"x\"); }"),
        ("cluster/mod.rs", "use kube::Client; use tokio::time::Instant; use std::time::SystemTime;"),
        ("cli/mod.rs", "use crate::{reconcile, server}; fn f() { println!(\"{}\", std::env::args().count()); }"),
        ("main.rs", "use chart_operator::cli; fn main() { eprintln!(\"x\"); }"),
    ] {
        assert_eq!(faults(&tree(file, text)), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn what_the_law_forbids_is_found() {
    for (file, text, want) in [
        ("template/mod.rs", "use crate::chart::Chart;", "`template` may not name `chart`"),
        ("template/mod.rs", "use crate::{value::Value, chart::Chart};", "`template` may not name `chart`"),
        ("template/mod.rs", "use crate::chart as c;", "`template` may not name `chart`"),
        ("template/mod.rs", "fn f() { crate::render::render() }", "`template` may not name `render`"),
        ("template/mod.rs", "fn f(x: Vec<crate::render::X>) {}", "`template` may not name `render`"),
        ("template/mod.rs", "fn f() { Vec::<crate::render::X>::new(); }", "`template` may not name `render`"),
        (
            "template/mod.rs",
            "fn f() { assert!(matches!(x, crate::chart::X { .. })); }",
            "`template` may not name `chart`",
        ),
        ("template/mod.rs", "macro_rules! m { () => { $crate::chart::x() } }", "`template` may not name `chart`"),
        ("template/mod.rs", "#[serde(with = \"crate::chart::x\")] struct X;", "`template` may not name `chart`"),
        ("template/mod.rs", "#[cfg(not(test))] use crate::chart::Chart;", "`template` may not name `chart`"),
        ("template/mod.rs", "#[cfg(any(test, unix))] use crate::chart::Chart;", "`template` may not name `chart`"),
        ("template/mod.rs", "mod inner { use crate::chart::Chart; }", "`template` may not name `chart`"),
        ("template/mod.rs", "use super::chart::Chart;", "`super::`"),
        ("template/mod.rs", "fn f() { vec![super::x()]; }", "`super::`"),
        ("template/mod.rs", "use self::super::chart::Chart;", "`super::`"),
        ("template/mod.rs", "use crate::Chart;", "`crate::Chart` is no module"),
        ("template/mod.rs", "fn f() { crate::shout!(); }", "`crate::shout` is no module"),
        ("template/mod.rs", "use crate as root;", "`crate` itself"),
        ("template/mod.rs", "use crate::{self as root};", "`crate` itself"),
        ("template/mod.rs", "use chart_operator::value::Value;", "`chart_operator`"),
        ("template/mod.rs", "extern crate kube;", "`extern crate`"),
        ("template/mod.rs", "use crate::value::*;", "glob"),
        ("template/mod.rs", "include!(\"other.rs\");", "`include!`"),
        ("template/mod.rs", "#[path = \"other.rs\"] mod other;", "`#[path]`"),
        ("template/mod.rs", "fn f( {", "does not parse"),
        ("render/mod.rs", "use kube::Client;", "`kube` may stand only in"),
        ("render/mod.rs", "fn f() { ::kube::Client::x() }", "`kube` may stand only in"),
        ("render/mod.rs", "use std::{fs, io};", "`std::fs` may stand only in"),
        ("render/mod.rs", "use std::{self}; fn f() { std::fs::read(\"x\"); }", "`std::fs` may stand only in"),
        ("render/mod.rs", "use std::time; fn f() { time::Instant::now(); }", "`std::time::Instant` may not stand"),
        ("render/mod.rs", "use std::time as t; fn f() { t::SystemTime::now(); }", "`std::time::SystemTime` may not"),
        ("render/mod.rs", "use jiff::Timestamp; fn f() { Timestamp::now(); }", "`jiff::Timestamp::now` may not stand"),
        ("render/mod.rs", "#[tokio::main] async fn f() {}", "`tokio` may not stand"),
        ("render/mod.rs", "fn f() { let x: u8 = rand::random(); }", "`rand` may not stand"),
        ("render/mod.rs", "fn f() { println!(\"x\"); }", "`println!` may stand only in"),
        ("chart/load.rs", "use std::fs;", "`std::fs` may stand only in"),
        ("server/mod.rs", "#[derive(clap::Parser)] struct X;", "`clap` may stand only in"),
        ("server/mod.rs", "use crate::reconcile::X;", "`server` may not name `reconcile`"),
        ("server/mod.rs", "use crate::cli::X;", "`server` may not name `cli`"),
        ("unknown/mod.rs", "fn f() {}", "`unknown` has no row"),
        ("main.rs", "use chart_operator::server; fn main() {}", "`main` may not name `server`"),
    ] {
        let found = faults(&tree(file, text));
        assert!(found.iter().any(|fault| fault.contains(want)), "{file}: {text}\nwant {want}\nfound {found:?}");
    }
}

#[test]
fn a_fault_names_file_and_line() {
    assert_eq!(
        faults(&tree("yaml/mod.rs", "//! Text.\n\nuse crate::chart;\n")),
        ["src/yaml/mod.rs:3: `yaml` may not name `chart`, only value, diagnostic"]
    );
}

#[test]
fn a_file_that_no_module_declares_is_found() {
    let mut sources = tree("yaml/mod.rs", "mod parse;\n#[cfg(test)] mod tests;");
    sources.insert("yaml/parse.rs".to_owned(), "mod deep;".to_owned());
    sources.insert("yaml/parse/deep.rs".to_owned(), String::new());
    sources.insert("yaml/tests.rs".to_owned(), "use super::*; mod more; use crate::cli::x;".to_owned());
    sources.insert("yaml/tests/more.rs".to_owned(), "use crate::cli::x;".to_owned());
    assert_eq!(faults(&sources), Vec::<String>::new());
    sources.insert("yaml/lost.rs".to_owned(), String::new());
    assert_eq!(faults(&sources), ["src/yaml/lost.rs: no `mod` declares this file"]);
}

#[test]
fn the_root_declares_modules_and_nothing_else() {
    for text in ["pub use value::Value;", "mod inner { }", "fn f() {}", "pub use self::value as other;"] {
        let found = faults(&tree("lib.rs", text));
        assert!(found.iter().any(|fault| fault.contains("declares modules")), "{text}: {found:?}");
    }
}

/// The table's rows: the block of text below the heading.
fn rows() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let lines = LAW.lines().skip_while(|line| *line != "## Dependencies").skip_while(|line| *line != "```text");
    let rows = lines.skip(1).take_while(|line| *line != "```").filter_map(|line| line.split_once(':'));
    rows.map(|(module, allowed)| (module, allowed.split_whitespace().collect()))
}

/// A tree of one file, and the root that declares it.
fn tree(file: &str, text: &str) -> Sources {
    let mut sources = Sources::from([(file.to_owned(), text.to_owned())]);
    if let Some((directory, name)) = file.split_once('/') {
        sources.entry("lib.rs".to_owned()).or_insert_with(|| format!("pub mod {directory};"));
        let below = name.trim_end_matches(".rs");
        sources.entry(format!("{directory}/mod.rs")).or_insert_with(|| format!("mod {below};"));
    }
    sources
}

/// Every `.rs` file below `directory`.
fn sources(directory: &Path) -> anyhow::Result<Sources> {
    let mut found = Sources::new();
    let mut waiting = vec![directory.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let parts: Vec<_> = path.strip_prefix(directory)?.iter().map(|part| part.to_string_lossy()).collect();
                found.insert(parts.join("/"), fs::read_to_string(&path)?);
            }
        }
    }
    Ok(found)
}

/// Every breach of the law, one line each.
fn faults(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    let mut declared = BTreeSet::new();
    for (root, is_root) in [("lib.rs", sources.contains_key("lib.rs")), ("main.rs", sources.contains_key("main.rs"))] {
        if is_root {
            check_file(&File { path: root.to_owned(), sources }, &mut declared, &mut faults);
        }
    }
    for path in sources.keys().filter(|path| !declared.contains(*path)) {
        faults.push(format!("src/{path}: no `mod` declares this file"));
    }
    faults
}

/// One file of a tree.
struct File<'a> {
    path: String,
    sources: &'a Sources,
}

/// Checks a file and those it declares.
fn check_file(file: &File<'_>, declared: &mut BTreeSet<String>, faults: &mut Vec<String>) {
    let path = &file.path;
    declared.insert(path.clone());
    let Some(text) = file.sources.get(path) else { return };
    match Scan::of(text) {
        Err(error) => faults.push(format!("src/{path}: does not parse: {error}")),
        Ok(scan) => {
            scan.check(path, faults);
            if path == "lib.rs" {
                check_root(text, faults);
            }
            for child in scan.modules {
                let Some(found) = child.file(path, file.sources) else { continue };
                if child.test {
                    declare_tests(&found, file.sources, declared);
                } else {
                    check_file(&File { path: found, sources: file.sources }, declared, faults);
                }
            }
        }
    }
}

/// A test module's files are outside the law, but they must be declared too.
fn declare_tests(path: &str, sources: &Sources, declared: &mut BTreeSet<String>) {
    declared.insert(path.to_owned());
    let Some(scan) = sources.get(path).and_then(|text| Scan::of(text).ok()) else { return };
    for found in scan.modules.iter().filter_map(|child| child.file(path, sources)) {
        declare_tests(&found, sources, declared);
    }
}

/// Names at the root of the crate would be ways around the table.
fn check_root(text: &str, faults: &mut Vec<String>) {
    let Ok(file) = syn::parse_file(text) else { return };
    for item in file.items {
        if !matches!(&item, syn::Item::Mod(module) if module.content.is_none()) {
            faults.push(format!("src/lib.rs:{}: the root declares modules and nothing else", item.span().start().line));
        }
    }
}

/// A module declared without a body.
struct Declared {
    /// The modules it stands in, inside its file, and its own name.
    name: Vec<String>,
    test: bool,
}

impl Declared {
    /// Where its file is, if it is there.
    fn file(&self, parent: &str, sources: &Sources) -> Option<String> {
        let stem = parent.trim_end_matches(".rs");
        let directory = match stem.rsplit_once('/') {
            None if stem == "lib" || stem == "main" => String::new(),
            Some((directory, "mod")) => format!("{directory}/"),
            _ => format!("{stem}/"),
        };
        let base = format!("{directory}{}", self.name.join("/"));
        [format!("{base}.rs"), format!("{base}/mod.rs")].into_iter().find(|path| sources.contains_key(path))
    }
}

/// What one file names.
struct Scan {
    paths: Vec<Named>,
    modules: Vec<Declared>,
    /// Faults of the form, with their line.
    form: Vec<(usize, &'static str)>,
}

/// One path as it is written, groups of a `use` taken apart.
#[derive(Clone)]
struct Named {
    segments: Vec<String>,
    line: usize,
    imported: Option<String>,
    glob: bool,
}

impl Scan {
    fn of(text: &str) -> Result<Self, String> {
        let file = syn::parse_file(text).map_err(|error| error.to_string())?;
        let mut outline = Outline::default();
        outline.visit_file(&file);
        let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| error.to_string())?;
        let mut reader = Reader { tests: &outline.tests, paths: Vec::new() };
        reader.read(tokens);
        let aliases = aliases(&reader.paths);
        let paths = reader.paths.into_iter().flat_map(|path| expanded(path, &aliases, &outline.inner)).collect();
        Ok(Self { paths, modules: outline.modules, form: outline.form })
    }

    fn check(&self, path: &str, faults: &mut Vec<String>) {
        let module = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
        let mut found = BTreeSet::new();
        for (line, form) in &self.form {
            found.insert((*line, (*form).to_owned()));
        }
        let row = rows().find(|(name, _)| *name == module);
        if row.is_none() && module != "lib" {
            found.insert((1, format!("`{module}` has no row in the table of `ARCHITECTURE.md`")));
        }
        for named in &self.paths {
            let fault = inside(named, module, row.as_ref().map_or(&[], |(_, allowed)| allowed));
            found.extend(fault.or_else(|| outside(named, module, path)).map(|fault| (named.line, fault)));
        }
        faults.extend(found.into_iter().map(|(line, fault)| format!("src/{path}:{line}: {fault}")));
    }
}

/// What is wrong with a path into this crate.
fn inside(named: &Named, module: &str, allowed: &[&str]) -> Option<String> {
    let mut segments = named.segments.iter().map(String::as_str);
    let first = segments.next()?;
    let second = segments.next();
    if named.glob {
        return Some(format!("a glob hides what `{}` gives", named.segments.join("::")));
    }
    if named.segments.len() > 1 && named.segments.iter().any(|segment| segment == "super") {
        return Some("a path by way of `super::`; write it from `crate`".to_owned());
    }
    match (first, second) {
        ("crate", None) if named.imported.is_some() => Some("a `use` of `crate` itself".to_owned()),
        (OWN_NAME, _) if module != "main" => Some(format!("`{OWN_NAME}` instead of `crate`")),
        ("crate" | OWN_NAME, Some(other)) if other != module => {
            if !rows().any(|(name, _)| name == other) {
                return Some(format!("`crate::{other}` is no module of the table; the root exports nothing else"));
            }
            let permitted = allowed == ["*"] || allowed.contains(&other);
            (!permitted).then(|| format!("`{module}` may not name `{other}`, only {}", allowed.join(", ")))
        }
        _ => None,
    }
}

/// What is wrong with a path out of this crate.
fn outside(named: &Named, module: &str, path: &str) -> Option<String> {
    let text = named.segments.join("::");
    OUTSIDE.iter().find_map(|(prefix, place)| {
        let named = text.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        match place {
            _ if !named => None,
            Place::Only(places) if !places.contains(&module) && !places.contains(&path) => {
                Some(format!("`{prefix}` may stand only in {}", places.join(", ")))
            }
            Place::NotPure if PURE.split(' ').any(|name| name == module) => {
                Some(format!("`{prefix}` may not stand in the pure half"))
            }
            _ => None,
        }
    })
}

/// Names that a `use` gives to longer paths.
fn aliases(paths: &[Named]) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut aliases: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for path in paths.iter().filter(|path| path.segments.len() > 1 || path.imported.as_ref() != path.segments.last()) {
        if let Some(name) = &path.imported {
            aliases.entry(name.clone()).or_default().push(path.segments.clone());
        }
    }
    aliases
}

/// The path, and what it means where its first name was imported. Modules of the file itself hide crates.
fn expanded(path: Named, aliases: &BTreeMap<String, Vec<Vec<String>>>, inner: &BTreeSet<String>) -> Vec<Named> {
    let Some((first, rest)) = path.segments.split_first() else { return Vec::new() };
    if inner.contains(first) {
        return Vec::new();
    }
    let meanings = aliases.get(first).filter(|_| path.imported.is_none()).into_iter().flatten();
    let longer: Vec<Named> =
        meanings.map(|meaning| Named { segments: [meaning.as_slice(), rest].concat(), ..path.clone() }).collect();
    longer.into_iter().chain([path]).collect()
}

/// What only the syntax tree tells: test code, modules, and forms that would blind the scan.
#[derive(Default)]
struct Outline {
    tests: Vec<(LineColumn, LineColumn)>,
    modules: Vec<Declared>,
    inner: BTreeSet<String>,
    inside: Vec<String>,
    form: Vec<(usize, &'static str)>,
}

/// Marks a node under `#[cfg(test)]` or `#[test]` as test code, whatever kind of node it is.
macro_rules! mark_tests {
    ($($method:ident: $node:ident,)*) => {$(
        fn $method(&mut self, node: &'ast syn::$node) {
            self.mark(&node.attrs, node.span());
            visit::$method(self, node);
        }
    )*};
}

impl Outline {
    fn mark(&mut self, attributes: &[syn::Attribute], span: proc_macro2::Span) {
        if attributes.iter().any(is_test) {
            self.tests.push((span.start(), span.end()));
        }
    }
}

impl<'ast> Visit<'ast> for Outline {
    mark_tests! {
        visit_item_const: ItemConst,
        visit_item_enum: ItemEnum,
        visit_item_fn: ItemFn,
        visit_item_impl: ItemImpl,
        visit_item_macro: ItemMacro,
        visit_item_static: ItemStatic,
        visit_item_struct: ItemStruct,
        visit_item_trait: ItemTrait,
        visit_item_type: ItemType,
        visit_item_use: ItemUse,
        visit_impl_item_const: ImplItemConst,
        visit_impl_item_fn: ImplItemFn,
        visit_trait_item_fn: TraitItemFn,
        visit_field: Field,
        visit_variant: Variant,
        visit_local: Local,
        visit_arm: Arm,
    }

    fn visit_item_mod(&mut self, node: &'ast syn::ItemMod) {
        self.mark(&node.attrs, node.span());
        let name = node.ident.to_string();
        if node.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            self.form.push((node.span().start().line, "`#[path]` hides where a module is"));
        }
        self.inside.push(name.clone());
        if node.content.is_none() {
            self.modules.push(Declared { name: self.inside.clone(), test: node.attrs.iter().any(is_test) });
        }
        visit::visit_item_mod(self, node);
        self.inside.pop();
        self.inner.insert(name);
    }

    fn visit_item_extern_crate(&mut self, node: &'ast syn::ItemExternCrate) {
        self.form.push((node.span().start().line, "`extern crate` gives a crate another name"));
    }

    fn visit_macro(&mut self, node: &'ast syn::Macro) {
        if node.path.is_ident("include") {
            self.form.push((node.span().start().line, "`include!` hides code"));
        }
        visit::visit_macro(self, node);
    }
}

/// Whether the attribute keeps its item out of everything but tests.
fn is_test(attribute: &syn::Attribute) -> bool {
    match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => requires_test(list.tokens.clone()),
        _ => false,
    }
}

/// `test`, or an `all(…)` that holds it.
fn requires_test(condition: TokenStream) -> bool {
    let mut previous = String::new();
    let mut found = false;
    let mut parts = 0;
    for token in condition {
        match &token {
            TokenTree::Ident(name) => {
                parts += 1;
                previous = name.to_string();
                found |= previous == "test";
            }
            TokenTree::Group(group) if previous == "all" => {
                return split(group.stream()).into_iter().any(requires_test);
            }
            _ => return false,
        }
    }
    found && parts == 1
}

/// The parts between commas.
fn split(list: TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> = list.into_iter().collect();
    tokens
        .split(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ','))
        .map(|part| part.iter().cloned().collect())
        .collect()
}

/// Reads paths off tokens.
struct Reader<'a> {
    tests: &'a [(LineColumn, LineColumn)],
    paths: Vec<Named>,
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = tokens.as_slice();
        let mut attribute = false;
        let mut import = false;
        while let Some((token, after)) = rest.split_first() {
            rest = after;
            let start = token.span().start();
            if self.tests.iter().any(|(from, to)| *from <= start && start < *to) {
                continue;
            }
            match token {
                TokenTree::Ident(name) if *name == "use" => import = true,
                TokenTree::Ident(_) => rest = self.path(Vec::new(), token, after, import),
                TokenTree::Group(group) if attribute => self.read_attribute(group.stream()),
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            let sign = |sign: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign);
            attribute = sign('#') || (attribute && sign('!'));
            import &= sign(':') || matches!(token, TokenTree::Ident(name) if *name == "use");
        }
    }

    /// An attribute's texts may be paths too (`with = "crate::…"`); documentation is text.
    fn read_attribute(&mut self, tokens: TokenStream) {
        let is_doc = matches!(tokens.clone().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc");
        if is_doc {
            return;
        }
        self.read_texts(tokens.clone());
        self.read(tokens);
    }

    fn read_texts(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.read_texts(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let Ok(path) = syn::parse_str::<syn::Path>(text.trim_matches('"')) else { continue };
                    let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                    self.paths.push(Named { segments, line: literal.span().start().line, imported: None, glob: false });
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }

    /// Reads on from a path's first name; gives what follows the path.
    fn path<'t>(
        &mut self,
        mut segments: Vec<String>,
        first: &TokenTree,
        mut rest: &'t [TokenTree],
        import: bool,
    ) -> &'t [TokenTree] {
        let line = first.span().start().line;
        if first.to_string() != "self" || segments.is_empty() {
            segments.push(first.to_string());
        }
        loop {
            match rest {
                [TokenTree::Punct(one), TokenTree::Punct(two), TokenTree::Ident(name), after @ ..]
                    if one.as_char() == ':' && two.as_char() == ':' =>
                {
                    segments.push(name.to_string());
                    rest = after;
                }
                [TokenTree::Punct(one), TokenTree::Punct(two), TokenTree::Group(group), after @ ..]
                    if one.as_char() == ':' && two.as_char() == ':' && group.delimiter() == Delimiter::Brace =>
                {
                    self.group(&segments, group.stream(), import);
                    return after;
                }
                [TokenTree::Punct(one), TokenTree::Punct(two), TokenTree::Punct(star), after @ ..]
                    if one.as_char() == ':' && two.as_char() == ':' && star.as_char() == '*' =>
                {
                    self.paths.push(Named { segments, line, imported: None, glob: true });
                    return after;
                }
                _ => break,
            }
        }
        let imported = match rest {
            [TokenTree::Ident(word), TokenTree::Ident(alias), ..] if import && *word == "as" => Some(alias.to_string()),
            _ => segments.last().filter(|_| import).cloned(),
        };
        if let ([TokenTree::Punct(bang), TokenTree::Group(_), ..], [name]) = (rest, segments.as_mut_slice())
            && bang.as_char() == '!'
        {
            name.push('!');
        }
        self.paths.push(Named { segments, line, imported, glob: false });
        rest
    }

    /// The branches of `prefix::{…}`.
    fn group(&mut self, prefix: &[String], branches: TokenStream, import: bool) {
        for branch in split(branches) {
            let tokens: Vec<TokenTree> = branch.into_iter().collect();
            match tokens.split_first() {
                Some((first @ TokenTree::Ident(_), rest)) => {
                    self.path(prefix.to_vec(), first, rest, import);
                }
                Some((TokenTree::Punct(star), _)) if star.as_char() == '*' => {
                    let line = star.span().start().line;
                    self.paths.push(Named { segments: prefix.to_vec(), line, imported: None, glob: true });
                }
                _ => {}
            }
        }
    }
}
