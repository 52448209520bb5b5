//! Files of several documents.

use crate::yaml::Error;

/// One document of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document<'a> {
    /// Lines before it in the whole text: to be added to the lines of its nodes and errors.
    pub line_offset: usize,
    /// Its text; a `---` in front of the first document belongs to it.
    pub text: &'a str,
}

/// Splits a text at its lines that begin with `---`, as `NewYAMLReader` of k8s.io/apimachinery 0.36 does, by which Helm 4
/// reads `values.yaml`. Empty documents at the start and at the end are left out.
///
/// # Errors
/// Where something else than a comment stands in a line after its `---`.
pub fn documents(text: &str) -> Result<Vec<Document<'_>>, Error> {
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let end = offset + line.len();
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(Error::Separator { found: rest.to_owned(), line: number + 1 });
            }
            if offset > start {
                documents.extend(document(text, start, offset, start_line));
                (start, start_line) = (end, number + 1);
            }
        }
        offset = end;
    }
    if offset > start {
        documents.extend(document(text, start, offset, start_line));
    }
    Ok(documents)
}

fn document(text: &str, start: usize, end: usize, line_offset: usize) -> Option<Document<'_>> {
    Some(Document { line_offset, text: text.get(start..end)? })
}
