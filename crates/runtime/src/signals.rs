//! How the operating system asks the process to end.

use crate::{Stop, Stopper};
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

#[cfg(test)]
mod tests;

/// A signal cannot be listened to; waiting does not help.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for signals")]
pub struct SignalError(#[from] io::Error);

/// Says stop at the first SIGTERM or SIGINT, and returns when stop is said for whatever reason. To be run as one of the tasks that
/// it stops.
pub async fn stop_on_signals(stopper: Stopper, stop: Stop) -> Result<(), SignalError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let name = tokio::select! {
        () = stop.stopped() => return Ok(()),
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    info!(signal = name, "stopping");
    stopper.stop();
    Ok(())
}
