//! The one binary: daemon, command line, pod set-up.
//!
//! It parses arguments, wires parts together and maps what happened to an exit code; every decision is made in the crates it
//! calls. Each command is a file here, with its arguments and one `run`.
//!
//! Start reading at `command.rs`, which lists them.

mod arguments;
mod bootstrap;
mod capture;
mod cluster;
mod command;
mod completion;
mod exit;
mod explain;
mod generate;
mod inject;
mod install;
mod missing;
mod output;
mod pods;
mod proxy_status;
mod serve;
mod source;
mod token;
mod units;
mod validate;
mod version;
mod webhooks;

use std::panic::{catch_unwind, set_hook, take_hook};
use std::process::ExitCode;

use crate::exit::Exit;
use crate::output::Output;

fn main() -> ExitCode {
    // What the engine catches becomes a finding and a line in the log; the usual message would only repeat it.
    set_hook(pilothouse_engine::panic_hook(take_hook()));
    // A panic is a bug of ours. The usual message is on standard error by then; what is left is the exit code.
    let exit = catch_unwind(|| {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        command::run(std::env::args_os(), &environment, &mut Output::standard())
    });
    exit.unwrap_or(Exit::Bug).into()
}
