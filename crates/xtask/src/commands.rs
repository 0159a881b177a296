//! `docs/reference/commands.md`, from the definitions of the commands in the binary.
//!
//! The binary prints the page itself: linking it here would make every chore wait for all of Pilothouse.

use crate::generate;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

const PATH: &str = "docs/reference/commands.md";

/// Writes the page, or compares it.
pub(crate) fn generate(root: &Path, check: bool) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let printed = Command::new(cargo)
        .args(["run", "--quiet", "--package", "pilothouse", "--", "__docs"])
        .current_dir(root)
        .output()?;
    if !printed.status.success() {
        bail!("pilothouse __docs failed: {}", String::from_utf8_lossy(&printed.stderr));
    }
    generate::text(root, PATH, &String::from_utf8(printed.stdout)?, check)
}
