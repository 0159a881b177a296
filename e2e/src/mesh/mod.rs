//! A world: pods, their applications, their Envoys, the control plane.

pub mod certificates;
mod control;
mod control_plane;
mod envoy;
mod manifests;
mod names;
mod pod;
mod process;
mod sandbox;
pub mod socket;
mod wait;

pub use control::{APP, CLIENT, Control};
pub use control_plane::{Options, binary};
pub use envoy::{Envoy, Version};
pub use manifests::Manifests;
pub use pod::{Pod, PodSpec, Role, RunningLoad};
pub use process::Process;
pub use sandbox::{Place, Sandbox};
pub use wait::until;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use control_plane::ControlPlane;
use serde_json::Value;

/// A running world.
#[derive(Debug)]
pub struct Mesh {
    // Processes end before the namespaces they live in: fields drop in this order.
    envoys: BTreeMap<String, Envoy>,
    pods: BTreeMap<String, Pod>,
    control_plane: Option<ControlPlane>,
    sandbox: Sandbox,
    version: Version,
    manifests: Manifests,
}

impl Mesh {
    /// Pods and applications, without Envoys and without a control plane.
    pub fn bare(manifests: Manifests, version: Version) -> Result<Self> {
        let sandbox = Sandbox::start(&Version::cache()?)?;
        let mut pods = BTreeMap::new();
        for spec in manifests.pods.values() {
            let hosts = manifests.hosts_file(spec);
            pods.insert(spec.key(), Pod::start(&sandbox, spec.clone(), &hosts)?);
        }
        for pod in pods.values_mut() {
            pod.wait_ready()?;
        }
        Ok(Self { envoys: BTreeMap::new(), pods, control_plane: None, sandbox, version, manifests })
    }

    /// Everything: pods, the control plane on the manifests, capture and an Envoy for each pod of the mesh. On
    /// failure the error tells what the logs say.
    pub fn start(manifests: Manifests, version: Version, options: Options) -> Result<Self> {
        let mut mesh = Self::bare(manifests, version)?;
        match mesh.bring_up(options) {
            Ok(()) => Ok(mesh),
            Err(error) => Err(mesh.explain(&error)),
        }
    }

    fn bring_up(&mut self, options: Options) -> Result<()> {
        let v6 = self.manifests.pods.values().any(|pod| pod.address.is_ipv6());
        let control_plane = self.control_plane.insert(ControlPlane::new(&self.sandbox, v6, options)?);
        self.manifests.write(control_plane.config())?;
        control_plane.start(&self.sandbox)?;
        for spec in self.manifests.pods.values().filter(|spec| spec.role != Role::Outside) {
            let key = spec.key();
            if spec.role == Role::Sidecar {
                control_plane.capture(&self.sandbox, &key)?;
            }
            let admin = Envoy::admin_path(&self.sandbox, &key);
            let bootstrap = control_plane.prepare(&self.sandbox, spec, &admin)?;
            self.envoys.insert(key.clone(), Envoy::start(&self.sandbox, &key, self.version, &bootstrap)?);
        }
        self.envoys.values_mut().try_for_each(|envoy| envoy.wait_ready(Duration::from_secs(30)))
    }

    /// A pod by `name.namespace`.
    pub fn pod(&self, key: &str) -> Result<&Pod> {
        self.pods.get(key).with_context(|| format!("no pod {key}; there are {:?}", self.pods.keys()))
    }

    /// All pods.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values()
    }

    /// The Envoy of a pod.
    pub fn envoy(&self, key: &str) -> Result<&Envoy> {
        self.envoys
            .get(key)
            .with_context(|| format!("{key} has no Envoy; these have: {:?}", self.envoys.keys()))
    }

    /// The namespaces, to run something of one's own in.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Starts the Envoy of a pod with this bootstrap and waits until it serves.
    pub fn start_envoy(&mut self, key: &str, bootstrap: &str) -> Result<()> {
        let path = self.sandbox.pod_dir(key).join("bootstrap.yaml");
        fs::write(&path, bootstrap)?;
        let mut envoy = Envoy::start(&self.sandbox, key, self.version, &path)?;
        envoy.wait_ready(Duration::from_secs(20))?;
        self.envoys.insert(key.to_owned(), envoy);
        Ok(())
    }

    /// Starts an Envoy for a pod as the control plane would have it, but with this token, and does not wait for it.
    pub fn start_envoy_with_token(&mut self, key: &str, token: &str) -> Result<()> {
        self.envoys.remove(key);
        let admin = Envoy::admin_path(&self.sandbox, key);
        let pod = &self.pods.get(key).with_context(|| format!("no pod {key}"))?.spec;
        let bootstrap = self.running()?.prepare(&self.sandbox, pod, &admin)?;
        fs::write(bootstrap.with_file_name("istio-token"), token)?;
        let envoy = Envoy::start(&self.sandbox, key, self.version, &bootstrap)?;
        self.envoys.insert(key.to_owned(), envoy);
        Ok(())
    }

    /// The folder that the control plane watches.
    pub fn config(&self) -> Result<&Path> {
        Ok(self.running()?.config())
    }

    /// A file of the folder that the control plane watches.
    pub fn read(&self, file: &str) -> Result<String> {
        let path = self.config()?.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Replaces or adds a file, as an editor does: written beside and renamed over.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.config()?.join(file);
        let beside = self.sandbox.dir().join("edit");
        fs::write(&beside, text)?;
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        Ok(fs::rename(beside, path)?)
    }

    /// Removes a file.
    pub fn remove(&self, file: &str) -> Result<()> {
        Ok(fs::remove_file(self.config()?.join(file))?)
    }

    /// Kills the control plane as a crash would.
    pub fn kill_control_plane(&mut self) -> Result<()> {
        self.control_plane.as_mut().context("there is no control plane")?.kill()
    }

    /// Starts the control plane again, with the state it left.
    pub fn start_control_plane(&mut self) -> Result<()> {
        self.control_plane.as_mut().context("there is no control plane")?.start(&self.sandbox)
    }

    /// What `proxy-status -o json` says.
    pub fn proxy_status(&self) -> Result<Value> {
        let text = self.running()?.command(&self.sandbox, &["proxy-status", "-o", "json"])?;
        serde_json::from_str(&text).with_context(|| format!("proxy-status is no JSON: {text}"))
    }

    /// All the control plane has written to its log.
    pub fn control_plane_log(&self) -> String {
        self.control_plane.as_ref().map(ControlPlane::log).unwrap_or_default()
    }

    /// The mesh's root certificate as PEM.
    pub fn root_certificate(&self) -> Result<String> {
        self.running()?.root()
    }

    /// A certificate and key of the mesh's own CA for this name, as PEM.
    pub fn own_identity(&self, spiffe: &str) -> Result<(String, String)> {
        let (certificate, key) = self.running()?.authority()?;
        certificates::identity_under(&certificate, &key, spiffe)
    }

    /// The key that signs the mesh's tokens, as PEM.
    pub fn token_key(&self) -> Result<String> {
        self.running()?.token_key()
    }

    /// The root of the certificate that the harness made for a host, as PEM.
    pub fn certificate_root(&self, host: &str) -> Option<&str> {
        self.manifests.certificate_roots.get(host).map(String::as_str)
    }

    /// The clients that the harness made under the root of this name.
    pub fn clients(&self, name: &str) -> Option<&certificates::Clients> {
        self.manifests.clients.get(name)
    }

    /// Kills a pod's application, as a crash would.
    pub fn kill_app(&mut self, key: &str) -> Result<()> {
        self.pods.get_mut(key).with_context(|| format!("no pod {key}"))?.kill_app();
        Ok(())
    }

    /// Adds to an error what a reader needs to see why: the ends of the logs. Keeps the world's folder.
    #[must_use]
    pub fn explain(&mut self, error: &anyhow::Error) -> anyhow::Error {
        self.sandbox.keep_dir();
        let mut text =
            format!("{error:#}\n\nEnvoy {}, logs in {}", self.version.number(), self.sandbox.dir().display());
        for (pod, envoy) in &self.envoys {
            let log = envoy.process.log();
            let loud = |line: &&str| {
                line.contains("[warning]") || line.contains("[error]") || line.contains("[critical]")
            };
            let lines: Vec<_> = log.lines().filter(loud).collect();
            writeln!(text, "\n--- Envoy of {pod}, warnings").ok();
            lines.iter().rev().take(6).rev().for_each(|line| {
                writeln!(text, "{}", line.chars().take(600).collect::<String>()).ok();
            });
        }
        if let Some(control_plane) = &self.control_plane {
            let log = control_plane.log();
            let lines: Vec<_> = log.lines().collect();
            writeln!(text, "\n--- control plane, end of its log").ok();
            lines.iter().rev().take(25).rev().for_each(|line| {
                writeln!(text, "{}", line.chars().take(400).collect::<String>()).ok();
            });
            match control_plane.command(&self.sandbox, &["proxy-status"]) {
                Ok(status) => writeln!(text, "\n--- proxy-status\n{status}").ok(),
                Err(error) => writeln!(text, "\n--- proxy-status failed: {error:#}").ok(),
            };
        }
        anyhow::anyhow!(text)
    }

    fn running(&self) -> Result<&ControlPlane> {
        self.control_plane.as_ref().context("this world has no control plane")
    }
}

/// The folder with the cases, for programs run from the tree.
pub fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// The manifests of some cases together with the cast they play with. A case with a `world.yaml` stands alone.
pub fn case_manifests(names: &[&str]) -> Result<Manifests> {
    let root = cases();
    let alone = names.iter().any(|name| root.join(name).join("world.yaml").exists());
    let mut folders: Vec<_> = names.iter().map(|name| root.join(name)).collect();
    if !alone {
        folders.insert(0, root.join("cast"));
    }
    Manifests::read(&root, &folders)
}

/// The names of all cases.
pub fn case_names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(cases())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name != "cast");
    names.sort();
    Ok(names)
}

/// The program that holds application and client: ours, or the one beside the test that runs.
fn executable() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    if own.file_stem().is_some_and(|name| name == "e2e") {
        return Ok(own);
    }
    beside("e2e")
}

/// A program of this workspace, in the folder cargo builds into.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("the running program has no folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join(name);
    ensure!(path.exists(), "{} is missing: build it with cargo build --bin {name}", path.display());
    Ok(path)
}
