//! From the command line to an exit code.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::ErrorKind;

use crate::arguments::{self, Command};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::{
    bootstrap, capture, completion, explain, generate, inject, install, proxy_status, serve, token, validate,
    version,
};

/// Runs the command that the arguments name.
pub(crate) fn run(
    typed: impl IntoIterator<Item = OsString>,
    environment: &BTreeMap<String, String>,
    output: &mut Output,
) -> Exit {
    let arguments = match arguments::parse(typed, environment) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error, output),
    };
    let done = match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments, output),
        Command::Generate(arguments) => generate::run(&arguments, output),
        Command::Validate(arguments) => validate::run(&arguments, output),
        Command::Explain(arguments) => explain::run(&arguments, output),
        Command::Bootstrap(arguments) => bootstrap::run(&arguments, output),
        Command::Capture(arguments) => capture::run(&arguments, environment, output),
        Command::Inject(arguments) => inject::run(&arguments, output),
        Command::Install(arguments) => install::run(&arguments, output),
        Command::Token(arguments) => token::run(&arguments, output),
        Command::ProxyStatus(arguments) => proxy_status::run(&arguments, output),
        Command::Completion(arguments) => Ok(completion::run(&arguments, output)),
        Command::Version(arguments) => version::run(&arguments, output),
    };
    done.unwrap_or_else(|Failure { exit, message }| {
        output.remark(&format!("pilothouse: {message}\n"));
        exit
    })
}

/// Says what is wrong with the command line, or gives the help that was asked for.
fn refuse(error: &clap::Error, output: &mut Output) -> Exit {
    let colours = if error.use_stderr() {
        std::io::IsTerminal::is_terminal(&std::io::stderr())
    } else {
        Output::is_terminal()
    };
    let text = error.render();
    let text = if colours { text.ansi().to_string() } else { text.to_string() };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output.answer(&text);
            Exit::Fine
        }
        _ => {
            output.remark(&text);
            Exit::Usage
        }
    }
}
