//! Everything a scenario's proxy gets, given to real Envoys.

use std::sync::LazyLock;

use bytes::Bytes;
use pilothouse_base::Name;
use pilothouse_envoy_api as envoy;
use pilothouse_envoy_api::Message;
use pilothouse_testkit::envoy::{Form, VERSIONS, judged_by};
use pilothouse_translate::inline::bootstrap_static;
use pilothouse_translate::{root_secret, workload_secret};
use pilothouse_xds::Snapshot;

use crate::case::Case;

/// What an Envoy says against a scenario.
pub(crate) fn refusal(case: &Case) -> Option<String> {
    let bootstrap = envoy::encode(&bootstrap(&case.compile().snapshot));
    VERSIONS.iter().find_map(|version| {
        let said = judged_by(version, Form::Binary, &bootstrap).err()?;
        Some(format!("{}: Envoy {version} refuses:\n{said}", case.name()))
    })
}

/// A certificate that is its own root, with its key.
static CERTIFICATE: LazyLock<(String, String)> = LazyLock::new(|| {
    let mut params = rcgen::CertificateParams::new(vec!["shop.example.com".into()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
});

/// Everything in one document. Secrets are certificates made here: those in scenarios are none.
fn bootstrap(snapshot: &Snapshot) -> envoy::bootstrap::Bootstrap {
    fn all<'b, M: Message + Default>(bodies: impl Iterator<Item = &'b Bytes>) -> Vec<M> {
        bodies.map(|body| M::decode(body.clone()).expect("what the engine encodes can be read")).collect()
    }
    let (chain, key) = &*CERTIFICATE;
    let mut secrets = vec![
        workload_secret(&Name::from("default"), chain.as_bytes(), key.as_bytes()).to_vec(),
        root_secret(&Name::from("ROOTCA"), chain.as_bytes()),
    ];
    for secret in snapshot.secrets.sorted_iter() {
        let name = Name::from(&*secret.name);
        secrets.push(if name.as_str().ends_with("-cacert") || name.as_str().starts_with("file-root:") {
            root_secret(&name, chain.as_bytes())
        } else {
            workload_secret(&name, chain.as_bytes(), key.as_bytes()).to_vec()
        });
    }
    let secrets: Vec<Bytes> = secrets.into_iter().map(Bytes::from).collect();
    bootstrap_static(
        all(snapshot.clusters.sorted_iter().map(|one| &one.body)),
        all(snapshot.listeners.sorted_iter().map(|one| &one.body)),
        all::<envoy::route::RouteConfiguration>(
            snapshot.routes.sorted_iter().map(|one| &one.assembled().body),
        ),
        all(snapshot.endpoints.sorted_iter().map(|one| &one.body)),
        all(secrets.iter()),
    )
}
