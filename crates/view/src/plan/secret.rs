//! Secrets from objects. (Certificates of workloads are issued per stream and never are plans.)

use std::sync::Arc;

use pilothouse_base::Name;
use pilothouse_config::Certificate;

/// All that decides a secret resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretPlan {
    /// The name it is asked for by, such as `kubernetes://shop-cert`.
    pub name: Name,
    /// The certificate with its key.
    pub certificate: Option<Certificate>,
    /// Roots to verify peers against, for names that end in `-cacert`.
    pub ca: Option<Arc<[u8]>>,
}
