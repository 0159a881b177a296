//! Reading files once, for the commands that need no daemon.

use std::path::PathBuf;
use std::sync::Arc;

use pilothouse_diag::Diagnostic;
use pilothouse_world::Change;

use crate::files;
use crate::folder::{Folder, Seen};

/// What files hold.
#[derive(Debug)]
pub struct Loaded {
    /// One batch that makes a world of it.
    pub changes: Vec<Change>,
    /// What there is to say.
    pub diagnostics: Vec<Diagnostic>,
    /// How many files were read.
    pub files: usize,
}

/// A path does not exist; waiting helps only if somebody makes it.
#[derive(Debug, thiserror::Error)]
#[error("{}: no such file or folder", path.display())]
pub struct NotFound {
    /// The path.
    pub path: PathBuf,
}

/// Reads folders, files of any name, and texts that came another way, such as standard input. Blocks.
pub fn load(
    paths: &[PathBuf],
    texts: impl IntoIterator<Item = (Arc<str>, Vec<u8>)>,
    domain: &str,
) -> Result<Loaded, NotFound> {
    let mut seen: Vec<(Arc<str>, Seen)> =
        texts.into_iter().map(|(name, text)| (name, Seen::Content(text))).collect();
    for path in paths {
        if path.is_dir() {
            let listing = files::list(path);
            let closed = listing.closed.iter().map(|(path, why)| (name(path), Seen::Unreadable(why.clone())));
            seen.extend(closed);
            for file in listing.files.keys() {
                seen.push((name(file), files::read(file)));
            }
        } else {
            match files::read(path) {
                Seen::Gone => return Err(NotFound { path: path.clone() }),
                other => seen.push((name(path), other)),
            }
        }
    }
    let mut folder = Folder::new(domain);
    let changes = folder.update(seen);
    Ok(Loaded { changes, diagnostics: folder.diagnostics(), files: folder.files().count() })
}

/// What users read a path as.
pub(crate) fn name(path: &std::path::Path) -> Arc<str> {
    path.to_string_lossy().into()
}
