use http::uri::PathAndQuery;
use prost_types::{Struct, Value, value::Kind};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tonic::client::Grpc;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use super::mesh::Mesh;
use crate::discovery::requests::{CREATE, CertificateRequest, CertificateResponse};

fn csr() -> CertificateRequest {
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    CertificateRequest { csr, validity_duration: 3600, metadata: None }
}

/// Asks as an agent does.
async fn create(
    mesh: &Mesh,
    token: Option<&str>,
    request: CertificateRequest,
) -> Result<Vec<String>, Status> {
    let mut client = Grpc::new(mesh.channel().await);
    client.ready().await.unwrap();
    let mut request = Request::new(request);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let codec = ProstCodec::<CertificateRequest, CertificateResponse>::default();
    let answer = client.unary(request, PathAndQuery::from_static(CREATE), codec).await?;
    Ok(answer.into_inner().cert_chain)
}

#[tokio::test]
async fn an_agent_gets_its_key_certified() {
    let mesh = Mesh::start().await;
    let chain = create(&mesh, Some(&mesh.token()), csr()).await.unwrap();
    let [leaf, roots] = &chain[..] else { panic!("leaf and roots, no intermediates: {chain:#?}") };
    assert_eq!(roots, mesh.root());
    assert!(leaf.ends_with('\n'));
    let leaf = CertificateDer::from_pem_slice(leaf.as_bytes()).unwrap();
    let uri = b"spiffe://cluster.local/ns/shop/sa/cart";
    assert!(leaf.windows(uri.len()).any(|window| window == uri));
}

#[tokio::test]
async fn who_and_what_is_refused() {
    let mesh = Mesh::start().await;
    mesh.world.pod("gone.shop", "u-3", "cart");
    mesh.world.end_pod("gone.shop");
    let now = mesh.process.clock.now();
    let ended = mesh.token_with(now, |token| (token.pod, token.pod_uid) = ("gone", "u-3"));
    let other = mesh.token_with(now, |token| token.audience = "vault");
    let impersonating = CertificateRequest {
        metadata: Some(Struct {
            fields: [(
                "ImpersonatedIdentity".to_owned(),
                Value { kind: Some(Kind::StringValue("spiffe://cluster.local/ns/shop/sa/pay".to_owned())) },
            )]
            .into(),
        }),
        ..csr()
    };
    let nonsense = CertificateRequest { csr: "nonsense".to_owned(), ..csr() };
    let long = CertificateRequest { validity_duration: i64::MAX, ..csr() };
    let own = mesh.token();
    let table = [
        ("no token", None, csr(), Code::Unauthenticated),
        ("another audience", Some(&other), csr(), Code::Unauthenticated),
        ("a pod that has ended", Some(&ended), csr(), Code::PermissionDenied),
        ("another's name", Some(&own), impersonating, Code::PermissionDenied),
        ("no certificate request", Some(&own), nonsense, Code::InvalidArgument),
        ("too long a life", Some(&own), long, Code::InvalidArgument),
    ];
    for (what, token, request, code) in table {
        let status = create(&mesh, token.map(String::as_str), request).await.unwrap_err();
        assert_eq!(status.code(), code, "{what}: {status}");
    }
    assert!(mesh.process.metrics.render().contains(r#"outcome="failed""#));
}
