//! What cargo knows about the workspace.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// The cargo that runs us, so that its version is the one of `rust-toolchain.toml`.
#[expect(clippy::disallowed_methods, reason = "cargo tells its children where it is")]
pub(crate) fn program() -> OsString {
    std::env::var("CARGO").map_or_else(|_| OsString::from("cargo"), OsString::from)
}

/// `cargo metadata` without the packages of others.
pub(crate) fn workspace(root: &Path) -> Result<Value> {
    metadata(&program(), root, &["--no-deps"])
}

/// `cargo metadata` with the given further arguments.
pub(crate) fn metadata(cargo: &OsString, root: &Path, more: &[&str]) -> Result<Value> {
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .args(more)
        .current_dir(root)
        .output()
        .context("starting cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("reading what cargo metadata printed")
}
