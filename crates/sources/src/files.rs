//! Finding and reading the files of a folder.
//!
//! Names that begin with a dot are left out; so are the folders `..data` and `..2026_…` behind a mounted `ConfigMap`, whose
//! files are found through the links beside them.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::folder::Seen;

/// Largest file that is read.
const MOST_BYTES: u64 = 64 << 20;
/// How deep folders are followed.
const DEEPEST: usize = 64;

/// What tells one version of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The manifests below a folder.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Each with its stamp.
    pub(crate) files: BTreeMap<PathBuf, Stamp>,
    /// What could not be looked into.
    pub(crate) closed: BTreeMap<PathBuf, String>,
}

/// Lists the manifests below a folder.
pub(crate) fn list(folder: &Path) -> Listing {
    let mut listing = Listing::default();
    walk(folder, &mut Vec::new(), &mut listing);
    listing
}

fn walk(folder: &Path, above: &mut Vec<(u64, u64)>, listing: &mut Listing) {
    if let Err(error) = look_into(folder, above, listing) {
        listing.closed.insert(folder.to_owned(), error.to_string());
    }
}

fn look_into(folder: &Path, above: &mut Vec<(u64, u64)>, listing: &mut Listing) -> io::Result<()> {
    let metadata = std::fs::metadata(folder)?;
    let own = (metadata.dev(), metadata.ino());
    // A link to a folder above would go round for ever.
    if above.contains(&own) || above.len() == DEEPEST {
        return Ok(());
    }
    above.push(own);
    for item in std::fs::read_dir(folder)? {
        let path = item?.path();
        if is_hidden(&path) {
            continue;
        }
        // Follows links. What vanishes meanwhile, or links to nothing, is not there.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            walk(&path, above, listing);
        } else if metadata.is_file() && is_manifest(&path) {
            listing.files.insert(path, Stamp::from(&metadata));
        }
    }
    above.pop();
    Ok(())
}

/// Whether the last part of a path begins with a dot.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether a file is read when it lies in a folder.
pub(crate) fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// Reads a file, whatever it is called. Never waits: what is no regular file is not opened.
pub(crate) fn read(path: &Path) -> Seen {
    match content(path) {
        Ok(content) => Seen::Content(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Seen::Gone,
        Err(error) => Seen::Unreadable(error.to_string()),
    }
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    let too_large = || io::Error::other(format!("the file is larger than {} MiB", MOST_BYTES >> 20));
    if !metadata.is_file() {
        return Err(io::Error::other("this is not a regular file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(too_large());
    }
    let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MOST_BYTES { Err(too_large()) } else { Ok(content) }
}

#[cfg(test)]
mod tests;
