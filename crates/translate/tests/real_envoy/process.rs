//! Real Envoys: both ends of the supported range.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pilothouse_envoy_api as envoy;

/// What tests run: the oldest supported version and the newest.
pub(crate) const VERSIONS: [&str; 2] = ["1.37.0", "1.40.0"];

/// The binary of a version: named by `PILOTHOUSE_ENVOY_1_37_0` and the like, else where `hack/tools.sh` puts it.
pub(crate) fn binary(version: &str) -> PathBuf {
    let named = std::env::var_os(format!("PILOTHOUSE_ENVOY_{}", version.replace('.', "_")));
    let path = named.map_or_else(
        || {
            let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
            let home = || PathBuf::from(set("HOME").unwrap_or_default()).join(".cache");
            let user = || set("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("pilothouse");
            let cache = set("PILOTHOUSE_CACHE").map_or_else(user, PathBuf::from);
            cache.join("envoy").join(version).join("envoy")
        },
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "Envoy {version} is not at {}; fetch it with: hack/tools.sh envoy",
        path.display()
    );
    path
}

/// Has both versions check a configuration; panics with what they say against it.
pub(crate) fn validate(bootstrap: &envoy::bootstrap::Bootstrap) {
    for version in VERSIONS {
        if let Err(why) = judged_by(version, bootstrap) {
            panic!("Envoy {version} refuses:\n{why}");
        }
    }
}

/// What one version says against a configuration.
pub(crate) fn judged_by(version: &str, bootstrap: &envoy::bootstrap::Bootstrap) -> Result<(), String> {
    judged(version, "bootstrap.pb", &envoy::encode(bootstrap))
}

/// The same of a configuration in JSON.
pub(crate) fn judged_by_json(version: &str, bootstrap: &str) -> Result<(), String> {
    judged(version, "bootstrap.json", bootstrap.as_bytes())
}

/// Envoy knows the form of a file by the end of its name.
fn judged(version: &str, file: &str, content: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(file);
    std::fs::write(&file, content).unwrap();
    let output = Command::new(binary(version))
        .args(["--mode", "validate", "--log-level", "warn", "--config-path"])
        .arg(&file)
        .output()
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// An Envoy that runs until this is dropped.
pub(crate) struct Running {
    process: Child,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts an Envoy; returns once its listeners are open.
    pub(crate) fn start(version: &str, bootstrap: &envoy::bootstrap::Bootstrap) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bootstrap.pb");
        std::fs::write(&file, envoy::encode(bootstrap)).unwrap();
        let mut process = Command::new(binary(version))
            .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "info", "--config-path"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert!(log.read_line(&mut seen).unwrap() > 0, "Envoy {version} ends early:\n{seen}");
            if seen[start..].contains("starting main dispatch loop") {
                break;
            }
        }
        // A full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { process, _folder: folder }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ports that were free just now, all different.
pub(crate) fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let held = [(); COUNT].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// The whole answer to one request.
pub(crate) fn get(port: u16, path: &str, host: &str) -> String {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A server that remembers what it is asked.
pub(crate) struct Recorder {
    /// Where it listens.
    pub(crate) port: u16,
    requests: Receiver<Vec<String>>,
}

impl Recorder {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
                let head = lines.take_while(|line| !line.is_empty()).collect();
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                if sender.send(head).is_err() {
                    break;
                }
            }
        });
        Self { port, requests }
    }

    /// The next request: its first two lines.
    pub(crate) fn next_request(&self) -> Vec<String> {
        let mut lines = self.requests.recv_timeout(Duration::from_secs(20)).unwrap();
        lines.truncate(2);
        lines
    }
}
