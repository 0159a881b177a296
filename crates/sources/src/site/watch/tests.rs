use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use pilothouse_runtime::{Group, Stopper};
use serde_json::json;
use tower::service_fn;

use super::*;

#[test]
fn each_answer_leads_to_the_right_remedy() {
    let of = |code: u16| Trouble::from(&Status { code, ..Status::default() });
    assert!(matches!(of(404), Trouble::NotThere));
    assert!(matches!(of(410), Trouble::Forgotten));
    assert!(matches!(of(403), Trouble::Denied(_)));
    assert!(matches!(of(504), Trouble::Lags(_)));
    assert!(matches!(of(500), Trouble::Failed(_)) && matches!(of(429), Trouble::Failed(_)));
    let busy = json!({"code": 429, "details": {"retryAfterSeconds": 2}});
    let busy: Status = serde_json::from_value(busy).unwrap();
    assert!(matches!(Trouble::from(&busy), Trouble::PutOff(after, _) if after == Duration::from_secs(2)));
}

/// An API server that gives these answers one after the other, and none to what is asked later.
struct Answering {
    asked: Arc<Mutex<Vec<String>>>,
    reports: mpsc::Receiver<(u64, Report)>,
    group: Group,
    stopper: Stopper,
}

impl Answering {
    fn new(watch: Watch, answers: Vec<(u16, Value)>) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let answers = Arc::new(Mutex::new(answers.into_iter()));
        let log = Arc::clone(&asked);
        let service = service_fn(move |request: Request<Body>| {
            let accepts =
                request.headers().get(http::header::ACCEPT).map(|accepts| accepts.to_str().unwrap());
            log.lock().unwrap().push(format!("{} {}", request.uri(), accepts.unwrap_or_default()));
            let answer = answers.lock().unwrap().next();
            async move {
                let Some((code, body)) = answer else { std::future::pending().await };
                let body = Body::from(format!("{body}\n").into_bytes());
                Ok::<_, std::convert::Infallible>(Response::builder().status(code).body(body).unwrap())
            }
        });
        let (outbox, reports) = mpsc::channel(16);
        let (stopper, stop) = Stop::pair();
        let group = Group::new("test");
        let outlet = Outlet { number: 1, reports: outbox };
        group.spawn("watch", run(Client::new(service, "default"), watch, outlet, stop));
        Self { asked, reports, group, stopper }
    }

    async fn report(&mut self) -> String {
        match self.reports.recv().await.unwrap().1 {
            Report::Listed(value) => format!("listed {}", value["metadata"]["name"].as_str().unwrap()),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    async fn end(self) {
        self.stopper.stop();
        assert_eq!(self.group.drain(Duration::from_secs(1)).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_whose_memory_lags_is_asked_for_pages_at_once() {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "Timeout: Too large resource version: 9, current: 5",
        "reason": "Timeout", "details": {"causes": [{"reason": "ResourceVersionTooLarge"}], "retryAfterSeconds": 1}, "code": 504
    });
    let pods = json!({
        "kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "9"},
        "items": [{"metadata": {"name": "a", "namespace": "shop", "resourceVersion": "3"}}]
    });
    let answers = vec![(200, json!({"type": "ERROR", "object": status})), (200, pods)];
    let begun = Instant::now();
    let mut server = Answering::new(Watch::all(Watched::Pod), answers);
    let told = [server.report().await, server.report().await, server.report().await, server.report().await];
    assert_eq!(told, ["begin", "begin", "listed a", "done"]);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    {
        let asked = server.asked.lock().unwrap();
        assert!(asked[0].contains("sendInitialEvents=true"), "{asked:?}");
        assert!(asked[1].contains("limit=500") && !asked[1].contains("watch=true"), "{asked:?}");
    }
    // From there on changes are watched as ever.
    while server.asked.lock().unwrap().len() < 3 {
        tokio::task::yield_now().await;
    }
    let asked = server.asked.lock().unwrap()[2].clone();
    assert!(asked.contains("watch=true") && asked.contains("resourceVersion=9"), "{asked}");
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_put_off_comes_back_when_told() {
    let busy = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "storage is (re)initializing",
        "reason": "TooManyRequests", "details": {"retryAfterSeconds": 1}, "code": 429
    });
    let done = json!({"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {
        "resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}, "creationTimestamp": null}}});
    let begun = Instant::now();
    let mut server =
        Answering::new(Watch::all(Watched::Pod), vec![(429, busy.clone()), (429, busy), (200, done)]);
    assert_eq!([server.report().await, server.report().await], ["begin", "done"]);
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(2) && waited <= Duration::from_secs(4), "{waited:?}");
    // What is asked after the third answer goes on from there.
    assert!(server.asked.lock().unwrap()[..3].iter().all(|one| one.contains("sendInitialEvents=true")));
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn only_metadata_is_asked_for_where_it_is_enough() {
    for (kind, is_enough) in [
        (Watched::Namespace, true),
        (Watched::Node, true),
        (Watched::CustomResourceDefinition, true),
        (Watched::EnvoyFilter, true),
        (Watched::Service, false),
        (Watched::VirtualService, false),
    ] {
        let server = Answering::new(Watch::all(kind), Vec::new());
        while server.asked.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let asked = server.asked.lock().unwrap()[0].clone();
        assert_eq!(asked.contains("as=PartialObjectMetadata"), is_enough, "{asked}");
        server.end().await;
    }
}
