//! The roots of the mesh in every namespace, as the ConfigMap that pods mount. Where the mesh settings select namespaces
//! (`discoverySelectors`), in those.
//!
//! A pod whose namespace lacks it cannot start, and the race between a new namespace and its first pod is common. So it is
//! written as soon as the namespace is seen, and what fails is tried again for ever.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Error, ResourceExt};
use pilothouse_base::Labels;
use pilothouse_ca::Trust;
use pilothouse_config::NamespaceSelector;
use pilothouse_runtime::{Group, Stop};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use crate::mirror::{Event, Which, mirror};
use crate::pause::Pause;
use crate::{FIELD_MANAGER, with_causes};

/// The name of the ConfigMap, Istio's.
pub const CONFIG_MAP: &str = "istio-ca-root-cert";
/// Its key.
const KEY: &str = "root-cert.pem";
/// Namespaces where nobody runs pods of a mesh; Istio leaves them out, too.
const LEFT_OUT: [&str; 3] = ["kube-node-lease", "kube-public", "local-path-storage"];
/// Writes at the same time.
const AT_ONCE: usize = 16;
/// How long one write may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Events that may wait.
const WAITING: usize = 256;

/// What is seen of the cluster.
#[derive(Debug, Default)]
struct Seen {
    /// Namespaces that are not being deleted, with their labels; none before they were listed.
    namespaces: Option<BTreeMap<String, Labels>>,
    /// What the ConfigMap of a namespace holds; none before they were listed.
    held: Option<BTreeMap<String, Option<String>>>,
}

impl Seen {
    fn namespace(&mut self, event: Event<Namespace>) {
        let is_there = |namespace: &Namespace| namespace.metadata.deletion_timestamp.is_none();
        let entry = |namespace: &Namespace| {
            let labels = namespace.labels().iter().map(|(key, value)| (key.as_str(), value.as_str()));
            (namespace.name_any(), labels.collect::<Labels>())
        };
        match event {
            Event::All(all) => {
                self.namespaces = Some(all.iter().filter(|one| is_there(one)).map(entry).collect());
            }
            Event::Applied(one) if is_there(&one) => {
                self.namespaces.get_or_insert_default().extend([entry(&one)]);
            }
            Event::Applied(one) | Event::Deleted(one) => {
                self.namespaces.get_or_insert_default().remove(&one.name_any());
            }
        }
    }

    fn config_map(&mut self, event: Event<ConfigMap>) {
        let entry = |map: ConfigMap| {
            let content = map.data.and_then(|mut data| data.remove(KEY));
            (map.metadata.namespace.unwrap_or_default(), content)
        };
        match event {
            Event::All(all) => self.held = Some(all.into_iter().map(entry).collect()),
            Event::Applied(one) => {
                let (namespace, content) = entry(one);
                self.held.get_or_insert_default().insert(namespace, content);
            }
            Event::Deleted(one) => {
                self.held.get_or_insert_default().remove(&entry(one).0);
            }
        }
    }

    /// The namespaces where something is to be written. Those that are not selected any more keep what they have.
    fn lacking(&self, roots: &str, selectors: &[NamespaceSelector]) -> Vec<String> {
        let (Some(namespaces), Some(held)) = (&self.namespaces, &self.held) else { return Vec::new() };
        let lacks = |(namespace, labels): &(&String, &Labels)| {
            !LEFT_OUT.contains(&namespace.as_str())
                && (selectors.is_empty() || selectors.iter().any(|one| one.matches(labels)))
                && held.get(*namespace).is_none_or(|content| content.as_deref() != Some(roots))
        };
        namespaces.iter().filter(lacks).map(|(namespace, _)| namespace.clone()).collect()
    }
}

/// Keeps the roots in every namespace that is selected while `leads` says so, until stop is said. Nothing is written before it is
/// known which namespaces are; without selectors all are.
pub async fn distribute(
    client: Client,
    mut trust: watch::Receiver<Arc<Trust>>,
    mut selectors: watch::Receiver<Option<Arc<[NamespaceSelector]>>>,
    mut leads: watch::Receiver<bool>,
    stop: Stop,
) -> Result<(), Infallible> {
    let (namespaces_in, mut namespaces) = mpsc::channel(WAITING);
    let (maps_in, mut maps) = mpsc::channel(WAITING);
    let group = Group::new("roots");
    let which = Which { fields: Some(format!("metadata.name={CONFIG_MAP}")), labels: None };
    let (all, watched) = (Api::all(client.clone()), Api::all(client.clone()));
    group.spawn("namespaces", mirror("namespaces", all, Which::default(), namespaces_in, stop.clone()));
    group.spawn("maps", mirror("root ConfigMaps", watched, which, maps_in, stop.clone()));
    let mut seen = Seen::default();
    let mut pause = Pause::default();
    let mut again: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            Some(event) = namespaces.recv() => seen.namespace(event),
            Some(event) = maps.recv() => seen.config_map(event),
            Ok(()) = trust.changed() => {}
            Ok(()) = leads.changed() => {}
            Ok(()) = selectors.changed() => {}
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
        }
        while let Ok(event) = namespaces.try_recv() {
            seen.namespace(event);
        }
        while let Ok(event) = maps.try_recv() {
            seen.config_map(event);
        }
        if again.is_some_and(|at| at > Instant::now()) {
            continue;
        }
        again = None;
        let wanted = trust.borrow_and_update().roots().pem().to_owned();
        let selected = selectors.borrow_and_update().clone();
        let (true, Some(selected)) = (*leads.borrow_and_update(), selected) else { continue };
        let failed = write(&client, seen.lacking(&wanted, &selected), &wanted, &mut seen).await;
        match failed {
            None => pause.well(),
            Some(why) => {
                if pause.is_first() {
                    warn!(why, "roots could not be written everywhere; it is tried again");
                } else {
                    debug!(why, "still not");
                }
                again = Some(Instant::now() + pause.next());
            }
        }
    }
}

/// Writes the roots into namespaces; the first failure, if there was one that matters.
async fn write(client: &Client, into: Vec<String>, roots: &str, seen: &mut Seen) -> Option<String> {
    let writes = into.into_iter().map(|namespace| async move {
        let written = timeout(PATIENCE, apply(client, &namespace, roots)).await;
        (namespace, written)
    });
    let mut writes = futures::stream::iter(writes).buffer_unordered(AT_ONCE);
    let mut failed = None;
    while let Some((namespace, written)) = writes.next().await {
        match written {
            Ok(Ok(())) => {
                info!(namespace, "wrote the roots of the mesh");
                seen.held.get_or_insert_default().insert(namespace, Some(roots.to_owned()));
            }
            // It is going or gone; its end is on the way to us.
            Ok(Err(Error::Api(status))) if status.code == 404 || is_terminating(&status) => {}
            Ok(Err(error)) => failed = Some(format!("{namespace}: {}", with_causes(&error))),
            Err(_) => failed = Some(format!("{namespace}: no answer in time")),
        }
    }
    failed
}

fn is_terminating(status: &kube::core::Status) -> bool {
    status.code == 403 && status.message.contains("is being terminated")
}

async fn apply(client: &Client, namespace: &str, roots: &str) -> Result<(), Error> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let wanted = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": CONFIG_MAP, "labels": { "istio.io/config": "true" } },
        "data": { KEY: roots },
    });
    api.patch(CONFIG_MAP, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&wanted)).await.map(drop)
}

#[cfg(test)]
mod tests;
