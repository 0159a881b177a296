//! What the kernel tells about files, kept until somebody looks.
//!
//! Notices about one file are one: what is kept is bounded by the number of files, and beyond a bound by nothing but "look at
//! everything".

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// More files than this are not kept one by one.
const MOST_PATHS: usize = 10_000;

/// Where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// At everything.
    pub(super) round: bool,
    /// At these.
    pub(super) paths: BTreeSet<PathBuf>,
}

/// Where to look since the last time.
#[derive(Debug, Default)]
pub(super) struct Notices {
    pending: Mutex<Pending>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    look: Look,
    /// How many notices that is.
    count: u64,
}

impl Notices {
    /// Listens to a folder and all below it, until the result is dropped.
    pub(super) fn listen(self: &Arc<Self>, folder: &Path) -> notify::Result<RecommendedWatcher> {
        let (notices, root) = (Arc::clone(self), folder.to_owned());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) => notices.note(&root, &event),
            // Something was lost.
            Err(_) => notices.add(|look| look.round = true),
        })?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    }

    /// Returns once there is a notice that was not taken.
    pub(super) async fn arrived(&self) {
        loop {
            let rung = self.bell.notified();
            if self.count() != 0 {
                return;
            }
            rung.await;
        }
    }

    /// How many notices wait.
    pub(super) fn count(&self) -> u64 {
        self.pending().count
    }

    /// Takes what waits.
    pub(super) fn take(&self) -> Look {
        std::mem::take(&mut *self.pending()).look
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().expect("no code that can panic holds the lock")
    }

    fn add(&self, note: impl FnOnce(&mut Look)) {
        let mut pending = self.pending();
        note(&mut pending.look);
        pending.count += 1;
        if pending.look.paths.len() > MOST_PATHS {
            pending.look = Look { round: true, paths: BTreeSet::new() };
        }
        drop(pending);
        self.bell.notify_one();
    }

    fn note(&self, root: &Path, event: &Event) {
        if event.need_rescan() {
            self.add(|look| look.round = true);
            return;
        }
        for path in &event.paths {
            match weight(root, path, event.kind) {
                Weight::Nothing => {}
                Weight::Path => self.add(|look| {
                    look.paths.insert(path.clone());
                }),
                Weight::Round => self.add(|look| look.round = true),
            }
        }
    }
}

/// What a notice asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Nothing,
    Path,
    Round,
}

fn weight(root: &Path, path: &Path, kind: EventKind) -> Weight {
    let below = path.strip_prefix(root).unwrap_or(path);
    for part in below.components() {
        let name = part.as_os_str().as_encoded_bytes();
        // A mounted ConfigMap changes by turning the link `..data`; its files notice nothing.
        if name.starts_with(b"..") && name.len() > 2 {
            return if is_turn(kind) { Weight::Round } else { Weight::Nothing };
        }
        if name.starts_with(b".") {
            return Weight::Nothing;
        }
    }
    match kind {
        EventKind::Create(CreateKind::Folder) => Weight::Round,
        // A new file is empty until it is closed; a new link is complete.
        EventKind::Create(_) => match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() && metadata.nlink() < 2 => Weight::Nothing,
            Ok(metadata) if metadata.is_dir() => Weight::Round,
            _ => Weight::Path,
        },
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) if below.as_os_str().is_empty() => {
            Weight::Round
        }
        // Metadata: a file may have become readable.
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Metadata(_))
        | EventKind::Remove(_) => Weight::Path,
        _ => Weight::Nothing,
    }
}

fn is_turn(kind: EventKind) -> bool {
    matches!(kind, EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)))
}
