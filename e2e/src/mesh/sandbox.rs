//! The isolation of one world.
//!
//! `unshare` starts a first process in new PID, mount and network namespaces; it reads its standard input, which
//! we hold. When we go, by whatever cause, it reads the end of file and ends, and with it, by the rules of PID
//! namespaces, every process of the world and then every network namespace and interface. Nothing has a name that
//! the machine could see, so worlds never meet and there is nothing to sweep but the folder.
//!
//! Inside, the network namespace of the first process is the switch: every pod is a namespace of its own with one
//! interface, the address its manifest names, and the switch as its only neighbour.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use nix::unistd::Pid;

use super::process::{Process, first_child};

/// Where a process of a world runs.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// In the switch, from which every pod is reachable.
    Switch,
    /// In the pod of this name.
    Pod(&'a str),
}

/// The namespaces and the folder of one world.
#[derive(Debug)]
pub struct Sandbox {
    warden: Child,
    first: Pid,
    dir: PathBuf,
    interfaces: AtomicU32,
    keep_dir: bool,
}

/// Number of worlds this process has made; part of their folders' names.
static WORLDS: AtomicU32 = AtomicU32::new(0);

const SETUP: &str = r#"set -e
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/netns /run/envoy
mount --bind "$1" /run/envoy
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready
exec cat
"#;

const ADD_POD: &str = r"set -e
pod=$1 link=$2
ip netns add $pod
ip link add $link type veth peer name eth0 netns $pod
ip link set $link up
ip -n $pod link set lo up
ip -n $pod link set eth0 up
ip netns exec $pod sh -c 'echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start'
";

const ADD_V4: &str = r"set -e
pod=$1 link=$2 ip=$3
ip addr add 169.254.1.1/32 dev $link
ip -n $pod addr add $ip/32 dev eth0
ip -n $pod route add 169.254.1.1 dev eth0 scope link
ip -n $pod route add default via 169.254.1.1 dev eth0
ip route add $ip/32 dev $link
";

/// Nobody else has these addresses, so nothing waits until that is proven.
const ADD_V6: &str = r"set -e
pod=$1 link=$2 ip=$3
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
ip addr add fe80::1/64 dev $link nodad
ip -n $pod addr add $ip/128 dev eth0 nodad
ip -n $pod -6 route add default via fe80::1 dev eth0
ip -6 route add $ip/128 dev $link
";

/// Gives a process of a pod its own view of names, then becomes it.
const ENTER: &str = r#"mount --bind "$1/hosts" /etc/hosts
if [ -e /etc/resolv.conf ]; then mount --bind "$1/resolv.conf" /etc/resolv.conf; fi
shift; exec "$@""#;

impl Sandbox {
    /// Makes the namespaces and an empty folder. `binaries` is mounted at `/run/envoy` inside, readable by every
    /// user.
    pub fn start(binaries: &Path) -> Result<Self> {
        check_machine()?;
        sweep();
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("pilothouse-e2e.{}.{number}", std::process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        fs::write(dir.join("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")?;

        let log = File::create(dir.join("warden.log"))?;
        let mut warden = Command::new("unshare")
            .args([
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                "-c",
                SETUP,
                "sh",
            ])
            .arg(binaries)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot run unshare")?;
        let mut line = String::new();
        BufReader::new(warden.stdout.take().context("the warden has no output")?).read_line(&mut line)?;
        if line.trim() != "ready" {
            let said = super::process::tail(&dir.join("warden.log"), 10);
            warden.kill().ok();
            warden.wait().ok();
            bail!("the kernel refuses the namespaces the suite needs (PID, mount, network):\n{said}");
        }
        let first = first_child(warden.id())?;
        Ok(Self { warden, first, dir, interfaces: AtomicU32::new(0), keep_dir: false })
    }

    /// The world's folder: readable by every user, removed with the world.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The process whose namespaces are the world's; `nsenter --target` takes it.
    pub fn pid(&self) -> i32 {
        self.first.as_raw()
    }

    /// Leaves the folder for a reader; the next world on this machine removes it.
    pub fn keep_dir(&mut self) {
        self.keep_dir = true;
    }

    /// Adds a pod: a network namespace with at most one address of each family, reachable from all others.
    pub fn add_pod(&self, name: &str, addresses: &[IpAddr]) -> Result<()> {
        let link = format!("pod{}", self.interfaces.fetch_add(1, Ordering::Relaxed));
        fs::create_dir_all(self.pod_dir(name))?;
        fs::copy(self.dir.join("resolv.conf"), self.pod_dir(name).join("resolv.conf"))?;
        fs::write(self.pod_dir(name).join("hosts"), "127.0.0.1 localhost\n")?;
        let make = |script, address: &str| {
            self.run(Place::Switch, "sh", &["-c", script, "sh", name, &link, address])
                .with_context(|| format!("cannot make the network of pod {name}"))
        };
        make(ADD_POD, "")?;
        for address in addresses {
            make(if address.is_ipv6() { ADD_V6 } else { ADD_V4 }, &address.to_string())?;
        }
        Ok(())
    }

    /// Removes a pod's network; its processes must have ended.
    pub fn remove_pod(&self, name: &str) -> Result<()> {
        self.run(Place::Switch, "ip", &["netns", "delete", name])?;
        Ok(())
    }

    /// The folder with a pod's own files, among them `hosts`.
    pub fn pod_dir(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The command line that runs something in the world.
    pub fn command(&self, place: Place<'_>, program: impl AsRef<Path>, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--net", "--mount", "--pid", "--"]);
        if let Place::Pod(pod) = place {
            command.args(["ip", "netns", "exec", pod, "sh", "-c", ENTER, "sh"]).arg(self.pod_dir(pod));
        }
        command.arg(program.as_ref()).args(args);
        command
    }

    /// Runs something to its end; gives its standard output.
    pub fn run(&self, place: Place<'_>, program: impl AsRef<Path>, args: &[&str]) -> Result<String> {
        let program = program.as_ref();
        let output = self.command(place, program, args).stdin(Stdio::null()).output()?;
        ensure!(
            output.status.success(),
            "{} {} in {place:?}: {}\n{}{}",
            program.display(),
            args.iter().find(|a| !a.contains('\n')).unwrap_or(&""),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts something and gives it a log of its own in the world's folder.
    pub fn spawn(
        &self,
        what: &str,
        place: Place<'_>,
        program: impl AsRef<Path>,
        args: &[&str],
    ) -> Result<Process> {
        let path = self.dir.join(format!("{what}.log"));
        let log = File::options().create(true).append(true).open(&path)?;
        let child = self
            .command(place, program, args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {what}"))?;
        Process::adopt(what, child, path)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.warden.stdin.take());
        self.warden.wait().ok();
        if !self.keep_dir {
            fs::remove_dir_all(&self.dir).ok();
        }
    }
}

/// Says what is missing and why, before anything fails in a way nobody understands.
fn check_machine() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "the real-Envoy suite needs root: it makes network namespaces and writes iptables rules in them. \
         Run it as root, for example: sudo -E env \"PATH=$PATH\" make test"
    );
    for (tool, package) in [
        ("ip", "iproute2"),
        ("iptables-restore", "iptables"),
        ("setpriv", "util-linux"),
        ("nsenter", "util-linux"),
    ] {
        let found =
            ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].iter().any(|dir| Path::new(dir).join(tool).exists());
        ensure!(
            found,
            "the real-Envoy suite needs `{tool}`: run hack/tools.sh, or apt-get install {package}"
        );
    }
    Ok(())
}

/// Removes the folders of worlds whose process is gone.
fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|n| n.strip_prefix("pilothouse-e2e.")).and_then(|n| n.split('.').next());
        if let Some(pid) = pid
            && pid.parse::<u32>().is_ok()
            && !Path::new("/proc").join(pid).exists()
        {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}
