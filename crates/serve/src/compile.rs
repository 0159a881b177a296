//! The loop that feeds the engine.
//!
//! It owns the engine. Changes come from sources, questions and proxies from streams; both wait in bounded queues
//! while a batch is compiled. What is compiled leaves through one slot per stream: a slow proxy finds the newest
//! snapshot there and never a queue.
//!
//! Compiling happens off the threads that serve sockets, one piece of work at a time, so the engine needs no lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use pilothouse_base::{Kind, Name, Namespace, ObjectKey};
use pilothouse_config::Mesh;
use pilothouse_diag::Diagnostic;
use pilothouse_runtime::Stop;
use pilothouse_xds::Snapshot;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error};

use crate::metrics::CompileMetrics;
use pilothouse_engine::{Bug, Change, Commit, Engine, Proxy, ProxyId, WorkloadFacts};

mod lanes;

pub use lanes::Pacing;
use lanes::{Lanes, Paced};

/// Questions and proxies that may wait.
const COMMANDS: usize = 1024;
/// Pods whose proxies wait for a bug to go; more are not remembered.
const WAITING: usize = 1024;
/// How long nothing must change before findings are collected again: they are for people.
const FINDINGS_QUIET: Duration = Duration::from_millis(200);

/// What the loop needs of the engine; tests put a simpler one in its place.
pub(crate) trait Compiler: Send + 'static {
    fn apply(&mut self, batch: Vec<Change>) -> Commit;
    fn connect(&mut self, proxy: Proxy) -> (ProxyId, Option<Arc<Snapshot>>);
    fn disconnect(&mut self, id: ProxyId);
    /// What bugs stand in the way of parts of the configuration, in words.
    fn bugs(&self) -> BTreeSet<String>;
    fn diagnostics(&self) -> Vec<Diagnostic>;
    fn workload(&self, namespace: &Namespace, pod: &Name) -> Option<WorkloadFacts>;
    fn mesh(&self) -> Arc<Mesh>;
}

impl Compiler for Engine {
    fn apply(&mut self, batch: Vec<Change>) -> Commit {
        Engine::apply(self, batch)
    }

    fn connect(&mut self, proxy: Proxy) -> (ProxyId, Option<Arc<Snapshot>>) {
        Engine::connect(self, proxy)
    }

    fn bugs(&self) -> BTreeSet<String> {
        let words = |bug: &Bug| {
            let objects: Vec<String> = bug.objects().iter().map(ToString::to_string).collect();
            format!("{bug}, read: {}", objects.join(", "))
        };
        self.bugs().keys().map(|bug| words(bug)).collect()
    }

    fn disconnect(&mut self, id: ProxyId) {
        Engine::disconnect(self, id);
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        Engine::diagnostics(self)
    }

    fn workload(&self, namespace: &Namespace, pod: &Name) -> Option<WorkloadFacts> {
        Engine::workload(self, namespace, pod)
    }

    fn mesh(&self) -> Arc<Mesh> {
        Engine::mesh(self)
    }
}

impl Paced for Change {
    fn urgent(&self) -> bool {
        Change::urgent(self)
    }

    fn key(&self) -> &ObjectKey {
        Change::key(self)
    }
}

/// What everybody may know of the newest revision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    /// Whether the first batch of the sources is in. Before that, an answer would take everything away from proxies
    /// that kept running while we were gone.
    pub(crate) started: bool,
    /// The newest revision.
    pub(crate) revision: u64,
    /// Mesh settings of that revision.
    pub(crate) mesh: Arc<Mesh>,
}

/// The stream's end of the loop.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    commands: mpsc::Sender<Command>,
    published: watch::Receiver<Published>,
    trust_domain: watch::Receiver<Name>,
    findings: watch::Receiver<Arc<[Diagnostic]>>,
}

/// The loop's end of the handles.
pub(crate) struct Inbox {
    commands: mpsc::Receiver<Command>,
    gone: mpsc::UnboundedReceiver<ProxyId>,
    published: watch::Sender<Published>,
    trust_domain: watch::Sender<Name>,
    findings: watch::Sender<Arc<[Diagnostic]>>,
    goodbye: mpsc::UnboundedSender<ProxyId>,
}

/// The loop has ended: the process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the control plane is stopping")]
pub(crate) struct Stopped;

/// Why a proxy could not be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A bug of ours stands in the way, and there is no last good state. Waiting helps once the object that causes it changes.
    #[error("the configuration of this proxy cannot be compiled")]
    Bug,
}

enum Command {
    Connect { proxy: Box<Proxy>, reply: oneshot::Sender<Option<Connection>> },
    Workload { namespace: Namespace, pod: Name, reply: oneshot::Sender<Option<WorkloadFacts>> },
}

/// A proxy that the engine compiles for. Dropping it says goodbye.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ProxyId,
    /// The newest snapshot.
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What is known of its pod; changes when that does.
    pub(crate) workload: watch::Receiver<Option<WorkloadFacts>>,
    /// Holds at most one message for each stream, so it needs no bound of its own.
    gone: mpsc::UnboundedSender<ProxyId>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Nobody listens any more when the process stops.
        let _ = self.gone.send(self.id);
    }
}

/// Both ends.
pub(crate) fn channel() -> (Handle, Inbox) {
    let (commands, commands_in) = mpsc::channel(COMMANDS);
    // Bounded by the streams: each sends one message, when it ends.
    let (gone, gone_in) = mpsc::unbounded_channel();
    let (published_out, published) = watch::channel(Published::default());
    let (trust_domain_out, trust_domain) = watch::channel(published.borrow().mesh.trust_domain.clone());
    let (findings_out, findings) = watch::channel(Arc::from([]));
    let inbox = Inbox {
        commands: commands_in,
        gone: gone_in,
        published: published_out,
        trust_domain: trust_domain_out,
        findings: findings_out,
        goodbye: gone,
    };
    (Handle { commands, published, trust_domain, findings }, inbox)
}

impl Handle {
    /// Has the engine compile for a proxy from now on.
    pub(crate) async fn connect(&self, proxy: Proxy) -> Result<Connection, ConnectError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Connect { proxy: Box::new(proxy), reply };
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)?.ok_or(ConnectError::Bug)
    }

    /// What is known of a pod.
    pub(crate) async fn workload(
        &self,
        namespace: &Namespace,
        pod: &Name,
    ) -> Result<Option<WorkloadFacts>, Stopped> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Workload { namespace: namespace.clone(), pod: pod.clone(), reply };
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// The newest revision.
    pub(crate) fn published(&self) -> watch::Receiver<Published> {
        self.published.clone()
    }

    /// The trust domain of the newest revision. Apart from the rest, so that who waits for it sleeps through others.
    pub(crate) fn trust_domain(&self) -> watch::Receiver<Name> {
        self.trust_domain.clone()
    }

    /// What there is to say about the objects, a moment behind the newest revision.
    pub(crate) fn findings(&self) -> Arc<[Diagnostic]> {
        self.findings.borrow().clone()
    }
}

/// One trip to the compiler.
#[derive(Default)]
struct Work {
    gone: Vec<ProxyId>,
    commands: Vec<Command>,
    batch: Option<Vec<Change>>,
    findings: bool,
}

impl Work {
    fn is_empty(&self) -> bool {
        let Self { gone, commands, batch, findings } = self;
        gone.is_empty() && commands.is_empty() && batch.is_none() && !findings
    }
}

/// What the loop moves to the compiling thread and back.
struct Workshop<C> {
    compiler: C,
    slots: BTreeMap<ProxyId, Slot>,
    /// Connected proxies by the pod they speak for.
    of_pod: HashMap<(Namespace, Name), BTreeSet<ProxyId>>,
    /// Proxies that were turned away because of a bug and come again. The engine keeps them so that the bug is shown for as long
    /// as it harms somebody, and not met again with each of their tries.
    waiting: BTreeMap<(Namespace, Name), ProxyId>,
    /// The bugs that were told.
    bugs: BTreeSet<String>,
    /// Whether findings are to be collected because the bugs are other ones.
    news: bool,
    published: watch::Sender<Published>,
    trust_domain: watch::Sender<Name>,
    findings: watch::Sender<Arc<[Diagnostic]>>,
    goodbye: mpsc::UnboundedSender<ProxyId>,
    metrics: CompileMetrics,
}

/// Where the stream of a proxy finds what is new.
struct Slot {
    snapshots: watch::Sender<Arc<Snapshot>>,
    workload: watch::Sender<Option<WorkloadFacts>>,
    pod: (Namespace, Name),
}

/// Runs until stop is said. A closed `changes` only means that nothing will change any more.
pub(crate) async fn run<C: Compiler>(
    compiler: C,
    pacing: Pacing,
    mut changes: mpsc::Receiver<Vec<Change>>,
    inbox: Inbox,
    metrics: CompileMetrics,
    stop: Stop,
) -> Result<(), tokio::task::JoinError> {
    let Inbox { mut commands, mut gone, published, trust_domain, findings, goodbye } = inbox;
    let mut workshop = Workshop {
        compiler,
        slots: BTreeMap::new(),
        of_pod: HashMap::new(),
        waiting: BTreeMap::new(),
        bugs: BTreeSet::new(),
        news: false,
        published,
        trust_domain,
        findings,
        goodbye,
        metrics,
    };
    let mut lanes = Lanes::new(pacing);
    let mut findings_due: Option<Instant> = None;
    let mut started = false;
    let mut open = true;
    loop {
        let now = Instant::now();
        let due = lanes.due(now);
        let mut work = Work::default();
        tokio::select! {
            biased;
            () = stop.stopped() => return Ok(()),
            batch = changes.recv(), if open => match batch {
                // The first batch counts even if there is nothing in it: the sources have looked.
                Some(batch) => {
                    started = true;
                    lanes.add(batch, Instant::now());
                }
                None => open = false,
            },
            Some(id) = gone.recv() => work.gone.push(id),
            Some(command) = commands.recv() => work.commands.push(command),
            () = sleep_until(due.unwrap_or(now)), if due.is_some() => {}
            () = sleep_until(findings_due.unwrap_or(now)), if findings_due.is_some() => work.findings = true,
        }
        while let Ok(batch) = changes.try_recv() {
            started = true;
            lanes.add(batch, Instant::now());
        }
        while let Ok(id) = gone.try_recv() {
            work.gone.push(id);
        }
        while work.commands.len() < COMMANDS
            && let Ok(command) = commands.try_recv()
        {
            work.commands.push(command);
        }
        let batch = lanes.take(Instant::now());
        let empty_start = started && !workshop.published.borrow().started && lanes.due(now).is_none();
        if !batch.is_empty() || empty_start {
            work.batch = Some(batch);
            findings_due = Some(Instant::now() + FINDINGS_QUIET);
        } else if work.findings {
            findings_due = None;
        }
        if !work.is_empty() {
            workshop = tokio::task::spawn_blocking(move || {
                workshop.run(work);
                workshop
            })
            .await?;
            if std::mem::take(&mut workshop.news) {
                findings_due.get_or_insert(Instant::now() + FINDINGS_QUIET);
            }
        }
    }
}

impl<C: Compiler> Workshop<C> {
    fn run(&mut self, work: Work) {
        let Work { gone, commands, batch, findings } = work;
        for id in gone {
            self.forget(id);
            self.compiler.disconnect(id);
        }
        if let Some(batch) = batch {
            self.apply(batch);
        }
        for command in commands {
            match command {
                // Nobody waits for the answer when the stream has ended meanwhile; then the connection drops itself.
                Command::Connect { proxy, reply } => drop(reply.send(self.connect(*proxy))),
                Command::Workload { namespace, pod, reply } => {
                    let _ = reply.send(self.compiler.workload(&namespace, &pod));
                }
            }
        }
        self.tell_bugs();
        if findings {
            self.findings.send_replace(self.compiler.diagnostics().into());
        }
    }

    /// Logs each bug once, when it appears.
    fn tell_bugs(&mut self) {
        let bugs = self.compiler.bugs();
        if bugs == self.bugs {
            return;
        }
        for bug in bugs.difference(&self.bugs) {
            self.metrics.panicked();
            error!(
                bug,
                revision = self.published.borrow().revision,
                "a bug stands in the way of a part of the configuration; proxies that need it keep their last good state. Please \
                 report it"
            );
        }
        self.metrics.bugs(bugs.len());
        self.bugs = bugs;
        self.news = true;
    }

    fn apply(&mut self, batch: Vec<Change>) {
        let changes = batch.len();
        let pods: BTreeSet<ObjectKey> =
            batch.iter().map(Change::key).filter(|key| key.kind == Kind::Pod).cloned().collect();
        let timer = self.metrics.timer();
        // Bugs in answers are the engine's to contain. This is for a bug in the engine itself: it must not take the control
        // plane into a crash loop, so proxies keep their last good snapshots, and the operator hears of it.
        let commit = catch_unwind(AssertUnwindSafe(|| self.compiler.apply(batch)));
        drop(timer);
        let commit = match commit {
            Ok(commit) => commit,
            Err(panic) => {
                self.metrics.panicked();
                error!(
                    changes,
                    revision = self.published.borrow().revision,
                    panic = panic_text(&*panic),
                    "compiling a batch panicked; proxies keep their last good state. This is a bug, please report it"
                );
                // At start there is no last good state here, but proxies have one: nothing is served before a batch
                // went through.
                self.published.send_modify(|_| {});
                return;
            }
        };
        self.tell_of_pods(pods);
        let Commit { revision, changed, counts: _ } = commit;
        debug!(revision, changes, proxies = changed.len(), "compiled");
        self.metrics.committed(changes, changed.len());
        self.let_come(&changed);
        for (id, snapshot) in changed {
            if let Some(slot) = self.slots.get(&id) {
                slot.snapshots.send_replace(snapshot);
            }
        }
        self.publish(revision);
    }

    fn publish(&self, revision: u64) {
        let mesh = self.compiler.mesh();
        self.trust_domain.send_if_modified(|known| {
            let news = *known != mesh.trust_domain;
            if news {
                known.clone_from(&mesh.trust_domain);
            }
            news
        });
        self.published.send_replace(Published { started: true, revision, mesh });
    }

    /// Tells the streams of changed pods, so that the end of a pod is the end of its stream.
    fn tell_of_pods(&mut self, pods: BTreeSet<ObjectKey>) {
        for ObjectKey { kind: _, namespace, name } in pods {
            let pod = (namespace, name);
            if self.waiting.contains_key(&pod) && self.compiler.workload(&pod.0, &pod.1).is_none() {
                self.wait_no_more(&pod);
            }
            let Some(ids) = self.of_pod.get(&pod) else { continue };
            let facts = self.compiler.workload(&pod.0, &pod.1);
            for slot in ids.iter().filter_map(|id| self.slots.get(id)) {
                slot.workload.send_if_modified(|known| {
                    let news = *known != facts;
                    if news {
                        known.clone_from(&facts);
                    }
                    news
                });
            }
        }
    }

    /// Forgets the proxies that waited for one of these: when they come again, they are served.
    fn let_come(&mut self, changed: &[(ProxyId, Arc<Snapshot>)]) {
        if self.waiting.is_empty() {
            return;
        }
        let ready: BTreeSet<ProxyId> = changed.iter().map(|(id, _)| *id).collect();
        let pods: Vec<_> =
            self.waiting.iter().filter(|(_, id)| ready.contains(id)).map(|(pod, _)| pod.clone()).collect();
        for pod in pods {
            self.wait_no_more(&pod);
        }
    }

    fn wait_no_more(&mut self, pod: &(Namespace, Name)) {
        if let Some(id) = self.waiting.remove(pod) {
            self.compiler.disconnect(id);
        }
    }

    fn forget(&mut self, id: ProxyId) {
        let Some(slot) = self.slots.remove(&id) else { return };
        if let Some(ids) = self.of_pod.get_mut(&slot.pod) {
            ids.remove(&id);
            if ids.is_empty() {
                self.of_pod.remove(&slot.pod);
            }
        }
    }

    fn connect(&mut self, proxy: Proxy) -> Option<Connection> {
        let what = format!("{}.{}", proxy.name, proxy.namespace);
        let pod = (proxy.namespace.clone(), proxy.name.clone());
        let (id, snapshot) = match catch_unwind(AssertUnwindSafe(|| self.compiler.connect(proxy))) {
            Ok(connected) => connected,
            Err(panic) => {
                self.metrics.panicked();
                error!(
                    proxy = what,
                    panic = panic_text(&*panic),
                    "compiling for a proxy panicked; it is not served. This is a bug, please report it"
                );
                return None;
            }
        };
        self.wait_no_more(&pod);
        let Some(snapshot) = snapshot else {
            if self.waiting.len() < WAITING {
                self.waiting.insert(pod, id);
            } else {
                self.compiler.disconnect(id);
            }
            return None;
        };
        let (snapshots_in, snapshots) = watch::channel(snapshot);
        let (workload_in, workload) = watch::channel(self.compiler.workload(&pod.0, &pod.1));
        self.of_pod.entry(pod.clone()).or_default().insert(id);
        self.slots.insert(id, Slot { snapshots: snapshots_in, workload: workload_in, pod });
        Some(Connection { id, snapshots, workload, gone: self.goodbye.clone() })
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests;
