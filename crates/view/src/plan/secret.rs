//! Secrets that are not issued per stream: from objects, or in files of the proxy.

use pilothouse_base::Name;
use pilothouse_config::Certificate;
use pilothouse_config::secret::Roots;

/// All that decides a secret resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretPlan {
    /// The name it is asked for by, such as `kubernetes://shop-cert`.
    pub name: Name,
    /// What it holds.
    pub material: SecretMaterial,
}

/// What a secret resource holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretMaterial {
    /// A certificate with its key.
    Certificate(Certificate),
    /// Roots to verify peers against.
    Roots(Roots),
    /// The names of files of the proxy with a certificate and its key.
    CertificateFiles {
        /// The file with the chain.
        certificate: Name,
        /// The file with the key.
        key: Name,
    },
    /// The names of files of the proxy with roots.
    RootFiles {
        /// The file with the roots.
        roots: Name,
        /// The file with revoked certificates.
        revoked: Option<Name>,
    },
}
