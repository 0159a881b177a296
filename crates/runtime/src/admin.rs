//! The port for the people and probes on this machine: health, readiness, metrics, and what other parts add.
//!
//! It listens on loopback only and has no authentication. A web page in a browser on the same machine could still reach it under a
//! host name of its own choosing, so a request must name a loopback host.

use crate::{Metrics, Readiness, Stop};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;

#[cfg(test)]
mod tests;

/// How long open requests get to end after stop was said.
const DRAIN: Duration = Duration::from_secs(2);

/// The admin port could not be opened or kept open.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address is not on loopback.
    #[error("the admin port has no authentication and listens on loopback only; {0} is not loopback")]
    NotLoopback(SocketAddr),
    /// The operating system said no; if the address is in use, waiting may help.
    #[error("cannot listen on {address} for the admin port")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The socket broke while serving.
    #[error("the admin port stopped working")]
    Serve(#[source] io::Error),
}

/// A bound admin port that does not answer yet.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

impl Admin {
    /// Binds the port; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, AdminError> {
        if !address.ip().is_loopback() {
            return Err(AdminError::NotLoopback(address));
        }
        let listen = |source| AdminError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until stop is said, then gives open requests a moment to end.
    pub async fn serve(self, routes: Router, stop: Stop) -> Result<(), AdminError> {
        let routes = routes.layer(middleware::from_fn(loopback_hosts_only));
        let heard = stop.clone();
        let serving = axum::serve(self.listener, routes).with_graceful_shutdown(stop.into_stopped());
        let overdue = async move {
            heard.stopped().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = serving.into_future() => served.map_err(AdminError::Serve),
            () = overdue => Ok(()),
        }
    }
}

/// The routes that every process has: `/healthz` while it lives, `/readyz` with what is missing, `/metrics`. Merge others into it.
pub fn routes(readiness: Readiness, metrics: Metrics) -> Router {
    let ready = Router::new().route("/readyz", get(readyz)).with_state(readiness);
    let counted = Router::new().route("/metrics", get(render)).with_state(metrics);
    Router::new().route("/healthz", get(|| async { "ok\n" })).merge(ready).merge(counted)
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let missing = readiness.missing();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", missing.join("\nwaiting for: ")))
        .into_response()
}

async fn render(State(metrics): State<Metrics>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.render()).into_response()
}

async fn loopback_hosts_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_none_or(is_loopback_host) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "this port answers to localhost only\n").into_response()
}

/// Whether a `Host` header, with or without a port, names this machine.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
