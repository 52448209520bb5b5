//! Flags of `run` as helm-operator's users write them, and its words for one that it does not have (pflag v1.0.10).

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

/// The arguments with `--flag` for `-flag`, which programs that use Go's own `flag` package take as well.
pub(super) fn with_two_dashes(command: &Command, args: &[OsString]) -> Vec<OsString> {
    let run = command.find_subcommand("run").filter(|_| args.get(1).is_some_and(|name| name == "run"));
    let is_flag =
        |name: &str| run.into_iter().flat_map(Command::get_arguments).any(|flag| flag.get_long() == Some(name));
    let mut behind_all = false;
    let written = args.iter().map(|argument| {
        behind_all |= argument == OsStr::new("--");
        let single = argument.to_str().and_then(|text| text.strip_prefix('-')).filter(|_| !behind_all);
        match single.and_then(|text| text.split('=').next()) {
            Some(name) if is_flag(name) => {
                let mut long = OsString::from("-");
                long.push(argument);
                long
            }
            _ => argument.clone(),
        }
    });
    written.collect()
}

/// What is wrong with the command line; a flag that is not there in pflag's words, with one that may be meant.
pub(super) fn fault(error: Error, command: &mut Command) -> Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let Some(flag) = text(ContextKind::InvalidArg).filter(|flag| flag.starts_with("--")) else { return error };
    let meant = text(ContextKind::SuggestedArg).map(|flag| format!("\n\n  tip: a similar flag exists: {flag}"));
    let message = format!("unknown flag: {flag}{}", meant.unwrap_or_default());
    Error::raw(ErrorKind::UnknownArgument, message).format(command)
}
