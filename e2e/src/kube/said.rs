//! A program run to its end, and what it said.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::mesh::beside;

/// How a program ended and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Whether it ended with 0.
    pub fine: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard error, where warnings stand.
    pub err: String,
}

impl Said {
    /// Runs a program with this standard input.
    pub fn by(mut command: Command, input: &str) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut stdin = child.stdin.take().context("it was asked for")?;
        let input = input.to_owned();
        // Beside the reading, or both sides wait for the other once the pipes are full.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let done = child.wait_with_output()?;
        // Refused input shows in how it ended.
        drop(writer.join());
        Ok(Self {
            fine: done.status.success(),
            out: String::from_utf8_lossy(&done.stdout).into_owned(),
            err: String::from_utf8_lossy(&done.stderr).into_owned(),
        })
    }

    /// Runs the `pilothouse` of this build.
    pub fn by_pilothouse(arguments: &[impl AsRef<str>], input: &str) -> Result<Self> {
        let mut command = Command::new(beside("pilothouse")?);
        command.args(arguments.iter().map(AsRef::as_ref));
        Self::by(command, input)
    }

    /// Its output, if it ended well.
    pub fn out(self) -> Result<String> {
        ensure!(self.fine, "{}{}", self.err, self.out);
        Ok(self.out)
    }
}
