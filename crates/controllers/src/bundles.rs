//! Tells webhook configurations whom to trust: the API server calls our webhooks and checks their certificate with it.
//!
//! Every replica does this; it writes only what differs, so replicas do not meet. Server-side apply owns `caBundle` and
//! nothing else, so whoever installed the configuration keeps the rest.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use pilothouse_ca::Trust;
use pilothouse_runtime::{Group, Stop};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use crate::mirror::{Event, Which, mirror};
use crate::pause::Pause;
use crate::{FIELD_MANAGER, with_causes};

/// The label that says whose a configuration is; its value is a revision.
pub(crate) const REVISION: &str = "istio.io/rev";
/// How long one write may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Events that may wait.
const WAITING: usize = 64;

/// A kind of webhook configuration.
trait Webhooks: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static {
    /// Name and client settings of each webhook.
    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)>;
}

impl Webhooks for MutatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)> {
        self.webhooks.iter().flatten().map(|one| (one.name.as_str(), &one.client_config)).collect()
    }
}

impl Webhooks for ValidatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)> {
        self.webhooks.iter().flatten().map(|one| (one.name.as_str(), &one.client_config)).collect()
    }
}

/// What to apply to a configuration; nothing if all is as it should be.
fn lacking<K: Webhooks>(configuration: &K, roots: &str) -> Option<Value> {
    let webhooks = configuration.webhooks();
    let right = |settings: &WebhookClientConfig| {
        settings.ca_bundle.as_ref().is_some_and(|ByteString(bundle)| bundle == roots.as_bytes())
    };
    if webhooks.iter().all(|(_, settings)| right(settings)) {
        return None;
    }
    let bundle = ByteString(roots.as_bytes().to_vec());
    let entries: Vec<Value> = webhooks
        .iter()
        .map(|(name, _)| json!({ "name": name, "clientConfig": { "caBundle": bundle } }))
        .collect();
    Some(json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": configuration.name_any() },
        "webhooks": entries,
    }))
}

/// Keeps the bundles of this revision's configurations, until stop is said.
pub async fn keep(
    client: Client,
    revision: String,
    trust: watch::Receiver<Arc<Trust>>,
    stop: Stop,
) -> Result<(), Infallible> {
    let mutating = keep_kind::<MutatingWebhookConfiguration>(&client, &revision, trust.clone(), &stop);
    let validating = keep_kind::<ValidatingWebhookConfiguration>(&client, &revision, trust, &stop);
    tokio::join!(mutating, validating);
    Ok(())
}

async fn keep_kind<K: Webhooks>(
    client: &Client,
    revision: &str,
    mut trust: watch::Receiver<Arc<Trust>>,
    stop: &Stop,
) {
    let api: Api<K> = Api::all(client.clone());
    let (events_in, mut events) = mpsc::channel(WAITING);
    let group = Group::new("bundles");
    let which = Which { fields: None, labels: Some(format!("{REVISION}={revision}")) };
    group.spawn("webhooks", mirror("webhook configurations", api.clone(), which, events_in, stop.clone()));
    let mut seen: BTreeMap<String, K> = BTreeMap::new();
    let mut pause = Pause::default();
    let mut again: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.stopped() => return,
            Some(event) = events.recv() => match event {
                Event::All(all) => seen = all.into_iter().map(|one| (one.name_any(), one)).collect(),
                Event::Applied(one) => drop(seen.insert(one.name_any(), one)),
                Event::Deleted(one) => drop(seen.remove(&one.name_any())),
            },
            Ok(()) = trust.changed() => {}
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
        }
        if again.is_some_and(|at| at > Instant::now()) {
            continue;
        }
        again = None;
        let wanted = trust.borrow_and_update().roots().pem().to_owned();
        for (name, configuration) in &mut seen {
            let Some(patch) = lacking(configuration, &wanted) else { continue };
            let how = PatchParams::apply(FIELD_MANAGER).force();
            let failed = match timeout(PATIENCE, api.patch(name, &how, &Patch::Apply(&patch))).await {
                Ok(Ok(written)) => {
                    info!(kind = %K::kind(&()), name, "told whom to trust");
                    *configuration = written;
                    pause.well();
                    continue;
                }
                Ok(Err(error)) => with_causes(&error),
                Err(_) => "no answer in time".to_owned(),
            };
            if pause.is_first() {
                warn!(kind = %K::kind(&()), name, why = failed, "whom to trust could not be written; it is tried again");
            } else {
                debug!(kind = %K::kind(&()), name, why = failed, "still not");
            }
            again = Some(Instant::now() + pause.next());
        }
    }
}

#[cfg(test)]
mod tests;
