//! A process inside a world: its log, its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::until;

/// A process started in a world's namespaces. It is killed when this value goes.
#[derive(Debug)]
pub struct Process {
    what: String,
    /// The `nsenter` that waits for the real process.
    outer: Child,
    inner: Pid,
    log: PathBuf,
}

impl Process {
    /// Takes over a started `nsenter`; waits until it has started the process proper.
    pub(super) fn adopt(what: &str, mut outer: Child, log: PathBuf) -> Result<Self> {
        let inner = until(&format!("{what} to start"), Duration::from_secs(10), || {
            if let Some(status) = outer.try_wait()? {
                bail!("it ended with {status}: {}", tail(&log, 10));
            }
            first_child(outer.id())
        })?;
        Ok(Self { what: what.to_owned(), outer, inner, log })
    }

    /// Its id as the machine sees it.
    pub fn pid(&self) -> i32 {
        self.inner.as_raw()
    }

    /// The end of its log.
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// The whole of its log.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Fails when the process has ended.
    pub fn ensure_runs(&mut self) -> Result<()> {
        match self.outer.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}:\n{}", self.what, self.tail(20)),
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.inner, signal).with_context(|| format!("signal {signal} to {}", self.what))
    }

    /// Asks the process to end, and waits for it.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        until(&format!("{} to stop", self.what), Duration::from_secs(10), || {
            ensure!(self.outer.try_wait()?.is_some(), "it runs");
            Ok(())
        })
    }

    /// Kills the process at once.
    pub fn kill(self) {
        drop(self);
    }

    fn end(&mut self) {
        if let Ok(None) = self.outer.try_wait() {
            // Gone already is as good as killed.
            kill(self.inner, Signal::SIGKILL).ok();
        }
        self.outer.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The first child of a process.
pub(super) fn first_child(of: u32) -> Result<Pid> {
    let path = format!("/proc/{of}/task/{of}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let first = children.split_whitespace().next().context("it has no child yet")?;
    Ok(Pid::from_raw(first.parse()?))
}

/// The last lines of a file; what is wrong with it if it cannot be read.
pub(super) fn tail(path: &Path, lines: usize) -> String {
    match fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<_> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("(no log: {error})"),
    }
}
