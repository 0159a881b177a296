//! Accounts: who stands behind a service. A separate question, so that a moved endpoint of a known account does not
//! touch clusters.

use std::collections::BTreeSet;

use pilothouse_base::Name;
use pilothouse_world::ServiceRef;

use crate::backends::backends;
use crate::reader::Reader;

/// The identities behind a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// SPIFFE ids of its workloads under every accepted trust domain, ordered; empty if one of them is not known.
    pub identities: Vec<Name>,
    /// Whether it has endpoints and all of them have a proxy of the mesh.
    pub all_meshed: bool,
}

pub(crate) fn accounts(service: &ServiceRef, read: &mut Reader<'_>) -> Accounts {
    let Some(service) = read.service(service) else { return Accounts::default() };
    let mesh = read.mesh();
    let mut identities = BTreeSet::new();
    let (mut known, mut any, mut all_meshed) = (true, false, true);
    for port in &service.ports {
        for one in backends(&service, port, read) {
            any = true;
            all_meshed &= one.meshed;
            if !one.meshed {
                continue;
            }
            match one.identity {
                Some(identity) => {
                    for domain in std::iter::once(&mesh.trust_domain).chain(&mesh.trust_domain_aliases) {
                        let alias =
                            pilothouse_base::Identity { trust_domain: domain.clone(), ..identity.clone() };
                        identities.insert(Name::from(alias.to_string()));
                    }
                }
                None => known = false,
            }
        }
    }
    Accounts {
        identities: if known { identities.into_iter().collect() } else { Vec::new() },
        all_meshed: any && all_meshed,
    }
}
