//! The one cluster of a test program.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, bail};

use super::Kubectl;
use crate::mesh;

static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    /// What a user has.
    pub kubectl: Kubectl,
    /// Where it keeps everything.
    folder: PathBuf,
    /// Brings the cluster down when its input ends, which it does when this process is gone.
    _holder: Child,
}

impl Cluster {
    /// The cluster of this program; the first call brings it up.
    pub fn shared() -> Result<&'static Self> {
        SHARED
            .get_or_init(|| Self::start().map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow!("there is no cluster: {error}"))
    }

    /// The folder in which kubelet keeps what belongs to a pod.
    pub(super) fn pod_folder(&self, uid: &str) -> PathBuf {
        self.folder.join("kubelet/pods").join(uid)
    }

    /// Stops, starts or kills a part of the cluster, as `hack/cluster/part.sh` does.
    pub fn part(&self, verb: &str, part: &str) -> Result<()> {
        let script = scripts().join("part.sh");
        let id = self.folder.file_name().context("the folder has the cluster's name")?;
        let done = Command::new(&script).args([verb, part]).env("ID", id).output()?;
        if !done.status.success() {
            bail!("{} {verb} {part}: {}", script.display(), String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    fn start() -> Result<Self> {
        let script = scripts().join("hold.sh");
        let built = mesh::beside("pilothouse")?;
        let mut holder = Command::new(&script)
            .env("PILOTHOUSE_BUILT", built.parent().context("a program is in a folder")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An interrupt from the terminal ends us, and by that the cluster in good order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", script.display()))?;
        let output = BufReader::new(holder.stdout.take().context("it was asked for")?);
        let config = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("export KUBECONFIG=").map(PathBuf::from));
        let Some(config) = config else {
            bail!("{} ended with {}; what it said stands above", script.display(), holder.wait()?);
        };
        let folder = config.parent().context("the configuration is in a folder")?.to_owned();
        let programs = fs::read_to_string(folder.join("programs/kube"))?;
        let program = Path::new(programs.trim()).join("kubectl");
        Ok(Self { kubectl: Kubectl { program, config, namespace: None }, folder, _holder: holder })
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../hack/cluster")
}
