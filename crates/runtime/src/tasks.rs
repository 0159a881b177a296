//! The named parts of the daemon, each supervised.
//!
//! A task that dies unseen leaves a process that looks alive and is not. So every task here has a name and an owner that joins it:
//! the first to end, well or badly, stops the rest, and the result names it. Whoever restarts the process then starts from a known
//! state.

use crate::{Stop, Stopper};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{Instrument, info, info_span, warn};

#[cfg(test)]
mod tests;

/// Why a task ended early, in its own type.
pub type TaskError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// How long tasks get to end after stop was said, unless [`Tasks::with_grace`] says otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// Why [`Tasks::run`] did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A task returned although nobody had said stop.
    #[error("{task} ended although nothing asked it to")]
    Ended {
        /// The name it was spawned under.
        task: &'static str,
    },
    /// A task returned an error; waiting does not help, its cause says what might.
    #[error("{task} failed")]
    Failed {
        /// The name it was spawned under.
        task: &'static str,
        /// What it returned.
        source: TaskError,
    },
    /// A task panicked: a bug of ours.
    #[error("{task} panicked: {message}")]
    Panicked {
        /// The name it was spawned under.
        task: &'static str,
        /// What the panic said.
        message: String,
    },
    /// Tasks were still running when the grace after stop was over; they were cut off.
    #[error("did not stop within {}s: {}", grace.as_secs_f64(), tasks.join(", "))]
    Stuck {
        /// Their names, sorted.
        tasks: Vec<&'static str>,
        /// What they were given.
        grace: Duration,
    },
}

/// A set of named tasks that live and end together.
#[derive(Debug)]
pub struct Tasks {
    stopper: Stopper,
    stop: Stop,
    grace: Duration,
    running: JoinSet<Result<(), TaskError>>,
    names: BTreeMap<Id, &'static str>,
}

impl Tasks {
    /// An empty set that also ends when `stop` is said.
    pub fn new(stop: &Stop) -> Self {
        let (stopper, stop) = stop.narrower();
        Self { stopper, stop, grace: GRACE, running: JoinSet::new(), names: BTreeMap::new() }
    }

    /// Sets how long tasks get to end after stop was said; what runs longer is cut off and named.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// What tasks of this set listen to.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Starts a task. It should run until it hears [`Tasks::stop`]; when it ends before, the whole set ends.
    pub fn spawn<F, E>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<TaskError>,
    {
        let task = async move { task.await.map_err(Into::into) };
        let handle = self.running.spawn(task.instrument(info_span!("task", name)));
        self.names.insert(handle.id(), name);
    }

    /// Waits until stop is said or the first task ends, then stops and joins all.
    ///
    /// Errors of tasks that end after the first are logged; the result is what happened first.
    pub async fn run(mut self) -> Result<(), RunError> {
        let stop = self.stop.clone();
        let mut result = Ok(());
        while !self.running.is_empty() {
            tokio::select! {
                biased;
                () = stop.stopped() => break,
                Some(end) = self.running.join_next_with_id() => {
                    // Stop may have been said while the task ended; then it ended because of it.
                    if let Err(error) = self.name_end(end, stop.is_stopped()) {
                        result = Err(error);
                        break;
                    }
                }
            }
        }
        self.stopper.stop();
        let late = self.join_rest().await;
        match (result, late) {
            (Ok(()), late) => late,
            (first, Ok(())) => first,
            (first, Err(late)) => {
                warn!(error = %with_causes(&late), "while stopping");
                first
            }
        }
    }

    /// Joins what is left within the grace; the first failure is returned, the others are logged.
    async fn join_rest(&mut self) -> Result<(), RunError> {
        let until = tokio::time::Instant::now() + self.grace;
        let mut result = Ok(());
        loop {
            match tokio::time::timeout_at(until, self.running.join_next_with_id()).await {
                Ok(None) => return result,
                Ok(Some(end)) => match (self.name_end(end, true), &result) {
                    (Err(error), Ok(())) => result = Err(error),
                    (Err(error), Err(_)) => warn!(error = %with_causes(&error), "while stopping"),
                    (Ok(()), _) => {}
                },
                Err(_elapsed) => {
                    let mut tasks: Vec<_> = self.names.values().copied().collect();
                    tasks.sort_unstable();
                    self.running.shutdown().await;
                    let stuck = RunError::Stuck { tasks, grace: self.grace };
                    if result.is_ok() {
                        return Err(stuck);
                    }
                    warn!(error = %stuck, "while stopping");
                    return result;
                }
            }
        }
    }

    fn name_end(
        &mut self,
        end: Result<(Id, Result<(), TaskError>), JoinError>,
        asked: bool,
    ) -> Result<(), RunError> {
        let id = end.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let task = self.names.remove(&id).expect("every running task was given a name when it was spawned");
        match end {
            Ok((_, Ok(()))) if asked => {
                info!(task, "stopped");
                Ok(())
            }
            Ok((_, Ok(()))) => Err(RunError::Ended { task }),
            Ok((_, Err(source))) => Err(RunError::Failed { task, source }),
            Err(error) => Err(RunError::Panicked { task, message: panic_message(error) }),
        }
    }
}

fn panic_message(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "it was cut off".to_owned();
    };
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic
            .downcast_ref::<&str>()
            .map_or_else(|| "no message".to_owned(), |message| (*message).to_owned()),
    }
}

/// An error with everything that led to it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
