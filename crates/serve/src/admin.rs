//! What the admin port on loopback tells: how proxies stand, what is wrong with objects, what a proxy is sent.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use pilothouse_diag::Diagnostic;
use pilothouse_runtime::Readiness;
use serde::Deserialize;

use crate::discovery::Discovery;
use crate::dump;
use crate::status::{ProxyStatus, REPORT_PATH, Report, seconds};

/// The pages that this part adds to the admin port.
pub(crate) fn routes(shared: Arc<Discovery>, readiness: Readiness) -> Router {
    let ready = Router::new().route("/healthz/ready", get(ready)).with_state(readiness);
    Router::new()
        .route(REPORT_PATH, get(syncz))
        .route("/debug/diagnostics", get(diagnostics))
        .route("/debug/config_dump", get(config_dump))
        .with_state(shared)
        .merge(ready)
}

/// Istio's name for the readiness probe.
async fn ready(State(readiness): State<Readiness>) -> Response {
    if readiness.is_ready() {
        "ready\n".into_response()
    } else {
        let missing = readiness.missing().join(", ");
        (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {missing}\n")).into_response()
    }
}

/// Which proxies to show.
#[derive(Debug, Deserialize)]
struct Which {
    /// Only those of this namespace.
    namespace: Option<String>,
    /// Only this one, `POD.NAMESPACE`.
    proxy: Option<String>,
}

async fn syncz(State(shared): State<Arc<Discovery>>, Query(which): Query<Which>) -> Json<Report> {
    let Which { namespace, proxy } = which;
    let wanted = |one: &ProxyStatus| {
        proxy.as_ref().is_none_or(|wanted| one.proxy == *wanted)
            && namespace.as_deref().is_none_or(|wanted| {
                one.proxy.rsplit_once('.').is_some_and(|(_, namespace)| namespace == wanted)
            })
    };
    let mut proxies = shared.streams.status().await;
    proxies.retain(wanted);
    let mut gone = shared.streams.gone();
    gone.retain(|one| wanted(&one.last));
    proxies.sort_by(|a, b| (&a.proxy, a.stream).cmp(&(&b.proxy, b.stream)));
    let at = seconds(shared.clock.now());
    Json(Report { revision: shared.compile.published().borrow().revision, at, proxies, gone })
}

async fn diagnostics(State(shared): State<Arc<Discovery>>) -> Json<Vec<Diagnostic>> {
    // First what each object is by itself, then what it makes of others.
    let mut all = shared.findings.borrow().to_vec();
    all.extend_from_slice(&shared.compile.findings());
    Json(all)
}

/// What a connected proxy is to have, as `pilothouse generate` prints it.
async fn config_dump(State(shared): State<Arc<Discovery>>, Query(which): Query<Which>) -> Response {
    let Which { namespace: _, proxy } = which;
    let Some(proxy) = proxy else {
        return (StatusCode::BAD_REQUEST, "say which proxy: ?proxy=POD.NAMESPACE\n").into_response();
    };
    let Some(snapshot) = shared.streams.snapshot(&proxy).await else {
        return (StatusCode::NOT_FOUND, "this proxy is not connected here\n").into_response();
    };
    match tokio::task::spawn_blocking(move || dump::document(&snapshot)).await {
        Ok(Ok(document)) => Json(document).into_response(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
