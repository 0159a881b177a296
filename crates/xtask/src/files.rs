//! The repository as files: its root, what lies below it, reading and writing.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Folders that hold nothing we wrote.
const NOT_OURS: [&str; 3] = [".git", ".cache", "target"];

/// The top of the repository, from where this crate was compiled.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository this program was built from is there")
}

/// Reads a text file.
#[expect(clippy::disallowed_methods, reason = "this is a program about files")]
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// Writes a text file, with the folders above it.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// The names at the top of the tree, sorted.
pub(crate) fn top_level(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root).with_context(|| format!("listing {}", root.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| !NOT_OURS.contains(&name.as_str()));
    names.sort();
    Ok(names)
}

/// Every file below the root that somebody here wrote or generated, as paths relative to the root, sorted.
pub(crate) fn all(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if !NOT_OURS.iter().any(|name| path == root.join(name)) {
                    folders.push(path);
                }
            } else {
                found.push(path.strip_prefix(root).expect("the walk starts at the root").to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
