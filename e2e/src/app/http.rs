//! HTTP/1.1, h2c and gRPC.
//!
//! Query parameters steer an answer: `status=503`, `delay=MS`, `fail-first=N` (503 for the first N requests of
//! that `key`), `key=NAME` (what to count under), `size=BYTES`, `grpc-status=N`, `header=NAME:VALUE`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use super::App;
use super::leaving::{Given, Leaving, Way};

type Body = BoxBody<Bytes, Infallible>;

pub(super) async fn serve(app: Arc<App>, listener: TcpListener) {
    while let Ok((stream, peer)) = listener.accept().await {
        tokio::spawn(connection(app.clone(), stream, peer.to_string(), None));
    }
}

/// Serves one connection; `sni` is what a TLS client asked for.
pub(super) async fn connection<S>(app: Arc<App>, stream: S, peer: String, sni: Option<String>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let given = Given::new(app.clone());
    let way = Way { stream, given: given.clone() };
    let service = hyper::service::service_fn(move |request| {
        let (app, peer, sni, given) = (app.clone(), peer.clone(), sni.clone(), given.clone());
        async move {
            let answer = answer(&app, request, &peer, sni.as_deref()).await;
            Ok::<_, Infallible>(answer.map(|body| Leaving::new(body, given)))
        }
    });
    // A client that breaks the connection off is no concern of the application.
    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(way), service).await);
}

async fn answer(app: &App, request: Request<Incoming>, peer: &str, sni: Option<&str>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let query = parse_query(head.uri.query().unwrap_or_default());
    let key = query.get("key").cloned().unwrap_or_else(|| head.uri.path().to_owned());
    let seen = app.counts(|c| c.enter(&key));
    let body = Limited::new(body, 1 << 20)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let mode = app.counts(|c| c.mode.clone());

    let number = |name: &str| query.get(name).and_then(|v| v.parse::<u64>().ok());
    let delay = mode.delay_ms + number("delay").unwrap_or(0);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    app.counts(|c| {
        c.in_flight -= 1;
        c.leaving += 1;
    });

    let asked = mode.status.or_else(|| number("status").and_then(|n| u16::try_from(n).ok()));
    let status = if number("fail-first").is_some_and(|n| seen < n) { 503 } else { asked.unwrap_or(200) };
    let grpc =
        head.headers.get("content-type").is_some_and(|v| v.as_bytes().starts_with(b"application/grpc"));

    let headers: BTreeMap<_, Vec<_>> = head.headers.iter().fold(BTreeMap::new(), |mut all, (name, value)| {
        all.entry(name.as_str()).or_insert_with(Vec::new).push(String::from_utf8_lossy(value.as_bytes()));
        all
    });
    let host = head
        .uri
        .host()
        .map(ToOwned::to_owned)
        .or_else(|| head.headers.get("host").map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()));
    let mut seen_by_us = json!({
        "name": app.settings.name,
        "version": app.settings.version,
        "protocol": format!("{:?}", head.version),
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query().unwrap_or_default(),
        "authority": head.uri.authority().map(http::uri::Authority::as_str).or(host.as_deref()),
        "headers": headers,
        "peer": peer,
        "sni": sni,
        "body": String::from_utf8_lossy(&body[..body.len().min(4096)]),
        "bodyBytes": body.len(),
    });
    if let Some(size) = number("size") {
        seen_by_us["padding"] = "x".repeat(usize::try_from(size.min(8 << 20)).unwrap_or(0)).into();
    }

    let mut response =
        Response::builder().header("x-app", format!("{}-{}", app.settings.name, app.settings.version));
    if let Some((name, value)) = query.get("header").and_then(|h| h.split_once(':')) {
        response = response.header(name, value);
    }
    let response = if grpc {
        let code = number("grpc-status").unwrap_or(if status == 200 { 0 } else { 14 });
        response.status(200).header("content-type", "application/grpc").body(grpc_body(&seen_by_us, code))
    } else {
        let text = Full::new(Bytes::from(seen_by_us.to_string()));
        response.status(status).header("content-type", "application/json").body(text.boxed())
    };
    response.unwrap_or_else(|error| {
        let mut response = Response::new(Full::new(Bytes::from(error.to_string())).boxed());
        *response.status_mut() = http::StatusCode::BAD_REQUEST;
        response
    })
}

/// One length-prefixed message (our JSON) and the trailers of gRPC.
fn grpc_body(message: &serde_json::Value, code: u64) -> Body {
    let text = message.to_string();
    let mut frame = vec![0_u8];
    frame.extend(u32::try_from(text.len()).unwrap_or(0).to_be_bytes());
    frame.extend(text.as_bytes());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from(code));
    let frames = [Ok(Frame::data(Bytes::from(frame))), Ok(Frame::trailers(trailers))];
    StreamBody::new(tokio_stream::iter(frames)).boxed()
}

fn parse_query(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}
