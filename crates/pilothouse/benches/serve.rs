//! The daemon with an empty folder: how soon it is ready, and what it keeps in memory.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often it is started; the first start of all also makes the keys of the mesh.
const STARTS: usize = 11;
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let place = tempfile::tempdir().expect("a folder for temporary files");
    let config = place.path().join("config");
    fs::create_dir(&config).expect("a new folder");
    let first = start(&config, &place.path().join("first"));
    let state = place.path().join("state");
    start(&config, &state);
    let mut starts: Vec<Start> = (0..STARTS).map(|_| start(&config, &state)).collect();
    starts.sort_by_key(|start| start.ready);
    let middle = &starts[STARTS / 2];
    println!("\n== serve, empty folder ==\n");
    println!("ready, first start (makes its keys): {:>8.1} ms", millis(first.ready));
    println!("ready, median of {STARTS} further starts: {:>8.1} ms", millis(middle.ready));
    println!("the slowest of these:               {:>8.1} ms", millis(starts[STARTS - 1].ready));
    println!("resident, once ready:               {:>8.1} MB", megabytes(middle.resident));
    println!("of these its own, not of files:     {:>8.1} MB", megabytes(middle.anonymous));
    println!("threads:                            {:>8}", middle.threads);
}

/// One start.
struct Start {
    ready: Duration,
    /// Kilobytes of 1,024 bytes, as the kernel counts.
    resident: u64,
    anonymous: u64,
    threads: u64,
}

#[expect(clippy::disallowed_methods, reason = "measuring time is what it is for")]
fn start(config: &Path, state: &Path) -> Start {
    let (admin, discovery) = (free_address(), free_address());
    let begun = Instant::now();
    let daemon = Daemon(
        Command::new(env!("CARGO_BIN_EXE_pilothouse"))
            .args(["serve", "--config"])
            .arg(config)
            .arg("--state-dir")
            .arg(state)
            .args(["--admin-listen", &admin.to_string(), "--xds-listen", &discovery.to_string()])
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the built program starts"),
    );
    while !is_ready(admin) {
        assert!(begun.elapsed() < PATIENCE, "not ready within {PATIENCE:?}");
        // A benchmark may burn its own core to see the moment exactly.
        std::thread::yield_now();
    }
    let ready = begun.elapsed();
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).expect("it runs");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    Start { ready, resident: field("VmRSS"), anonymous: field("RssAnon"), threads: field("Threads") }
}

/// A daemon that ends with its value.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// An address nobody listens on now.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address")
}

fn is_ready(admin: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(admin) else { return false };
    let request = format!("GET /healthz/ready HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn megabytes(kilobytes: u64) -> f64 {
    kilobytes as f64 * 1_024.0 / 1e6
}
