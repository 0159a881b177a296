use std::time::{Duration, SystemTime};

use pilothouse_ca::rotation::SecretVersion;
use pilothouse_ca::{LeafLifetimes, Rate};
use pilothouse_envoy_api::Message;
use pilothouse_envoy_api::core::data_source::Specifier;
use pilothouse_envoy_api::discovery::{DeltaDiscoveryRequest, Resource};
use pilothouse_envoy_api::tls::{self, secret};
use pilothouse_xds::ResourceType::{Cluster, Secret};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tonic::Code;

use super::mesh::{Delta, Mesh, NODE, PATIENCE, names, node};

pub(super) fn secret(resource: &Resource) -> secret::Type {
    let any = resource.resource.as_ref().unwrap();
    let message = tls::Secret::decode(any.value.as_slice()).unwrap();
    assert_eq!(message.name, resource.name);
    message.r#type.unwrap()
}

pub(super) fn bytes(source: Option<&pilothouse_envoy_api::core::DataSource>) -> &[u8] {
    match source.unwrap().specifier.as_ref().unwrap() {
        Specifier::InlineBytes(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// Chain and key of a leaf.
pub(super) fn leaf(resource: &Resource) -> (Vec<u8>, Vec<u8>) {
    let secret::Type::TlsCertificate(certificate) = secret(resource) else { panic!("a leaf") };
    (bytes(certificate.certificate_chain.as_ref()).to_vec(), bytes(certificate.private_key.as_ref()).to_vec())
}

/// The next secret of a name; others are accepted and passed over.
pub(super) async fn next_secret(stream: &mut Delta, name: &str) -> Resource {
    loop {
        let response = stream.accept().await;
        if let Some(found) = response.resources.into_iter().find(|resource| resource.name == name) {
            return found;
        }
    }
}

#[tokio::test]
async fn a_stream_gets_a_leaf_and_the_roots() {
    let mesh = Mesh::start().await;
    let mut stream = mesh.delta().await;
    stream.hello(Secret, &["default", "ROOTCA"]).await;
    let mut seen = std::collections::BTreeMap::new();
    while seen.len() < 2 {
        for resource in stream.accept().await.resources {
            seen.insert(resource.name.clone(), resource);
        }
    }
    let secret::Type::ValidationContext(roots) = secret(&seen["ROOTCA"]) else { panic!("roots") };
    assert_eq!(bytes(roots.trusted_ca.as_ref()), mesh.root().as_bytes());
    let (chain, key) = leaf(&seen["default"]);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain).map(Result::unwrap).collect();
    assert_eq!(chain.len(), 1);
    PrivateKeyDer::from_pem_slice(&key).unwrap();
    let uri = b"spiffe://cluster.local/ns/shop/sa/cart";
    assert!(chain[0].windows(uri.len()).any(|window| window == uri));
    let version: SecretVersion =
        SecretVersion::parse(&seen["default"].version).expect("a version that tells its age");
    let certificate = mesh.status(|proxy| proxy.certificate.is_some()).await.certificate.unwrap();
    let expires = version.lifetime.not_after.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(certificate.not_after, expires);
    assert!(certificate.serial.is_some());
    assert!(certificate.renews < certificate.not_after);
}

#[tokio::test]
async fn two_streams_of_a_pod_have_different_keys() {
    let mesh = Mesh::start().await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let mut stream = mesh.delta().await;
        stream.hello(Secret, &["default"]).await;
        keys.push(leaf(&next_secret(&mut stream, "default").await));
    }
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn leaves_are_renewed_on_the_same_stream() {
    let mesh = Mesh::start_with(|settings| {
        settings.leaves = LeafLifetimes { default: Duration::from_secs(3), ..LeafLifetimes::ISTIO };
    })
    .await;
    let mut stream = mesh.delta().await;
    stream.hello(Secret, &["default"]).await;
    let mut before = next_secret(&mut stream, "default").await;
    for _ in 0..3 {
        let after = next_secret(&mut stream, "default").await;
        assert_ne!(leaf(&before), leaf(&after));
        let old = SecretVersion::parse(&before.version).unwrap().lifetime;
        assert!(mesh.process.clock.now() < old.not_after, "renewed in time");
        before = after;
    }
}

#[tokio::test]
async fn a_pod_that_ended_gets_no_new_leaf() {
    let mesh = Mesh::start_with(|settings| {
        settings.leaves = LeafLifetimes { default: Duration::from_secs(2), ..LeafLifetimes::ISTIO };
    })
    .await;
    let mut stream = mesh.delta().await;
    stream.hello(Secret, &["default"]).await;
    next_secret(&mut stream, "default").await;
    mesh.world.end_pod("cart-1.shop");
    assert_eq!(stream.end().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn the_end_of_a_pod_is_the_end_of_its_stream() {
    let mesh = Mesh::start().await;
    let mut ended = mesh.delta().await;
    ended.hello(Secret, &["default"]).await;
    next_secret(&mut ended, "default").await;
    // Another pod has nothing to do with it.
    mesh.world.end_pod("cart-1.shop");
    mesh.touch_pod("shop", "cart-2").await;
    mesh.touch().await;
    mesh.status(|_| true).await;
    mesh.touch_pod("shop", "cart-1").await;
    let status = ended.end().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "the pod has ended"));

    mesh.world.pod("cart-1.shop", "u-1", "cart");
    let mut removed = mesh.delta().await;
    removed.hello(Cluster, &[]).await;
    removed.accept().await;
    mesh.world.remove_pod("cart-1.shop");
    mesh.touch_pod("shop", "cart-1").await;
    let status = removed.end().await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::PermissionDenied, "the pod does not exist any more")
    );

    mesh.world.pod("cart-1.shop", "u-1", "cart");
    let mut replaced = mesh.delta().await;
    replaced.hello(Cluster, &[]).await;
    replaced.accept().await;
    mesh.world.pod("cart-1.shop", "u-2", "cart");
    mesh.touch_pod("shop", "cart-1").await;
    assert_eq!(replaced.end().await.unwrap_err().code(), Code::PermissionDenied);
}

fn names_workload(resource: &Resource, uri: &str) -> bool {
    let (chain, _) = leaf(resource);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain).map(Result::unwrap).collect();
    chain[0].windows(uri.len()).any(|window| window == uri.as_bytes())
}

#[tokio::test]
async fn a_new_trust_domain_reaches_leaves_at_once() {
    // One leaf a second for a pod: the new one waits for its turn and comes all the same.
    let mesh = Mesh::start_with(|settings| {
        settings.issue_limits.per_pod = Rate { burst: 1, every: Duration::from_secs(1) };
    })
    .await;
    let mut stream = mesh.delta().await;
    stream.hello(Secret, &["default"]).await;
    let before = next_secret(&mut stream, "default").await;
    assert!(names_workload(&before, "spiffe://cluster.local/ns/shop/sa/cart"));
    mesh.world.trust_domain("example.org");
    mesh.touch().await;
    let after = next_secret(&mut stream, "default").await;
    assert!(names_workload(&after, "spiffe://example.org/ns/shop/sa/cart"));
    let proxy = mesh.status(|_| true).await;
    assert_eq!(proxy.identity, "spiffe://example.org/ns/shop/sa/cart");
}

#[tokio::test]
async fn a_fresh_leaf_is_recognised_after_a_break() {
    let mesh = Mesh::start().await;
    let mut stream = mesh.delta().await;
    stream.hello(Secret, &["default"]).await;
    let held = next_secret(&mut stream, "default").await;
    drop(stream);

    let returning = |version: &str| DeltaDiscoveryRequest {
        node: Some(node(NODE, 40)),
        type_url: Secret.type_url().to_owned(),
        resource_names_subscribe: vec!["default".to_owned()],
        initial_resource_versions: [("default".to_owned(), version.to_owned())].into(),
        ..DeltaDiscoveryRequest::default()
    };
    let mut stream = mesh.delta().await;
    stream.send(returning(&held.version)).await;
    stream.subscribe(Cluster, &[]).await;
    // Clusters are answered, so the secret before them would have been.
    assert_eq!(stream.accept().await.type_url, Cluster.type_url());
    let certificate = mesh.status(|proxy| proxy.certificate.is_some()).await.certificate.unwrap();
    assert_eq!(certificate.serial, None);
    drop(stream);

    // Nor is one of another trust domain.
    mesh.world.trust_domain("example.org");
    mesh.touch().await;
    let mut stream = mesh.delta().await;
    stream.send(returning(&held.version)).await;
    let after = next_secret(&mut stream, "default").await;
    assert!(names_workload(&after, "spiffe://example.org/ns/shop/sa/cart"));
    drop(stream);

    // Under another version nothing is recognised.
    let mut stream = mesh.delta().await;
    stream.send(returning("leaf1.made.up")).await;
    assert_ne!(next_secret(&mut stream, "default").await.version, held.version);
}

#[tokio::test]
async fn a_greedy_pod_waits_for_its_next_leaf() {
    let mesh = Mesh::start_with(|settings| {
        settings.issue_limits.per_pod = Rate { burst: 1, every: Duration::from_secs(2) };
    })
    .await;
    let mut first = mesh.delta().await;
    first.hello(Secret, &["default"]).await;
    next_secret(&mut first, "default").await;
    let began = tokio::time::Instant::now();
    let mut second = mesh.delta().await;
    second.hello(Secret, &["default"]).await;
    next_secret(&mut second, "default").await;
    let waited = began.elapsed();
    assert!(waited > Duration::from_millis(500) && waited < PATIENCE, "{waited:?}");
    assert!(mesh.process.metrics.render().contains(r#"certificates_total{outcome="delayed"}"#));
}

#[tokio::test]
async fn a_secret_that_does_not_exist_is_not_answered() {
    let mesh = Mesh::start().await;
    let mut stream = mesh.delta().await;
    stream.hello(Secret, &["kubernetes://tls"]).await;
    stream.subscribe(Cluster, &[]).await;
    assert_eq!(stream.accept().await.type_url, Cluster.type_url());
    mesh.world.secret("kubernetes://tls", "pair");
    mesh.touch().await;
    assert_eq!(names(&stream.accept().await), ["kubernetes://tls"]);
}
