use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one request and returns status line and body.
async fn get_from(address: SocketAddr, path: &str, host: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn answers_probes_metrics_and_merged_routes_until_stopped() {
    let (stopper, stop) = Stop::pair();
    let readiness = Readiness::new();
    let key = readiness.condition("the CA has a key");
    let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = admin.address();
    let more = Router::new().route("/debug/proxies", get(|| async { "[]" }));
    let mut tasks = crate::Tasks::new(&stop);
    tasks.spawn("admin", admin.serve(routes(readiness.clone(), Metrics::new()).merge(more), tasks.stop()));

    assert_eq!(get_from(address, "/healthz", "localhost").await.1, "ok\n");
    let (status, body) = get_from(address, "/readyz", "127.0.0.1:15014").await;
    assert_eq!(
        (status.as_str(), body.as_str()),
        ("HTTP/1.1 503 Service Unavailable", "waiting for: the CA has a key\n")
    );
    key.ready();
    assert_eq!(get_from(address, "/readyz", "localhost:15014").await.0, "HTTP/1.1 200 OK");
    assert_eq!(get_from(address, "/metrics", "[::1]:15014").await.1, "# EOF\n");
    assert_eq!(get_from(address, "/debug/proxies", "localhost").await.1, "[]");
    assert_eq!(get_from(address, "/debug/proxies", "evil.example").await.0, "HTTP/1.1 403 Forbidden");

    stopper.stop();
    tasks.run().await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_idle_open_connection_does_not_hold_up_the_stop() {
    let (stopper, stop) = Stop::pair();
    let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let _idle = TcpStream::connect(admin.address()).await.unwrap();
    stopper.stop();
    admin.serve(Router::new(), stop).await.unwrap();
}

#[tokio::test]
async fn refuses_to_listen_where_others_could_reach_it() {
    let error = Admin::bind("0.0.0.0:0".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, AdminError::NotLoopback(_)), "{error}");
}

#[test]
fn only_loopback_names_count() {
    for good in ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:80"] {
        assert!(is_loopback_host(good), "{good}");
    }
    for bad in ["", "example.com", "localhost.example.com", "10.0.0.1", "[2001:db8::1]:80", "0x7f.1"] {
        assert!(!is_loopback_host(bad), "{bad}");
    }
}
