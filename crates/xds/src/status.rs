//! What a stream knows about its proxy.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilothouse_base::ObjectKey;
use serde::Serialize;

use crate::resource::{ResourceType, Version};

/// How a proxy stands to its snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The newest revision the stream was given.
    pub revision: u64,
    /// The newest revision of which all that concerns the proxy was answered, accepted or not.
    pub acknowledged: u64,
    /// Each type the proxy subscribed.
    pub types: BTreeMap<ResourceType, TypeStatus>,
}

/// How a proxy stands in one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeStatus {
    /// Whether all was answered.
    pub state: TypeState,
    /// Names subscribed, not counting what comes without being named.
    pub names: usize,
    /// What the proxy refused and has not been sent anew since, in order of resource names.
    pub rejected: Vec<Arc<Rejection>>,
}

/// Whether all of a type was sent and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TypeState {
    /// Nothing is on the way.
    Synced,
    /// Something is on the way, waits for its turn, or waits for a secret to be issued.
    Pending {
        /// The revision that first asked for it.
        since: u64,
    },
}

/// An update that a proxy refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The type.
    pub kind: ResourceType,
    /// The resource, or several if the proxy's words do not tell which of a response it was.
    pub resources: Vec<(Arc<str>, Version)>,
    /// The proxy's words, cut to a few kilobytes.
    pub message: Arc<str>,
    /// The objects that made the resources, without repetition.
    pub origins: Arc<[ObjectKey]>,
    /// The revision the response was made from.
    pub revision: u64,
    /// The how-manieth rejection of this type on this stream it is, from 1.
    pub count: u64,
}
