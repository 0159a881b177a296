//! The discovery protocol as a state machine without a socket.
//!
//! What it is: resources ([`Resource`], [`Composite`]) in persistent maps ([`NameMap`]), put together as the
//! [`Snapshot`] of one audience; and the [`Subscriber`], the protocol state of one stream, which is told about
//! requests and snapshots and answers with the responses to send. Delta and state-of-the-world share it.
//!
//! What it is not: it has no socket, no clock and no randomness, and it does not know what a cluster means. It
//! knows the order in which types must travel so that traffic never meets a name that is not there yet or no
//! longer.
//!
//! Where to start: `snapshot.rs` for what is given, `message.rs` for what goes in and out, `subscriber.rs` for
//! the rules.

mod composite;
mod map;
mod message;
#[cfg(any(test, feature = "model"))]
pub mod model;
mod options;
mod resource;
mod snapshot;
mod status;
mod subscriber;

pub use composite::{Composite, Headers};
pub use map::{NameMap, Named, ResourceMap};
pub use message::{DeltaRequest, Protocol, Request, Response, SotwRequest, StreamError};
pub use options::{Bounds, Defaults, Options, RouteDelivery};
pub use resource::{Resource, ResourceType, Version};
pub use snapshot::{Change, Changes, Layers, Snapshot};
pub use status::{Rejection, Status, TypeState, TypeStatus};
pub use subscriber::{Subscriber, Unconfirmed, WantedSecret};
