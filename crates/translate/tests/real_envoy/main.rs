//! What is built here, given to both ends of the supported range of Envoy.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod accepted;
mod cast;
mod marker;
mod process;
mod secured;
