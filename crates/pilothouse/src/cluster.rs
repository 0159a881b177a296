//! What a control plane that serves a cluster has from it: its CA, the proof of tokens, and what it writes there.

use std::convert::Infallible;
use std::sync::Arc;

use pilothouse_ca::Trust;
use pilothouse_config::NamespaceSelector;
use pilothouse_controllers::authority::CaSecrets;
use pilothouse_controllers::lease::{self, Candidate};
use pilothouse_controllers::{Client, bare, bundles, injection, proof, roots, tokens};
use pilothouse_diag::Diagnostic;
use pilothouse_runtime::{Clock, Group, Metrics, Stop, Tasks};
use pilothouse_serve::{ClusterTokens, Keys, ReviewCall, Settings, TokenSource};
use pilothouse_sources::{Site, SiteError, connect};
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::debug;

use crate::exit::{Exit, Failure, with_causes};
use crate::missing;
use crate::source::unread;

/// Tokens that may wait for the API server.
const REVIEWS: usize = 256;
/// Tokens that are put to it at the same time.
const REVIEWS_AT_ONCE: usize = 8;

/// A cluster, and this control plane in it.
pub(crate) struct Cluster {
    client: Client,
    namespace: String,
    revision: String,
}

impl Cluster {
    pub(crate) async fn connect(site: &Site) -> Result<Self, Failure> {
        let client = connect(&site.access).await.map_err(|error| unread(&SiteError::Access(error)))?;
        Ok(Self { client, namespace: site.namespace.clone(), revision: site.revision.clone() })
    }

    /// The names under which pods and the API server reach us, as Istio's manifests write them.
    pub(crate) fn server_names(&self) -> Vec<String> {
        let Self { client: _, namespace, revision } = self;
        let mut names = vec![format!("istiod.{namespace}.svc"), format!("pilothouse.{namespace}.svc")];
        if !revision.is_empty() && revision != "default" {
            names.push(format!("istiod-{revision}.{namespace}.svc"));
        }
        names
    }

    /// Finds the CA or makes it, and starts what keeps it and the proof of tokens up to date. `None` if stop is said
    /// while the API server is waited for.
    pub(crate) async fn keys(
        &self,
        settings: &Settings,
        clock: &Clock,
        tasks: &mut Tasks,
    ) -> Result<Option<Keys>, Failure> {
        let secrets =
            CaSecrets::new(self.client.clone(), &self.namespace, &settings.trust_domain, clock.clone());
        let found = secrets.load_or_create(&tasks.stop()).await;
        let found = found.map_err(|error| Failure::new(Exit::BadInput, with_causes(&error)))?;
        let Some(authority) = found else { return Ok(None) };
        let (offers_in, offers) = mpsc::channel(1);
        tasks.spawn("ca secret", secrets.follow(offers_in, tasks.stop()));
        let (verifier_in, verifier) = watch::channel(None);
        let following =
            tokens::follow_keys(self.client.clone(), settings.audiences.clone(), verifier_in, tasks.stop());
        tasks.spawn("token keys", following);
        let (reviews, calls) = mpsc::channel(REVIEWS);
        tasks.spawn("token reviews", review(self.client.clone(), calls, tasks.stop()));
        let tokens = TokenSource::Cluster(ClusterTokens { verifier, reviews });
        Ok(Some(Keys { authority, offers, tokens }))
    }

    /// Starts to hear what the cluster says about injection.
    pub(crate) fn injection(
        &self,
        maps: Vec<String>,
        tasks: &mut Tasks,
    ) -> watch::Receiver<Option<injection::Heard>> {
        let (heard_in, heard) = watch::channel(None);
        let which = injection::WhichSettings {
            namespace: self.namespace.clone(),
            maps,
            revision: self.revision.clone(),
        };
        let following = injection::follow(self.client.clone(), which, heard_in, tasks.stop());
        tasks.spawn("injection", following);
        heard
    }

    /// Starts to look for pods that injection missed, and lays what is found over the findings of the source.
    pub(crate) fn missing(
        &self,
        source: watch::Receiver<Arc<[Diagnostic]>>,
        metrics: Metrics,
        tasks: &mut Tasks,
    ) -> watch::Receiver<Arc<[Diagnostic]>> {
        let (seen_in, seen) = watch::channel(Arc::default());
        tasks.spawn("bare pods", bare::follow(self.client.clone(), seen_in, tasks.stop()));
        let (all_in, all) = watch::channel(source.borrow().clone());
        let joining = missing::join(source, seen, self.revision.clone(), metrics, all_in, tasks.stop());
        tasks.spawn("missing sidecars", joining);
        all
    }

    /// Starts what is written to the cluster.
    pub(crate) fn write(
        self,
        replica: String,
        clock: Clock,
        trust: watch::Receiver<Arc<Trust>>,
        selectors: watch::Receiver<Option<Arc<[NamespaceSelector]>>>,
        tasks: &mut Tasks,
    ) {
        let Self { client, namespace, revision } = self;
        let revision = if revision.is_empty() { "default".to_owned() } else { revision };
        let name = format!("pilothouse-{revision}");
        let (leads_in, leads) = watch::channel(false);
        let candidate = Candidate { namespace: namespace.clone(), name, holder: replica };
        tasks.spawn("lease", lease::hold(client.clone(), candidate, clock, leads_in, tasks.stop()));
        let distribute = roots::distribute(client.clone(), trust.clone(), selectors, leads, tasks.stop());
        tasks.spawn("roots", distribute);
        tasks.spawn("bundles", bundles::keep(client.clone(), revision.clone(), trust, tasks.stop()));
        tasks.spawn("proof", proof::keep(client, namespace, revision, tasks.stop()));
    }
}

/// Puts tokens to the API server, a few at the same time.
async fn review(client: Client, mut calls: mpsc::Receiver<ReviewCall>, stop: Stop) -> Result<(), Infallible> {
    let group = Group::new("reviews");
    let slots = Arc::new(Semaphore::new(REVIEWS_AT_ONCE));
    loop {
        let call = tokio::select! {
            () = stop.stopped() => return Ok(()),
            call = calls.recv() => call,
        };
        let Some(ReviewCall { token, audiences, reply }) = call else {
            stop.stopped().await;
            return Ok(());
        };
        let slot = slots.clone().acquire_owned().await.expect("nobody closes the semaphore");
        let client = client.clone();
        group.spawn("token", async move {
            let answer = tokens::review(&client, &token, &audiences).await;
            let answer = answer.inspect_err(|error| debug!(why = with_causes(error), "no review")).ok();
            // Whoever asked may have gone.
            let _ = reply.send(answer);
            drop(slot);
        });
    }
}
