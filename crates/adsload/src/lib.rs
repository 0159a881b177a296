//! Simulated proxies: load and measures for any server of aggregated discovery, ours or another.
//!
//! What it is: the traffic of many Envoys without the Envoys. Each proxy has a connection and a stream of its own, introduces itself
//! as a sidecar of Istio does, asks for what its clusters, listeners and route tables refer to, and accepts what it is sent. What
//! arrives is counted, and the time until it was acknowledged is taken.
//!
//! What it is not: a judge of what it receives. A body is read as far as it says what to ask for next; it keeps no bodies, so a
//! proxy costs some tens of kilobytes however large its configuration is. It differs from an Envoy in that it answers about clusters
//! at once, where an Envoy waits until their assignments are there, and that it starts afresh after a break.
//!
//! Main parts: [`Fleet`] (many proxies, and what became of a change), [`Client`] (one proxy as a state machine without a socket),
//! [`Proxy`] (who it says it is), [`Target`] (where the server is and how to trust it), [`report`] (figures for people and programs).
//!
//! Where to start: `client.rs`.

mod client;
mod counts;
mod facts;
mod fleet;
mod frames;
mod kind;
mod link;
mod message;
mod proxy;
pub mod report;
mod target;

pub use client::Client;
pub use counts::{Counts, Received};
pub use facts::Reader;
pub use fleet::{Effect, Fleet, Mark, Unfinished};
pub use kind::Kind;
pub use message::{Protocol, Request, Resource, Response, Unreadable};
pub use proxy::{Proxy, Token};
pub use target::{Target, TargetError};
