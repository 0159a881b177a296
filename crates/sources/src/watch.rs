//! Following a folder.
//!
//! The kernel tells which files were written, renamed or removed; that only says where to look. A file is read when its writer
//! closes it, so half of one is not seen. A file that is missing is believed to be gone a moment later: many editors move the old
//! file away before they put the new one in its place. What the kernel does not tell (a folder on another machine, a lost
//! notice) is found by looking at everything from time to time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pilothouse_config::NamespaceSelector;
use pilothouse_diag::Diagnostic;
use pilothouse_runtime::{Condition, Stop};
use pilothouse_world::Change;
use tokio::sync::{mpsc, watch as slot};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

mod notices;
mod state;
#[cfg(test)]
mod tests;

use notices::{Look, Notices};
use state::{News, State};

/// How long no further notice must come before files are read: a tool that writes many files is seen at once.
const QUIET: Duration = Duration::from_millis(2);
/// How long notices may keep coming before files are read all the same.
const LONGEST: Duration = Duration::from_millis(20);
/// How long a file must be missing before its objects go.
const GONE: Duration = Duration::from_millis(50);
/// How often everything is looked at without a notice.
const ROUND: Duration = Duration::from_secs(10);
/// The same where the kernel gives no notices.
const ROUND_UNHEARD: Duration = Duration::from_secs(1);

/// A folder to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where it is.
    pub folder: PathBuf,
    /// The DNS domain of services, `cluster.local` normally.
    pub domain: String,
}

/// Where news of the folder go.
#[derive(Debug)]
pub struct Outlet {
    /// The first batch is everything there is, sent even if that is nothing.
    pub changes: mpsc::Sender<Vec<Change>>,
    /// Everything there is to say about the files now.
    pub findings: slot::Sender<Arc<[Diagnostic]>>,
    /// Which namespaces count, by the mesh settings (`discoverySelectors`); said before the first batch, empty for all. Only
    /// followed sites say so.
    pub selectors: slot::Sender<Option<Arc<[NamespaceSelector]>>>,
    /// Met once the first batch is sent.
    pub loaded: Condition,
}

/// The folder cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// It does not exist or cannot be entered. Waiting helps only if somebody changes that.
    #[error("cannot look into {}: {why}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        why: String,
    },
    /// Reading files panicked: a bug of ours.
    #[error("reading files broke off")]
    Reader(#[from] JoinError),
}

/// Reads the folder, then follows it until stop is said.
pub async fn watch(directory: Directory, outlet: Outlet, stop: Stop) -> Result<(), WatchError> {
    let Directory { folder, domain } = directory;
    let notices = Arc::new(Notices::default());
    let mut state = State::new(folder.clone(), &domain, Arc::clone(&notices));
    let mut look = Look { round: true, ..Look::default() };
    let mut next_round = Instant::now();
    let mut loaded = false;
    loop {
        let round = look.round;
        let news;
        (state, news) = tokio::task::spawn_blocking(move || {
            let news = state.look(&look, Instant::now());
            (state, news)
        })
        .await?;
        let News { changes, findings, missing, trouble } = news;
        if let Some(why) = trouble {
            if !loaded {
                return Err(WatchError::Folder { folder, why });
            }
            warn!(folder = %folder.display(), why, "the folder cannot be read; its objects stay as they are");
        }
        outlet.findings.send_if_modified(|before| {
            let news = **before != *findings;
            if news {
                *before = findings.into();
            }
            news
        });
        if !loaded {
            info!(folder = %folder.display(), files = state.files(), objects = state.objects(), "read");
        }
        if !loaded || !changes.is_empty() {
            tokio::select! {
                () = stop.stopped() => return Ok(()),
                sent = outlet.changes.send(changes) => if sent.is_err() {
                    // Nobody listens any more; whoever did says why.
                    stop.stopped().await;
                    return Ok(());
                },
            }
        }
        if !loaded {
            outlet.loaded.ready();
            loaded = true;
        }
        let now = Instant::now();
        if round {
            next_round = now + if state.is_listening() { ROUND } else { ROUND_UNHEARD };
        }
        let wake = if missing { next_round.min(now + GONE) } else { next_round };
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            () = notices.arrived() => settle(&notices).await,
            () = sleep_until(wake) => {}
        }
        look = notices.take();
        look.round |= Instant::now() >= next_round;
    }
}

/// Waits until notices stop coming, or have come for long enough.
async fn settle(notices: &Notices) {
    let until = Instant::now() + LONGEST;
    let mut before = notices.count();
    while before != 0 && Instant::now() < until {
        sleep(QUIET).await;
        let now = notices.count();
        if now == before {
            return;
        }
        before = now;
    }
}
