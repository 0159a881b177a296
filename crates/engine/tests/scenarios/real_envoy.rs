//! Everything a scenario's proxy gets, given to real Envoys.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use bytes::Bytes;
use pilothouse_base::Name;
use pilothouse_envoy_api as envoy;
use pilothouse_envoy_api::Message;
use pilothouse_translate::inline::bootstrap_static;
use pilothouse_translate::{root_secret, workload_secret};
use pilothouse_xds::Snapshot;

use crate::case::Case;

/// The oldest supported version and the newest.
const VERSIONS: [&str; 2] = ["1.37.0", "1.40.0"];

/// The binary of a version: named by `PILOTHOUSE_ENVOY_1_37_0` and the like, else where `hack/tools.sh` puts it.
fn binary(version: &str) -> PathBuf {
    let named = std::env::var_os(format!("PILOTHOUSE_ENVOY_{}", version.replace('.', "_")));
    let path = named.map_or_else(
        || {
            let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
            let home = || PathBuf::from(set("HOME").unwrap_or_default()).join(".cache");
            let user = || set("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("pilothouse");
            let cache = set("PILOTHOUSE_CACHE").map_or_else(user, PathBuf::from);
            cache.join("envoy").join(version).join("envoy")
        },
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "Envoy {version} is not at {}; fetch it with: hack/tools.sh envoy",
        path.display()
    );
    path
}

/// What an Envoy says against a scenario.
pub(crate) fn refusal(case: &Case) -> Option<String> {
    let bootstrap = envoy::encode(&bootstrap(&case.compile().snapshot));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootstrap.pb");
    std::fs::write(&file, bootstrap).unwrap();
    VERSIONS.iter().find_map(|version| {
        let output = Command::new(binary(version))
            .args(["--mode", "validate", "--log-level", "warn", "--config-path"])
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        (!output.status.success()).then(|| format!("{}: Envoy {version} refuses:\n{said}", case.name()))
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
