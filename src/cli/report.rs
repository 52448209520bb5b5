//! How an error looks at the edge.

use std::io::Write as _;

use serde_json::{Value as Json, json};

use crate::catalog;
use crate::cli::template;
use crate::diagnostic::{Diagnostic, Severity};

/// `error: …`, then a line `caused by: …` for each cause; a diagnostic with its excerpt and hint.
///
/// ```text
/// error: cannot listen on `[::]:8080`
///   caused by: address already in use (os error 98)
/// ```
pub(super) fn text(error: &anyhow::Error) -> String {
    let mut text = match error.downcast_ref::<Diagnostic>() {
        Some(diagnostic) => format!("{diagnostic:#}"),
        None if error.is::<template::Failure>() => error.to_string(),
        // Its faults are diagnostics, which begin so themselves.
        None if error.is::<catalog::Error>() => error.to_string(),
        None => format!("error: {error}"),
    };
    for cause in error.chain().skip(1) {
        let cause = match cause.downcast_ref::<Diagnostic>() {
            Some(diagnostic) => format!("{diagnostic:#}"),
            None => cause.to_string(),
        };
        text.push_str("\n  caused by: ");
        text.push_str(&cause.strip_prefix("error: ").unwrap_or(&cause).replace('\n', "\n  "));
    }
    text
}

/// Each fault with its excerpt and hint, then how many there are in how many charts.
pub(super) fn faults(found: &[Diagnostic], charts: usize) -> String {
    let count = |severity| found.iter().filter(|fault| fault.severity == severity).count();
    let noun = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let mut parts: Vec<String> = found.iter().map(|fault| format!("{fault:#}\n")).collect();
    parts.push(format!(
        "{} and {} in {}\n",
        noun(count(Severity::Error), "error"),
        noun(count(Severity::Warning), "warning"),
        noun(charts, "chart"),
    ));
    parts.join("\n")
}

/// An array of `{severity, file, line, column, message, hint}`; what is not known is null.
pub(super) fn json(found: &[Diagnostic]) -> Json {
    let fault = |fault: &Diagnostic| {
        json!({
            "severity": match fault.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "file": fault.source.as_ref().map(|source| &source.name),
            "line": fault.place.map(|place| place.line),
            "column": fault.place.map(|place| place.column),
            "message": fault.message,
            "hint": fault.hint,
        })
    };
    found.iter().map(fault).collect()
}

/// Tells what is not as it should be, but no fault.
pub(super) fn tell(warnings: &[Diagnostic]) {
    let mut told = std::io::stderr().lock();
    for warning in warnings {
        // Where nobody reads, nothing is lost.
        writeln!(told, "{warning:#}").ok();
    }
}
