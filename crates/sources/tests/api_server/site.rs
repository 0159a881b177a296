//! A site is followed through everything that happens to an API server.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use pilothouse_api::schema::definitions;
use pilothouse_diag::Diagnostic;
use pilothouse_runtime::{Group, Readiness, Stop, Stopper};
use pilothouse_sources::{Outlet, Site, follow};
use pilothouse_world::Change;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::server::{ApiServer, LONGEST};

pub(crate) fn site(server: &ApiServer) -> Site {
    Site {
        access: server.access(),
        domain: "cluster.local".to_owned(),
        namespace: "istio-system".to_owned(),
        revision: "default".to_owned(),
        shared_mesh_config: None,
    }
}

/// Who hears of changes.
pub(crate) struct Heard {
    inbox: mpsc::Receiver<Vec<Change>>,
    pub(crate) findings: watch::Receiver<Arc<[Diagnostic]>>,
    pub(crate) readiness: Readiness,
    group: Group,
    stopper: Stopper,
}

/// One word for a change: `+` applied, `-` removed.
pub(crate) fn word(change: &Change) -> String {
    match change {
        Change::Apply { key, .. } => format!("+{key}"),
        Change::Remove { key } => format!("-{key}"),
    }
}

impl Heard {
    pub(crate) fn new(site: Site) -> Self {
        let (changes, inbox) = mpsc::channel(64);
        let (outlet, findings) = watch::channel::<Arc<[Diagnostic]>>(Arc::from([]));
        let (stopper, stop) = Stop::pair();
        let readiness = Readiness::new();
        let loaded = readiness.condition("the site is read");
        let outlet = Outlet { changes, findings: outlet, selectors: watch::Sender::new(None), loaded };
        let group = Group::new("test");
        group.spawn("site", async move {
            follow(site, outlet, stop).await.expect("the kubeconfig is sound");
        });
        Self { inbox, findings, readiness, group, stopper }
    }

    pub(crate) async fn batch(&mut self) -> Result<Vec<String>> {
        let batch = timeout(LONGEST, self.inbox.recv()).await.context("nothing was told")?;
        Ok(batch.context("the site is not followed any more")?.iter().map(word).collect())
    }

    /// Everything that is told until this is, this included.
    pub(crate) async fn until(&mut self, wanted: &str) -> Result<BTreeSet<String>> {
        let mut words = BTreeSet::new();
        while !words.contains(wanted) {
            let batch =
                self.batch().await.with_context(|| format!("waiting for {wanted} after {words:?}"))?;
            words.extend(batch);
        }
        Ok(words)
    }

    pub(crate) async fn stop(self) {
        self.stopper.stop();
        assert_eq!(self.group.drain(LONGEST).await, 0, "it stops when it is told to");
    }
}

pub(crate) fn definition(kind: &str) -> Value {
    definitions().iter().find(|one| one.kind == kind).expect("the kind is one of ours").resource()
}

pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

pub(crate) fn virtual_service(name: &str) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"hosts": ["cart"], "http": [{"route": [{"destination": {"host": "cart"}}]}]}
    })
}

/// What of it is about routes. API servers make objects of their own when they come up.
pub(crate) fn routes(words: BTreeSet<String>) -> BTreeSet<String> {
    words.into_iter().filter(|word| word[1..].starts_with("VirtualService")).collect()
}

pub(crate) fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_followed_through_everything() -> Result<()> {
    let mut server = ApiServer::start(&[]).await?;
    server.apply(&namespace("shop")).await?;
    let mut heard = Heard::new(site(&server));
    let first = heard.batch().await?;
    assert!(first.contains(&"+Namespace shop".to_owned()), "the first batch is everything: {first:?}");

    // Kinds that are installed later.
    server.apply(&definition("VirtualService")).await?;
    server.apply(&virtual_service("a")).await?;
    heard.until("+VirtualService shop/a").await?;

    // What depends on several objects, in an order that is not the handy one.
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "cart-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "cart"}},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": "cart-1", "namespace": "shop"}}]
    });
    server.apply(&slice).await?;
    heard.until("+EndpointSlice shop/cart-x").await?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cart-1", "namespace": "shop", "labels": {"app": "cart"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "none"}]}
    });
    server.apply(&pod).await?;
    let both = heard.until("+Pod shop/cart-1").await?;
    assert_eq!(
        both,
        set(&["+EndpointSlice shop/cart-x", "+Pod shop/cart-1"]),
        "the endpoint waited for its pod"
    );
    let labels = json!({"topology.kubernetes.io/region": "r", "topology.kubernetes.io/zone": "z"});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": labels}});
    server.apply(&node).await?;
    heard.until("+Pod shop/cart-1").await?;

    // A status is nobody's change.
    let condition = json!({"conditions": [{"type": "Accepted", "status": "True"}], "own": {"deep": [1]}});
    server.merge_status(&virtual_service("a"), &condition).await?;

    // An API server that dies and comes back has nothing to tell but what is new.
    server.kill().await?;
    server.restart().await?;
    server.apply(&virtual_service("b")).await?;
    assert_eq!(heard.until("+VirtualService shop/b").await?, set(&["+VirtualService shop/b"]));

    // A kind that goes and comes back.
    server.delete(&definition("VirtualService")).await?;
    let mut gone = heard.until("-VirtualService shop/a").await?;
    if !gone.contains("-VirtualService shop/b") {
        gone.extend(heard.until("-VirtualService shop/b").await?);
    }
    assert_eq!(gone, set(&["-VirtualService shop/a", "-VirtualService shop/b"]));
    server.gone(&definition("VirtualService")).await?;
    server.apply(&definition("VirtualService")).await?;
    server.apply(&virtual_service("c")).await?;
    heard.until("+VirtualService shop/c").await?;

    // Objects that no judge can decode, where the definition lets them through.
    let mut loose = definition("VirtualService");
    for version in loose["spec"]["versions"].as_array_mut().expect("it has versions") {
        version["schema"]["openAPIV3Schema"] =
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    }
    server.apply(&loose).await?;
    let mut broken = virtual_service("c");
    broken["spec"]["hosts"] = json!({"a": "b"});
    let taken = async { while server.try_apply(&broken).await.is_err() {} };
    timeout(LONGEST, taken).await.context("the looser definition has no effect")?;
    timeout(LONGEST, heard.findings.wait_for(|findings| findings.iter().any(|one| one.code.id == "PH0004")))
        .await
        .context("the broken object is not reported")??;
    server.apply(&virtual_service("d")).await?;
    assert_eq!(
        heard.until("+VirtualService shop/d").await?,
        set(&["+VirtualService shop/d"]),
        "the watch goes on"
    );
    heard.stop().await;
    Ok(())
}
