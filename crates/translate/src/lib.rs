//! Plans to Envoy resources, one small function each.
//!
//! What it is: total functions. Every plan gives a message that Envoy 1.37 and later take; equal plans give equal bytes.
//!
//! What it is not: it decides nothing. Visibility, precedence, merging and names are settled in the plan. It uses only
//! what the default build of Envoy contains.
//!
//! Main functions: [`cluster`], [`assignment`], [`listener`], [`route_table`] with [`virtual_host`], [`secret`];
//! [`inline::bootstrap_static`] turns their output into a configuration that needs no control plane.
//!
//! Where to start: `cluster.rs`, `listener.rs` and `route.rs`; the order of HTTP filters is in `listener/http/filters.rs`.

mod access_log;
mod address;
mod assignment;
mod cluster;
mod discovery;
mod format;
pub mod inline;
mod listener;
pub mod marker;
mod metadata;
mod route;
mod secret;
mod time;
mod tls;
mod weight;

pub use assignment::{assignment, empty_assignment};
pub use cluster::cluster;
pub use listener::listener;
pub use route::{Delivery, assemble, empty_route_table, route_table, virtual_host};
pub use secret::{root_secret, secret, workload_secret};
