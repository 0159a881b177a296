//! What `envoy-api` knows about Envoy's messages beyond their Rust types.
//!
//! The source is the descriptor set that `envoy-types` carries: the protos it ships, compiled by the same run of the
//! proto compiler that made its Rust types, so the two cannot disagree. Two files come of it: a smaller, compressed set
//! for protobuf JSON, and a table of the messages that hold maps for encoding in a fixed order. The same lock file
//! gives the same bytes.

mod map_table;
mod slim;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use prost::Message;
use prost_types::FileDescriptorSet;

/// The descriptor set, below the folder of `envoy-types`.
const SOURCE: &str = "src/generated/types.bin";
/// Where the smaller set goes, from the workspace root.
const DESCRIPTORS: &str = "crates/envoy-api/src/json/descriptors.bin.z";
/// Where the table of maps goes, from the workspace root.
const MAP_TABLE: &str = "crates/envoy-api/src/encode/table.rs";

/// Writes the generated files of `envoy-api`, or, to `check`, fails if they differ from what would be written.
pub(crate) fn generate(workspace_root: &Path, check: bool) -> Result<()> {
    let source = envoy_types(workspace_root)?.join(SOURCE);
    let bytes =
        fs::read(&source).with_context(|| format!("reading the descriptor set {}", source.display()))?;
    let set = slim::slim(FileDescriptorSet::decode(bytes.as_slice())?);
    ensure!(!set.file.is_empty(), "{} defines nothing of Envoy", source.display());

    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&set.encode_to_vec())?;
    put(&workspace_root.join(DESCRIPTORS), &packed.finish()?, check)?;
    put(&workspace_root.join(MAP_TABLE), map_table::render(&set).as_bytes(), check)
}

/// The folder of the `envoy-types` that the lock file names.
fn envoy_types(workspace_root: &Path) -> Result<PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(workspace_root)
        .output()
        .context("running cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "envoy-types")
        .and_then(|package| package["manifest_path"].as_str())
        .and_then(|manifest| Path::new(manifest).parent())
        .map(Path::to_owned)
        .context("envoy-types is not a dependency of the workspace")
}

fn put(path: &Path, content: &[u8], check: bool) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if check {
        bail!("{} is out of date: run `make gen`", path.display());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}
