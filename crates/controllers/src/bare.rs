//! Pods without a sidecar, and the namespaces they are in: what it takes to see which of them should have one.
//!
//! Only metadata is read, and only of pods that do not carry the label that injection sets; in a mesh that is well these are few.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use pilothouse_runtime::{Group, Stop};
use tokio::sync::{mpsc, watch};

use crate::mirror::{Event, Which, mirror};

/// Set by injection, on every pod that it makes a member of the mesh.
const MEMBER: &str = "security.istio.io/tlsMode";
/// Kept of the annotations of a pod.
const INJECT: &str = "sidecar.istio.io/inject";
/// Events that may wait.
const WAITING: usize = 256;

type Texts = BTreeMap<String, String>;

/// Metadata that decides whether there should be a sidecar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BarePod {
    /// Its labels.
    pub labels: Texts,
    /// The annotation by which a pod declines, if it has it.
    pub annotations: Texts,
}

/// What is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bare {
    /// Labels of namespaces.
    pub namespaces: BTreeMap<String, Texts>,
    /// Pods that run without a sidecar and not in the network of their node, by namespace and name.
    pub pods: BTreeMap<(String, String), BarePod>,
}

/// Tells what is seen, until stop is said. Nothing is told before both were heard once.
pub async fn follow(client: Client, seen: watch::Sender<Arc<Bare>>, stop: Stop) -> Result<(), Infallible> {
    let (namespaces_in, mut namespaces) = mpsc::channel(WAITING);
    let (pods_in, mut pods) = mpsc::channel(WAITING);
    let group = Group::new("bare");
    let all: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
    group.spawn("namespaces", mirror("namespaces", all, Which::default(), namespaces_in, stop.clone()));
    let all: Api<PartialObjectMeta<Pod>> = Api::all(client);
    let which = Which {
        fields: Some("spec.hostNetwork=false,status.phase!=Succeeded,status.phase!=Failed".to_owned()),
        labels: Some(format!("!{MEMBER}")),
    };
    group.spawn("pods", mirror("pods without a sidecar", all, which, pods_in, stop.clone()));
    let (mut now, mut heard) = (Bare::default(), (false, false));
    loop {
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            Some(event) = namespaces.recv() => {
                heard.0 = true;
                match event {
                    Event::All(all) => now.namespaces = all.into_iter().map(named).collect(),
                    Event::Applied(one) => now.namespaces.extend([named(one)]),
                    Event::Deleted(one) => drop(now.namespaces.remove(&one.name_any())),
                }
            }
            Some(event) = pods.recv() => {
                heard.1 = true;
                match event {
                    Event::All(all) => now.pods = all.into_iter().map(bare).collect(),
                    Event::Applied(one) => now.pods.extend([bare(one)]),
                    Event::Deleted(one) => drop(now.pods.remove(&bare(one).0)),
                }
            }
        }
        if heard == (true, true) {
            seen.send_replace(Arc::new(now.clone()));
        }
    }
}

fn named(namespace: PartialObjectMeta<Namespace>) -> (String, Texts) {
    (namespace.name_any(), namespace.metadata.labels.unwrap_or_default())
}

fn bare(pod: PartialObjectMeta<Pod>) -> ((String, String), BarePod) {
    let key = (pod.namespace().unwrap_or_default(), pod.name_any());
    let metadata = pod.metadata;
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.retain(|key, _| key == INJECT);
    (key, BarePod { labels: metadata.labels.unwrap_or_default(), annotations })
}
