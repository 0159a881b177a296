//! Real Envoys: both ends of the supported range, found, asked for their judgement, and run on this machine.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What tests run: the oldest supported version and the newest.
pub const VERSIONS: [&str; 2] = ["1.37.0", "1.40.0"];

/// The binary of a version: named by `PILOTHOUSE_ENVOY_1_37_0` and the like, else where `hack/tools.sh` puts it.
///
/// # Panics
/// If it is not there: a suite that cannot run fails.
pub fn binary(version: &str) -> PathBuf {
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

/// The form of a bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Protobuf.
    Binary,
    /// Protobuf JSON.
    Json,
}

/// What a version says against a bootstrap.
///
/// # Panics
/// If it cannot be asked.
pub fn judged_by(version: &str, form: Form, bootstrap: &[u8]) -> Result<(), String> {
    let folder = Folder::with(form, bootstrap);
    let output = Command::new(binary(version))
        .args(["--mode", "validate", "--log-level", "warn", "--config-path"])
        .arg(&folder.file)
        .output()
        .expect("what is there can be run");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A folder with a bootstrap. Envoy knows its form by the end of its name.
#[derive(Debug)]
struct Folder {
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Folder {
    fn with(form: Form, bootstrap: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("tests may write");
        let name = match form {
            Form::Binary => "bootstrap.pb",
            Form::Json => "bootstrap.json",
        };
        let file = Path::join(folder.path(), name);
        std::fs::write(&file, bootstrap).expect("tests may write");
        Self { file, _folder: folder }
    }
}

/// An Envoy that runs until this is dropped.
#[derive(Debug)]
pub struct Running {
    process: Child,
    _folder: Folder,
}

impl Running {
    /// Starts an Envoy; returns once its listeners are open.
    ///
    /// # Panics
    /// If it ends before.
    pub fn start(version: &str, bootstrap: &[u8]) -> Self {
        let folder = Folder::with(Form::Binary, bootstrap);
        let mut process = Command::new(binary(version))
            .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "info", "--config-path"])
            .arg(&folder.file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("what is there can be run");
        let mut log = BufReader::new(process.stderr.take().expect("it was asked for"));
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert!(
                log.read_line(&mut seen).is_ok_and(|read| read > 0),
                "Envoy {version} ends early:\n{seen}"
            );
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
