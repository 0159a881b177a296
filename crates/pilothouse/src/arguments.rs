//! The command line, with fallbacks from the environment.
//!
//! `PILOTHOUSE_XDS_LISTEN` stands for `--xds-listen` and so on: for every flag of `serve`, and for the few flags that several
//! commands share. They are put in front of what was typed, so the parser judges both alike.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    bootstrap, capture, completion, explain, generate, inject, install, proxy_status, serve, token, validate,
    version,
};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "pilothouse",
    version,
    about = "A control plane for Envoy that reads Istio's configuration",
    long_about = "A control plane for Envoy that reads Istio's configuration.\n\n\
        Point it at a folder of manifests and connect Envoys to it:\n\n  \
        pilothouse validate manifests/             is everything well formed?\n  \
        pilothouse generate --config manifests/ --proxy web-1.shop\n                                             \
        what would this proxy be sent?\n  \
        pilothouse serve --config manifests/       serve it, and follow every change\n  \
        pilothouse proxy-status                    how do the proxies stand?",
    after_help = "Exit codes: 0 fine, 1 findings, 64 usage, 65 bad input, 66 not found, 69 not reachable, 70 a bug of Pilothouse.",
    max_term_width = 110
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(Box<serve::Arguments>),
    Validate(validate::Arguments),
    Generate(generate::Arguments),
    Explain(explain::Arguments),
    Bootstrap(Box<bootstrap::Arguments>),
    Capture(Box<capture::Arguments>),
    Inject(Box<inject::Arguments>),
    Install(install::Arguments),
    Token(token::Arguments),
    ProxyStatus(proxy_status::Arguments),
    Completion(completion::Arguments),
    Version(version::Arguments),
}

/// What stands before the names of all fallbacks.
const PREFIX: &str = "PILOTHOUSE_";
/// Flags with a fallback in every command that has them; `serve` has one for each of its flags.
const SHARED: [&str; 2] = ["state-dir", "admin"];

/// Reads the command line.
pub(crate) fn parse(
    typed: impl IntoIterator<Item = OsString>,
    environment: &BTreeMap<String, String>,
) -> Result<Arguments, clap::Error> {
    let typed: Vec<OsString> = typed.into_iter().collect();
    Arguments::try_parse_from(with_fallbacks(typed, environment))
}

fn with_fallbacks(mut typed: Vec<OsString>, environment: &BTreeMap<String, String>) -> Vec<OsString> {
    let parser = Arguments::command();
    let Some(command) = typed.get(1).and_then(|name| parser.find_subcommand(name)) else { return typed };
    let flags = command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .filter(|flag| command.get_name() == "serve" || SHARED.contains(flag))
        .filter(|flag| !typed.iter().any(|word| is_flag(word, flag)));
    let fallbacks: Vec<OsString> = flags
        .filter_map(|flag| Some(format!("--{flag}={}", environment.get(&fallback(flag))?).into()))
        .collect();
    typed.splice(2..2, fallbacks);
    typed
}

/// The name of the variable that stands for a flag.
pub(crate) fn fallback(flag: &str) -> String {
    format!("{PREFIX}{}", flag.to_uppercase().replace('-', "_"))
}

fn is_flag(word: &OsStr, flag: &str) -> bool {
    let word = word.to_string_lossy();
    let Some(word) = word.strip_prefix("--") else { return false };
    word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_environment_stands_in_for_flags() {
        let environment = BTreeMap::from([("PILOTHOUSE_STATE_DIR".to_owned(), "/env".to_owned())]);
        let words = |typed: &[&str]| {
            let typed = typed.iter().map(OsString::from).collect();
            let all = with_fallbacks(typed, &environment);
            all.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(&["p", "token", "--workload", "a.b"]), "p token --state-dir=/env --workload a.b");
        assert_eq!(words(&["p", "token", "--state-dir", "/x"]), "p token --state-dir /x");
        assert_eq!(words(&["p", "token", "--state-dir=/x"]), "p token --state-dir=/x");
        assert_eq!(words(&["p", "version"]), "p version");
        assert_eq!(words(&["p"]), "p");
    }
}
