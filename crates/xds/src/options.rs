//! What a stream is set up with.

use bytes::Bytes;

/// Settings of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much a client may ask for.
    pub bounds: Bounds,
    /// How route tables travel.
    pub routes: RouteDelivery,
    /// Answers for names that stand for nothing.
    pub defaults: Defaults,
}

/// How much a client may ask for. Beyond it the stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Names a stream may subscribe, per type.
    pub names: usize,
    /// Length of a name, in bytes.
    pub name_length: usize,
    /// Bytes of all lists of one request, names and versions.
    pub request_bytes: usize,
}

impl Default for Bounds {
    /// Far above what an Envoy asks for in a mesh of ten thousand services.
    fn default() -> Self {
        Self { names: 50_000, name_length: 1_024, request_bytes: 8 << 20 }
    }
}

/// How route tables travel to a delta client. State-of-the-world clients always get them assembled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteDelivery {
    /// Host by host when the table has more than `over` hosts as the stream first subscribes it, unless the
    /// client already holds the table in one of the two forms: then that one.
    Auto {
        /// Most hosts of a table that goes in one piece.
        over: usize,
    },
    /// Always in one piece, save for tables that a client already holds host by host: an Envoy does not survive
    /// the change.
    Rds,
}

impl Default for RouteDelivery {
    fn default() -> Self {
        Self::Auto { over: 64 }
    }
}

/// Encoders of the answers to names that are not in the snapshot. An Envoy that asks waits for ever if it hears
/// nothing.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// A `ClusterLoadAssignment` of that name without endpoints.
    pub empty_assignment: fn(&str) -> Bytes,
    /// A `RouteConfiguration` of that name without hosts.
    pub empty_route: fn(&str) -> Bytes,
    /// The same, asking for its hosts by VHDS: for a client that holds the table split.
    pub empty_split_route: fn(&str) -> Bytes,
}
