//! Our annotations on objects as templates write them, in every branch: what the operator refuses whatever is rendered.
//!
//! Only what is surely an annotation of an object counts: below `metadata.annotations` at the margin, in block or flow style.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::level::Level;
use crate::analysis::templates;
use crate::diagnostic::{Diagnostic, Place, Source};
use crate::release::labels::{HOOK, OURS};
use crate::release::mode::{by_itself, of_policy};
use crate::render::POLICY;

/// An annotation of ours.
#[derive(Debug, PartialEq, Eq)]
struct Written<'t> {
    /// Without its prefix.
    name: &'t str,
    /// As it is written, maybe with actions.
    value: &'t str,
    place: Place,
}

/// Tells what annotations in the templates of a chart and its sub-charts say in vain.
pub(crate) fn check(root: &Level, found: &mut Vec<Diagnostic>) {
    let has_policy = root.file(POLICY).is_some();
    for level in root.all() {
        for file in templates::templates(level) {
            let source = level.source(file);
            let faults = written(&source.text).into_iter().filter_map(|written| fault(&written, has_policy, &source));
            found.extend(faults);
        }
    }
}

fn fault(written: &Written<'_>, has_policy: bool, source: &Arc<Source>) -> Option<Diagnostic> {
    let Written { name, value, place } = written;
    if !has_policy {
        let fault = of_policy(&BTreeMap::from([((*name).to_owned(), (*value).to_owned())]))?;
        let hint = format!("only a chart with `{POLICY}` understands it; the file may be empty");
        return Some(Diagnostic::error(fault.to_string()).hint(hint).at(source, *place));
    }
    let fault = Some(*value).filter(|value| !value.contains("{{")).and_then(|value| by_itself(name, value))?;
    Some(Diagnostic::error(fault.to_string()).at(source, *place))
}

/// The annotations in a text that may be a template. Those of hooks are not among them: hooks have no place.
fn written(text: &str) -> Vec<Written<'_>> {
    let mut all = Vec::new();
    let mut of_document = Vec::new();
    let mut is_hook = false;
    // The keys that the line is below, each with its indentation.
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut comment = None;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("---") {
            all.extend(of_document.drain(..).filter(|_| !is_hook));
            (is_hook, above) = (false, Vec::new());
        }
        is_hook |= line.contains(HOOK);
        let body = line.trim_start();
        comment = comment.or_else(|| comment_end(body));
        if let Some(end) = comment {
            comment = Some(end).filter(|end| !line.contains(end));
            continue;
        }
        if body.is_empty() || body.starts_with(['#', '{']) {
            continue;
        }
        let indent = line.len() - body.len();
        above.retain(|(of, _)| *of < indent);
        let keys: Vec<&str> = above.iter().map(|(_, key)| *key).collect();
        let is_at_margin = above.first().map_or(indent, |(of, _)| *of) == 0;
        let start = match keys.as_slice() {
            ["metadata", "annotations"] => Some(indent),
            ["metadata"] if body.starts_with("annotations:") => line.find('{'),
            [] if body.starts_with("metadata:") => flow_annotations(line),
            _ => None,
        };
        if let Some(start) = start.filter(|_| is_at_margin) {
            of_document.extend(entries(line, start, number + 1));
        }
        above.push((indent, body.split(':').next().unwrap_or_default()));
    }
    all.extend(of_document.into_iter().filter(|_| !is_hook));
    all
}

/// What ends the comment of a template that a line begins with.
fn comment_end(line: &str) -> Option<&'static str> {
    let action = line.strip_prefix("{{")?.trim_start_matches(['-', '~']).trim_start();
    match action {
        _ if action.starts_with("/*") => Some("*/"),
        _ if action.starts_with("!--") => Some("--"),
        _ => None,
    }
}

fn flow_annotations(line: &str) -> Option<usize> {
    let key = line.find("annotations:")?;
    Some(key + line.get(key..)?.find('{')?)
}

/// The entries of ours in a line from `start` on: of a flow mapping if that begins there.
fn entries(line: &str, start: usize, number: usize) -> Vec<Written<'_>> {
    let Some(text) = line.get(start..) else { return Vec::new() };
    let is_flow = text.starts_with('{') && !text.starts_with("{{");
    let starts = text.match_indices(OURS).map(|(at, _)| start + at);
    let starts =
        starts.filter(|at| is_flow || line.get(start..*at).is_some_and(|before| matches!(before, "" | "\"" | "'")));
    starts.filter_map(|at| entry(line, at, is_flow, number)).collect()
}

fn entry(line: &str, at: usize, is_flow: bool, number: usize) -> Option<Written<'_>> {
    let rest = line.get(at + OURS.len()..)?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))?;
    let (name, rest) = rest.split_at(end);
    let value = rest.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?.trim();
    let value = match value.chars().next().filter(|quote| matches!(quote, '"' | '\'')) {
        Some(quote) => value.get(1..)?.split(quote).next()?,
        None if value.starts_with("{{") => value,
        None if is_flow => value.split([',', '}']).next()?.trim(),
        None => value.split(" #").next()?.trim(),
    };
    let column = line.get(..at)?.chars().count() + 1;
    Some(Written { name, value, place: Place { line: number, column, width: OURS.len() + name.len() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_of_objects_are_found_in_what_is_no_yaml_yet() {
        for (text, want) in [
            ("metadata:\n  annotations:\n    chart-operator.dev/mode: patch # x\n", "3:5 mode=patch"),
            ("metadata:\n  annotations:\n    {{- if .a }}\n    \"chart-operator.dev/on\": 'x'\n", "4:6 on=x"),
            ("metadata:\n  name: a\n  annotations: {a/b: c, chart-operator.dev/mode: patch}\n", "3:25 mode=patch"),
            (
                "metadata: {annotations: {chart-operator.dev/mode: patch, chart-operator.dev/phase: {{ .x }}}}\n",
                "1:26 mode=patch 1:58 phase={{ .x }}}}",
            ),
            ("metadata:\n  annotations:\n    chart-operator.dev/mode: {{ .x }}\n", "3:5 mode={{ .x }}"),
            (
                "metadata:\n  annotations:\n    {{/* a\n    chart-operator.dev/mode: a */}}\n    # chart-operator.dev/on: x\n",
                "",
            ),
            ("metadata:\n  annotations:\n    helm.sh/hook: pre-install\n    chart-operator.dev/mode: a\n", ""),
            ("spec:\n  template:\n    metadata:\n      annotations:\n        chart-operator.dev/mode: a\n", ""),
            ("data:\n  a: |\n    metadata: {annotations: {chart-operator.dev/mode: a}}\n", ""),
            (
                "metadata:\n  annotations:\n    other: chart-operator.dev/mode: a\n  labels:\n    chart-operator.dev/on: x\n",
                "",
            ),
        ] {
            let told = written(text).into_iter().map(|found| {
                let Written { name, value, place } = found;
                format!("{}:{} {name}={value}", place.line, place.column)
            });
            assert_eq!(told.collect::<Vec<_>>().join(" "), want, "{text}");
        }
    }
}
