//! Files that only this user may read: keys, and what stands beside them.
//!
//! A file is written beside its place, flushed, and renamed over it, so that a crash leaves the old file or the new one and never
//! half of one; readers of the old one keep it. Reading refuses a file that others could have read or changed.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Largest file that is read: far above any key or chain, far below what could hurt.
const MOST_BYTES: u64 = 1 << 20;
/// Read and write for the owner.
const OWNER_ONLY: u32 = 0o600;
/// What nobody but the owner may have on a key.
const OTHERS: u32 = 0o077;

/// A private file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The operating system said no; its words say whether waiting helps.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// The step, as a verb.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others may read or change the file.
    #[error("{} can be read by others (mode {mode:04o}); it holds a key. Make it private with: chmod 600 {}", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is larger than any key.
    #[error("{} has {bytes} bytes; a key or certificate has at most {MOST_BYTES}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
}

/// Makes a folder that only this user may enter, with those above it. An existing folder keeps its mode.
pub fn create_folder(path: &Path) -> Result<(), PrivateFileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("create", path))
}

/// Writes a file with mode 0600, all or nothing.
pub fn write(path: &Path, content: &[u8]) -> Result<(), PrivateFileError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let beside = beside(path);
    let written = write_new(&beside, content).and_then(|()| {
        std::fs::rename(&beside, path).map_err(failed("replace", path))?;
        // The rename itself is only sure to survive a power cut when the folder is flushed too.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("flush", folder))
    });
    if written.is_err() {
        let _nothing_to_clean = std::fs::remove_file(&beside);
    }
    written
}

/// Reads a whole file, if nobody else could read it.
pub fn read(path: &Path) -> Result<Vec<u8>, PrivateFileError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let mode = file.metadata().map_err(failed("look at", path))?.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(PrivateFileError::Open { path: path.to_owned(), mode });
    }
    read_bounded(file, path)
}

/// Reads a whole file that anybody may see, such as a root certificate, with the same bound on its size.
pub fn read_public(path: &Path) -> Result<Vec<u8>, PrivateFileError> {
    read_bounded(File::open(path).map_err(failed("open", path))?, path)
}

fn read_bounded(file: File, path: &Path) -> Result<Vec<u8>, PrivateFileError> {
    let length = file.metadata().map_err(failed("look at", path))?.len();
    // Made large enough at once: a buffer that grows leaves copies of a key behind.
    let mut content = Vec::with_capacity(usize::try_from(length.min(MOST_BYTES)).unwrap_or(0) + 64);
    file.take(MOST_BYTES + 1).read_to_end(&mut content).map_err(failed("read", path))?;
    let bytes = content.len() as u64;
    if bytes > MOST_BYTES {
        Err(PrivateFileError::TooLarge { path: path.to_owned(), bytes })
    } else {
        Ok(content)
    }
}

fn write_new(path: &Path, content: &[u8]) -> Result<(), PrivateFileError> {
    // A leftover of a crash is ours to replace; `create_new` then makes sure that nobody holds the file open with another mode.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("replace", path)(error)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(path)
        .map_err(failed("create", path))?;
    // The umask may have taken more away than we asked for.
    file.set_permissions(Permissions::from_mode(OWNER_ONLY)).map_err(failed("make private", path))?;
    file.write_all(content).map_err(failed("write", path))?;
    file.sync_all().map_err(failed("flush", path))
}

/// A name in the same folder that no other process uses at the same time.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> PrivateFileError {
    move |source| PrivateFileError::Io { what, path: path.to_owned(), source }
}
