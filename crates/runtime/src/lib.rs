//! What every waiting part of Pilothouse stands on: supervised tasks, an ordered stop, the clock and the generator of randomness,
//! readiness, metrics, logs, private files, and the admin port.
//!
//! It is the first crate above the line: it may wait, read the clock and open files, so that the crates below it never have to. It
//! knows nothing of meshes, Envoy or configuration, and has no settings of its own; callers hand in what they parsed.
//!
//! - [`Tasks`] runs the named parts of the daemon: the first to end stops the others and is named in the result. [`Group`] owns the
//!   many short-lived tasks of one part, such as one per connection. [`Stop`] is how both hear that it is over.
//! - [`Clock`] and [`entropy`] are where instants and randomness enter; everything below takes them as arguments.
//! - [`Readiness`] is a set of named conditions, [`Metrics`] a registry handed out by prefix; [`admin`] serves both on loopback.
//! - [`private_file`] writes and reads key material, [`keep_memory_private`] keeps it out of core files; [`logging`] sets up what the
//!   operator reads.
//!
//! Start reading at `tasks.rs`.

pub mod admin;
mod clock;
pub mod entropy;
mod group;
mod hardening;
pub mod logging;
mod metrics;
pub mod private_file;
mod readiness;
mod signals;
mod stop;
mod tasks;

pub use clock::Clock;
pub use group::Group;
pub use hardening::{HardeningError, keep_memory_private};
pub use metrics::{DurationTimer, Metrics, seconds};
pub use prometheus_client;
pub use readiness::{Condition, Readiness};
pub use signals::{SignalError, stop_on_signals};
pub use stop::{Stop, Stopper};
pub use tasks::{RunError, TaskError, Tasks};
