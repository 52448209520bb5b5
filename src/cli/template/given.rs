//! The values given on the command line: files, then assignments, later ones over earlier ones.
//!
//! Mirrors Helm v4.3.1, `pkg/cli/values/options.go`.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::chart::values_file;
use crate::cli::template::stages::{self, Error};
use crate::values::strvals::{self, Kind};

/// The flags that give values, each in the order of its values.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Values")]
pub(super) struct Given {
    /// Values in a YAML file, or `-`; may be repeated or a list with commas, the last one wins
    #[arg(short = 'f', long, value_name = "FILE")]
    values: Vec<String>,
    /// Set a value: `key1=val1,key2.inner=val2`
    #[arg(long, value_name = "ASSIGNMENT")]
    set: Vec<String>,
    /// Set a value that is a string, whatever it looks like
    #[arg(long, value_name = "ASSIGNMENT")]
    set_string: Vec<String>,
    /// Set values to what files hold: `key1=path1,key2=path2`
    #[arg(long, value_name = "ASSIGNMENT")]
    set_file: Vec<String>,
    /// Set a value to JSON: `key='["a", 1]'`, or many: `{"key1": 1}`
    #[arg(long, value_name = "ASSIGNMENT")]
    set_json: Vec<String>,
    /// Set a value to all that follows the `=`
    #[arg(long, value_name = "ASSIGNMENT")]
    set_literal: Vec<String>,
}

impl Given {
    /// Whether nothing is given.
    pub(super) fn is_empty(&self) -> bool {
        let Self { values, set, set_string, set_file, set_json, set_literal } = self;
        [values, set, set_string, set_file, set_json, set_literal].into_iter().all(Vec::is_empty)
    }

    /// What all of them come to.
    pub(super) fn merged(&self) -> Result<Map<String, Json>, Error> {
        let mut values = Map::new();
        for file in &self.values {
            stages::add_values(&mut values, Path::new(file), &read(file)?)?;
        }
        for text in &self.set_json {
            add_json(text, &mut values)?;
        }
        let assignments = [("set", Kind::Typed, &self.set), ("set-string", Kind::String, &self.set_string)];
        for (flag, kind, texts) in assignments {
            for text in texts {
                strvals::parse_into(text, kind, &mut values).map_err(|source| Error::Set { flag, source })?;
            }
        }
        for text in &self.set_file {
            let mut file = |name: &str| {
                let bytes = read(name).map_err(|error| error.to_string())?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            };
            let read = strvals::parse_files_into(text, &mut file, &mut values);
            read.map_err(|source| Error::Set { flag: "set-file", source })?;
        }
        for text in &self.set_literal {
            let read = strvals::parse_into(text, Kind::Literal, &mut values);
            read.map_err(|source| Error::Set { flag: "set-literal", source })?;
        }
        Ok(values)
    }
}

/// An object is merged as a file would be; anything else is an assignment.
fn add_json(text: &str, values: &mut Map<String, Json>) -> Result<(), Error> {
    if text.trim().starts_with('{') {
        let object = strvals::json_object(text.trim()).ok_or_else(|| Error::JsonObject(text.to_owned()))?;
        values_file::merge(values, object);
        return Ok(());
    }
    strvals::parse_into(text, Kind::Json, values).map_err(|source| Error::Json { text: text.to_owned(), source })
}

/// The bytes of a file, or with `-` those of standard input.
pub(super) fn read(name: &str) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: PathBuf::from(name), source };
    if name.trim() == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
        return Ok(bytes);
    }
    if is_remote(name) {
        return Err(Error::RemoteFile(name.to_owned()));
    }
    fs::read(name).map_err(failed)
}

/// Whether Helm would fetch it.
pub(super) fn is_remote(name: &str) -> bool {
    let scheme = name.split_once("://").map_or("", |(scheme, _)| scheme);
    ["http", "https", "oci"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}
