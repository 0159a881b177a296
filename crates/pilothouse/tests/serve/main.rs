//! The daemon from outside: it starts, says how it stands, follows its folder, and ends in order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod load;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any machine needs; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running daemon on ports of its own.
struct Daemon {
    child: Child,
    lines: Receiver<Value>,
    folder: TempDir,
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, Command::new(env!("CARGO_BIN_EXE_pilothouse")))
    }

    /// Starts `program`, a way to run ours, with its files in this folder.
    fn start_in(folder: TempDir, mut program: Command) -> Self {
        fs::create_dir_all(folder.path().join("config")).unwrap();
        let mut child = program
            .args(["serve", "--log-format", "json", "--config"])
            .arg(folder.path().join("config"))
            .args(["--xds-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(["--xds-plaintext-listen", "127.0.0.1:0"])
            .env_clear()
            .env("PILOTHOUSE_STATE_DIR", folder.path().join("state"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = follow(child.stderr.take().unwrap());
        Self { child, lines, folder }
    }

    /// The next log line with this message.
    fn line(&self, message: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line {message:?}"));
            if line["message"].as_str().is_some_and(|text| text.contains(message)) {
                return line;
            }
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("config").join(name), text).unwrap();
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn follow(stderr: ChildStderr) -> Receiver<Value> {
    let (say, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let value =
                serde_json::from_str(&line).unwrap_or_else(|_| serde_json::json!({ "message": line }));
            if say.send(value).is_err() {
                return;
            }
        }
    });
    lines
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_starts_follows_and_ends() {
    let mut daemon = Daemon::start();
    let admin: SocketAddr = daemon.line("listening")["admin"].as_str().unwrap().parse().unwrap();
    daemon.line("ready");
    assert!(get(admin, "/readyz").contains("200 OK"));

    let status = Command::new(env!("CARGO_BIN_EXE_pilothouse"))
        .args(["proxy-status", "--admin", &format!("http://{admin}")])
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(0));
    assert_eq!(String::from_utf8(status.stdout).unwrap(), "no proxy is connected\n");

    daemon.write("broken.yaml", "a: [\n");
    let finding = daemon.line("PH0001");
    assert_eq!(finding["level"], "ERROR");

    daemon.signal("TERM");
    daemon.line("stopping");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

/// The files of a process in `/proc` belong to its user while its memory may be read by it, else to root.
#[test]
fn its_memory_is_in_no_core_file_and_open_to_no_debugger() {
    let folder = tempfile::tempdir().unwrap();
    let user = own_or_any_user();
    let program = runnable_by(user, &folder);
    let mut plain = Command::new("sleep").arg("600").uid(user).gid(user).spawn().unwrap();
    let owner = |id: u32, file: &str| fs::metadata(format!("/proc/{id}/{file}")).unwrap().uid();
    let plain_owner = owner(plain.id(), "mem");
    plain.kill().unwrap();
    plain.wait().unwrap();
    assert_eq!(plain_owner, user, "an ordinary process would not show the difference");

    let mut command = Command::new(program);
    command.uid(user).gid(user);
    let daemon = Daemon::start_in(folder, command);
    daemon.line("listening");
    let id = daemon.child.id();
    assert_eq!((owner(id, "mem"), owner(id, "environ")), (0, 0));
    let limits = String::from_utf8(fs::read(format!("/proc/{id}/limits")).unwrap()).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}

/// Ourselves, or somebody without rights if we are root: root may read everything.
fn own_or_any_user() -> u32 {
    match fs::metadata("/proc/self").unwrap().uid() {
        0 => 65534,
        user => user,
    }
}

/// A copy of the program in a folder of this user: it need not be able to reach ours.
fn runnable_by(user: u32, folder: &TempDir) -> PathBuf {
    let copy = folder.path().join("pilothouse");
    fs::copy(env!("CARGO_BIN_EXE_pilothouse"), &copy).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(folder.path(), Some(user), None).unwrap();
    copy
}

#[test]
fn a_taken_port_is_said_and_ends_with_69() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_pilothouse"))
        .args([
            "serve",
            "--admin-listen",
            "127.0.0.1:0",
            "--xds-listen",
            &taken.local_addr().unwrap().to_string(),
        ])
        .arg("--config")
        .arg(folder.path())
        .arg("--state-dir")
        .arg(folder.path().join("state"))
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(69), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(String::from_utf8_lossy(&run.stderr).contains("cannot listen on"));
}
