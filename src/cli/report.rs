//! How an error looks at the edge.

use crate::catalog;
use crate::diagnostic::Diagnostic;

/// `error: …`, then a line `caused by: …` for each cause; a diagnostic with its excerpt and hint.
///
/// ```text
/// error: cannot listen on `[::]:8080`
///   caused by: address already in use (os error 98)
/// ```
pub(super) fn text(error: &anyhow::Error) -> String {
    let mut text = match error.downcast_ref::<Diagnostic>() {
        Some(diagnostic) => format!("{diagnostic:#}"),
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
