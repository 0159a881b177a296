//! The test application: answers over HTTP/1.1, h2c, gRPC, TLS and raw TCP with who it is and what it saw, and
//! fails, delays or counts on demand.

pub mod control;
mod counts;
mod http;
mod leaving;
mod settings;
mod tcp;
mod tls;

pub use counts::{Counts, Mode};
pub use settings::Settings;

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;

/// What all listeners of one application share.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    counts: Mutex<Counts>,
}

impl App {
    /// Runs `f` with the counters held.
    fn counts<T>(&self, f: impl FnOnce(&mut Counts) -> T) -> T {
        f(&mut self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Serves until the process ends. `control` is the UNIX socket for counters and modes; it appears only once
/// every port is open, so its presence means ready.
pub async fn run(settings: Settings, control: &Path) -> Result<()> {
    let app = Arc::new(App { settings: settings.clone(), counts: Mutex::default() });
    let v6 = settings.v6;
    for port in settings.http {
        tokio::spawn(http::serve(app.clone(), bind(port, v6).await?));
    }
    for port in settings.tcp {
        tokio::spawn(tcp::serve(app.clone(), bind(port, v6).await?, false));
    }
    for port in settings.banner {
        tokio::spawn(tcp::serve(app.clone(), bind(port, v6).await?, true));
    }
    for port in settings.tls {
        tokio::spawn(tls::serve(app.clone(), bind(port, v6).await?, tls::acceptor(&app.settings)?));
    }
    control::serve(app, control).await
}

async fn bind(port: u16, v6: bool) -> Result<TcpListener> {
    TcpListener::bind((if v6 { "::" } else { "0.0.0.0" }, port))
        .await
        .with_context(|| format!("the test application cannot take port {port}"))
}
