//! The many short-lived tasks of one part: one per connection, one per stream.
//!
//! Each may end at any time, so they are not [`Tasks`](crate::Tasks). But none is lost: their number is known, a panic in one is
//! heard by the part that owns the group, and at the end they are waited for up to a deadline.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span};

#[cfg(test)]
mod tests;

/// Tasks that come and go under one name. Clones are the same group.
#[derive(Clone, Debug)]
pub struct Group {
    name: &'static str,
    running: TaskTracker,
    /// Told when a task panics.
    panicked: Arc<Notify>,
    /// Ends what is still running when the drain is over.
    cut_off: CancellationToken,
}

impl Group {
    /// An empty group.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            running: TaskTracker::new(),
            panicked: Arc::new(Notify::new()),
            cut_off: CancellationToken::new(),
        }
    }

    /// Starts a task; `what` tells it from its siblings in logs.
    pub fn spawn<F>(&self, what: &str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let alarm = Alarm(self.panicked.clone());
        let cut_off = self.cut_off.clone();
        let span = info_span!("task", name = self.name, what);
        let watched = async move {
            let _alarm = alarm;
            tokio::select! {
                biased;
                () = cut_off.cancelled() => {}
                () = task => {}
            }
        };
        drop(self.running.spawn(watched.instrument(span)));
    }

    /// How many are running now.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether none is running now.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Returns when a task of the group has panicked: a bug of ours, for which the owner should end too.
    pub async fn panicked(&self) {
        self.panicked.notified().await;
    }

    /// Waits until all have ended, at most for `deadline`; then cuts off the rest and says how many those were.
    pub async fn drain(&self, deadline: Duration) -> usize {
        self.running.close();
        if tokio::time::timeout(deadline, self.running.wait()).await.is_ok() {
            return 0;
        }
        let left = self.running.len();
        self.cut_off.cancel();
        self.running.wait().await;
        left
    }
}

/// Rings when it is dropped by a panic.
struct Alarm(Arc<Notify>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.notify_one();
        }
    }
}
