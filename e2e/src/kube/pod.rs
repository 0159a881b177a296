//! A pod whose container is the suite's application and client.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Cluster;
use crate::app::control::Ask;
use crate::app::{Counts, Mode};
use crate::client::{Answer, Load, Request};
use crate::mesh::{Control, RunningLoad};

/// The volume in which application and client put their sockets.
pub(super) const VOLUME: &str = "e2e";

/// A ready pod.
#[derive(Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    control: Control,
    /// Kept open: the sockets are reached through it.
    _folder: File,
}

impl Pod {
    /// Reaches into a pod, if it is ready.
    pub(super) fn reach(cluster: &Cluster, pod: &Value) -> Result<Self> {
        let text = |path: &str| pod.pointer(path).and_then(Value::as_str);
        let name = text("/metadata/name").context("a pod has a name")?.to_owned();
        let conditions = pod["status"]["conditions"].as_array();
        let ready = conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True");
        ensure!(ready, "{name} is not ready: {}", pod["status"]["phase"]);
        let address = text("/status/podIP").context("a ready pod has an address")?.to_owned();
        let uid = text("/metadata/uid").context("a pod has a uid")?;
        let path = cluster.pod_folder(uid).join("volumes/kubernetes.io~empty-dir").join(VOLUME);
        let folder = File::open(&path).with_context(|| format!("{name} has no volume {}", path.display()))?;
        // The path of a socket has little more than a hundred characters, kubelet's folders have more.
        let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        Ok(Self { name, address, control: Control::new(short), _folder: folder })
    }

    /// Sends one request from inside the pod.
    pub fn send(&self, request: &Request) -> Result<Answer> {
        self.control.send(request)
    }

    /// A GET of `url` from inside the pod.
    pub fn fetch(&self, url: &str) -> Result<Answer> {
        self.send(&Request::get(url))
    }

    /// Who answers a request how often.
    pub fn tally(&self, request: &Request, count: u32) -> Result<std::collections::BTreeMap<String, u64>> {
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
        self.control.ask(&Ask::Mode(mode)).map(drop)
    }
}
