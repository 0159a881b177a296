//! `adsload`: simulated proxies for any server of aggregated discovery.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program for the terminal")]

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use pilothouse_adsload::report::{ChangeReport, Report, Spread};
use pilothouse_adsload::{Fleet, Protocol, Proxy, Target};
use tokio::time::Instant;

/// How long one that was not let in waits before it comes back.
const RETRY: Duration = Duration::from_millis(200);

/// Connects simulated proxies to a server of aggregated discovery, and measures how long it takes them to get everything, and to hear of
/// changes.
#[derive(Debug, Parser)]
#[command(
    name = "adsload",
    after_help = "Example:\n  adsload --server 127.0.0.1:15010 --count 200 --namespace shop \\\n    \
        --change 'kubectl apply -f weight-50.yaml' --change 'kubectl apply -f weight-90.yaml'"
)]
struct Arguments {
    /// The server
    #[arg(long, value_name = "HOST:PORT")]
    server: String,
    /// Speak TLS, and trust the roots in this PEM file
    #[arg(long, value_name = "FILE")]
    tls_roots: Option<PathBuf>,
    /// The name of the server in its certificate
    #[arg(long, default_value = "istiod.istio-system.svc", value_name = "NAME", requires = "tls_roots")]
    server_name: String,
    /// Which dialect
    #[arg(long, value_enum, default_value_t = Dialect::Delta)]
    protocol: Dialect,
    /// The proxies, as a JSON list of {"pod", "namespace", "address", "serviceAccount", "labels", "token"}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "namespace", "prefix"])]
    proxies: Option<PathBuf>,
    /// So many proxies of made-up pods
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    count: u32,
    /// The namespace of these pods
    #[arg(long, default_value = "default")]
    namespace: String,
    /// What the names of these pods begin with, and what their label `app` says
    #[arg(long, default_value = "load", value_name = "NAME")]
    prefix: String,
    /// A command that changes something, run by the shell once all have everything; time counts from its start. Can be repeated
    #[arg(long, value_name = "COMMAND")]
    change: Vec<String>,
    /// How often to go through all changes
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    rounds: u32,
    /// A change is over when nothing came for so many seconds
    #[arg(long, default_value = "1", value_parser = seconds)]
    quiet: Duration,
    /// Seconds to wait for something to come at all
    #[arg(long, default_value = "60", value_parser = seconds)]
    patience: Duration,
    /// Stay connected for so many seconds more
    #[arg(long, default_value = "0", value_parser = seconds)]
    stay: Duration,
    /// How to print what was measured
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dialect {
    /// Only what changed.
    Delta,
    /// The state of the world.
    Sotw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

impl Arguments {
    fn proxies(&self) -> Result<Vec<Proxy>> {
        let Some(file) = &self.proxies else {
            let Self { count, namespace, prefix, .. } = self;
            return Ok((0..*count).map(|number| Proxy::numbered(namespace, prefix, number)).collect());
        };
        let read = || -> Result<Vec<Proxy>> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
        read().with_context(|| file.display().to_string())
    }

    fn target(&self) -> Result<Target> {
        match &self.tls_roots {
            None => Ok(Target::plain(&self.server)),
            Some(roots) => Ok(Target::tls(&self.server, roots, &self.server_name)?),
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // One thread leaves the other cores to the server.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> Result<()> {
    let proxies = arguments.proxies()?;
    ensure!(!proxies.is_empty(), "there are no proxies to simulate");
    let protocol = match arguments.protocol {
        Dialect::Delta => Protocol::Delta,
        Dialect::Sotw => Protocol::Sotw,
    };
    let begun = Instant::now();
    let fleet = Fleet::start(&arguments.target()?, protocol, proxies, RETRY);
    let configured = fleet.configured(arguments.patience).await?;
    let configured: Vec<Duration> = configured.into_iter().map(|at| at - begun).collect();
    let mut report = Report {
        proxies: fleet.len(),
        configured: Spread::of(&configured),
        first: fleet.counts(),
        ..Report::default()
    };
    for _ in 0..arguments.rounds {
        for command in &arguments.change {
            report.changes.push(change(&fleet, command, arguments).await?);
        }
    }
    tokio::time::sleep(arguments.stay).await;
    report.breaks = fleet.breaks();
    fleet.close().await;
    match arguments.format {
        Format::Text => print!("{}", report.text()),
        Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
    }
    Ok(())
}

/// Makes one change and waits for its end. What the command says goes to standard error.
async fn change(fleet: &Fleet, command: &str, arguments: &Arguments) -> Result<ChangeReport> {
    let mark = fleet.mark();
    let status = tokio::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .await?;
    if !status.success() {
        bail!("{command}: {status}");
    }
    let effect = fleet.effect(&mark, arguments.quiet, arguments.patience).await;
    Ok(ChangeReport::new(command, &effect))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn seconds_may_have_fractions() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert!(seconds("-1").is_err());
        assert!(seconds("soon").is_err());
    }
}
