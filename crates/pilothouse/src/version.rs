//! `version`: what this is.

use clap::Args;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::{Form, Output};

/// The oldest Envoy that is served.
const OLDEST_ENVOY: &str = "1.37.0";

/// Prints the version.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The form of the answer
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: &'static str,
    oldest_envoy: &'static str,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let version = Version { version: env!("CARGO_PKG_VERSION"), oldest_envoy: OLDEST_ENVOY };
    if arguments.output == Form::Text {
        output.answer(&format!("pilothouse {} (Envoy {OLDEST_ENVOY} or newer)\n", version.version));
    } else {
        output.value(arguments.output, &version)?;
    }
    Ok(Exit::Fine)
}
