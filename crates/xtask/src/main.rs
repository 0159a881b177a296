//! The chores of this repository that need more than a shell: generating checked-in files, and checking what no compiler checks.
//!
//! It is not part of the product and nothing depends on it. `make gen` and `make check` call it; each verb here can also be
//! called alone with `cargo run -p xtask -- VERB`.
//!
//! Start reading at [`Verb`]; `tidy/graph/table.rs` holds the table of which crate may depend on which, `generate.rs` the list of
//! generated files.

mod cargo;
mod commands;
mod crds;
mod deny;
mod descriptors;
mod diagnostics;
mod files;
mod generate;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "xtask", about = "Chores of the Pilothouse repository")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Checks the crate graph, the house rules of the sources, and the top level of the tree.
    Tidy,
    /// Writes every generated file again.
    Gen {
        /// Writes nothing; fails when a generated file differs from its sources.
        #[arg(long)]
        check: bool,
    },
    /// Writes the reference page of the commands from the built program.
    Commands {
        /// Writes nothing; fails when the page differs from what the program says.
        #[arg(long)]
        check: bool,
    },
    /// Checks licences, bans, duplicates and origins of what we link (`deny.toml`).
    Deny {
        /// The cargo-deny program, as `hack/deny.sh` prints it.
        #[arg(long)]
        program: std::path::PathBuf,
    },
}

fn main() -> ExitCode {
    if let Some(code) = deny::answer_as_cargo() {
        return code;
    }
    let root = files::root();
    let verdict = match Arguments::parse().verb {
        Verb::Tidy => tidy::run(&root),
        Verb::Gen { check } => generate::run(&root, check),
        Verb::Commands { check } => commands::run(&root, check),
        Verb::Deny { program } => deny::run(&root, &program),
    };
    match verdict {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says on standard output what a chore did.
#[expect(clippy::print_stdout, reason = "a chore's standard output is read by a person")]
fn say(line: &str) {
    println!("{line}");
}

/// A check that found something; what it found is already printed.
fn found(count: usize, what: &str) -> Result<()> {
    if count == 0 { Ok(()) } else { anyhow::bail!("{count} {what}") }
}
