use std::time::Duration;

use pilothouse_xds::ResourceType::{Cluster, Endpoint, Secret};
use tokio::io::AsyncReadExt;
use tonic::Code;

use super::mesh::{Delta, Mesh, PATIENCE};

#[tokio::test]
async fn a_large_request_ends_the_stream() {
    let mesh = Mesh::start_with(|settings| settings.limits.request_bytes = 10_000).await;
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    stream.accept().await;
    let name = "x".repeat(20_000);
    stream.subscribe(Endpoint, &[&name]).await;
    stream.end().await.unwrap_or_else(|status| assert_eq!(status.code(), Code::OutOfRange));
}

#[tokio::test]
async fn too_many_names_end_the_stream() {
    let mesh = Mesh::start_with(|settings| settings.limits.names.names = 3).await;
    let mut stream = mesh.delta().await;
    stream.hello(Endpoint, &["a", "b", "c"]).await;
    stream.accept().await;
    stream.subscribe(Endpoint, &["d"]).await;
    let status = stream.end().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("more than 3"), "{status}");
}

#[tokio::test]
async fn a_workload_has_few_streams() {
    let mesh = Mesh::start_with(|settings| settings.limits.streams_per_workload = 2).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = mesh.delta().await;
        stream.hello(Cluster, &[]).await;
        stream.accept().await;
        streams.push(stream);
    }
    let mut third = mesh.delta().await;
    third.hello(Cluster, &[]).await;
    assert_eq!(third.end().await.unwrap_err().code(), Code::ResourceExhausted);
    // One that goes makes room.
    streams.pop();
    loop {
        let mut next = mesh.delta().await;
        next.hello(Cluster, &[]).await;
        match next.next().await {
            Ok(_) => break,
            Err(status) => assert_eq!(status.code(), Code::ResourceExhausted),
        }
    }
}

#[tokio::test]
async fn there_are_only_so_many_streams() {
    let mesh = Mesh::start_with(|settings| settings.limits.streams = 1).await;
    let _first = mesh.delta().await;
    let mut client = mesh.tls().await;
    let status = Delta::open(&mut client, Some(&mesh.token())).await.err().unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_silent_stream_ends() {
    let mesh = Mesh::start_with(|settings| settings.limits.first_request = Duration::from_millis(200)).await;
    let mut stream = mesh.delta().await;
    assert_eq!(stream.end().await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_connection_without_a_stream_ends() {
    let mesh = Mesh::start_with(|settings| {
        settings.limits.idle_connection = Duration::from_millis(300);
        settings.limits.handshake = Duration::from_millis(300);
    })
    .await;
    // One does not even shake hands, one speaks HTTP/2 and then nothing.
    for address in [mesh.addresses.discovery, mesh.addresses.plaintext.unwrap()] {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{address} keeps the connection");
    }
    // A stream keeps its connection, however quiet it is.
    let mut stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    stream.accept().await;
    tokio::time::timeout(Duration::from_secs(1), stream.next())
        .await
        .expect_err("nothing comes and nothing ends");
    mesh.world.cluster("a", "1");
    mesh.touch().await;
    stream.accept().await;
}

#[tokio::test]
async fn connections_are_counted() {
    let mesh = Mesh::start_with(|settings| settings.limits.connections = 1).await;
    let _held = mesh.plain().await;
    let mut socket = tokio::net::TcpStream::connect(mesh.addresses.plaintext.unwrap()).await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "the second connection is closed");
}

#[tokio::test]
async fn a_proxy_that_does_not_read_loses_its_stream() {
    let mesh = Mesh::start_with(|settings| settings.limits.write = Duration::from_millis(300)).await;
    for at in 0..50 {
        mesh.world.cluster(&format!("c{at}"), &"x".repeat(200_000));
    }
    mesh.touch().await;
    let stream = mesh.delta().await;
    stream.hello(Cluster, &[]).await;
    // The clusters fill the window of the connection, so what follows waits.
    stream.subscribe(Endpoint, &["a"]).await;
    stream.subscribe(Secret, &["default", "ROOTCA"]).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !mesh.report().await.proxies.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the stream goes on");
    }
}
