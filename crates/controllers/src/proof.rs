//! Lets the API server refuse objects that nobody could judge, once it is proved that questions arrive.
//!
//! The validating webhook is installed with the policy `Ignore`: if it cannot be reached, objects are stored unjudged. `Fail`
//! is safer, but with a path that never worked it would keep everybody from storing anything. So a broken object is created as a
//! dry run, by the way every object takes. When it is refused by the webhook, and by nobody else, the policy becomes `Fail`.
//! It is never turned back.
//!
//! Every replica does this; what is written is the same. Server-side apply owns `failurePolicy` and nothing else.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Error, ResourceExt};
use pilothouse_runtime::{Group, Stop};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use crate::bundles::REVISION;
use crate::mirror::{Event, Which, mirror};
use crate::pause::Pause;
use crate::with_causes;

/// The field manager of the policy: a name of its own, so that whoever writes `caBundle` need not repeat it.
const MANAGER: &str = "pilothouse-proof";
/// The annotation that makes the webhook refuse an object.
const ALWAYS: &str = "internal.istio.io/webhook-always-reject";
/// The name of the object that is never stored.
const BROKEN: &str = "pilothouse-proof-of-webhook";
/// How long one question may take: more than the API server waits for a webhook.
const PATIENCE: Duration = Duration::from_secs(20);
/// Events that may wait.
const WAITING: usize = 64;

/// What the API server made of the broken object.
#[derive(Debug, PartialEq, Eq)]
enum Proof {
    /// The webhook of this name refused it.
    Refused(String),
    /// Nothing is proved, and why.
    None(String),
}

/// Proves the path of this revision's validating webhooks and turns their policy, until stop is said. `namespace` is that of
/// the control plane.
pub async fn keep(client: Client, namespace: String, revision: String, stop: Stop) -> Result<(), Infallible> {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let (events_in, mut events) = mpsc::channel(WAITING);
    let group = Group::new("proof");
    let which = Which { fields: None, labels: Some(format!("{REVISION}={revision}")) };
    group.spawn("webhooks", mirror("webhook configurations", api.clone(), which, events_in, stop.clone()));
    let mut seen: BTreeMap<String, ValidatingWebhookConfiguration> = BTreeMap::new();
    let mut pause = Pause::default();
    let mut again: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            Some(event) = events.recv() => match event {
                Event::All(all) => seen = all.into_iter().map(|one| (one.name_any(), one)).collect(),
                Event::Applied(one) => drop(seen.insert(one.name_any(), one)),
                Event::Deleted(one) => drop(seen.remove(&one.name_any())),
            },
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
        }
        if again.is_some_and(|at| at > Instant::now()) {
            continue;
        }
        again = None;
        if seen.values().all(|one| unproved(one).is_empty()) {
            pause.well();
            continue;
        }
        let proof = prove(&client, &namespace, &revision).await;
        let outcome = match &proof {
            Proof::Refused(by) => turn(&api, &mut seen, by).await,
            Proof::None(why) => Err(why.clone()),
        };
        match outcome {
            Ok(()) => pause.well(),
            Err(why) if pause.is_first() => {
                warn!(
                    why,
                    "the way to the validating webhook is not proved; until then objects may be stored unjudged"
                );
            }
            Err(why) => debug!(why, "still not"),
        }
        // A configuration that is left may have the next word.
        if seen.values().any(|one| !unproved(one).is_empty()) {
            again = Some(Instant::now() + pause.next());
        }
    }
}

/// The webhooks that have the API server's trust and let everything pass while they cannot be reached.
fn unproved(configuration: &ValidatingWebhookConfiguration) -> Vec<&str> {
    let webhooks = configuration.webhooks.iter().flatten();
    webhooks
        .filter(|one| {
            one.failure_policy.as_deref() == Some("Ignore") && one.client_config.ca_bundle.is_some()
        })
        .map(|one| one.name.as_str())
        .collect()
}

/// Creates the broken object as a dry run.
async fn prove(client: &Client, namespace: &str, revision: &str) -> Proof {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("networking.istio.io", "v1", "Gateway"));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    let broken: DynamicObject =
        serde_json::from_value(broken(revision)).expect("an object with metadata can be read as one");
    let how = PostParams { dry_run: true, field_manager: None };
    match timeout(PATIENCE, api.create(&how, &broken)).await {
        Ok(Ok(_)) => {
            Proof::None("an object that must be refused was not: the webhook is not asked".to_owned())
        }
        Ok(Err(Error::Api(status))) => judge(&status.message),
        Ok(Err(error)) => Proof::None(with_causes(&error)),
        Err(_) => Proof::None("no answer in time".to_owned()),
    }
}

/// An object that any validating webhook of ours refuses, and that is fine otherwise.
fn broken(revision: &str) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {
            "name": BROKEN,
            "labels": { REVISION: revision },
            "annotations": { ALWAYS: "true" },
        },
        "spec": {},
    })
}

/// Who refused, by what the API server says: `admission webhook "NAME" denied the request: WHY`. That the webhook could not be
/// reached, or that somebody else refused, proves nothing.
fn judge(message: &str) -> Proof {
    let name = message.strip_prefix("admission webhook \"").and_then(|rest| rest.split_once('"'));
    match name {
        Some((name, rest)) if rest.starts_with(" denied the request") && rest.contains(ALWAYS) => {
            Proof::Refused(name.to_owned())
        }
        _ => Proof::None(message.to_owned()),
    }
}

/// Turns the policy of the webhook that refused.
async fn turn(
    api: &Api<ValidatingWebhookConfiguration>,
    seen: &mut BTreeMap<String, ValidatingWebhookConfiguration>,
    by: &str,
) -> Result<(), String> {
    let mut turned = false;
    for (name, configuration) in seen {
        if !unproved(configuration).contains(&by) {
            continue;
        }
        let patch = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": name },
            "webhooks": [{ "name": by, "failurePolicy": "Fail" }],
        });
        let how = PatchParams::apply(MANAGER).force();
        match timeout(PATIENCE, api.patch(name, &how, &Patch::Apply(&patch))).await {
            Ok(Ok(written)) => {
                info!(name, webhook = by, "questions arrive: what cannot be judged is refused from now on");
                *configuration = written;
                turned = true;
            }
            Ok(Err(error)) => return Err(with_causes(&error)),
            Err(_) => return Err("no answer in time".to_owned()),
        }
    }
    if turned { Ok(()) } else { Err(format!("it was refused by {by}, which needs no proof")) }
}

#[cfg(test)]
mod tests;
