//! The name of the release, and which argument is the chart.
//!
//! Mirrors Helm v4.3.1, `NameAndChart` and `TemplateName` of `pkg/action/install.go`, with the name that
//! `pkg/cmd/template.go` begins with.

use std::rc::Rc;
use std::sync::Arc;

use crate::cli::offline::{Dns, Offline};
use crate::cli::template::stages::Error;
use crate::functions::{self, Host};
use crate::template::{self, Limits, Run, Set};
use crate::value::Value;

/// What a release is called where nobody says.
const DEFAULT: &str = "release-name";

/// Name of the template that makes the name.
const TEMPLATE: &str = "name-template";

/// How a release gets its name, if not from an argument.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Release")]
pub(super) struct Naming {
    /// Accepted for Helm's sake: without NAME the release is called `release-name`
    #[arg(short = 'g', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, action = clap::ArgAction::Set)]
    generate_name: bool,
    /// Template of the release's name
    #[arg(long, value_name = "TEMPLATE", default_value = "", hide_default_value = true)]
    name_template: String,
}

impl Naming {
    /// The release's name and the chart, out of `[NAME] CHART`.
    pub(super) fn name_and_chart<'a>(&self, arguments: &'a [String]) -> Result<(String, &'a str), Error> {
        match arguments {
            [] => Err(Error::NoArguments),
            [_, _] if self.generate_name => Err(Error::NameTwice("generate-name")),
            [_, _] if !self.name_template.is_empty() => Err(Error::NameTwice(TEMPLATE)),
            [name, chart] => Ok((name.clone(), chart)),
            [chart] if !self.name_template.is_empty() => Ok((evaluate(&self.name_template)?, chart)),
            [chart] => Ok((DEFAULT.to_owned(), chart)),
            [_, _, rest @ ..] => Err(Error::TooManyArguments(rest.join(", "))),
        }
    }
}

fn evaluate(text: &str) -> Result<String, Error> {
    let run = || -> Result<Vec<u8>, template::Error> {
        let mut set = Set::new(Arc::new(functions::table()));
        set.parse(TEMPLATE, text)?;
        let host = Host { world: Rc::new(Offline::new(Dns::Off)) };
        let mut out = Vec::new();
        set.execute(TEMPLATE, Value::Nil, Run { host: &host, limits: Limits::default() }, &mut out)?;
        Ok(out)
    };
    run().map(|name| String::from_utf8_lossy(&name).into_owned()).map_err(Error::NameTemplate)
}
