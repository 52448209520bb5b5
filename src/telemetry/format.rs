//! One event as one line, in each [`Style`].

use std::fmt::Write;

use serde_json::Value as Json;
use tracing::Level;

use crate::telemetry::fields::Fields;
use crate::telemetry::{Colour, Style};

/// What stands in a line.
pub(super) struct Entry<'a> {
    pub(super) level: Level,
    /// The time, encoded.
    pub(super) time: Json,
    pub(super) logger: &'a str,
    pub(super) fields: &'a Fields,
}

/// The line with its end.
pub(super) fn line(style: Style, entry: &Entry<'_>) -> String {
    let mut line = match style {
        Style::Json => json(entry),
        Style::Console => console(entry),
        Style::Human(colour) => human(entry, colour),
    };
    line.push('\n');
    line
}

/// `{"level":"info","ts":"…","logger":"…","msg":"…","key":"value"}`
fn json(entry: &Entry<'_>) -> String {
    let head = [
        ("level", Json::from(level(entry.level))),
        ("ts", entry.time.clone()),
        ("logger", Json::from(entry.logger)),
        ("msg", Json::from(entry.fields.message.as_str())),
    ];
    let fields = head.iter().chain(&entry.fields.values);
    let pairs: Vec<String> = fields.map(|(name, value)| format!("{}:{value}", Json::from(*name))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// `…\tINFO\t…\t…\t{"key": "value"}`
fn console(entry: &Entry<'_>) -> String {
    let mut parts = vec![
        bare(&entry.time),
        level(entry.level).to_uppercase(),
        entry.logger.to_owned(),
        entry.fields.message.clone(),
    ];
    let pairs: Vec<String> =
        entry.fields.values.iter().map(|(name, value)| format!("{}: {value}", Json::from(*name))).collect();
    if !pairs.is_empty() {
        parts.push(format!("{{{}}}", pairs.join(", ")));
    }
    parts.join("\t")
}

/// `…  INFO helm.controller: Installed release  namespace=ns name=cr`, several lines of a value indented below.
fn human(entry: &Entry<'_>, colour: Colour) -> String {
    let paint = |code: &str, text: &str| match colour {
        Colour::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        Colour::Off => text.to_owned(),
    };
    let level_colour = match entry.level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        _ => "34",
    };
    let mut line = format!(
        "{} {} {} {}",
        paint("2", &bare(&entry.time)),
        paint(level_colour, &format!("{:>5}", entry.level.as_str())),
        paint("2", &format!("{}:", entry.logger)),
        paint("1", &printable(&entry.fields.message)),
    );
    let mut blocks = String::new();
    for (name, value) in &entry.fields.values {
        let text = bare(value);
        let field = paint("36", name);
        // Writing into a string cannot fail.
        if text.contains('\n') {
            let indented = printable(&text).replace('\n', "\n    ");
            write!(blocks, "\n  {field}:\n    {indented}").ok();
        } else if text.is_empty() || text.contains([' ', '"', '=']) {
            write!(line, " {field}={}", Json::from(text)).ok();
        } else {
            write!(line, " {field}={}", printable(&text)).ok();
        }
    }
    line + &blocks
}

/// A text without what would steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A value without quotes around it.
fn bare(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The level by zap's name; it has none below `debug` but the number.
fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        _ => "Level(-2)",
    }
}
