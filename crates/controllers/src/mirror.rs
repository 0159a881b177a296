//! All objects of a kind as they are now: told whole at first, then by what changes.

use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Error, Resource, ResourceExt};
use pilothouse_runtime::Stop;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::pause::Pause;
use crate::with_causes;

/// How long the API server serves one watch request, in seconds.
const SERVED: u32 = 290;
/// A watch request that says nothing, not even its end, is given up after this.
const SILENT: Duration = Duration::from_mins(5);
/// Objects on one page.
const PAGE: u32 = 500;

/// What there is to tell.
#[derive(Debug)]
pub(crate) enum Event<K> {
    /// These are all.
    All(Vec<K>),
    /// This one is new or has changed.
    Applied(K),
    /// This one is gone.
    Deleted(K),
}

/// Which objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Which {
    /// A field selector.
    pub(crate) fields: Option<String>,
    /// A label selector.
    pub(crate) labels: Option<String>,
}

/// Tells until stop is said. After a failure everything is told again.
pub(crate) async fn mirror<K>(
    what: &'static str,
    api: Api<K>,
    which: Which,
    events: mpsc::Sender<Event<K>>,
    stop: Stop,
) where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let mut pause = Pause::default();
    let telling = async {
        loop {
            let Err(error) = tell(&api, &which, &events, &mut pause).await else { continue };
            if pause.is_first() {
                warn!(what, why = with_causes(&error), "the API server does not tell; it is asked again");
            } else {
                debug!(what, why = with_causes(&error), "still not");
            }
            sleep(pause.next()).await;
        }
    };
    tokio::select! {
        () = stop.stopped() => {}
        () = telling => {}
    }
}

/// Tells everything, then changes until the watch breaks. A good end is that the API server has forgotten where we were.
async fn tell<K>(
    api: &Api<K>,
    which: &Which,
    events: &mpsc::Sender<Event<K>>,
    pause: &mut Pause,
) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let (all, mut version) = list(api, which).await?;
    send(events, Event::All(all)).await;
    pause.well();
    let wanted = WatchParams {
        field_selector: which.fields.clone(),
        label_selector: which.labels.clone(),
        timeout: Some(SERVED),
        ..WatchParams::default()
    };
    loop {
        let mut stream = std::pin::pin!(api.watch(&wanted, &version).await?);
        while let Ok(Some(event)) = timeout(SILENT, stream.next()).await {
            let event = match event? {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    version = object.resource_version().unwrap_or(version);
                    Event::Applied(object)
                }
                WatchEvent::Deleted(object) => {
                    version = object.resource_version().unwrap_or(version);
                    Event::Deleted(object)
                }
                WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    continue;
                }
                WatchEvent::Error(status) if status.code == 410 => return Ok(()),
                WatchEvent::Error(status) => return Err(Error::Api(status)),
            };
            send(events, event).await;
        }
    }
}

async fn list<K>(api: &Api<K>, which: &Which) -> Result<(Vec<K>, String), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let mut wanted = ListParams {
        field_selector: which.fields.clone(),
        label_selector: which.labels.clone(),
        ..ListParams::default()
    }
    .limit(PAGE);
    let mut all = Vec::new();
    loop {
        let page = api.list(&wanted).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|more| !more.is_empty()) {
            Some(more) => wanted = wanted.continue_token(&more),
            None => return Ok((all, page.metadata.resource_version.unwrap_or_default())),
        }
    }
}

/// A failure means that nobody wants to know any more; then stop is near.
async fn send<K>(events: &mpsc::Sender<Event<K>>, event: Event<K>) {
    if events.send(event).await.is_err() {
        std::future::pending::<()>().await;
    }
}
