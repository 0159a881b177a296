//! How a server of a gateway terminates TLS, and the secrets that takes.

use std::collections::BTreeSet;

use pilothouse_base::Namespace;
use pilothouse_config::gateway::{ClientRoots, ClientVerification, ServerCertificate, Termination};

use crate::plan::{ClientVerificationPlan, ServerTlsPlan};
use crate::query::SecretKey;

/// The plan of a server's TLS; what it asks for goes to `secrets`. Files are asked for as secrets too: with a file that is not
/// there an Envoy refuses a secret alone, but a whole listener, with all its other servers, if it is named in place.
pub(super) fn plan(
    termination: &Termination,
    namespace: &Namespace,
    http: bool,
    secrets: &mut BTreeSet<SecretKey>,
) -> ServerTlsPlan {
    let Termination { certificates, clients } = termination;
    let mut ask = |key: SecretKey| {
        let resource = key.resource.clone();
        secrets.insert(key);
        resource
    };
    let certificates = certificates
        .iter()
        .map(|one| match one {
            ServerCertificate::Secret(name) => ask(SecretKey::certificate(namespace, name)),
            ServerCertificate::Files { certificate, key } => {
                ask(SecretKey::certificate_files(certificate, key))
            }
        })
        .collect();
    let clients = clients.as_ref().map(|clients| {
        let ClientVerification { required, roots, subject_alt_names, public_keys, fingerprints } = clients;
        let roots = match roots {
            ClientRoots::Secret(name) => ask(SecretKey::roots(namespace, name)),
            ClientRoots::Files { roots, revoked } => ask(SecretKey::root_files(roots, revoked.as_ref())),
        };
        Box::new(ClientVerificationPlan {
            required: *required,
            roots,
            subject_alt_names: subject_alt_names.clone(),
            public_keys: public_keys.clone(),
            fingerprints: fingerprints.clone(),
        })
    });
    ServerTlsPlan::Terminate { certificates, clients, http }
}
