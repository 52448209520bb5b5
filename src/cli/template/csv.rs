//! One record of CSV, by which pflag splits the lists of a flag.
//!
//! Mirrors Go 1.26, `encoding/csv`, with its defaults.

/// Why a text is no record, in Go's words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("{}parse error on line {line}, column {column}: bare \" in non-quoted-field", begun(*line))]
    BareQuote { line: usize, column: usize },
    #[error("{}parse error on line {line}, column {column}: extraneous or missing \" in quoted-field", begun(*line))]
    Quote { line: usize, column: usize },
}

/// A record that has more than one line says where it began.
fn begun(line: usize) -> &'static str {
    if line > 1 { "record on line 1; " } else { "" }
}

/// The fields of the first record; none in an empty text.
pub(super) fn record(text: &str) -> Result<Vec<String>, Error> {
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
    while lines.next_if_eq(&"").is_some() {}
    let Some(mut line) = lines.next() else { return Ok(Vec::new()) };
    let (mut fields, mut number, mut whole) = (Vec::new(), 1, line);
    loop {
        let column = |at: &str| whole.len() - at.len() + 1;
        let Some(mut rest) = line.strip_prefix('"') else {
            let (field, after) = line.split_once(',').map_or((line, None), |(field, after)| (field, Some(after)));
            if let Some(at) = field.find('"') {
                return Err(Error::BareQuote { line: number, column: column(line) + at });
            }
            fields.push(field.to_owned());
            match after {
                Some(after) => line = after,
                None => return Ok(fields),
            }
            continue;
        };
        let mut field = String::new();
        line = loop {
            let Some((before, after)) = rest.split_once('"') else {
                field.push_str(rest);
                // A quoted field goes on in the next line.
                let Some(next) = lines.next() else {
                    return Err(Error::Quote { line: number, column: whole.len() + 1 });
                };
                field.push('\n');
                (rest, whole) = (next, next);
                number += 1;
                continue;
            };
            field.push_str(before);
            if let Some(after) = after.strip_prefix('"') {
                field.push('"');
                rest = after;
            } else if let Some(after) = after.strip_prefix(',') {
                break after;
            } else if after.is_empty() {
                fields.push(field);
                return Ok(fields);
            } else {
                return Err(Error::Quote { line: number, column: whole.len() - after.len() });
            }
        };
        fields.push(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_split_as_go_splits_it() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("a", &["a"]),
            ("a,b c,", &["a", "b c", ""]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"a\"\"b\"", &["a\"b"]),
            ("\"\"", &[""]),
            ("a\nb", &["a"]),
            ("\"a\nb\",c", &["a\nb", "c"]),
        ];
        for (text, fields) in cases {
            assert_eq!(record(text).unwrap(), fields, "{text}");
        }
    }

    #[test]
    fn a_quote_in_the_wrong_place_is_told_as_go_tells_it() {
        for (text, error) in [
            ("a\"b", "parse error on line 1, column 2: bare \" in non-quoted-field"),
            ("x,a\"b", "parse error on line 1, column 4: bare \" in non-quoted-field"),
            ("\"a\"b", "parse error on line 1, column 3: extraneous or missing \" in quoted-field"),
            ("\"ab", "parse error on line 1, column 4: extraneous or missing \" in quoted-field"),
            ("\"a\nb", "record on line 1; parse error on line 2, column 2: extraneous or missing \" in quoted-field"),
            ("\"a\nb\",c\"d", "record on line 1; parse error on line 2, column 5: bare \" in non-quoted-field"),
        ] {
            assert_eq!(record(text).unwrap_err().to_string(), error, "{text}");
        }
    }
}
