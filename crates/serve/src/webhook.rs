//! What an API server asks: whether an object may be stored, and what a new pod becomes.
//!
//! Every decision is made elsewhere: [`pilothouse_inject::review`] for pods, the judge of `pilothouse_config` for the
//! mesh's own objects. Here are sockets only, with a bound for everything a stranger can bring: connections, the time of a
//! handshake, of a header and of a body, and the length of a body. Answers have no effect on anything, so a dry run needs
//! no care.

mod validate;

pub use validate::validate_review;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::{Method, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pilothouse_config::CheckSettings;
use pilothouse_inject::review::{self, LONGEST, NoReview, Verdict};
use pilothouse_runtime::prometheus_client::metrics::counter::Counter;
use pilothouse_runtime::prometheus_client::metrics::family::Family;
use pilothouse_runtime::prometheus_client::metrics::histogram::Histogram;
use pilothouse_runtime::{DurationTimer, Group, Metrics, Readiness, Stop, entropy, seconds};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

/// The port of the webhooks over TLS; the Service has 443.
pub const WEBHOOK_PORT: u16 = 15017;

/// Connections at the same time. An API server keeps a few open.
const CONNECTIONS: usize = 512;
/// What a handshake, the head of a request, or its body may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when the system has no file descriptors to give.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Settings of the webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// Where they listen.
    pub listen: SocketAddr,
    /// How pods are injected; a new value holds for the next pod.
    pub injection: watch::Receiver<Arc<pilothouse_inject::Settings>>,
    /// How objects are judged.
    pub check: CheckSettings,
}

/// What answers need.
#[derive(Clone)]
struct Answering {
    injection: watch::Receiver<Arc<pilothouse_inject::Settings>>,
    check: CheckSettings,
    metrics: WebhookMetrics,
    readiness: Readiness,
}

/// A question and what became of it.
type Labels = [(&'static str, &'static str); 2];

/// What is counted.
#[derive(Clone, Debug)]
struct WebhookMetrics {
    reviews: Family<Labels, Counter>,
    duration: Histogram,
}

impl WebhookMetrics {
    fn new(metrics: &Metrics) -> Self {
        let this = Self { reviews: Family::default(), duration: seconds() };
        metrics.part("webhook", |registry| {
            registry.register("reviews", "Questions of the API server, by answer", this.reviews.clone());
            registry.register("duration_seconds", "Time to answer", this.duration.clone());
        });
        this
    }

    fn answered(&self, webhook: &'static str, verdict: &'static str) {
        self.reviews.get_or_create(&[("webhook", webhook), ("verdict", verdict)]).inc();
    }
}

/// A connection or an answer panicked.
#[derive(Debug, thiserror::Error)]
#[error("an answer to a webhook panicked: a bug of ours")]
pub(crate) struct Panicked;

/// Answers until stop is said, then lets open requests end.
pub(crate) fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    settings: Webhooks,
    metrics: &Metrics,
    readiness: Readiness,
    stop: Stop,
) -> impl Future<Output = Result<(), Panicked>> + Send + use<> {
    let Webhooks { listen: _, injection, check } = settings;
    let answering = Answering { injection, check, metrics: WebhookMetrics::new(metrics), readiness };
    let routes = Router::new().fallback(route).with_state(answering);
    accept(listener, acceptor, routes, stop)
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    routes: Router,
    stop: Stop,
) -> Result<(), Panicked> {
    let group = Group::new("webhooks");
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = tokio::select! {
            () = stop.stopped() => break,
            () = group.panicked() => return Err(Panicked),
            permit = connections.clone().acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            () = stop.stopped() => break,
            () = group.panicked() => return Err(Panicked),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, address)) => {
                let (acceptor, routes, stop) = (acceptor.clone(), routes.clone(), stop.clone());
                group.spawn("connection", async move {
                    connection(socket, address, acceptor, routes, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(EXHAUSTED).await;
            }
        }
    }
    group.drain(PATIENCE / 2).await;
    Ok(())
}

async fn connection(
    socket: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    routes: Router,
    stop: Stop,
) {
    let socket = match timeout(PATIENCE, acceptor.accept(socket)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return debug!(%address, %error, "TLS handshake failed"),
        Err(_) => return debug!(%address, "TLS handshake took too long"),
    };
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(routes));
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stop.stopped() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        debug!(%address, %error, "a connection ended");
    }
}

/// Which question it is. Below both paths anything may follow.
async fn route(State(answering): State<Answering>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if path == "/ready" && request.method() == Method::GET {
        return answering.ready();
    }
    let is_below = |word: &str| {
        path.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
    };
    let (inject, validate) = (is_below("/inject"), is_below("/validate"));
    if !inject && !validate {
        return (StatusCode::NOT_FOUND, "there are /inject and /validate\n").into_response();
    }
    if request.method() != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "an AdmissionReview is posted\n").into_response();
    }
    let content = request.headers().get(header::CONTENT_TYPE).and_then(|content| content.to_str().ok());
    let media = content.and_then(|content| content.split(';').next()).map(str::trim);
    if media != Some("application/json") {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json is expected\n").into_response();
    }
    let body = match timeout(PATIENCE, body(request.into_body())).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return no_review(error),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the body did not come\n").into_response(),
    };
    let _timer = DurationTimer::start(&answering.metrics.duration);
    let answer = if inject { answering.inject(&body, &path) } else { answering.validate(&body) };
    match answer {
        Ok(review) => Json(review).into_response(),
        Err(error) => no_review(error),
    }
}

async fn body(body: Body) -> Result<bytes::Bytes, NoReview> {
    to_bytes(body, LONGEST).await.map_err(|_| NoReview::TooLong)
}

fn no_review(error: NoReview) -> Response {
    let status = match error {
        NoReview::Empty => StatusCode::BAD_REQUEST,
        NoReview::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
    };
    (status, format!("{error}\n")).into_response()
}

impl Answering {
    /// For the kubelet, which cannot reach the admin port on loopback.
    fn ready(&self) -> Response {
        let missing = self.readiness.missing();
        if missing.is_empty() {
            return "ready\n".into_response();
        }
        (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", missing.join(", "))).into_response()
    }

    fn inject(&self, body: &[u8], path: &str) -> Result<Value, NoReview> {
        let settings = self.injection.borrow().clone();
        let drain: [u8; 16] = entropy::bytes();
        let drain = u128::from_be_bytes(drain);
        let answer = review::answer(body, path, &settings, Some(&format!("{drain:032x}")))?;
        let verdict = match answer.verdict {
            Verdict::Injected => "injected",
            Verdict::Skipped(_) => "skipped",
            Verdict::NotAsked => "not_asked",
            Verdict::Refused => {
                info!(message = %answer.review["response"]["status"]["message"], "a pod was refused");
                "refused"
            }
        };
        self.metrics.answered("inject", verdict);
        Ok(answer.review)
    }

    fn validate(&self, body: &[u8]) -> Result<Value, NoReview> {
        let (review, allowed) = validate_review(body, &self.check)?;
        self.metrics.answered("validate", if allowed { "allowed" } else { "refused" });
        Ok(review)
    }
}

#[cfg(test)]
mod tests;
