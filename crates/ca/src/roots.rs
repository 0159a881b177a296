//! The set of roots that proxies trust.
//!
//! More than one root is normal while a mesh moves from an old root to a new one: both are distributed before the
//! first leaf of the new one is issued.

use std::fmt;

use ring::digest;

use crate::pem;

/// Trusted roots, in the order given, each only once.
#[derive(Clone, PartialEq, Eq)]
pub struct RootBundle {
    certificates: Vec<Vec<u8>>,
    pem: String,
    fingerprint: String,
}

/// Why a text is not a bundle of roots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootBundleError {
    /// The text cannot be read.
    #[error("the root bundle {0}")]
    Unreadable(String),
    /// Without a root nothing can be trusted.
    #[error("the root bundle holds no certificate")]
    Empty,
}

impl RootBundle {
    /// Reads concatenated PEM certificates.
    pub fn from_pem(text: &[u8]) -> Result<Self, RootBundleError> {
        let certificates =
            pem::certificates(text).map_err(|error| RootBundleError::Unreadable(error.to_string()))?;
        Self::from_der(certificates)
    }

    pub(crate) fn from_der(given: Vec<Vec<u8>>) -> Result<Self, RootBundleError> {
        let mut certificates: Vec<Vec<u8>> = Vec::with_capacity(given.len());
        for certificate in given {
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(RootBundleError::Empty);
        }
        let pem = certificates.iter().map(|der| pem::encode("CERTIFICATE", der)).collect();
        // Order does not change what is trusted, so it does not change the fingerprint.
        let mut each: Vec<_> = certificates.iter().map(|der| digest::digest(&digest::SHA256, der)).collect();
        each.sort_unstable_by(|left, right| left.as_ref().cmp(right.as_ref()));
        let mut all = digest::Context::new(&digest::SHA256);
        for one in &each {
            all.update(one.as_ref());
        }
        let fingerprint = hex(all.finish().as_ref());
        Ok(Self { certificates, pem, fingerprint })
    }

    /// These roots and then those of the other bundle.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let all = self.certificates.iter().chain(&other.certificates).cloned().collect();
        Self::from_der(all).expect("two bundles with roots have roots")
    }

    /// Whether all roots of the other bundle are in this one.
    pub fn contains(&self, other: &Self) -> bool {
        other.certificates.iter().all(|root| self.certificates.contains(root))
    }

    /// All roots, concatenated: the content of `root-cert.pem` and of the secret `ROOTCA`.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 over the set of roots, lower-case hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The DER of each root.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for RootBundle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificates, pem: _, fingerprint } = self;
        out.debug_struct("RootBundle")
            .field("roots", &certificates.len())
            .field("fingerprint", fingerprint)
            .finish()
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// SHA-256 of the bytes in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}
