//! The daemon, in a network namespace of its own, and the commands that set up a pod.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::pod::{PodSpec, Role};
use super::process::Process;
use super::sandbox::{Place, Sandbox};
use super::wait::until;

/// The network namespace of the daemon.
pub(super) const NAME: &str = "pilothouse.istio-system";

/// Its address, as pods of a family reach it.
pub(super) fn address(v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::new(0xfd00, 0xff, 0, 0, 0, 0, 0, 1).into()
    } else {
        Ipv4Addr::new(10, 255, 0, 1).into()
    }
}

/// The names under which proxies look for it.
pub(super) const HOSTS: &[&str] = &["istiod.istio-system.svc", "istiod.istio-system.svc.cluster.local"];

/// How the daemon is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Lifetime of workload certificates; the daemon's own default if absent.
    pub leaf_ttl: Option<Duration>,
    /// Further arguments of `serve`.
    pub arguments: Vec<String>,
    /// Runtime settings of every Envoy of the mesh, beside those of its bootstrap. A way to have Envoy refuse what others take.
    pub envoy_runtime: BTreeMap<String, Value>,
}

/// The program under test: `PILOTHOUSE_BIN`, or the one built beside us.
pub fn binary() -> Result<PathBuf> {
    match std::env::var_os("PILOTHOUSE_BIN") {
        Some(path) => Ok(path.into()),
        None => super::beside("pilothouse"),
    }
}

/// A daemon with its folder of manifests and its state.
#[derive(Debug)]
pub(super) struct ControlPlane {
    process: Option<Process>,
    options: Options,
    binary: PathBuf,
    config: PathBuf,
    state: PathBuf,
    /// Whether there are pods that have no other address than one of IPv6.
    v6: bool,
}

impl ControlPlane {
    /// Lays out folders in the world's; nothing runs yet.
    pub(super) fn new(sandbox: &Sandbox, v6: bool, options: Options) -> Result<Self> {
        let families: &[bool] = if v6 { &[false, true] } else { &[false] };
        let addresses: Vec<_> = families.iter().map(|v6| address(*v6)).collect();
        sandbox.add_pod(NAME, &addresses)?;
        let (config, state) = (sandbox.dir().join("config"), sandbox.dir().join("state"));
        fs::create_dir_all(&config)?;
        fs::create_dir_all(&state)?;
        Ok(Self { process: None, options, binary: binary()?, config, state, v6 })
    }

    /// The folder it watches.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// Starts the daemon and waits until it serves.
    pub(super) fn start(&mut self, sandbox: &Sandbox) -> Result<()> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut args = vec![
            "serve".to_owned(),
            "--config".into(),
            text(&self.config),
            "--state-dir".into(),
            text(&self.state),
            "--xds-listen".into(),
            if self.v6 { "[::]:15012" } else { "0.0.0.0:15012" }.into(),
        ];
        if let Some(ttl) = self.options.leaf_ttl {
            args.extend(["--leaf-ttl".into(), format!("{}s", ttl.as_secs())]);
        }
        args.extend(self.options.arguments.iter().cloned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let process = sandbox.spawn("control-plane", Place::Pod(NAME), &self.binary, &args)?;
        let process = self.process.insert(process);
        until("the control plane to be ready", Duration::from_secs(20), || {
            process.ensure_runs()?;
            ensure!(self.state.join("ca/root-cert.pem").exists(), "it has no root yet");
            sandbox.run(Place::Pod(NAME), &self.binary, &["proxy-status", "-o", "json"]).map(|_| ())
        })
    }

    /// Kills the daemon as a crash would.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.process.take().context("the control plane does not run")?.kill();
        Ok(())
    }

    /// All it has written to its log.
    pub(super) fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// The root certificate it has made, as PEM.
    pub(super) fn root(&self) -> Result<String> {
        fs::read_to_string(self.state.join("ca/root-cert.pem")).context("the control plane has no root")
    }

    /// Certificate and key of its CA, as PEM.
    pub(super) fn authority(&self) -> Result<(String, String)> {
        let file = |name: &str| {
            fs::read_to_string(self.state.join("ca").join(name)).with_context(|| name.to_owned())
        };
        Ok((file("ca-cert.pem")?, file("ca-key.pem")?))
    }

    /// The key that signs its tokens, as PEM.
    pub(super) fn token_key(&self) -> Result<String> {
        fs::read_to_string(self.state.join("token-key.pem")).context("the control plane has no token key")
    }

    /// Runs one of its commands beside it.
    pub(super) fn command(&self, sandbox: &Sandbox, args: &[&str]) -> Result<String> {
        sandbox.run(Place::Pod(NAME), &self.binary, args)
    }

    /// Redirects a pod's traffic to its Envoy.
    pub(super) fn capture(&self, sandbox: &Sandbox, pod: &str) -> Result<()> {
        sandbox.run(Place::Pod(pod), &self.binary, &["capture"]).map(|_| ())
    }

    /// Writes what a pod's Envoy starts with; gives the bootstrap's path.
    pub(super) fn prepare(&self, sandbox: &Sandbox, pod: &PodSpec, admin: &Path) -> Result<PathBuf> {
        let key = pod.key();
        let folder = sandbox.pod_dir(&key).join("proxy");
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (config, state, admin, write) =
            (text(&self.config), text(&self.state), text(admin), text(&folder));
        let discovery = format!("{}:15012", HOSTS[0]);
        let role = if pod.role == Role::Gateway { "gateway" } else { "sidecar" };
        let args = [
            ["--workload", &key],
            ["--role", role],
            ["--config", &config],
            ["--state-dir", &state],
            ["--discovery-address", &discovery],
            ["--admin-pipe", &admin],
            ["--write", &write],
            ["--owner", "1337:1337"],
        ];
        let args: Vec<&str> = ["bootstrap"].into_iter().chain(args.into_iter().flatten()).collect();
        self.command(sandbox, &args)?;
        let bootstrap = folder.join("envoy.json");
        if !self.options.envoy_runtime.is_empty() {
            let mut made: Value = serde_json::from_str(&fs::read_to_string(&bootstrap)?)?;
            let layers = made["layered_runtime"]["layers"].as_array_mut().context("it has runtime layers")?;
            layers.push(json!({"name": "test", "static_layer": self.options.envoy_runtime}));
            fs::write(&bootstrap, made.to_string())?;
        }
        Ok(bootstrap)
    }
}
