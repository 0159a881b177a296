//! An encoded, named, versioned Envoy message.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use pilothouse_base::ObjectKey;
use serde::{Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

/// The types we serve, in the order in which they travel within a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ResourceType {
    /// `envoy.config.cluster.v3.Cluster`.
    Cluster,
    /// `envoy.config.endpoint.v3.ClusterLoadAssignment`.
    Endpoint,
    /// `envoy.config.listener.v3.Listener`.
    Listener,
    /// `envoy.config.route.v3.RouteConfiguration`.
    Route,
    /// `envoy.config.route.v3.VirtualHost`, delta only.
    VirtualHost,
    /// `envoy.extensions.transport_sockets.tls.v3.Secret`.
    Secret,
}

impl ResourceType {
    /// Every type, in order.
    pub const ALL: [Self; 6] =
        [Self::Cluster, Self::Endpoint, Self::Listener, Self::Route, Self::VirtualHost, Self::Secret];

    /// The type URL on the wire.
    pub const fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Self::VirtualHost => "type.googleapis.com/envoy.config.route.v3.VirtualHost",
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        }
    }

    /// The type of a URL, if we serve it.
    pub fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// Whether a client gets all there is without naming it.
    pub const fn wildcard(self) -> bool {
        matches!(self, Self::Cluster | Self::Listener)
    }

    /// The short name users know: `CDS`, `EDS` and so on.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Cluster => "CDS",
            Self::Endpoint => "EDS",
            Self::Listener => "LDS",
            Self::Route => "RDS",
            Self::VirtualHost => "VHDS",
            Self::Secret => "SDS",
        }
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.short())
    }
}

/// The xxh3-128 of a body, so that equal content has equal versions on every replica and after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u128);

impl Version {
    /// The version of a body.
    pub fn of(body: &[u8]) -> Self {
        Self(xxh3_128(body))
    }

    /// Takes a hash as it is.
    pub(crate) const fn from_hash(hash: u128) -> Self {
        Self(hash)
    }

    /// The hash.
    pub(crate) const fn hash(self) -> u128 {
        self.0
    }

    /// The same version with its last bit telling which form of a route table it stands for. A client that
    /// returns reports the version, and so the form in which it holds the table.
    pub(crate) const fn marked(self, split: bool) -> Self {
        Self(self.0 & !1 | split as u128)
    }

    /// What [`Version::marked`] put there.
    pub(crate) const fn is_split(self) -> bool {
        self.0 & 1 == 1
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(VersionError);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| VersionError)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The text is not a version of ours; a client that got its resources elsewhere may report such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 32 lower-case hexadecimal digits")]
pub struct VersionError;

/// An encoded, named, versioned Envoy message.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name, unique within its type.
    pub name: Arc<str>,
    /// The hash of `body`.
    pub version: Version,
    /// The encoded message: what goes into `Any.value`.
    pub body: Bytes,
    /// The objects that made it, for telling whose fault a rejection is. Not part of the version.
    pub origins: Arc<[ObjectKey]>,
}

impl Resource {
    /// Names and hashes an encoded message.
    pub fn new(
        name: impl Into<Arc<str>>,
        body: impl Into<Bytes>,
        origins: impl Into<Arc<[ObjectKey]>>,
    ) -> Self {
        let body = body.into();
        Self { name: name.into(), version: Version::of(&body), body, origins: origins.into() }
    }
}

/// Without the body, which may be a private key.
impl fmt::Debug for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}@{} ({} bytes)", self.name, self.version, self.body.len())
    }
}
