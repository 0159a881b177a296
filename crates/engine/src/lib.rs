//! Drives the compiler.
//!
//! What it is: applies batches of changes to the world, answers again only the questions whose footprint was met, encodes
//! only the plans that changed, and keeps one snapshot per audience. Cost follows what changed and who sees it, never the
//! size of the mesh.
//!
//! What it is not: it has no table of "which kind concerns which resource", no clock, no socket, no stream.
//!
//! Main types: [`Engine`], [`Commit`], [`Proxy`].
//!
//! Where to start: `engine.rs`, then `graph.rs`.

mod audience;
mod bug;
mod collection;
mod counts;
mod encode;
mod engine;
mod graph;
mod guard;
mod origins;
mod overlay;
#[cfg(test)]
mod poison;
mod proxy;
pub mod secrets;
mod tables;

pub use bug::{Bug, Harm};
pub use counts::Counts;
pub use encode::defaults;
pub use engine::{Commit, Engine, ProxyId, WorkloadFacts};
pub use graph::Forget;
pub use guard::{PanicHook, panic_hook};
pub use pilothouse_view::query::Role;
pub use pilothouse_world::Change;
pub use proxy::{NodeError, Proxy};
