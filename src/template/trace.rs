//! The form Helm v4 gives errors of templates: one group of lines for each `include` on the way.
//!
//! Helm makes it from the texts of the errors, so this does too. Mirrors Helm v4.3.1, `reformatExecErrorMsg` in
//! `pkg/engine/engine.go`.

use crate::template::Error;
use crate::template::ErrorKind;
use crate::template::function::FunctionError;

/// What one error says, in Helm's parts.
#[derive(PartialEq, Eq)]
struct Group {
    location: String,
    executing: String,
    message: String,
}

impl Error {
    /// The error over several lines: place, `executing "…" at <…>:` and message, indented by 0, 2 and 4 spaces. If an error
    /// on the way is not one of the template engine, or is the user's own (`fail`, `required`), the one-line form.
    pub fn traced(&self) -> String {
        let line = self.to_string();
        if !self.is_execution() || self.failure().is_some() {
            return line;
        }
        let Some(groups) = self.groups() else { return line };
        let mut text = String::new();
        for group in groups {
            for (part, after) in [(group.location, "\n  "), (group.executing, "\n    "), (group.message, "\n")] {
                if !part.is_empty() {
                    text.push_str(&part);
                    text.push_str(after);
                }
            }
        }
        text.trim().to_owned()
    }

    /// The parts of every error of the chain; nothing if one of them has another form.
    fn groups(&self) -> Option<Vec<Group>> {
        let mut groups: Vec<Group> = Vec::new();
        let mut add = |text: &str| {
            let group = group(text)?;
            if groups.last() != Some(&group) {
                groups.push(group);
            }
            Some(())
        };
        for error in self.chain() {
            if let Some(context) = error.context() {
                add(&format!("{context}: {}", error.bare()))?;
            }
            add(&error.bare().to_string())?;
            if let ErrorKind::Call { cause: FunctionError::Message(message), .. } = error.kind() {
                add(message)?;
            }
        }
        Some(groups)
    }
}

fn group(text: &str) -> Option<Group> {
    let rest = text.strip_prefix("template: ")?;
    if rest.starts_with("no template ") {
        return Some(Group { location: String::new(), executing: String::new(), message: text.to_owned() });
    }
    executing_group(rest).or_else(|| {
        let (location, message) = rest.rsplit_once(": ")?;
        Some(Group { location: location.to_owned(), executing: String::new(), message: without_next(message) })
    })
}

fn executing_group(text: &str) -> Option<Group> {
    let (location, after) = text.split_once(": executing \"")?;
    let (template, after) = after.split_once('"')?;
    let (node, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
    Some(Group {
        location: location.to_owned(),
        executing: format!("executing \"{template}\" at <{node}>:"),
        message: without_next(message),
    })
}

/// The message without the error nested in it.
fn without_next(message: &str) -> String {
    message.split_once(" template:").map_or(message, |(own, _)| own).to_owned()
}
