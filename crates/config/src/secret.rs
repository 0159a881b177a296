//! Secrets that hold certificates.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::Meta;

/// A secret, reduced to the certificate material in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Secret {
    /// The object.
    pub meta: Meta,
    /// A certificate with its key, from `tls.crt`/`tls.key` or `cert`/`key`.
    pub certificate: Option<Certificate>,
    /// Roots to verify peers against, from `ca.crt` or `cacert`.
    pub ca: Option<Roots>,
}

/// Roots to verify peers against, PEM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Roots {
    /// The certificates.
    pub certificates: Arc<[u8]>,
    /// Lists of revoked certificates, from `ca.crl` or `crl`.
    pub revoked: Option<Arc<[u8]>>,
}

/// A certificate with its private key, PEM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// The chain, leaf first.
    pub chain: Arc<[u8]>,
    /// The key.
    pub key: PrivateBytes,
}

/// Bytes that must never be shown: every rendering prints a placeholder.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PrivateBytes(Arc<[u8]>);

impl PrivateBytes {
    /// Takes the bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the one place that sends them to a proxy.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateBytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[redacted]")
    }
}

impl Serialize for PrivateBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}
