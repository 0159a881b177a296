use pilothouse_base::{Kind, ObjectKey};
use pilothouse_diag::{Diagnostic, FieldPath, catalogue};
use pilothouse_envoy_api::discovery::{DeltaDiscoveryRequest, DiscoveryRequest};
use pilothouse_envoy_api::rpc;
use pilothouse_xds::ResourceType::{self, Cluster};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};

use super::mesh::{Mesh, NODE, names, node};
use crate::status::State;

#[tokio::test]
async fn delta_gets_what_changed() {
    let mesh = Mesh::start().await;
    mesh.world.cluster("a", "1");
    mesh.world.cluster("b", "1");
    mesh.touch().await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    let first = stream.accept().await;
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first.resources[0].resource.as_ref().unwrap().value, b"1");

    mesh.world.cluster("b", "2");
    mesh.world.remove_cluster("a");
    mesh.touch().await;
    let second = stream.accept().await;
    assert_eq!(names(&second), ["b"]);
    let mut removed = second.removed_resources;
    if removed.is_empty() {
        // What is gone may go in a response of its own, when what is new was accepted.
        removed = stream.accept().await.removed_resources;
    }
    assert_eq!(removed, ["a"]);
    let proxy = mesh.status(|proxy| proxy.types["CDS"].state == State::Synced).await;
    assert_eq!((proxy.proxy.as_str(), proxy.protocol.as_str()), ("cart-1.shop", "delta"));
    assert_eq!(proxy.envoy.as_deref(), Some("1.40.0"));
    assert!(proxy.authenticated);
}

#[tokio::test]
async fn a_returning_proxy_gets_only_what_it_lacks() {
    let mesh = Mesh::start().await;
    mesh.world.cluster("a", "1");
    mesh.world.cluster("b", "1");
    mesh.touch().await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    let held = stream.accept().await.resources;
    // What was not answered when a stream ends is sent again.
    mesh.status(|proxy| proxy.types["CDS"].state == State::Synced).await;
    drop(stream);
    mesh.world.cluster("b", "2");
    mesh.touch().await;

    let mut stream = mesh.delta().await;
    let initial_resource_versions = held.into_iter().map(|one| (one.name, one.version)).collect();
    stream
        .send(DeltaDiscoveryRequest {
            node: Some(node(NODE, 40)),
            type_url: Cluster.type_url().to_owned(),
            initial_resource_versions,
            ..DeltaDiscoveryRequest::default()
        })
        .await;
    assert_eq!(names(&stream.next().await.unwrap()), ["b"]);
}

#[tokio::test]
async fn state_of_the_world_gets_it_all() {
    let mesh = Mesh::start().await;
    mesh.world.cluster("a", "1");
    mesh.touch().await;
    let mut client = mesh.tls().await;
    let (requests, outgoing) = mpsc::channel(8);
    let mut request = Request::new(ReceiverStream::new(outgoing));
    request.metadata_mut().insert("authorization", format!("Bearer {}", mesh.token()).parse().unwrap());
    let ask = |kind: ResourceType, names: &[&str], nonce: &str| DiscoveryRequest {
        node: Some(node(NODE, 40)),
        type_url: kind.type_url().to_owned(),
        resource_names: names.iter().map(|name| (*name).to_owned()).collect(),
        response_nonce: nonce.to_owned(),
        ..DiscoveryRequest::default()
    };
    requests.send(ask(Cluster, &[], "")).await.unwrap();
    let mut responses = client.stream_aggregated_resources(request).await.unwrap().into_inner();
    let mut next = async || {
        let next = tokio::time::timeout(super::mesh::PATIENCE, responses.message()).await;
        next.expect("an answer in time").unwrap().unwrap()
    };
    let first = next().await;
    assert_eq!(first.resources.len(), 1);
    requests.send(ask(Cluster, &[], &first.nonce)).await.unwrap();

    mesh.world.cluster("b", "1");
    mesh.touch().await;
    let second = next().await;
    assert_eq!(second.resources.len(), 2);
    requests.send(ask(Cluster, &[], &second.nonce)).await.unwrap();

    requests.send(ask(ResourceType::Secret, &["default"], "")).await.unwrap();
    let secret = next().await;
    assert_eq!((secret.type_url.as_str(), secret.resources.len()), (ResourceType::Secret.type_url(), 1));
    assert_eq!(mesh.status(|_| true).await.protocol, "sotw");
}

#[tokio::test]
async fn a_proxy_that_does_not_answer_gets_the_newest_state_when_it_does() {
    let mesh = Mesh::start().await;
    mesh.world.cluster("a", "0");
    mesh.touch().await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    let first = stream.next().await.unwrap();
    for content in 1..=5 {
        mesh.world.cluster("a", &content.to_string());
        mesh.touch().await;
    }
    // One revision for the start, one for the first state, five for the changes.
    let newest = 7;
    mesh.status(|proxy| proxy.revision == newest && proxy.types["CDS"].state == State::Pending).await;
    stream
        .send(DeltaDiscoveryRequest {
            type_url: Cluster.type_url().to_owned(),
            response_nonce: first.nonce,
            ..DeltaDiscoveryRequest::default()
        })
        .await;
    let second = stream.accept().await;
    assert_eq!(second.resources[0].resource.as_ref().unwrap().value, b"5");
    mesh.status(|proxy| proxy.types["CDS"].state == State::Synced && proxy.acknowledged == newest).await;
}

#[tokio::test]
async fn a_rejection_is_shown_with_its_objects() {
    let mesh = Mesh::start().await;
    mesh.world.cluster("good", "1");
    mesh.world.cluster("bad", "1");
    mesh.touch().await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    let response = stream.next().await.unwrap();
    stream
        .send(DeltaDiscoveryRequest {
            type_url: Cluster.type_url().to_owned(),
            response_nonce: response.nonce,
            error_detail: Some(rpc::Status {
                code: 13,
                message: "Error adding/updating cluster(s) bad: no such thing".to_owned(),
                details: Vec::new(),
            }),
            ..DeltaDiscoveryRequest::default()
        })
        .await;
    let proxy = mesh.status(|proxy| proxy.types["CDS"].state == State::Rejected).await;
    let [rejected] = &proxy.types["CDS"].rejected[..] else { panic!("{proxy:#?}") };
    assert_eq!(rejected.resources, ["bad"]);
    assert!(rejected.message.contains("no such thing"));
    assert_eq!(rejected.objects, [ObjectKey::new(Kind::Service, "shop", "bad")]);
}

#[tokio::test]
async fn streams_hear_that_we_stop() {
    let mut mesh = Mesh::start().await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    stream.accept().await;
    mesh.stopper.stop();
    assert_eq!(stream.end().await.unwrap_err().code(), Code::Unavailable);
    drop(stream);
    (&mut mesh.ended).await.unwrap().unwrap();
    assert!(!mesh.process.readiness.is_ready());
}

#[tokio::test]
async fn who_went_is_shown_until_it_comes_back() {
    let mesh = Mesh::start().await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    stream.accept().await;
    mesh.status(|_| true).await;
    drop(stream);
    let report = mesh.report_when(|report| !report.gone.is_empty()).await;
    assert_eq!(report.proxies, []);
    let [gone] = &report.gone[..] else { panic!("{report:#?}") };
    assert_eq!(gone.last.proxy, "cart-1.shop");
    assert_eq!(gone.reason, "the proxy closed the stream");
    assert!(gone.since >= gone.last.connected);

    let stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    mesh.report_when(|report| !report.proxies.is_empty() && report.gone.is_empty()).await;
}

#[tokio::test]
async fn findings_about_files_are_shown_with_the_others() {
    let mesh = Mesh::start().await;
    let cart = ObjectKey::new(Kind::VirtualService, "shop", "cart");
    let of_file = Diagnostic::new(catalogue::UNKNOWN_FIELD, Some(cart.clone()), FieldPath::root());
    let of_reference = Diagnostic::new(catalogue::REQUIRED, Some(cart), FieldPath::root());
    mesh.world.finding(of_reference.clone());
    mesh.findings.send_replace([of_file.clone()].into());
    mesh.touch().await;
    let wanted = serde_json::to_value([of_file, of_reference]).unwrap();
    let deadline = tokio::time::Instant::now() + super::mesh::PATIENCE;
    loop {
        let shown: serde_json::Value = serde_json::from_str(&mesh.get("/debug/diagnostics").await.1).unwrap();
        if shown == wanted {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{shown:#}");
    }
}
