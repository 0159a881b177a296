//! `validate`: is every object well formed, and do they fit together?

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use pilothouse_diag::{Diagnostic, Severity, render};
use pilothouse_engine::Engine;
use pilothouse_sources::Loaded;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::generate::together;
use crate::output::{Form, Output};

/// Checks manifests, each object by itself and all of them together.
///
/// Reads YAML and JSON files, and all of them below a folder; hidden files are left out. Findings go to standard output, a
/// summary to standard error. What objects say of each other (destinations, subsets, gateways, secrets) is looked at as if the
/// manifests were the whole mesh, unless there is but one object or --alone is given.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse validate manifests/\n  helm template shop | pilothouse validate -\n  \
    pilothouse validate --fail-on warning -o json virtual-service.yaml"
)]
pub(crate) struct Arguments {
    /// Files and folders; - is standard input
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// The least finding that makes the exit code 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    fail_on: FailOn,
    /// Look at each object by itself: the manifests are a part of a mesh
    #[arg(long)]
    alone: bool,
    /// The form of the findings
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
    /// The DNS domain of services
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    domain: String,
}

/// What counts as failing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Errors.
    #[default]
    Error,
    /// Errors and warnings.
    Warning,
    /// Nothing: the exit code tells only whether the command worked.
    Never,
}

impl FailOn {
    fn includes(self, severity: Severity) -> bool {
        match self {
            Self::Error => severity == Severity::Error,
            Self::Warning => matches!(severity, Severity::Error | Severity::Warning),
            Self::Never => false,
        }
    }
}

/// The answer for machines.
#[derive(Serialize)]
struct Report<'d> {
    files: usize,
    objects: usize,
    findings: &'d [Diagnostic],
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let Arguments { paths, fail_on, alone, output: form, domain } = arguments;
    let (standard, paths): (Vec<_>, Vec<_>) = paths.iter().cloned().partition(|path| path.as_os_str() == "-");
    let texts = if standard.is_empty() { None } else { Some((Arc::from("-"), standard_input()?)) };
    let Loaded { changes, diagnostics, files } =
        pilothouse_sources::load(&paths, texts, domain).map_err(Failure::not_found)?;
    let objects = changes.len();
    let findings = if *alone || objects < 2 {
        diagnostics
    } else {
        let mut engine = Engine::new();
        engine.apply(changes);
        together(diagnostics, engine.diagnostics())
    };
    let findings = &findings;
    if *form == Form::Text {
        let text: Vec<String> = findings.iter().map(render::text).collect();
        output.answer(&text.join("\n"));
    } else {
        let report = Report { files, objects, findings };
        output.value(*form, &report)?;
    }
    let read = format!("{} in {}", count(objects, "object"), count(files, "file"));
    let summary = match render::summary(findings) {
        none if none.is_empty() => "nothing to say".to_owned(),
        some => some,
    };
    output.remark(&format!("{read}: {summary}\n"));
    let fails = findings.iter().any(|one| fail_on.includes(one.severity()));
    Ok(if fails { Exit::Findings } else { Exit::Fine })
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    /// As for files.
    const MOST: u64 = 64 << 20;
    let mut text = Vec::new();
    std::io::stdin()
        .take(MOST + 1)
        .read_to_end(&mut text)
        .map_err(|error| Failure::bad_input(format_args!("cannot read standard input: {error}")))?;
    if text.len() as u64 > MOST {
        return Err(Failure::bad_input(format_args!("standard input is longer than {} MiB", MOST >> 20)));
    }
    Ok(text)
}
