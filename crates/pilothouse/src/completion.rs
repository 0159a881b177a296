//! `completion`: help for shells.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::exit::Exit;
use crate::output::Output;

/// Prints a script that completes commands and flags in a shell.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  pilothouse completion bash > /etc/bash_completion.d/pilothouse")]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Exit {
    let mut script = Vec::new();
    let mut parser = crate::arguments::Arguments::command();
    clap_complete::generate(arguments.shell, &mut parser, "pilothouse", &mut script);
    output.answer(&String::from_utf8_lossy(&script));
    Exit::Fine
}
