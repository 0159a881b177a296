//! Over real sockets with TLS, as an API server asks.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn check() -> CheckSettings {
    CheckSettings { domain: "cluster.local".into(), parse_yaml: parse }
}

fn answering() -> Answering {
    let (_sender, injection) = watch::channel(Arc::new(pilothouse_inject::Settings::new(parse)));
    Answering {
        injection,
        check: check(),
        metrics: WebhookMetrics::new(&Metrics::new()),
        readiness: Readiness::new(),
    }
}

async fn asked(request: http::request::Builder, body: impl Into<Body>) -> (StatusCode, String) {
    let request = request.body(body.into()).unwrap();
    let response = route(State(answering()), request).await;
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn post(path: &str) -> http::request::Builder {
    Request::builder().method(Method::POST).uri(path).header("content-type", "application/json")
}

fn pod() -> String {
    let review = json!({"request": {
        "uid": "7", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": "shop",
        "object": {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
    }});
    review.to_string()
}

#[tokio::test]
async fn only_reviews_are_answered() {
    let plain = Request::builder().method(Method::POST).uri("/inject").header("content-type", "text/plain");
    let table = [
        (post("/inject"), pod(), StatusCode::OK),
        (post("/inject/cluster/east"), pod(), StatusCode::OK),
        (post("/inject:ENV:net=blue"), pod(), StatusCode::OK),
        (post("/validate"), "{}".to_owned(), StatusCode::OK),
        (post("/validate/x"), "not json".to_owned(), StatusCode::OK),
        (post("/inject"), String::new(), StatusCode::BAD_REQUEST),
        (post("/validate"), String::new(), StatusCode::BAD_REQUEST),
        (post("/inject"), " ".repeat(LONGEST + 1), StatusCode::PAYLOAD_TOO_LARGE),
        (post("/validate"), " ".repeat(LONGEST + 1), StatusCode::PAYLOAD_TOO_LARGE),
        (plain, pod(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (post("/injected"), pod(), StatusCode::NOT_FOUND),
        (Request::builder().uri("/inject"), String::new(), StatusCode::METHOD_NOT_ALLOWED),
        (Request::builder().uri("/ready"), String::new(), StatusCode::OK),
    ];
    for (index, (request, body, expected)) in table.into_iter().enumerate() {
        assert_eq!(asked(request, body).await.0, expected, "row {index}");
    }
}

#[tokio::test]
async fn each_pod_has_a_drain_key_of_its_own() {
    let first = asked(post("/inject"), pod()).await.1;
    let second = asked(post("/inject"), pod()).await.1;
    assert!(first.contains("\"patch\"") && first != second);
}

/// The object in a request to create it, and what is said.
fn judged(object: &Value, before: &Value) -> (bool, Value) {
    let review =
        json!({"request": {"uid": "7", "operation": "CREATE", "object": object, "oldObject": before}});
    let (review, allowed) = validate_review(review.to_string().as_bytes(), &check()).unwrap();
    assert_eq!(review["response"]["uid"], "7");
    assert_eq!(review["response"]["allowed"], allowed);
    (allowed, review["response"].clone())
}

#[expect(clippy::needless_pass_by_value, reason = "it is written in place")]
fn rule(spec: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "cart", "namespace": "shop", "annotations": {}},
        "spec": spec,
    })
}

#[test]
fn errors_refuse_and_warnings_are_shown() {
    let good = rule(json!({"hosts": ["cart"], "http": [{"route": [{"destination": {"host": "cart"}}]}]}));
    assert_eq!(judged(&good, &Value::Null), (true, json!({"uid": "7", "allowed": true})));

    let bad = rule(json!({
        "hosts": ["cart"],
        "http": [{"timeout": "soon", "timeoutt": "1s", "route": [{"destination": {"host": "cart"}}]}],
    }));
    let (allowed, response) = judged(&bad, &Value::Null);
    let message = response["status"]["message"].as_str().unwrap_or_default();
    assert!(!allowed && message.contains("spec.http[0].timeout: \"soon\""), "{response}");

    let odd = rule(json!({
        "hosts": ["cart"], "http": [{"timeoutt": "1s", "route": [{"destination": {"host": "cart"}}]}],
    }));
    let (allowed, response) = judged(&odd, &Value::Null);
    let warning = response["warnings"][0].as_str().unwrap_or_default();
    assert!(allowed, "{response}");
    assert!(
        warning.contains("spec.http[0].timeoutt") && warning.contains("did you mean \"timeout\"?"),
        "{warning}"
    );

    // Who cleans up is not kept from it.
    let mut going = bad.clone();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(judged(&going, &bad).0);
    let mut labelled = bad.clone();
    labelled["metadata"]["labels"] = json!({"a": "b"});
    let (allowed, response) = judged(&labelled, &bad);
    assert!(
        allowed && response["warnings"][0].as_str().is_some_and(|text| text.contains("soon")),
        "{response}"
    );
    assert!(!judged(&bad, &good).0);
}

#[test]
fn annotations_that_lend_rights_are_refused() {
    for (key, value) in [
        ("internal.istio.io/webhook-always-reject", "true"),
        ("internal.istio.io/parents", "Gateway/x"),
        ("internal.istio.io/parent-namespace", "other"),
        ("istio.io/dry-run", "true"),
    ] {
        let mut object = rule(json!({"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}));
        object["metadata"]["annotations"][key] = json!(value);
        let (allowed, response) = judged(&object, &Value::Null);
        let message = response["status"]["message"].as_str().unwrap_or_default();
        assert!(!allowed && message.contains(key), "{key}: {response}");
    }
    let mut object = rule(json!({"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}));
    object["data"] = json!({});
    assert!(!judged(&object, &Value::Null).0);
}

#[test]
fn what_nobody_reads_is_said() {
    let unknown = json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": "a"}});
    let (allowed, response) = judged(&unknown, &Value::Null);
    assert!(allowed && response.to_string().contains("WasmPlugin"), "{response}");
    for body in ["{", "[]", "{\"request\": 1}"] {
        assert!(!validate_review(body.as_bytes(), &check()).unwrap().1, "{body}");
    }
    let deleted = json!({"request": {"uid": "7", "operation": "DELETE"}});
    assert!(validate_review(deleted.to_string().as_bytes(), &check()).unwrap().1);
}

/// The largest object that etcd takes is one and a half megabytes.
#[test]
fn the_largest_object_is_judged() {
    let route = json!({"match": [{"uri": {"prefix": "/x"}}], "route": [{"destination": {"host": "cart"}}]});
    let object = rule(json!({"hosts": ["cart"], "http": vec![route; 18_000]}));
    assert!(object.to_string().len() > 1_300_000);
    let (_, response) = judged(&object, &Value::Null);
    assert!(response.to_string().len() < 64 << 10, "the answer is bounded");
}

#[tokio::test]
async fn it_is_served_over_tls_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let folders = crate::identity::Folders { state: folder.path().to_owned(), cacerts: None };
    let clock = pilothouse_runtime::Clock::system();
    let identity = crate::identity::load_or_create(&folders, "cluster.local", clock.now()).unwrap();
    let roots = identity.authority.roots().pem().to_owned();
    let (_trusting, trust) = watch::channel(Arc::new(pilothouse_ca::Trust::of(identity.authority)));
    let names = vec!["istiod.istio-system.svc".to_owned()];
    let serving = Arc::new(crate::tls::Serving::new(names, Vec::new(), trust, clock).unwrap());

    let (stopper, stop) = Stop::pair();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_sender, injection) = watch::channel(Arc::new(pilothouse_inject::Settings::new(parse)));
    let settings = Webhooks { listen: address, injection, check: check() };
    let acceptor = TlsAcceptor::from(Arc::new(serving.http1().unwrap()));
    let metrics = Metrics::new();
    let serving = serve(listener, acceptor, settings, &metrics, Readiness::new(), stop);
    let asking = async {
        // One that says nothing does not keep others waiting.
        let _silent = TcpStream::connect(address).await.unwrap();
        let socket = TcpStream::connect(address).await.unwrap();
        let name = "istiod.istio-system.svc".try_into().unwrap();
        let mut socket = connector(&roots).connect(name, socket).await.unwrap();
        let body = pod();
        let head = "POST /inject?timeout=10s HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json";
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        stopper.stop();
        answer
    };
    let (ended, answer) = tokio::join!(serving, asking);
    assert!(ended.is_ok());
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("JSONPatch"), "{answer}");
}

/// A client that trusts a root.
fn connector(roots: &str) -> TlsConnector {
    let mut store = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
        store.add(root.unwrap()).unwrap();
    }
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(store)
            .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// However large or deep an object is, there is an answer, and one that is not too large to be stored is judged.
#[test]
fn size_and_depth_of_an_object_have_bounds() {
    let review = |spec: &str| {
        format!(
            "{{\"request\": {{\"uid\": \"7\", \"operation\": \"CREATE\", \"object\": {{\"apiVersion\": \
             \"networking.istio.io/v1\", \"kind\": \"VirtualService\", \"metadata\": {{\"name\": \"a\", \"namespace\": \
             \"b\"}}, \"spec\": {spec}}}}}}}"
        )
    };
    let nested = |depth: usize| {
        let (open, close) = ("{\"a\":".repeat(depth), "}".repeat(depth));
        format!(
            "{{\"hosts\": [\"a\"], \"http\": [{{\"route\": [{{\"destination\": {{\"host\": \"a\"}}}}]}}], \"x\": {open}1{close}}}"
        )
    };
    for depth in [100, 127, 5_000, 200_000] {
        let (answer, allowed) = validate_review(review(&nested(depth)).as_bytes(), &check()).unwrap();
        assert!(!allowed && answer["response"]["allowed"] == false, "{depth}: {answer}");
    }
    let route = "{\"route\": [{\"destination\": {\"host\": \"a\"}}], \"timeout\": \"5s\"},";
    let routes = route.repeat(1_500_000 / route.len());
    let largest = format!("{{\"hosts\": [\"a\"], \"http\": [{}]}}", routes.trim_end_matches(','));
    let (answer, allowed) = validate_review(review(&largest).as_bytes(), &check()).unwrap();
    assert!(allowed, "{answer}");
    let said = answer["response"]["warnings"].as_array().map_or(0, Vec::len);
    assert!(said <= 17, "{said} warnings");
}
