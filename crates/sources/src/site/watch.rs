//! One watch: everything there is, then what changes, for ever.
//!
//! The API server is asked to stream what there is and to go on from there; one that cannot is asked for pages. A watch that ends
//! goes on where it ended. Whatever goes wrong is tried again, after a while that grows with each failure in a row; where the API
//! server says when to come back, then.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Status;
use kube::{Api, Client, Error};
use pilothouse_runtime::Stop;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use super::item::{Item, OfEndpointSlice, OfPod, OfSecret, OfService, OnlyMetadata, Shape, Written};
use super::kinds::{Watch, Watched};

mod pause;

use pause::Pause;

/// How long the API server serves one watch request, in seconds.
const SERVED: u32 = 290;
/// A watch request that says nothing, not even its end, is given up after this.
const SILENT: Duration = Duration::from_mins(5);
/// The same while everything there is is being told.
const SILENT_AT_FIRST: Duration = Duration::from_mins(1);
/// Objects on one page.
const PAGE: u32 = 500;
/// Answers in a row by which the API server puts us off before somebody hears of it.
const PUT_OFF: u32 = 3;
/// A watch that ends sooner, without a word, counts as a failure; one that does not is well.
const TOO_SOON: Duration = Duration::from_secs(1);

/// What a watch has to say.
#[derive(Debug)]
pub(super) enum Report {
    /// Everything there is follows.
    Begin,
    /// One of the objects there are.
    Listed(Value),
    /// That was everything: what was not listed is gone.
    Done,
    /// The object is new or has changed.
    Applied(Value),
    /// The object is gone.
    Deleted(Value),
    /// The API server does not know the kind.
    NotThere,
    /// We may not read it.
    Denied,
}

/// Where reports go.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    /// The number of this watch.
    pub(super) number: u64,
    /// The queue.
    pub(super) reports: mpsc::Sender<(u64, Report)>,
}

impl Outlet {
    /// Waits for room. A failure means that nobody wants to know any more; then stop is near.
    async fn send(&self, report: Report) {
        if self.reports.send((self.number, report)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Watches until stop is said.
pub(super) async fn run(client: Client, watch: Watch, outlet: Outlet, stop: Stop) {
    let watching = async {
        match watch.kind {
            kind if kind.metadata_is_enough() => {
                Watching::<OnlyMetadata>::new(client, watch, outlet).run().await;
            }
            Watched::Service => Watching::<OfService>::new(client, watch, outlet).run().await,
            Watched::EndpointSlice => Watching::<OfEndpointSlice>::new(client, watch, outlet).run().await,
            Watched::Pod => Watching::<OfPod>::new(client, watch, outlet).run().await,
            Watched::Secret => Watching::<OfSecret>::new(client, watch, outlet).run().await,
            _ => Watching::<Written>::new(client, watch, outlet).run().await,
        }
    };
    tokio::select! {
        () = stop.stopped() => {}
        () = watching => {}
    }
}

struct Watching<S> {
    client: Client,
    watch: Watch,
    outlet: Outlet,
    api: Api<Item<S>>,
    /// Which version of the kind is tried.
    attempt: usize,
    /// Whether the API server can stream what there is.
    streams: bool,
    /// Whether its memory of the kind lags behind its store, so that it is better asked for pages this time.
    lags: bool,
    pause: Pause,
}

/// Why a watch does not go on.
enum Trouble {
    /// It ended, as every watch does after a while.
    Ended,
    /// The API server does not remember that far back: everything must be told again.
    Forgotten,
    /// It cannot stream what there is.
    CannotStream,
    /// It says nothing at all.
    Silent,
    /// It does not know the kind.
    NotThere,
    /// We may not.
    Denied(String),
    /// Its memory of the kind is older than what it has to tell, and did not catch up in the time that it gives itself.
    Lags(String),
    /// It says when to come back.
    PutOff(Duration, String),
    /// Anything else.
    Failed(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(status) => Self::from(&*status),
            other => Self::Failed(with_causes(&other)),
        }
    }
}

impl From<&Status> for Trouble {
    fn from(status: &Status) -> Self {
        let why = || format!("{} {}", status.code, status.message);
        let details = status.details.as_ref();
        let after = details.map(|details| details.retry_after_seconds).filter(|seconds| *seconds > 0);
        match (status.code, after) {
            (404, _) => Self::NotThere,
            (410, _) => Self::Forgotten,
            (401 | 403, _) => Self::Denied(status.message.clone()),
            (504, _) => Self::Lags(why()),
            (_, Some(seconds)) => Self::PutOff(Duration::from_secs(seconds.into()), why()),
            _ => Self::Failed(why()),
        }
    }
}

impl<S: Shape> Watching<S> {
    fn new(client: Client, watch: Watch, outlet: Outlet) -> Self {
        let api = api(&client, &watch, 0);
        Self { client, watch, outlet, api, attempt: 0, streams: true, lags: false, pause: Pause::default() }
    }

    async fn run(mut self) {
        loop {
            let by_pages = !self.streams || std::mem::take(&mut self.lags);
            let trouble = if by_pages { self.by_pages().await } else { self.by_stream().await };
            self.ease(trouble).await;
        }
    }

    /// Deals with what keeps the watch from going on; then everything is told again.
    async fn ease(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Ended | Trouble::Forgotten => {}
            Trouble::CannotStream => {
                debug!(watch = %self.watch, "asking for pages");
                self.streams = false;
                return;
            }
            Trouble::NotThere => {
                self.attempt += 1;
                self.api = api(&self.client, &self.watch, self.attempt);
                self.outlet.send(Report::NotThere).await;
            }
            Trouble::Denied(why) => {
                self.complain(&why, 0);
                self.outlet.send(Report::Denied).await;
            }
            Trouble::Silent => self.complain("it says nothing", 0),
            // Pages are taken from the store where the memory does not catch up, so they come in any case.
            Trouble::Lags(why) => {
                self.complain(&why, PUT_OFF);
                self.lags = true;
            }
            Trouble::PutOff(after, why) => {
                self.complain(&why, PUT_OFF);
                sleep(self.pause.told(after)).await;
                return;
            }
            Trouble::Failed(why) => self.complain(&why, 0),
        }
        sleep(self.pause.next()).await;
    }

    /// Once for each row of failures, after so many; the rest is for those who look closely.
    fn complain(&self, why: &str, after: u32) {
        if self.pause.failures == after {
            warn!(watch = %self.watch, why, "the API server does not tell; what is known holds, and it is asked again");
        } else {
            debug!(watch = %self.watch, why, failures = self.pause.failures, "still not");
        }
    }

    /// Something came of it.
    fn well(&mut self) {
        if self.pause.failures > 2 {
            info!(watch = %self.watch, "the API server tells again");
        }
        self.pause.failures = 0;
    }

    async fn by_stream(&mut self) -> Trouble {
        let mut wanted = WatchParams::default().timeout(SERVED).initial_events();
        wanted.field_selector.clone_from(&self.watch.field);
        // No version: at least as new as this question, so that nothing known goes back in time.
        let events = match self.api.watch(&wanted, "").await {
            Ok(events) => events,
            Err(Error::Api(status)) if matches!(status.code, 400 | 422) => return Trouble::CannotStream,
            Err(error) => return error.into(),
        };
        self.outlet.send(Report::Begin).await;
        let mut events = pin!(events);
        let version = loop {
            match next(&mut events, SILENT_AT_FIRST).await {
                Ok(WatchEvent::Added(item) | WatchEvent::Modified(item)) => {
                    self.outlet.send(Report::Listed(item.value)).await;
                }
                Ok(WatchEvent::Deleted(item)) => self.outlet.send(Report::Deleted(item.value)).await,
                Ok(WatchEvent::Bookmark(mark)) => {
                    if mark.metadata.annotations.contains_key("k8s.io/initial-events-end") {
                        break mark.metadata.resource_version;
                    }
                }
                Ok(WatchEvent::Error(status)) => return Trouble::from(&*status),
                // An old server does not know the question, and never says that it has told everything.
                Err(Trouble::Silent) => return Trouble::CannotStream,
                // Not everything was told; so this is no end as any other.
                Err(Trouble::Ended) => return Trouble::Failed("the answer broke off".to_owned()),
                Err(trouble) => return trouble,
            }
        };
        self.outlet.send(Report::Done).await;
        self.well();
        let mut version = version;
        match self.changes(&mut events, &mut version).await {
            Trouble::Forgotten => Trouble::Forgotten,
            trouble => self.go_on(version, trouble).await,
        }
    }

    async fn by_pages(&mut self) -> Trouble {
        self.outlet.send(Report::Begin).await;
        let mut wanted = ListParams::default().limit(PAGE);
        wanted.field_selector.clone_from(&self.watch.field);
        let version = loop {
            let page = match timeout(SILENT_AT_FIRST, self.api.list(&wanted)).await {
                Ok(Ok(page)) => page,
                Ok(Err(error)) => return error.into(),
                Err(_) => return Trouble::Silent,
            };
            for item in page.items {
                self.outlet.send(Report::Listed(item.value)).await;
            }
            wanted.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if wanted.continue_token.is_none() {
                break page.metadata.resource_version.unwrap_or_default();
            }
        };
        self.outlet.send(Report::Done).await;
        self.well();
        self.go_on(version, Trouble::Ended).await
    }

    /// Goes on from a version as long as the API server remembers it.
    async fn go_on(&mut self, mut version: String, mut trouble: Trouble) -> Trouble {
        loop {
            match trouble {
                Trouble::Ended | Trouble::Silent => {}
                Trouble::Failed(why) | Trouble::Lags(why) => {
                    self.complain(&why, 0);
                    sleep(self.pause.next()).await;
                }
                Trouble::PutOff(after, why) => {
                    self.complain(&why, PUT_OFF);
                    sleep(self.pause.told(after)).await;
                }
                other => return other,
            }
            if version.is_empty() {
                return Trouble::Forgotten;
            }
            let mut wanted = WatchParams::default().timeout(SERVED);
            wanted.field_selector.clone_from(&self.watch.field);
            let begun = Instant::now();
            let before = version.clone();
            trouble = match self.api.watch(&wanted, &version).await {
                Ok(events) => self.changes(&mut pin!(events), &mut version).await,
                Err(error) => error.into(),
            };
            if matches!(trouble, Trouble::Ended) && before == version && begun.elapsed() < TOO_SOON {
                trouble = Trouble::Failed("the watch ended as soon as it began".to_owned());
            }
        }
    }

    /// Passes changes on until the events end, and keeps the version they lead to.
    async fn changes(
        &mut self,
        events: &mut (impl Stream<Item = Result<WatchEvent<Item<S>>, Error>> + Unpin),
        version: &mut String,
    ) -> Trouble {
        let mut patience = TOO_SOON;
        loop {
            let event = next(events, patience).await;
            if patience == TOO_SOON && matches!(event, Err(Trouble::Silent)) {
                // It holds, and there is nothing to tell.
                self.well();
                patience = SILENT;
                continue;
            }
            patience = SILENT;
            let (item, report): (_, fn(Value) -> Report) = match event {
                Ok(WatchEvent::Added(item) | WatchEvent::Modified(item)) => (item, Report::Applied),
                Ok(WatchEvent::Deleted(item)) => (item, Report::Deleted),
                Ok(WatchEvent::Bookmark(mark)) => {
                    *version = mark.metadata.resource_version;
                    self.well();
                    continue;
                }
                Ok(WatchEvent::Error(status)) => return Trouble::from(&*status),
                Err(trouble) => return trouble,
            };
            if let Some(new) = item.version() {
                new.clone_into(version);
            }
            self.well();
            self.outlet.send(report(item.value)).await;
        }
    }
}

/// The next event. Words that are no event are passed over: they are nothing that could be waited for.
async fn next<S: Shape>(
    events: &mut (impl Stream<Item = Result<WatchEvent<Item<S>>, Error>> + Unpin),
    longest: Duration,
) -> Result<WatchEvent<Item<S>>, Trouble> {
    loop {
        match timeout(longest, events.next()).await {
            Ok(Some(Ok(event))) => return Ok(event),
            Ok(Some(Err(Error::SerdeError(error)))) => warn!(%error, "an event that is none is passed over"),
            Ok(Some(Err(error))) => return Err(error.into()),
            Ok(None) => return Err(Trouble::Ended),
            Err(_) => return Err(Trouble::Silent),
        }
    }
}

fn api<S: Shape>(client: &Client, watch: &Watch, attempt: usize) -> Api<Item<S>> {
    let resource = watch.kind.resource(attempt);
    match &watch.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace.as_str(), &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// An error with everything that led to it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests;
