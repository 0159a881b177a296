//! Application and client as the one process of a container.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::app::control::Ask;
use crate::app::{self, Settings};
use crate::client;
use crate::mesh::{Control, until};

/// Serves until asked to end, then until no request is in work, as a good application does. The first process of a
/// container is told nothing by the kernel: it has to listen for the signal.
pub async fn run(settings: Settings, folder: &Path) -> Result<()> {
    let mut asked = signal(SignalKind::terminate())?;
    let control = Control::new(folder);
    for socket in [control.app(), control.client()] {
        // A container that starts again finds the sockets of the one before it.
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", socket.display()));
            }
            _ => {}
        }
    }
    let (app, client) = (control.app(), control.client());
    let mut work = JoinSet::new();
    work.spawn(async move { app::run(settings, &app).await });
    work.spawn(async move { client::run(&client).await });
    tokio::select! {
        Some(done) = work.join_next() => done?,
        _ = asked.recv() => tokio::task::spawn_blocking(move || idle(&control)).await?,
    }
}

fn idle(control: &Control) -> Result<()> {
    until("the requests in work", Duration::from_mins(5), || {
        let counts = control.ask(&Ask::Counts)?;
        ensure!(counts.in_flight == 0, "{} are in work", counts.in_flight);
        ensure!(counts.leaving == 0, "{} answers are on their way out", counts.leaving);
        Ok(())
    })
}
