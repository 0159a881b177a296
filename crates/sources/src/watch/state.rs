//! Looking at the files that may have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::RecommendedWatcher;
use pilothouse_diag::Diagnostic;
use pilothouse_world::Change;
use tokio::time::Instant;
use tracing::warn;

use super::GONE;
use super::notices::{Look, Notices};
use crate::files::{self, Stamp};
use crate::folder::{Folder, Seen};
use crate::load::name;

/// What is known of the files, and what follows from it.
#[derive(Debug)]
pub(super) struct State {
    root: PathBuf,
    folder: Folder,
    notices: Arc<Notices>,
    /// Listens as long as it lives; and which folder it listens to.
    listening: Option<(RecommendedWatcher, (u64, u64))>,
    /// Files that were read, as they were then.
    known: BTreeMap<PathBuf, Stamp>,
    /// Known files that are not there, and since when.
    missing: BTreeMap<PathBuf, Instant>,
    /// Folders that cannot be looked into.
    closed: BTreeSet<PathBuf>,
}

/// What came of a look.
#[derive(Debug)]
pub(super) struct News {
    pub(super) changes: Vec<Change>,
    pub(super) findings: Vec<Diagnostic>,
    /// Whether a file is missing that is not believed to be gone yet.
    pub(super) missing: bool,
    /// Why the folder itself could not be looked into.
    pub(super) trouble: Option<String>,
}

/// What was seen of files in one look.
type AllSeen = BTreeMap<PathBuf, Seen>;

impl State {
    pub(super) fn new(root: PathBuf, domain: &str, notices: Arc<Notices>) -> Self {
        Self {
            root,
            folder: Folder::new(domain),
            notices,
            listening: None,
            known: BTreeMap::new(),
            missing: BTreeMap::new(),
            closed: BTreeSet::new(),
        }
    }

    /// How many files are known.
    pub(super) fn files(&self) -> usize {
        self.known.len()
    }

    /// How many objects are in force.
    pub(super) fn objects(&self) -> usize {
        self.folder.objects()
    }

    /// Whether the kernel tells of changes.
    pub(super) fn is_listening(&self) -> bool {
        self.listening.is_some()
    }

    /// Looks, and says what changed.
    pub(super) fn look(&mut self, look: &Look, now: Instant) -> News {
        let mut seen = AllSeen::new();
        let mut trouble = None;
        if look.round || look.paths.iter().any(|path| path.is_dir()) {
            trouble = self.look_at_all(now, &mut seen);
        }
        for path in &look.paths {
            self.look_at(path, now, &mut seen);
        }
        self.look_for_missing(now, &mut seen);
        let changes = self.folder.update(seen.into_iter().map(|(path, seen)| (name(&path), seen)));
        let missing = !self.missing.is_empty();
        News { changes, findings: self.folder.diagnostics(), missing, trouble }
    }

    fn look_at_all(&mut self, now: Instant, seen: &mut AllSeen) -> Option<String> {
        self.listen();
        let listing = files::list(&self.root);
        if let Some(why) = listing.closed.get(&self.root) {
            return Some(why.clone());
        }
        for (path, stamp) in &listing.files {
            if self.known.get(path) != Some(stamp) {
                self.read(path, seen);
            }
        }
        let gone: Vec<_> = self
            .known
            .keys()
            .filter(|path| !listing.files.contains_key(*path))
            .filter(|path| !path.ancestors().any(|above| listing.closed.contains_key(above)))
            .cloned()
            .collect();
        for path in gone {
            self.missing.entry(path).or_insert(now);
        }
        for (path, why) in &listing.closed {
            seen.insert(path.clone(), Seen::Unreadable(why.clone()));
        }
        let closed: BTreeSet<_> = listing.closed.into_keys().collect();
        for opened in self.closed.difference(&closed) {
            seen.insert(opened.clone(), Seen::Gone);
        }
        self.closed = closed;
        None
    }

    /// Listens to the folder, anew if another one has taken its place. Listening comes before looking, so that nothing falls
    /// between the two.
    fn listen(&mut self) {
        let Ok(metadata) = std::fs::metadata(&self.root) else {
            self.listening = None;
            return;
        };
        let id = (metadata.dev(), metadata.ino());
        if self.listening.as_ref().is_some_and(|(_, listening)| *listening == id) {
            return;
        }
        match self.notices.listen(&self.root) {
            Ok(watcher) => self.listening = Some((watcher, id)),
            Err(error) => {
                self.listening = None;
                warn!(folder = %self.root.display(), %error, "the system does not tell of changes; looking every second");
            }
        }
    }

    fn look_at(&mut self, path: &Path, now: Instant, seen: &mut AllSeen) {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() && files::is_manifest(path) => self.read(path, seen),
            Ok(_) => {}
            Err(_) => {
                // A folder that left took its files along.
                let below: Vec<_> =
                    self.known.keys().filter(|known| known.starts_with(path)).cloned().collect();
                for path in below {
                    self.missing.entry(path).or_insert(now);
                }
            }
        }
    }

    /// Files that came back in time were only being replaced.
    fn look_for_missing(&mut self, now: Instant, seen: &mut AllSeen) {
        for (path, since) in std::mem::take(&mut self.missing) {
            if path.is_file() {
                self.read(&path, seen);
            } else if now.saturating_duration_since(since) >= GONE {
                self.known.remove(&path);
                seen.insert(path, Seen::Gone);
            } else {
                self.missing.insert(path, since);
            }
        }
    }

    fn read(&mut self, path: &Path, seen: &mut AllSeen) {
        let stamp = || std::fs::metadata(path).ok().as_ref().map(Stamp::from);
        let before = stamp();
        let content = files::read(path);
        // Somebody is writing it, and will be heard to close it.
        let (Some(before), Some(after)) = (before, stamp()) else { return };
        if before != after {
            return;
        }
        self.missing.remove(path);
        self.known.insert(path.to_owned(), after);
        seen.insert(path.to_owned(), content);
    }
}
