//! Go's `path` and, which is the same on Linux, `path/filepath`.

#![expect(clippy::needless_pass_by_value, reason = "a template function owns its arguments")]

use crate::value::Str;

/// `clean`: the shortest name of the same place, looking only at the text.
pub(crate) fn clean(path: Str) -> Str {
    cleaned(&path)
}

fn cleaned(path: &[u8]) -> Str {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if **last != *b".." => _ = parts.pop(),
                None if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat().into(),
        (false, true) => ".".into(),
        (false, false) => joined.into(),
    }
}

/// `base`: the last part; `.` of nothing, `/` of only slashes.
pub(crate) fn base(path: Str) -> Str {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let trimmed = path.get(..end).unwrap_or_default();
    match (trimmed.is_empty(), path.is_empty()) {
        (true, true) => ".".into(),
        (true, false) => "/".into(),
        (false, _) => trimmed.rsplit(|byte| *byte == b'/').next().unwrap_or_default().into(),
    }
}

/// `dir`: all but the last part, cleaned.
pub(crate) fn dir(path: Str) -> Str {
    let end = path.iter().rposition(|byte| *byte == b'/').map_or(0, |last| last + 1);
    cleaned(path.get(..end).unwrap_or_default())
}

/// `ext`: from the last point of the last part.
pub(crate) fn ext(path: Str) -> Str {
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let at = last.iter().rposition(|byte| *byte == b'.');
    at.and_then(|at| last.get(at..)).unwrap_or_default().into()
}

/// `isAbs`
pub(crate) fn is_abs(path: Str) -> bool {
    path.starts_with(b"/")
}
