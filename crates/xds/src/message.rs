//! Requests and responses, free of any encoding. `serve` converts from and to protobuf.

use std::sync::Arc;

use serde::Serialize;

use crate::resource::{Resource, ResourceType};

/// The two dialects of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Protocol {
    /// Only what changed, by name.
    Delta,
    /// The state of the world: all clusters and all listeners each time.
    Sotw,
}

/// A request of either dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `DeltaDiscoveryRequest`.
    Delta(DeltaRequest),
    /// `DiscoveryRequest`.
    Sotw(SotwRequest),
}

/// What we read of a `DeltaDiscoveryRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaRequest {
    /// From `type_url`.
    pub kind: ResourceType,
    /// `resource_names_subscribe`.
    pub subscribe: Vec<String>,
    /// `resource_names_unsubscribe`.
    pub unsubscribe: Vec<String>,
    /// `initial_resource_versions`: what the client kept from an earlier stream.
    pub initial_versions: Vec<(String, String)>,
    /// `response_nonce`, empty if the request answers no response.
    pub response_nonce: String,
    /// `error_detail.message`; present means the response was rejected.
    pub error: Option<String>,
}

impl DeltaRequest {
    /// A request that says nothing yet.
    pub fn new(kind: ResourceType) -> Self {
        Self {
            kind,
            subscribe: Vec::new(),
            unsubscribe: Vec::new(),
            initial_versions: Vec::new(),
            response_nonce: String::new(),
            error: None,
        }
    }
}

/// What we read of a `DiscoveryRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SotwRequest {
    /// From `type_url`.
    pub kind: ResourceType,
    /// `resource_names`: all of them, each time.
    pub names: Vec<String>,
    /// `response_nonce`, empty if the request answers no response.
    pub response_nonce: String,
    /// `error_detail.message`; present means the response was rejected.
    pub error: Option<String>,
}

impl SotwRequest {
    /// A request that says nothing yet.
    pub fn new(kind: ResourceType) -> Self {
        Self { kind, names: Vec::new(), response_nonce: String::new(), error: None }
    }
}

/// What to send, in either dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Gives `type_url`.
    pub kind: ResourceType,
    /// Unique within the stream.
    pub nonce: String,
    /// The resources, in order of names. In delta each goes with its version.
    pub resources: Vec<Arc<Resource>>,
    /// `removed_resources`, in order; empty in the state of the world.
    pub removed: Vec<Arc<str>>,
    /// `version_info` or `system_version_info`: the revision, for people.
    pub version_info: String,
}

/// Why a stream must end. The text goes to the client; waiting does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// A state-of-the-world request on a delta stream or the other way round.
    #[error("the request is not of the dialect of this stream")]
    Dialect,
    /// A stream names too much.
    #[error("{kind}: more than {limit} subscribed names")]
    TooManyNames {
        /// The type.
        kind: ResourceType,
        /// The bound.
        limit: usize,
    },
    /// A name is too long.
    #[error("{kind}: a name longer than {limit} bytes")]
    NameTooLong {
        /// The type.
        kind: ResourceType,
        /// The bound.
        limit: usize,
    },
    /// The lists of one request are too long.
    #[error("{kind}: the lists of the request exceed {limit} bytes")]
    RequestTooLarge {
        /// The type.
        kind: ResourceType,
        /// The bound.
        limit: usize,
    },
}
