//! Adding to texts that a user may have changed: everything else stays as it is, comments included.
//!
//! Each edit is read again: where it would not say what was there and what was added, the user is told what to write.

use serde_json::Value as Json;

use crate::scaffold::Error;
use crate::yaml::{self, Node, Numbers};

/// Adds `item` to the list `resources` of a kustomization.
pub(super) fn add_resource(file: &'static str, text: &str, item: &str) -> Result<String, Error> {
    let before = resources(text).unwrap_or_default();
    if before.iter().any(|known| known == item) {
        return Ok(text.to_owned());
    }
    let line = format!("- {item}\n");
    let added = match last_resource(text) {
        Some((number, indent)) => insert_at(text, number, &format!("{indent}{line}")),
        None if text.lines().any(|line| line == "resources: []") => {
            text.replacen("resources: []\n", &format!("resources:\n{line}"), 1)
        }
        None => format!("{}resources:\n{line}", ended(text)),
    };
    let is_added =
        resources(&added).is_some_and(|now| now.len() == before.len() + 1 && now.last() == Some(&Json::from(item)));
    if is_added { Ok(added) } else { Err(no_place(file, &format!("resources:\n{line}"))) }
}

/// Adds an entry to a list that is the whole document, in front of `marker`.
pub(super) fn add_entry(file: &'static str, text: &str, marker: &str, entry: &str) -> Result<String, Error> {
    let added = before_marker(text, marker, entry).unwrap_or_else(|| format!("{}{entry}", ended(text)));
    let is_added = items(&yaml_of(text)).len() + 1 == items(&yaml_of(&added)).len();
    if is_added { Ok(added) } else { Err(no_place(file, entry)) }
}

/// Adds rules to the first role of a text: in front of `marker`, or behind the last of them.
pub(super) fn add_rules(
    file: &'static str,
    text: &str,
    marker: &str,
    rules: &[Json],
    block: &str,
) -> Result<String, Error> {
    let own = |text: &str| items(&yaml_of(text).get("rules").cloned().unwrap_or_default()).to_vec();
    let before = own(text);
    let added = before_marker(text, marker, block).unwrap_or_else(|| format!("{}{block}", ended(text)));
    let now = own(&added);
    let is_added = now.len() == before.len() + rules.len() && now.starts_with(&before) && now.ends_with(rules);
    if is_added { Ok(added) } else { Err(no_place(file, block)) }
}

/// Adds an entry to a list of a mapping, in front of the mapping's next key; or the list, in front of the key `next`.
pub(super) fn add_to_list(
    file: &'static str,
    text: &str,
    list: &str,
    next: &str,
    entry: &str,
) -> Result<String, Error> {
    let is_key = |line: &str| line.starts_with(|c: char| c.is_ascii_alphabetic());
    let mut lines = text.lines().enumerate();
    let there = lines.any(|(_, line)| line.trim_end() == format!("{list}:"));
    let place = if there {
        lines.find(|(_, line)| is_key(line)).map(|(number, _)| number)
    } else {
        text.lines().position(|line| line.starts_with(&format!("{next}:")))
    };
    let entry = if there { entry.to_owned() } else { format!("{list}:\n{entry}") };
    let added = match place {
        Some(number) => insert_at(text, number, &entry),
        None => format!("{}{entry}", ended(text)),
    };
    let count = |text: &str| items(&yaml_of(text).get(list).cloned().unwrap_or_default()).len();
    if count(&added) == count(text) + 1 { Ok(added) } else { Err(no_place(file, &entry)) }
}

/// The line behind the last of a kustomization's resources, and what stands before its `-`.
fn last_resource(text: &str) -> Option<(usize, String)> {
    let document = yaml::parse(text).ok()??;
    let last = document.get("resources").map(Node::items)?.last()?.place;
    let line = text.lines().nth(last.line.checked_sub(1)?)?;
    let (indent, rest) = line.split_once('-')?;
    (indent.trim().is_empty() && rest.starts_with(' ')).then(|| (last.line, indent.to_owned()))
}

fn resources(text: &str) -> Option<Vec<Json>> {
    Some(items(yaml_of(text).get("resources")?).to_vec())
}

/// With `block` as lines from number `number` on, the first being 0.
fn insert_at(text: &str, number: usize, block: &str) -> String {
    let before: String = text.split_inclusive('\n').take(number).collect();
    let after: String = text.split_inclusive('\n').skip(number).collect();
    format!("{}{block}{after}", ended(&before))
}

fn before_marker(text: &str, marker: &str, block: &str) -> Option<String> {
    let number = text.lines().position(|line| line.trim() == marker)?;
    Some(insert_at(text, number, block))
}

/// With its last line ended.
fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// What a text says; null where it says nothing that can be read, or a key twice.
fn yaml_of(text: &str) -> Json {
    if yaml::repeats_keys(text) {
        return Json::Null;
    }
    yaml::to_json(text, Numbers::Exact).unwrap_or_default()
}

fn items(json: &Json) -> &[Json] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn no_place(file: &'static str, wanted: &str) -> Error {
    Error::NoPlace { file, wanted: wanted.trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_added_behind_the_others_and_what_else_is_there_stays() {
        for (text, want) in [
            ("resources: []\n# m\n", "resources:\n- b\n# m\n"),
            ("resources:\n- a\n# m\n", "resources:\n- a\n- b\n# m\n"),
            ("resources:\n  - a # why\n\n  # m\npatches: []", "resources:\n  - a # why\n  - b\n\n  # m\npatches: []"),
            ("# mine\nnamePrefix: x", "# mine\nnamePrefix: x\nresources:\n- b\n"),
            ("resources:\n- b\n", "resources:\n- b\n"),
        ] {
            assert_eq!(add_resource("f", text, "b").unwrap(), want);
        }
        for text in ["resources: [a]\n", "resources: {a: b}\n", "resources: [\n"] {
            let error = add_resource("f", text, "b").unwrap_err().to_string();
            assert_eq!(error, "cannot add to `f`: write there\nresources:\n- b", "{text}");
        }
    }

    #[test]
    fn an_entry_is_added_before_the_marker_or_at_the_end() {
        for (text, want) in [
            ("# w\n# m\n", "# w\n- b: 1\n# m\n"),
            ("- a: 1\n# m\n", "- a: 1\n- b: 1\n# m\n"),
            ("- a: 1", "- a: 1\n- b: 1\n"),
            ("", "- b: 1\n"),
        ] {
            assert_eq!(add_entry("f", text, "# m", "- b: 1\n").unwrap(), want);
        }
        assert!(add_entry("f", "[]\n", "# m", "- b: 1\n").is_err());
        assert!(add_entry("f", "  - a: 1\n", "# m", "- b: 1\n").is_err());
    }

    #[test]
    fn rules_are_added_to_the_first_role_and_to_no_other() {
        let rules = [serde_json::json!({"verbs": ["get"]})];
        let add = |text: &str| add_rules("f", text, "# m", &rules, "# of b\n- verbs:\n  - get\n");
        assert_eq!(
            add("rules:\n- verbs: [list] # why\n\n# m\n").unwrap(),
            "rules:\n- verbs: [list] # why\n\n# of b\n- verbs:\n  - get\n# m\n"
        );
        assert_eq!(add("rules:\n- verbs: [a]\n").unwrap(), "rules:\n- verbs: [a]\n# of b\n- verbs:\n  - get\n");
        assert!(add("rules:\n- verbs: [a]\n---\nrules:\n- verbs: [b]\n").is_err());
        assert!(add("rules:\n- verbs: [a]\nmetadata: {}\n").is_err());
    }

    #[test]
    fn an_entry_of_a_list_stands_before_the_next_key() {
        for (text, want) in [
            ("# c\na: 1\nversion: \"3\"\n", "# c\na: 1\nlist:\n- b: 1\nversion: \"3\"\n"),
            ("list:\n- a: 1\n  c: 2\nversion: \"3\"\n", "list:\n- a: 1\n  c: 2\n- b: 1\nversion: \"3\"\n"),
            ("list:\n- a: 1", "list:\n- a: 1\n- b: 1\n"),
        ] {
            assert_eq!(add_to_list("f", text, "list", "version", "- b: 1\n").unwrap(), want);
        }
        assert!(add_to_list("f", "list: []\nversion: 1\n", "list", "version", "- b: 1\n").is_err());
    }
}
