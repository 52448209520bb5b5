//! A sample resource: the chart's values, with their comments.

use serde_json::{Map, Value as Json};

use crate::chart::values_file;
use crate::scaffold::{Error, Kind};
use crate::yaml::{self, Numbers};

/// The text of a resource of that kind with these values, those of the file `from`.
pub(super) fn text(kind: &Kind, from: &str, values: &str) -> Result<String, Error> {
    let head = format!(
        "apiVersion: {}\nkind: {}\nmetadata:\n  name: {}-sample\n",
        kind.api_version(),
        kind.kind,
        kind.singular()
    );
    let wanted = read(values).map_err(|source| Error::Yaml { file: "values.yaml", source })?;
    if wanted.is_empty() {
        return Ok(format!("{head}# The chart has no values.\nspec: {{}}\n"));
    }
    let head = format!("{head}# The values of {from}; what is left out here is as it is there.\nspec:\n");
    let kept = format!("{head}{}", indented(values));
    let wanted = Json::Object(wanted);
    let is_kept = yaml::to_json(&kept, Numbers::Exact).is_ok_and(|resource| resource.get("spec") == Some(&wanted));
    // Several documents cannot be moved to the right, and `kubectl` refuses a key that is there twice.
    if is_kept && !yaml::repeats_keys(&kept) {
        return Ok(kept);
    }
    Ok(format!("{head}{}", indented(&yaml::emit_json(&wanted).map_err(Error::Write)?)))
}

/// The values as they are written, all documents merged.
fn read(text: &str) -> Result<Map<String, Json>, yaml::Error> {
    let mut values = Map::new();
    for document in yaml::documents(text)? {
        if let Json::Object(entries) = yaml::to_json(document.text, Numbers::Exact)? {
            values_file::merge(&mut values, entries);
        }
    }
    Ok(values)
}

fn indented(text: &str) -> String {
    let line = |line: &str| {
        if line.trim().is_empty() { "\n".to_owned() } else { format!("  {}\n", line.trim_end_matches('\r')) }
    };
    text.trim_matches('\n').lines().map(line).collect()
}
