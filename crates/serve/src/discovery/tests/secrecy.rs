use std::io::Write;
use std::sync::{Arc, Mutex};

use pilothouse_runtime::logging::{self, Form};
use pilothouse_xds::ResourceType::Secret;

use super::mesh::{Delta, Mesh, NODE, node};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that leaves the process by another way than a proxy's stream is searched for keys and tokens.
#[tokio::test]
async fn keys_and_tokens_show_up_nowhere() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = logging::subscriber(Form::Text, "trace", false, move || writer.clone()).unwrap();
    // For the whole process: tests that run beside this one must not decide which places log.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mesh = Mesh::start().await;
    let token = mesh.token();
    let mut client = mesh.tls().await;
    let mut stream = Delta::open(&mut client, Some(&token)).await.unwrap();
    stream.hello_of(node(NODE, 40), Secret, &["default", "ROOTCA"]).await;
    let mut bodies = Vec::new();
    while bodies.len() < 2 {
        bodies.extend(stream.accept().await.resources.into_iter().map(|one| one.resource.unwrap().value));
    }
    let bad = mesh.token_with(mesh.process.clock.now(), |token| token.audience = "other");
    Delta::open(&mut client, Some(&bad)).await.err().unwrap();
    let mut said = Vec::new();
    for path in ["/debug/syncz", "/debug/diagnostics", "/metrics", "/readyz"] {
        said.push(mesh.get(path).await.1);
    }
    said.push(String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned());
    let log = said.last().unwrap();
    assert!(log.contains("issued a leaf") && log.contains("spiffe://cluster.local/ns/shop/sa/cart"), "{log}");
    assert!(log.contains("refused a stream"));
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for line in said.iter().flat_map(|text| text.lines()) {
        assert!(!line.contains("PRIVATE KEY"), "{line}");
        assert!(!line.contains(&signature(&token)) && !line.contains(&signature(&bad)), "{line}");
    }
}
