//! The indexed state of all inputs, and what a batch of changes altered.
//!
//! What it is: one owner of all checked objects. [`World::apply`] takes a batch and names the index keys that now answer
//! differently; [`Reader`] is the only door to the content and leaves a footprint of every key it was asked for, also
//! when the answer was "nothing there".
//!
//! What it is not: it does not know Envoy, proxies or visibility, and it never waits, reads a clock or fails.
//!
//! Main types: [`Change`], [`World`], [`Key`], [`Reader`].
//!
//! Where to start: `key.rs`, then `world.rs`.

mod change;
mod endpoints;
mod headers;
mod key;
mod reader;
mod services;
mod world;

pub use change::Change;
pub use endpoints::{Backend, ServiceEndpoints, SliceWithPods};
pub use headers::{RuleHeader, VirtualServiceHeader};
pub use key::{Key, KeyKind};
pub use reader::{Reader, Record};
pub use services::ServiceRef;
pub use world::{Delta, World};
