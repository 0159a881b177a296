//! Encoded secrets for those who hand them out; keys never are part of a snapshot.

use pilothouse_base::Name;
pub use zeroize::Zeroizing;

/// The name of a workload's own certificate.
pub const WORKLOAD: &str = "default";
/// The name of the roots that peers are verified against.
pub const ROOTS: &str = "ROOTCA";

/// An encoded secret with a certificate and its key; the buffer is overwritten when dropped.
pub fn workload(chain_pem: &[u8], key_pem: &[u8]) -> Zeroizing<Vec<u8>> {
    pilothouse_translate::workload_secret(&Name::from(WORKLOAD), chain_pem, key_pem)
}

/// An encoded secret with roots.
pub fn roots(roots_pem: &[u8]) -> Vec<u8> {
    pilothouse_translate::root_secret(&Name::from(ROOTS), roots_pem)
}
