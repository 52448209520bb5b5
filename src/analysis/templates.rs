//! Templates, parsed in every branch: what does not parse, calls that cannot succeed, kinds that are not served any more.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::analysis::apis::{self, Removed};
use crate::analysis::level::Level;
use crate::chart::File;
use crate::diagnostic::{Diagnostic, Place, Source, nearest};
use crate::render;
use crate::template::outline::Piece;
use crate::template::survey::{self, Call, Called, Survey};

/// Functions whose result is another each time.
const CHANCE: &[&str] = &[
    "bcrypt",
    "encryptAES",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htpasswd",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "shuffle",
    "uuidv4",
];

/// What the names of Handlebars templates end in.
pub(crate) const HANDLEBARS: &str = ".hbs";

/// A template that does not parse.
pub(crate) struct Unparsed {
    /// Its path among the outermost chart's files; nothing inside of an archive.
    pub(crate) name: Option<String>,
    /// Whether other templates may miss what it defines.
    pub(crate) defines: bool,
}

/// What has no value where no record is kept, and what to do.
const PREVIOUS: &str = "`.Previous` is always empty: `history: 0` keeps no record of earlier values";
const KEEP: &str = "keep records (`history: 1`)";

/// Looks at all templates of a chart and of its sub-charts; gives those that do not parse.
pub(crate) fn check(root: &Level, has_records: bool, found: &mut Vec<Diagnostic>) -> Vec<Unparsed> {
    let functions = render::functions();
    let mut surveys: Vec<Survey> = Vec::new();
    let mut unparsed = Vec::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for level in root.all() {
        let operator = operator(level).filter(|_| std::ptr::eq(level, root));
        for file in templates(level).chain(operator) {
            if file.name.ends_with(HANDLEBARS) {
                names.extend(short_name(&file.name));
                if !has_records {
                    found.extend(previous_of_handlebars(&level.source(file)));
                }
                if let Some(fault) = handlebars(level, file) {
                    found.push(fault);
                    unparsed.push(Unparsed { name: level.name_of(file), defines: short_name(&file.name).is_some() });
                }
                continue;
            }
            let survey = survey::survey(&level.path_of(&file.name), &file.data, &functions);
            found.extend(survey.faults.iter().map(crate::template::Error::to_diagnostic));
            if !survey.faults.is_empty() {
                unparsed.push(Unparsed { name: level.name_of(file), defines: !survey.defined.is_empty() });
            }
            names.extend(survey.defined.iter().cloned());
            written(level, file, found);
            if !has_records {
                survey.outlines.iter().for_each(|outline| hooks(&outline.pieces, &outline.source, found));
                let previous = survey.reads.iter().filter(|read| read.fields.split('.').nth(1) == Some("Previous"));
                found.extend(previous.map(|read| Diagnostic::error(PREVIOUS).hint(KEEP).at(&read.source, read.place)));
            }
            surveys.push(survey);
        }
    }
    let missing = missing_dependencies(root);
    for call in surveys.iter().flat_map(|survey| &survey.calls) {
        if let Some(fault) = call.wrong_count() {
            found.push(Diagnostic::error(fault).at(&call.source, call.place));
        }
        match &call.callee {
            Called::Template { name } => undefined(call, name, &names, &missing, found),
            Called::Function { name, .. } if !has_records && CHANCE.contains(&name.as_str()) => {
                let message =
                    format!("`{name}` gives something else each time, and `history: 0` keeps no record of it");
                let hint = "keep records (`history: 1`), or take the value from a Secret by `lookup`";
                found.push(Diagnostic::error(message).at(&call.source, call.place).hint(hint));
            }
            Called::Function { .. } => {}
        }
    }
    unparsed
}

/// Whether a file holds only what others include.
pub(crate) fn is_partial(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|name| name.starts_with('_'))
}

/// What Helm parses: of a library only its partials.
pub(crate) fn templates(level: &Level) -> impl Iterator<Item = &File> {
    let is_library = level.metadata.as_ref().is_some_and(|metadata| metadata.r#type.eq_ignore_ascii_case("library"));
    level
        .files
        .iter()
        .filter(move |file| file.name.starts_with("templates/") && (!is_library || is_partial(&file.name)))
}

/// What the operator renders beside the templates: of the outermost chart.
fn operator(level: &Level) -> impl Iterator<Item = &File> {
    [render::POLICY, render::STATUS].into_iter().filter_map(|name| level.file(name))
}

fn handlebars(level: &Level, file: &File) -> Option<Diagnostic> {
    let base_path = level.path_of("templates");
    let error = render::parse_handlebars(&level.path_of(&file.name), &base_path, &file.data).err()?;
    Some(error.to_diagnostic())
}

/// Each place where a Handlebars template may read `.Previous`.
fn previous_of_handlebars(source: &Arc<Source>) -> Vec<Diagnostic> {
    const NAME: &str = "Previous";
    let mut found = Vec::new();
    for (at, _) in source.text.match_indices(NAME) {
        let (before, after) = (source.text.get(..at).unwrap_or_default(), source.text.get(at + NAME.len()..));
        let in_braces = before.rfind("{{").is_some_and(|open| before.rfind("}}").is_none_or(|close| close < open));
        let starts = before.ends_with("@root.") || before.ends_with([' ', '{', '(', '=']);
        let ends = after.is_some_and(|after| after.starts_with([' ', '}', '.', ')']));
        if in_braces && starts && ends {
            found.push(Diagnostic::error(PREVIOUS).hint(KEEP).at(source, Place::of(&source.text, at, NAME.len())));
        }
    }
    found
}

/// The name a Handlebars partial can be included by beside its path: `parts/nav.html` of `parts/_nav.html.hbs`.
fn short_name(file: &str) -> Option<String> {
    let file = file.strip_prefix("templates/")?.strip_suffix(HANDLEBARS)?;
    let (directory, name) = file.rsplit_once('/').map_or((None, file), |(directory, name)| (Some(directory), name));
    let name = name.strip_prefix('_')?;
    Some(directory.map_or_else(|| name.to_owned(), |directory| format!("{directory}/{name}")))
}

fn undefined(call: &Call, name: &str, names: &BTreeSet<String>, missing: &[String], found: &mut Vec<Diagnostic>) {
    // A file is a template too, under the path that Helm gives it.
    if names.contains(name) || name.contains("/templates/") {
        return;
    }
    let fault = Diagnostic::error(format!("no template `{name}` is defined in the chart or its sub-charts"));
    let fault = fault.at(&call.source, call.place);
    let near = nearest(name, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    let elsewhere = || {
        let missing = missing.join("`, `");
        (!missing.is_empty()).then(|| format!("it may be defined in `{missing}`, which is not in charts/"))
    };
    found.push(match near.or_else(elsewhere) {
        Some(hint) => fault.hint(hint),
        None => fault,
    });
}

fn missing_dependencies(root: &Level) -> Vec<String> {
    let missing = |level: &Level| {
        let wanted = level.metadata.iter().flat_map(|metadata| &metadata.dependencies);
        let wanted = wanted.filter(|wanted| !level.below.iter().any(|below| below.name() == wanted.name));
        wanted.map(|wanted| wanted.name.clone()).collect::<Vec<_>>()
    };
    root.all().into_iter().flat_map(missing).collect()
}

/// Warns of kinds in versions that went. A file that asks what the cluster serves chooses for itself.
fn written(level: &Level, file: &File, found: &mut Vec<Diagnostic>) {
    let source = level.source(file);
    if source.text.contains(".Capabilities") {
        return;
    }
    for written in apis::written(&source.text) {
        if let Some(removed) = Removed::find(written.api_version, written.kind) {
            found.push(removed.tell(written.kind, Diagnostic::warning).at(&source, written.place));
        }
    }
}

/// What makes an object a hook.
const HOOK: &str = "helm.sh/hook";

/// Refuses hooks where no record tells how far they are.
fn hooks(pieces: &[Piece], source: &Arc<Source>, found: &mut Vec<Diagnostic>) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => found.extend(text.lines().filter(|line| is_hook(line)).map(|line| {
                let message = "hooks are run, and `history: 0` keeps no record of how far they are";
                let fault = Diagnostic::error(message).hint(KEEP);
                match place(&source.text, line) {
                    Some(place) => fault.at(source, place),
                    None => fault.within(source),
                }
            })),
            Piece::Either(branches) => branches.iter().for_each(|branch| hooks(branch, source, found)),
            Piece::Repeat(body) => hooks(body, source, found),
            Piece::Action(..) => {}
        }
    }
}

/// Whether a line makes an object a hook that is run; those of tests never are.
fn is_hook(line: &str) -> bool {
    let runs = |after: &str| {
        let event = after.trim_start_matches(['"', '\'', ':', ' ']);
        !(after.starts_with('-') || event.starts_with("test"))
    };
    !line.trim_start().starts_with('#') && line.split(HOOK).skip(1).any(runs)
}

/// Where the annotation stands that `line`, which may be a part of one, holds.
fn place(text: &str, line: &str) -> Option<Place> {
    let (number, whole) = text.lines().enumerate().find(|(_, whole)| whole.contains(line))?;
    let (before, _) = whole.split_once(HOOK)?;
    Some(Place { line: number + 1, column: before.chars().count() + 1, width: HOOK.len() })
}
