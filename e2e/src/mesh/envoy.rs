//! The unmodified Envoy of one pod.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::process::Process;
use super::sandbox::{Place, Sandbox};
use super::socket;
use super::wait::until;

/// An Envoy release the suite runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The oldest we support.
    V1_37_0,
    /// The newest we pin.
    V1_40_0,
}

impl Version {
    /// As Envoy writes it.
    pub fn number(self) -> &'static str {
        match self {
            Self::V1_37_0 => "1.37.0",
            Self::V1_40_0 => "1.40.0",
        }
    }

    /// The folder that holds one folder per version, as `hack/tools.sh` fills it.
    pub fn cache() -> Result<PathBuf> {
        let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let cache = set("PILOTHOUSE_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("pilothouse")))
            .or_else(|| set("HOME").map(|dir| dir.join(".cache/pilothouse")))
            .context("neither PILOTHOUSE_CACHE nor HOME is set: where are the Envoy binaries?")?
            .join("envoy");
        for version in [Self::V1_37_0, Self::V1_40_0] {
            let binary = cache.join(version.number()).join("envoy");
            ensure!(binary.exists(), "{} is missing: run hack/tools.sh", binary.display());
        }
        Ok(cache)
    }
}

impl std::str::FromStr for Version {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::V1_37_0, Self::V1_40_0]
            .into_iter()
            .find(|version| version.number() == text)
            .with_context(|| format!("`{text}` is no pinned Envoy (1.37.0, 1.40.0)"))
    }
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    /// The process, as uid 1337.
    pub process: Process,
    admin: PathBuf,
    pod: String,
}

impl Envoy {
    /// Where a bootstrap of this pod must put the admin socket.
    pub fn admin_path(sandbox: &Sandbox, pod: &str) -> PathBuf {
        sandbox.pod_dir(pod).join("run/admin.sock")
    }

    /// Starts Envoy in a pod with a bootstrap file. `what` names its log.
    pub fn start(sandbox: &Sandbox, pod: &str, version: Version, bootstrap: &Path) -> Result<Self> {
        let admin = Self::admin_path(sandbox, pod);
        std::fs::remove_file(&admin).ok();
        let run = admin.parent().context("the admin socket has a folder")?;
        std::fs::create_dir_all(run)?;
        std::os::unix::fs::chown(run, Some(1337), Some(1337))?;
        let binary = format!("/run/envoy/{}/envoy", version.number());
        let bootstrap = bootstrap.to_str().context("the folder's name is not UTF-8")?;
        let args = [
            "--reuid=1337",
            "--regid=1337",
            "--clear-groups",
            "--inh-caps=-all",
            &binary,
            "-c",
            bootstrap,
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--drain-time-s",
            "2",
            "-l",
            "info",
        ];
        let process = sandbox.spawn(&format!("{pod}.envoy"), Place::Pod(pod), "setpriv", &args)?;
        Ok(Self { process, admin, pod: pod.to_owned() })
    }

    /// Waits until Envoy has all its configuration and listens.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let Self { process, admin, pod } = self;
        until(&format!("the Envoy of {pod} to be ready"), limit, || {
            process.ensure_runs()?;
            let (status, body) = socket::http(admin, "GET", "/ready")?;
            ensure!(status == 200, "it is {}", body.trim());
            Ok(())
        })
    }

    /// An admin page as text.
    pub fn admin(&self, target: &str) -> Result<String> {
        let (status, body) = socket::http(&self.admin, "GET", target)?;
        ensure!(status == 200, "{target} of {}: {status} {body}", self.pod);
        Ok(body)
    }

    /// An admin action.
    pub fn admin_post(&self, target: &str) -> Result<()> {
        let (status, body) = socket::http(&self.admin, "POST", target)?;
        ensure!(status == 200, "{target} of {}: {status} {body}", self.pod);
        Ok(())
    }

    /// All of its configuration, endpoints included.
    pub fn config_dump(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.admin("/config_dump?include_eds")?)?)
    }

    /// Bytes that came from the control plane so far.
    pub fn received_from_control_plane(&self) -> Result<u64> {
        self.stat("cluster.xds-grpc.upstream_cx_rx_bytes_total")
    }

    /// The sum of all counters and gauges whose name contains `part`.
    pub fn stat(&self, part: &str) -> Result<u64> {
        self.sum(&format!("/stats?filter={}", part.replace('.', "\\.").replace('|', "\\|")))
    }

    /// The sum of the numbers on a page of statistics. Envoy filters: with a thousand clusters the whole page takes
    /// seconds.
    fn sum(&self, page: &str) -> Result<u64> {
        let text = self.admin(page)?;
        let values = text.lines().filter_map(|line| line.split_once(": ")).map(|(_, value)| value.trim());
        Ok(values.filter_map(|value| value.parse::<u64>().ok()).sum())
    }
}
