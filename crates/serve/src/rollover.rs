//! Follows the CA that the mesh is given, while we run.

use std::convert::Infallible;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pilothouse_ca::{Authority, CaFiles, Offered, Rollover, Trust};
use pilothouse_runtime::Stop;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::certificates::roots_secret;
use crate::discovery::Streams;

/// How long proxies that do not take a new root are waited for, if the hold is not longer.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked whether all have taken a new root.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is looked whether an old root is over.
const SELDOM: Duration = Duration::from_secs(30);
/// How often a folder is looked at. Its files are few and small, and notices would not come from a folder that another
/// machine writes.
const ROUND: Duration = Duration::from_secs(1);

/// Takes a mesh from one CA to the next.
pub(crate) struct Following {
    pub(crate) rollover: Rollover,
    pub(crate) offered: mpsc::Receiver<Authority>,
    pub(crate) trusted: watch::Sender<Arc<Trust>>,
    pub(crate) streams: Streams,
    /// What the rollover counts from.
    pub(crate) start: Instant,
}

impl Following {
    /// Until stop is said.
    pub(crate) async fn run(mut self, stop: Stop) -> Result<(), Infallible> {
        let mut open = true;
        loop {
            let wait = if self.rollover.is_moving() { LOOK } else { SELDOM };
            tokio::select! {
                () = stop.stopped() => return Ok(()),
                offered = self.offered.recv(), if open => match offered {
                    Some(authority) => self.offer(authority),
                    None => open = false,
                },
                () = sleep(wait) => {}
            }
            let roots = roots_secret(&self.trusted.borrow()).version;
            let taken = self.streams.all_took(roots);
            self.rollover.advance(taken, self.start.elapsed());
            self.publish();
        }
    }

    fn offer(&mut self, authority: Authority) {
        let (root, signer) = (authority.roots().fingerprint().to_owned(), authority.fingerprint().to_owned());
        match self.rollover.offer(authority, self.start.elapsed()) {
            Offered::Known => {}
            Offered::Signs => info!(signer, root, "another CA under trusted roots signs from now on"),
            Offered::Trusted => {
                info!(signer, root, "a CA with a new root was given; proxies are told to trust it");
            }
        }
        self.publish();
    }

    fn publish(&self) {
        let trust = self.rollover.trust();
        self.trusted.send_if_modified(|known| {
            if known.same(&trust) {
                return false;
            }
            info!(
                signer = trust.signer().fingerprint(),
                roots = trust.roots().certificates().count(),
                bundle = trust.roots().fingerprint(),
                "the trust of the mesh has changed"
            );
            *known = Arc::new(trust);
            true
        });
    }
}

/// Offers the CA of a folder whenever its files change. What cannot be used is reported once and changes nothing.
pub(crate) async fn watch_folder(
    folder: PathBuf,
    offers: mpsc::Sender<Authority>,
    stop: Stop,
) -> Result<(), JoinError> {
    // Before the first round nothing is known: the files may have changed since they were read at start.
    let mut read: Option<Stamps> = None;
    let mut before: Option<Stamps> = None;
    loop {
        let looked = folder.clone();
        let now = spawn_blocking(move || stamps(&looked)).await?;
        // Whoever writes five files is given the time to finish.
        let quiet = before.as_ref() == Some(&now);
        if quiet && read.as_ref() != Some(&now) {
            let path = folder.clone();
            match spawn_blocking(move || crate::identity::given_authority(&path)).await? {
                Ok(authority) => tokio::select! {
                    () = stop.stopped() => return Ok(()),
                    _ = offers.send(authority) => {}
                },
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(%error, cause, "the changed CA cannot be used; the one in force stays");
                }
            }
            read = Some(now.clone());
        }
        before = Some(now);
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            () = sleep(ROUND) => {}
        }
    }
}

/// What tells whether a file is still the same: device, number, size, and time of the last change in nanoseconds.
type Stamps = Vec<Option<(u64, u64, u64, i64, i64)>>;

fn stamps(folder: &Path) -> Stamps {
    let stamp = |file: Metadata| (file.dev(), file.ino(), file.len(), file.ctime(), file.ctime_nsec());
    CaFiles::NAMES.iter().map(|name| std::fs::metadata(folder.join(name)).ok().map(stamp)).collect()
}

#[cfg(test)]
mod tests;
