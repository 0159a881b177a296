use std::time::Duration;

use pilothouse_xds::ResourceType::{Cluster, Secret};
use tonic::Code;

use super::mesh::{Delta, Mesh, NODE, node};
use crate::PeerAddress;
use crate::identity::TokenRequest;

/// Opens a stream with a token and a node, and says how it is refused.
async fn refused(mesh: &Mesh, token: Option<&str>, node_id: &str, minor: u32) -> (Code, String) {
    let mut client = mesh.tls().await;
    let status = match Delta::open(&mut client, token).await {
        Err(status) => status,
        Ok(mut stream) => {
            stream.hello_of(node(node_id, minor), Secret, &["default", "ROOTCA"]).await;
            stream.next().await.expect_err("a refusal")
        }
    };
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn only_the_right_token_opens_a_stream() {
    let mesh = Mesh::start().await;
    let other = Mesh::start().await;
    let now = mesh.process.clock.now();
    let hour = Duration::from_hours(1);
    let with = |adjust: fn(&mut TokenRequest<'_>)| mesh.token_with(now, adjust);
    let cases = [
        (None, "no bearer token"),
        (Some(String::new()), "not a JWT"),
        (Some("a.b.c".to_owned()), "not a JWT"),
        (Some(with(|token| token.audience = "vault")), "another audience"),
        (Some(mesh.token_with(now - hour, |_| {})), "has expired"),
        (Some(mesh.token_with(now + hour, |_| {})), "not valid yet"),
        (Some(other.token()), "key that this control plane does not know"),
    ];
    for (token, words) in cases {
        let (code, message) = refused(&mesh, token.as_deref(), NODE, 40).await;
        assert_eq!(code, Code::Unauthenticated, "{words}: {message}");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(mesh.world.proxies(), 0);
}

#[tokio::test]
async fn a_stream_is_bound_to_the_pod_of_its_token() {
    let mesh = Mesh::start().await;
    mesh.world.pod("cart-2.shop", "u-2", "cart");
    mesh.world.pod("gone.shop", "u-3", "cart");
    mesh.world.end_pod("gone.shop");
    let now = mesh.process.clock.now();
    let with = |adjust: fn(&mut TokenRequest<'_>)| mesh.token_with(now, adjust);
    let of = |pod: &str| format!("sidecar~127.0.0.1~{pod}~shop.svc.cluster.local");
    let cases = [
        (mesh.token(), of("cart-2.shop"), Code::PermissionDenied, "another pod"),
        (mesh.token(), of("cart-1.other"), Code::PermissionDenied, "another pod"),
        (with(|token| token.pod_uid = "u-0"), of("cart-1.shop"), Code::PermissionDenied, "earlier pod"),
        (
            with(|token| token.service_account = "admin"),
            of("cart-1.shop"),
            Code::PermissionDenied,
            "another service account",
        ),
        (
            with(|token| (token.pod, token.pod_uid) = ("gone", "u-3")),
            of("gone.shop"),
            Code::PermissionDenied,
            "has ended",
        ),
        (with(|token| token.pod = "nobody"), of("nobody.shop"), Code::Unavailable, "not known"),
        (mesh.token(), String::new(), Code::InvalidArgument, "missing node"),
        (mesh.token(), "cart-1.shop".to_owned(), Code::InvalidArgument, "not of the form"),
        (mesh.token(), "ztunnel~127.0.0.1~cart-1.shop~x".to_owned(), Code::InvalidArgument, "not served"),
    ];
    for (token, node_id, expected, words) in cases {
        let (code, message) = refused(&mesh, Some(&token), &node_id, 40).await;
        assert_eq!(code, expected, "{words}: {message}");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(mesh.world.proxies(), 0);
}

#[tokio::test]
async fn an_old_envoy_hears_why() {
    let mesh = Mesh::start().await;
    let (code, message) = refused(&mesh, Some(&mesh.token()), NODE, 36).await;
    assert_eq!(code, Code::FailedPrecondition);
    assert_eq!(message, "Envoy 1.36.0 is too old: this control plane serves 1.37.0 and newer");
}

#[tokio::test]
async fn a_pod_that_is_late_is_waited_for() {
    let mesh = Mesh::start_with(|settings| settings.limits.pod_wait = super::mesh::PATIENCE).await;
    let token =
        mesh.token_with(mesh.process.clock.now(), |token| (token.pod, token.pod_uid) = ("late", "u-9"));
    let mut client = mesh.tls().await;
    let mut stream = Delta::open(&mut client, Some(&token)).await.unwrap();
    stream.hello_of(node("sidecar~127.0.0.1~late.shop~x", 40), Cluster, &[]).await;
    mesh.touch().await;
    mesh.world.pod("late.shop", "u-9", "cart");
    mesh.touch().await;
    assert_eq!(stream.next().await.unwrap().type_url, Cluster.type_url());
}

#[tokio::test]
async fn before_the_first_configuration_nobody_is_answered() {
    let mesh = Mesh::unfed(|_| {}).await;
    let (code, message) = refused(&mesh, Some(&mesh.token()), NODE, 40).await;
    assert_eq!((code, message.as_str()), (Code::Unavailable, "the control plane has no configuration yet"));
    assert_eq!(mesh.get("/readyz").await.0, 503);
    mesh.touch().await;
    mesh.process.readiness.ready().await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    stream.next().await.unwrap();
}

#[tokio::test]
async fn the_node_id_may_not_change() {
    let mesh = Mesh::start().await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    stream.accept().await;
    // The same node again, as Envoy 1.37 says it in every request.
    stream.hello(Secret, &["ROOTCA"]).await;
    stream.accept().await;
    stream.hello_of(node("sidecar~127.0.0.1~cart-2.shop~x", 40), Secret, &["default"]).await;
    assert_eq!(stream.end().await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_foreign_address_can_be_refused() {
    let mesh = Mesh::start_with(|settings| settings.peer_address = PeerAddress::Enforce).await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    stream.next().await.unwrap();
    mesh.world.pod_at("cart-1.shop", "10.0.0.7".parse().unwrap());
    assert_ne!(super::mesh::LOCAL.to_string(), "10.0.0.7");
    let (code, message) = refused(&mesh, Some(&mesh.token()), NODE, 40).await;
    assert_eq!(code, Code::PermissionDenied, "{message}");
}

#[tokio::test]
async fn the_end_of_a_token_is_the_end_of_its_stream() {
    let mesh = Mesh::start().await;
    let token = mesh.token_with(mesh.process.clock.now(), |token| token.ttl = Duration::from_secs(2));
    let mut client = mesh.tls().await;
    let mut stream = Delta::open(&mut client, Some(&token)).await.unwrap();
    stream.hello(Cluster, &[]).await;
    let status = stream.end().await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("expired"), "{status}");
}

#[tokio::test]
async fn old_streams_end_without_a_complaint() {
    let mesh = Mesh::start_with(|settings| settings.limits.stream_age = Duration::from_millis(300)).await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    stream.end().await.unwrap();
}

#[tokio::test]
async fn loopback_in_plain_text_believes_what_a_node_says() {
    let mesh = Mesh::start().await;
    let mut client = mesh.plain().await;
    let mut stream = Delta::open(&mut client, None).await.unwrap();
    stream.hello_of(node("sidecar~127.0.0.1~stranger.shop~x", 40), Cluster, &[]).await;
    stream.accept().await;
    let proxy = mesh.status(|_| true).await;
    assert_eq!(proxy.proxy, "stranger.shop");
    assert_eq!(proxy.identity, "spiffe://cluster.local/ns/shop/sa/default");
    assert!(!proxy.authenticated);
    let (status, dump) = mesh.get("/debug/config_dump?proxy=stranger.shop").await;
    assert_eq!(status, 200);
    assert!(dump.contains(r#""secrets":["ROOTCA","default"]"#), "{dump}");
    assert_eq!(mesh.get("/debug/config_dump?proxy=nobody.shop").await.0, 404);
}

#[tokio::test]
async fn plain_text_is_for_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let mut settings = crate::Settings::new(any, any, dir.path().to_owned());
    settings.plaintext = Some("0.0.0.0:0".parse().unwrap());
    let error = crate::Daemon::bind(settings, crate::Process::new()).await.unwrap_err();
    assert!(matches!(error, crate::StartError::NotLoopback(_)), "{error}");
}
