//! Steady load: a few workers that send until told to stop and note every failure with its time.
//!
//! Half of the workers keep their connection, half dial anew each time. A kept connection that the other side
//! closed before a byte of the answer came is dialled anew and the request sent again, as every HTTP client does;
//! that is counted, not hidden.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::exchange::{self, Connection};
use super::{Answer, Protocol, Request};

/// What to send, from how many workers, how fast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Sent again and again.
    pub request: Request,
    /// How many send at the same time.
    pub workers: u32,
    /// Rest of a worker between two requests, in milliseconds.
    pub pause_ms: u64,
}

/// A request that did not end with status 200.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Milliseconds since the load began.
    pub at_ms: u64,
    /// Whether the worker keeps its connection.
    pub kept: bool,
    /// What came back.
    pub answer: Answer,
}

/// What the load met so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadReport {
    /// Requests answered with 200.
    pub good: u64,
    /// Requests that were not; the first fifty are in `failures`.
    pub bad: u64,
    /// Who answered how often, as `name-version`.
    pub by: BTreeMap<String, u64>,
    /// The first failures.
    pub failures: Vec<Failure>,
    /// Kept connections found closed and dialled anew.
    pub redialled: u64,
    /// The slowest answer in milliseconds.
    pub slowest_ms: u64,
}

/// A running load.
pub(super) struct Running {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
}

struct Shared {
    stop: AtomicBool,
    report: Mutex<LoadReport>,
    started: Instant,
}

impl Running {
    pub(super) fn start(load: &Load) -> Self {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            report: Mutex::default(),
            started: Instant::now(),
        });
        let mut workers = JoinSet::new();
        for n in 0..load.workers {
            let keep = n % 2 == 0 && load.request.protocol != Protocol::Tcp;
            workers.spawn(worker(shared.clone(), load.clone(), keep));
        }
        Self { shared, workers }
    }

    pub(super) fn report(&self) -> LoadReport {
        self.shared.report(|r| r.clone())
    }

    pub(super) async fn stop(mut self) -> LoadReport {
        self.shared.stop.store(true, Ordering::Relaxed);
        while self.workers.join_next().await.is_some() {}
        self.report()
    }
}

impl Shared {
    fn report<T>(&self, f: impl FnOnce(&mut LoadReport) -> T) -> T {
        f(&mut self.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn note(&self, answer: Answer, kept: bool, began: Instant) {
        let at_ms = u64::try_from((began - self.started).as_millis()).unwrap_or(u64::MAX);
        self.report(|report| {
            report.slowest_ms = report.slowest_ms.max(answer.ms);
            if answer.status == 200 {
                report.good += 1;
                *report.by.entry(answer.who()).or_default() += 1;
            } else {
                report.bad += 1;
                if report.failures.len() < 50 {
                    report.failures.push(Failure { at_ms, kept, answer });
                }
            }
        });
    }
}

async fn worker(shared: Arc<Shared>, load: Load, keep: bool) {
    let mut kept: Option<Connection> = None;
    while !shared.stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = if keep {
            kept_once(&shared, &load.request, &mut kept).await
        } else {
            exchange::once(&load.request).await
        };
        shared.note(answer, keep, began);
        tokio::time::sleep(Duration::from_millis(load.pause_ms)).await;
    }
}

/// Sends on the kept connection, dialling when there is none.
async fn kept_once(shared: &Shared, request: &Request, kept: &mut Option<Connection>) -> Answer {
    let started = Instant::now();
    let limit = Duration::from_millis(request.timeout_ms);
    let result = tokio::time::timeout(limit, async {
        if let Some(connection) = kept.as_mut() {
            match exchange::send(connection, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) if unanswered(&error) => shared.report(|r| r.redialled += 1),
                Err(error) => {
                    *kept = None;
                    return Err(error);
                }
            }
        }
        *kept = None;
        let mut connection = exchange::open(request).await?;
        let answer = exchange::send(&mut connection, request).await?;
        *kept = Some(connection);
        Ok(answer)
    });
    let answer = exchange::finish(started, result.await);
    let closing = answer.headers.get("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
    if answer.error.is_some() || closing {
        *kept = None;
    }
    answer
}

/// Whether a kept connection ended before anything of the answer came.
fn unanswered(error: &anyhow::Error) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(|e| {
        let reset =
            std::error::Error::source(e).and_then(|s| s.downcast_ref::<std::io::Error>()).is_some_and(|io| {
                matches!(io.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
            });
        e.is_canceled() || e.is_closed() || e.is_incomplete_message() || reset
    })
}
