//! A pod: what its manifest says, and what runs in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::control::Control;
use super::manifests;
use super::process::Process;
use super::sandbox::{Place, Sandbox};
use super::socket::Lines;
use super::wait::until;
use crate::app::control::Ask;
use crate::app::{Counts, Mode, Settings};
use crate::client::{Answer, Command, Load, LoadReport, Reply, Request};

/// What a pod is to the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Behind an Envoy that captures its traffic.
    Sidecar,
    /// Only an Envoy, for traffic from outside.
    Gateway,
    /// No Envoy: outside the mesh.
    Outside,
}

/// What a manifest says about a pod.
#[derive(Clone, Debug)]
pub struct PodSpec {
    /// Its name.
    pub name: String,
    /// Its namespace; `default` if the manifest names none.
    pub namespace: String,
    /// Its address, from `status.podIP`.
    pub address: IpAddr,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it is to the mesh.
    pub role: Role,
    /// The application in it, from the annotation `e2e.pilothouse.dev/app`.
    pub app: Option<Settings>,
    /// Names that resolve to it in the whole world, from the annotation `e2e.pilothouse.dev/hostnames`.
    pub hostnames: Vec<String>,
}

impl PodSpec {
    /// Reads a Pod.
    pub fn read(pod: &Value) -> Result<Self> {
        let meta = &pod["metadata"];
        let name = meta["name"].as_str().context("a pod has no name")?.to_owned();
        let address =
            pod["status"]["podIP"].as_str().with_context(|| format!("pod {name} has no status.podIP"))?;
        let annotation = |key: &str| meta["annotations"][key].as_str();
        let labels = meta["labels"].as_object().cloned().unwrap_or_default();
        Ok(Self {
            address: address.parse().with_context(|| format!("pod {name} has the address `{address}`"))?,
            namespace: meta["namespace"].as_str().unwrap_or("default").to_owned(),
            labels: labels.into_iter().filter_map(|(k, v)| Some((k, v.as_str()?.to_owned()))).collect(),
            role: manifests::role(pod),
            app: annotation("e2e.pilothouse.dev/app").map(str::parse).transpose()?,
            hostnames: annotation("e2e.pilothouse.dev/hostnames")
                .map(|all| all.split(',').map(|n| n.trim().to_owned()).collect())
                .unwrap_or_default(),
            name,
        })
    }

    /// `name.namespace`.
    pub fn key(&self) -> String {
        format!("{}.{}", self.name, self.namespace)
    }
}

/// A pod of a running world.
#[derive(Debug)]
pub struct Pod {
    /// What its manifest says.
    pub spec: PodSpec,
    app: Option<Process>,
    /// Always there; a pod's requests come from it.
    client: Process,
    control: Control,
}

impl Pod {
    /// Makes the network, writes what names mean here, starts the application and the client.
    pub(super) fn start(sandbox: &Sandbox, spec: PodSpec, hosts: &str) -> Result<Self> {
        let key = spec.key();
        sandbox.add_pod(&key, &[spec.address])?;
        let dir = sandbox.pod_dir(&key);
        std::fs::write(dir.join("hosts"), hosts)?;
        let control = Control::new(dir);
        let exe = super::executable()?;
        let start =
            |what: &str, args: &[&str]| sandbox.spawn(&format!("{key}.{what}"), Place::Pod(&key), &exe, args);
        let client = start("client", &["client", &control.client().to_string_lossy()])?;
        let app = match annotation_form(&spec) {
            Some(settings) => Some(start("app", &["app", &settings, &control.app().to_string_lossy()])?),
            None => None,
        };
        Ok(Self { spec, app, client, control })
    }

    /// Waits until application and client take requests.
    pub(super) fn wait_ready(&mut self) -> Result<()> {
        let key = self.spec.key();
        until(&format!("the client of {key}"), Duration::from_secs(10), || {
            self.client.ensure_runs()?;
            Lines::open(&self.control.client())
        })?;
        if let Some(app) = &mut self.app {
            until(&format!("the application of {key}"), Duration::from_secs(10), || {
                app.ensure_runs()?;
                Lines::open(&self.control.app())
            })?;
        }
        Ok(())
    }

    /// Sends one request from inside the pod.
    pub fn send(&self, request: &Request) -> Result<Answer> {
        self.control.send(request)
    }

    /// Sends a request so often, so many at a time.
    pub fn send_many(&self, request: &Request, count: u32, concurrency: u32) -> Result<Vec<Answer>> {
        self.control.send_many(request, count, concurrency)
    }

    /// A GET of `url` from inside the pod.
    pub fn get(&self, url: &str) -> Result<Answer> {
        self.send(&Request::get(url))
    }

    /// Who answers a GET how often.
    pub fn tally(&self, request: &Request, count: u32) -> Result<BTreeMap<String, u64>> {
        self.control.tally(request, count)
    }

    /// Starts a steady load from inside the pod.
    pub fn load(&self, load: &Load) -> Result<RunningLoad> {
        self.control.load(load)
    }

    /// The application's counters.
    pub fn counts(&self) -> Result<Counts> {
        self.control.ask(&Ask::Counts)
    }

    /// The application's counters, which start anew.
    pub fn reset(&self) -> Result<Counts> {
        self.control.ask(&Ask::Reset)
    }

    /// Tells the application how to behave.
    pub fn behave(&self, mode: Mode) -> Result<()> {
        self.control.ask(&Ask::Mode(mode)).map(|_| ())
    }

    /// Kills the application, as a crash would.
    pub fn kill_app(&mut self) {
        self.app = None;
    }
}

/// A load that runs until it is stopped.
#[derive(Debug)]
pub struct RunningLoad {
    lines: Lines,
}

impl RunningLoad {
    /// The load that was started over this conversation.
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines }
    }

    /// The report so far.
    pub fn peek(&mut self) -> Result<LoadReport> {
        self.ask(&Command::Peek)
    }

    /// Stops and reports.
    pub fn stop(mut self) -> Result<LoadReport> {
        self.ask(&Command::Stop)
    }

    /// Stops; fails when any request failed, naming the first few.
    pub fn stop_without_failures(self) -> Result<LoadReport> {
        let report = self.stop()?;
        if report.bad > 0 {
            let mut text = String::new();
            for failure in report.failures.iter().take(5) {
                let Answer { status, error, body, .. } = &failure.answer;
                let body: String = body.chars().take(120).collect();
                write!(text, "\n  at {} ms: status {status} {error:?} {body}", failure.at_ms).ok();
            }
            bail!("{} of {} requests failed under load:{text}", report.bad, report.bad + report.good);
        }
        Ok(report)
    }

    fn ask(&mut self, command: &Command) -> Result<LoadReport> {
        match self.lines.ask(command)? {
            Reply::Load(report) => Ok(report),
            Reply::Answers(_) => bail!("the client answered something else"),
        }
    }
}

fn annotation_form(spec: &PodSpec) -> Option<String> {
    let app = spec.app.as_ref()?;
    let ip = if spec.address.is_ipv6() { 6 } else { 4 };
    let mut text = format!("name={},version={},ip={ip}", app.name, app.version);
    let ports = [("http", &app.http), ("tcp", &app.tcp), ("banner", &app.banner), ("tls", &app.tls)];
    for (kind, ports) in ports {
        for port in ports {
            write!(text, ",{kind}={port}").ok();
        }
    }
    for host in &app.hosts {
        write!(text, ",host={host}").ok();
    }
    Some(text)
}
