//! What connections from a gateway to its upstreams need.

use std::collections::BTreeSet;

use pilothouse_base::{Namespace, ObjectKey};
use pilothouse_config::traffic_policy::{ClientCertificate, ClientTlsMode, Roots};

use crate::query::SecretKey;
use crate::reader::Reader;

/// Secrets that destination rules name for connections of gateways. (Sidecars get none: their service accounts must not reach
/// for any secret of the namespace, so there such connections fail.)
pub(super) fn secrets(namespace: &Namespace, all: &mut BTreeSet<SecretKey>, read: &mut Reader<'_>) {
    let view = read.view(namespace);
    let rules: BTreeSet<&ObjectKey> = view.targets().flat_map(|target| target.rules.iter()).collect();
    for rule in rules {
        let Some(rule) = read.rule(rule) else { continue };
        let layers = std::iter::once(&rule.policy).chain(rule.subsets.iter().map(|subset| &subset.policy));
        let policies = layers.flat_map(|layer| std::iter::once(&layer.all).chain(layer.ports.values()));
        for tls in policies.filter_map(|policy| policy.tls.as_ref()) {
            let roots = match &tls.mode {
                ClientTlsMode::Simple { roots } => roots,
                ClientTlsMode::Mutual { certificate, roots } => {
                    if let ClientCertificate::Secret(name) = certificate {
                        all.insert(SecretKey::certificate(namespace, name));
                    }
                    roots
                }
                ClientTlsMode::Disable | ClientTlsMode::IstioMutual | ClientTlsMode::Closed => continue,
            };
            if let Roots::Secret(name) = roots {
                all.insert(SecretKey::roots(namespace, name));
            }
        }
    }
}
