//! SPIFFE identities of workloads.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::{Name, Namespace};

/// `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`: exactly these five parts (Istio's form of a SPIFFE ID).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Identity {
    /// The trust domain.
    pub trust_domain: Name,
    /// The namespace of the service account.
    pub namespace: Namespace,
    /// The service account.
    pub service_account: Name,
}

/// The text is not an identity of the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityError;

impl fmt::Display for IdentityError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not of the form spiffe://<trust domain>/ns/<namespace>/sa/<service account>")
    }
}

impl std::error::Error for IdentityError {}

impl Identity {
    /// Puts the parts together.
    pub fn new(
        trust_domain: impl Into<Name>,
        namespace: impl Into<Namespace>,
        service_account: impl Into<Name>,
    ) -> Self {
        Self {
            trust_domain: trust_domain.into(),
            namespace: namespace.into(),
            service_account: service_account.into(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trust_domain, namespace, service_account } = self;
        write!(out, "spiffe://{trust_domain}/ns/{namespace}/sa/{service_account}")
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.to_string()
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let parts: Vec<&str> = text.strip_prefix("spiffe://").ok_or(IdentityError)?.split('/').collect();
        match parts[..] {
            [domain, "ns", namespace, "sa", account]
                if !domain.is_empty() && !namespace.is_empty() && !account.is_empty() =>
            {
                Ok(Self::new(domain, namespace, account))
            }
            _ => Err(IdentityError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_parts_and_nothing_else() {
        let text = "spiffe://cluster.local/ns/shop/sa/cart";
        assert_eq!(text.parse::<Identity>().unwrap().to_string(), text);
        for bad in [
            "",
            "spiffe://",
            "https://cluster.local/ns/shop/sa/cart",
            "spiffe://cluster.local/ns/shop/sa/cart/x",
            "spiffe://cluster.local/ns//sa/cart",
            "spiffe:///ns/shop/sa/cart",
            "spiffe://cluster.local/sa/cart/ns/shop",
        ] {
            assert_eq!(bad.parse::<Identity>(), Err(IdentityError), "{bad}");
        }
    }
}
