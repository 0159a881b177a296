//! Following a site: a Kubernetes cluster, through its API.
//!
//! Each kind has a watch of its own (`watch`), which keeps only what is read of an object (`item`). What the watches see goes to the
//! pure half (`inventory`), which judges objects as the folder does, knows which watches are wanted, and says what changed. A
//! watch that starts again tells everything once more, and only the differences go on; so an API server that is sick or away
//! costs proxies nothing.
//!
//! Only reading verbs are used. Secrets are read in the namespaces where gateways run, and nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use pilothouse_diag::Diagnostic;
use pilothouse_runtime::{Condition, Group, Readiness, Stop, Stopper};
use tokio::sync::{mpsc, watch as slot};
use tracing::info;

mod access;
mod inventory;
mod item;
mod kinds;
mod mesh;
mod watch;

pub use access::{Access, AccessError, connect};
use inventory::Inventory;
use kinds::{Watch, Watched};
use watch::Report;

use crate::load::Loaded;
use crate::watch::Outlet;

/// Reports that may wait to be taken in; a full queue slows the watches down.
const WAITING: usize = 1024;
/// How long watches get to end.
const GRACE: Duration = Duration::from_secs(2);
/// How long one reading of a whole site may take.
const READING: Duration = Duration::from_mins(1);

/// A Kubernetes cluster to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// How it is reached.
    pub access: Access,
    /// The DNS domain of services, `cluster.local` normally.
    pub domain: String,
    /// The namespace of the control plane, where the mesh settings are.
    pub namespace: String,
    /// The name of this control plane among several (`istio.io/rev`): settings are in the ConfigMap `istio-REVISION`, and objects
    /// labelled for another revision do not count. Empty: settings in `istio`, and every object counts; `default`: as empty, but
    /// objects labelled for others do not count.
    pub revision: String,
    /// A further ConfigMap of that namespace, whose mesh settings hold where the own ones say nothing.
    pub shared_mesh_config: Option<String>,
}

/// A site cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// What says how to reach it is of no use. Waiting does not help.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It does not answer, or not as an API server does. Waiting may help.
    #[error("the API server does not answer")]
    Unreachable(#[source] Box<kube::Error>),
    /// It did not tell everything in time.
    #[error("the API server did not tell everything within {}s; missing: {}", READING.as_secs(), missing.join(", "))]
    Incomplete {
        /// The watches that are missing.
        missing: Vec<String>,
    },
    /// A watch panicked: a bug of ours.
    #[error("a watch broke off")]
    Watch,
}

/// Reads a site, then follows it until stop is said. Returns early only when it cannot know how to reach the API server; one that
/// is sick, slow or away is waited for.
pub async fn follow(site: Site, outlet: Outlet, stop: Stop) -> Result<(), SiteError> {
    let client = connect(&site.access).await?;
    follow_with(client, &site, &outlet, &stop).await.map(drop)
}

/// Reads a site once, for the commands that need no daemon.
pub async fn load_site(site: &Site) -> Result<Loaded, SiteError> {
    let client = connect(&site.access).await?;
    client.apiserver_version().await.map_err(|error| SiteError::Unreachable(Box::new(error)))?;
    let (changes, mut inbox) = mpsc::channel(1);
    let (findings, latest) = slot::channel::<Arc<[Diagnostic]>>(Arc::from([]));
    let loaded = Readiness::new().condition("the site is read");
    let outlet = Outlet { changes, findings, selectors: slot::Sender::new(None), loaded };
    let (stopper, stop) = Stop::pair();
    let following = follow_with(client, site, &outlet, &stop);
    let first = async {
        let first = tokio::time::timeout(READING, inbox.recv()).await;
        stopper.stop();
        first
    };
    let (followed, first) = tokio::join!(following, first);
    let changes = match (followed?, first) {
        (_, Ok(Some(changes))) => changes,
        (missing, _) => return Err(SiteError::Incomplete { missing }),
    };
    let diagnostics = latest.borrow().to_vec();
    Ok(Loaded { changes, diagnostics, files: 0 })
}

/// Follows until stop is said, and returns what was not told until then.
async fn follow_with(
    client: Client,
    site: &Site,
    outlet: &Outlet,
    stop: &Stop,
) -> Result<Vec<String>, SiteError> {
    let mut watches = Watches::new(client, stop.clone());
    let mut inventory = Inventory::new(site);
    watches.want(&mut inventory);
    let mut reports = Vec::new();
    let mut loaded = false;
    let mut allowances = BTreeMap::new();
    loop {
        tokio::select! {
            () = stop.stopped() => break,
            () = watches.group.panicked() => return Err(SiteError::Watch),
            _ = watches.inbox.recv_many(&mut reports, WAITING) => {}
        }
        for (number, report) in reports.drain(..) {
            if let Some(watch) = watches.names.get(&number) {
                inventory.take(watch, report);
            }
        }
        watches.want(&mut inventory);
        if !loaded {
            allow(&mut allowances, &inventory, &outlet.loaded);
            if !inventory.is_complete() {
                continue;
            }
        }
        let changes = inventory.changes();
        let selectors = inventory.selectors();
        outlet.selectors.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(selectors);
            if is_new {
                *known = Some(selectors.into());
            }
            is_new
        });
        if let Some(findings) = inventory.news() {
            outlet.findings.send_replace(findings.into());
        }
        if !loaded {
            info!(objects = inventory.objects(), "read the site");
        }
        if !loaded || !changes.is_empty() {
            tokio::select! {
                () = stop.stopped() => break,
                sent = outlet.changes.send(changes) => if sent.is_err() {
                    // Nobody listens any more; whoever did says why.
                    stop.stopped().await;
                    break;
                },
            }
        }
        if !loaded {
            outlet.loaded.ready();
            loaded = true;
        }
    }
    watches.group.drain(GRACE).await;
    Ok(inventory.missing())
}

/// Lets readiness name what the API server does not let us read, as long as that is missing.
fn allow(allowances: &mut BTreeMap<Watched, Condition>, inventory: &Inventory, loaded: &Condition) {
    let refused = inventory.refused();
    for kind in &refused {
        allowances.entry(*kind).or_insert_with(|| loaded.beside(kind.allowed()));
    }
    for (kind, condition) in allowances {
        if refused.contains(kind) {
            condition.lost();
        } else {
            condition.ready();
        }
    }
}

/// The watches that run.
struct Watches {
    client: Client,
    stop: Stop,
    group: Group,
    outbox: mpsc::Sender<(u64, Report)>,
    inbox: mpsc::Receiver<(u64, Report)>,
    /// A watch that was started again has a new number, so that late words of the old one are not mistaken for its own.
    next: u64,
    names: BTreeMap<u64, Watch>,
    running: BTreeMap<Watch, (u64, Stopper)>,
}

impl Watches {
    fn new(client: Client, stop: Stop) -> Self {
        let (outbox, inbox) = mpsc::channel(WAITING);
        let group = Group::new("watches");
        let (names, running) = (BTreeMap::new(), BTreeMap::new());
        Self { client, stop, group, outbox, inbox, next: 0, names, running }
    }

    /// Starts the watches that are wanted and ends the others.
    fn want(&mut self, inventory: &mut Inventory) {
        let Some(wanted) = inventory.wanted() else { return };
        let unwanted: Vec<Watch> =
            self.running.keys().filter(|watch| !wanted.contains(*watch)).cloned().collect();
        for watch in unwanted {
            if let Some((number, stopper)) = self.running.remove(&watch) {
                stopper.stop();
                self.names.remove(&number);
                inventory.forget(&watch);
            }
        }
        for watch in wanted {
            if self.running.contains_key(&watch) {
                continue;
            }
            let number = self.next;
            self.next += 1;
            let (stopper, stop) = self.stop.narrower();
            let outlet = watch::Outlet { number, reports: self.outbox.clone() };
            let what = watch.to_string();
            self.group.spawn(&what, watch::run(self.client.clone(), watch.clone(), outlet, stop));
            self.names.insert(number, watch.clone());
            self.running.insert(watch, (number, stopper));
        }
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        for (_, stopper) in self.running.values() {
            stopper.stop();
        }
    }
}
