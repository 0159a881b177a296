//! All streams of the process: how many there are, whose they are, and how to ask one how it stands.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use pilothouse_xds::{Protocol, Snapshot, Unconfirmed, Version};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::discovery::admit::Refusal;
use crate::metrics::{DiscoveryMetrics, Open};
use crate::status::{Gone, ProxyStatus};

/// How long a stream may take to tell how it stands.
const ANSWER: Duration = Duration::from_secs(2);
/// Ended streams whose last words are kept for the next one. Only streams that end within a push have any, and they may
/// be long; what is forgotten costs a stale resource in a proxy, not traffic.
const REMEMBERED: usize = 256;
/// How long they are kept. A proxy that stays away longer has been restarted.
const REMEMBER: Duration = Duration::from_mins(10);
/// Proxies that went and are still shown.
const SHOWN_GONE: usize = 1000;
/// How long they are shown. Whoever looks for a proxy that is missing looks within this time, or asks who owns the pod.
const SHOW_GONE: Duration = Duration::from_mins(30);

/// All streams. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Streams(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    most_of_workload: usize,
    metrics: DiscoveryMetrics,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: usize,
    of_workload: HashMap<Arc<str>, usize>,
    admitted: BTreeMap<u64, Admitted>,
    words: HashMap<(Arc<str>, bool), (u64, Unconfirmed)>,
    words_order: VecDeque<(Instant, u64, (Arc<str>, bool))>,
    /// Oldest first.
    gone: VecDeque<(Instant, Gone)>,
}

/// What may be asked of an admitted stream.
#[derive(Debug)]
pub(crate) enum Question {
    /// How its proxy stands.
    Status(oneshot::Sender<ProxyStatus>),
    /// What its proxy is to have.
    Snapshot(oneshot::Sender<Arc<Snapshot>>),
}

#[derive(Debug)]
struct Admitted {
    /// `POD.NAMESPACE`.
    proxy: String,
    workload: Arc<str>,
    peer: IpAddr,
    questions: mpsc::Sender<Question>,
    /// The roots it was given, and whether it has answered; none if it never asked for them.
    roots: Option<(Version, bool)>,
}

/// A stream that counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    streams: Streams,
    /// Grows with each stream.
    pub(crate) id: u64,
    workload: Option<Arc<str>>,
    /// Held for its drop.
    counted: Option<Open>,
}

impl Streams {
    pub(crate) fn new(most: usize, most_of_workload: usize, metrics: DiscoveryMetrics) -> Self {
        Self(Arc::new(Shared { most, most_of_workload, metrics, state: Mutex::default() }))
    }

    /// Counts a stream of somebody who is not known yet.
    pub(crate) fn open(&self) -> Result<Place, Refusal> {
        let mut state = self.state();
        if state.open >= self.0.most {
            return Err(Refusal::TooManyStreams);
        }
        state.open += 1;
        state.last += 1;
        Ok(Place { streams: self.clone(), id: state.last, workload: None, counted: None })
    }

    /// How all admitted streams stand, oldest first.
    pub(crate) async fn status(&self) -> Vec<ProxyStatus> {
        let asked: Vec<_> = self.state().admitted.values().map(|stream| stream.questions.clone()).collect();
        let answers = asked.into_iter().map(|stream| ask(stream, Question::Status));
        join_all(answers).await.into_iter().flatten().collect()
    }

    /// Proxies that went a short while ago and have no stream now, sorted by proxy.
    pub(crate) fn gone(&self) -> Vec<Gone> {
        let now = Instant::now();
        let mut state = self.state();
        state.forget_gone(now);
        let mut gone: Vec<Gone> = state.gone.iter().map(|(_, gone)| gone.clone()).collect();
        drop(state);
        gone.sort_by(|a, b| a.last.proxy.cmp(&b.last.proxy));
        gone
    }

    /// What a connected proxy, `POD.NAMESPACE`, is to have; by its newest stream.
    pub(crate) async fn snapshot(&self, proxy: &str) -> Option<Arc<Snapshot>> {
        let newest = self.state().admitted.values().rfind(|stream| stream.proxy == proxy)?.questions.clone();
        ask(newest, Question::Snapshot).await
    }

    /// A stream sends its proxy roots.
    pub(crate) fn gave_roots(&self, stream: u64, roots: Version) {
        if let Some(admitted) = self.state().admitted.get_mut(&stream) {
            admitted.roots = Some((roots, false));
        }
    }

    /// A proxy has answered the roots it was given last.
    pub(crate) fn took_roots(&self, stream: u64) {
        if let Some((_, taken)) =
            self.state().admitted.get_mut(&stream).and_then(|admitted| admitted.roots.as_mut())
        {
            *taken = true;
        }
    }

    /// Whether all proxies that asked for roots have taken these.
    pub(crate) fn all_took(&self, roots: Version) -> bool {
        self.state().admitted.values().all(|admitted| admitted.roots.is_none_or(|held| held == (roots, true)))
    }

    /// Keeps what the next stream of this workload must know.
    pub(crate) fn remember(&self, workload: &Arc<str>, protocol: Protocol, words: Unconfirmed) {
        let now = Instant::now();
        let mut state = self.state();
        state.last += 1;
        let (at, key) = (state.last, (workload.clone(), protocol == Protocol::Delta));
        state.words.insert(key.clone(), (at, words));
        state.words_order.push_back((now, at, key));
        while state.words_order.len() > REMEMBERED
            || state.words_order.front().is_some_and(|(since, ..)| now - *since > REMEMBER)
        {
            let Some((_, at, key)) = state.words_order.pop_front() else { break };
            if state.words.get(&key).is_some_and(|(newest, _)| *newest == at) {
                state.words.remove(&key);
            }
        }
    }

    /// What the last stream of this workload left to know.
    pub(crate) fn recall(&self, workload: &Arc<str>, protocol: Protocol) -> Option<Unconfirmed> {
        let key = (workload.clone(), protocol == Protocol::Delta);
        self.state().words.remove(&key).map(|(_, words)| words)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics while it holds the lock")
    }
}

impl State {
    fn forget_gone(&mut self, now: Instant) {
        while self.gone.len() > SHOWN_GONE
            || self.gone.front().is_some_and(|(since, _)| now - *since > SHOW_GONE)
        {
            self.gone.pop_front();
        }
    }
}

/// Asks a stream; `None` if it does not answer in time.
async fn ask<T>(stream: mpsc::Sender<Question>, question: fn(oneshot::Sender<T>) -> Question) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    let asked = async move {
        stream.send(question(reply)).await.ok()?;
        answer.await.ok()
    };
    timeout(ANSWER, asked).await.ok()?
}

impl Place {
    /// The stream is admitted; from now on it answers questions. Tells another address from which the same workload has
    /// a stream: a token may have been carried off.
    pub(crate) fn admit(
        &mut self,
        workload: &Arc<str>,
        proxy: String,
        peer: IpAddr,
        questions: mpsc::Sender<Question>,
    ) -> Result<Option<IpAddr>, Refusal> {
        let mut state = self.streams.state();
        let count = state.of_workload.entry(workload.clone()).or_default();
        if *count >= self.streams.0.most_of_workload {
            return Err(Refusal::TooManyOfWorkload);
        }
        *count += 1;
        // Only a workload with several streams is looked for among all.
        let elsewhere = (*count > 1)
            .then(|| state.admitted.values().find(|other| other.workload == *workload && other.peer != peer))
            .flatten()
            .map(|other| other.peer);
        state.gone.retain(|(_, gone)| gone.last.proxy != proxy);
        let admitted = Admitted { proxy, workload: workload.clone(), peer, questions, roots: None };
        state.admitted.insert(self.id, admitted);
        drop(state);
        self.workload = Some(workload.clone());
        self.counted = Some(self.streams.0.metrics.stream());
        Ok(elsewhere)
    }

    /// The stream has ended. Unless its proxy has another one, it is shown among those that went.
    pub(crate) fn gone(&self, gone: Gone) {
        let now = Instant::now();
        let mut state = self.streams.state();
        let streams = self.workload.as_ref().and_then(|workload| state.of_workload.get(workload));
        if streams.is_some_and(|streams| *streams > 1) {
            return;
        }
        state.admitted.remove(&self.id);
        state.gone.retain(|(_, before)| before.last.proxy != gone.last.proxy);
        state.gone.push_back((now, gone));
        state.forget_gone(now);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.streams.state();
        state.open -= 1;
        state.admitted.remove(&self.id);
        if let Some(workload) = &self.workload
            && let Some(count) = state.of_workload.get_mut(workload)
        {
            *count -= 1;
            if *count == 0 {
                state.of_workload.remove(workload);
            }
        }
    }
}

/// Says each thing once: a refused proxy comes back every few seconds, and the log should not.
#[derive(Debug, Default)]
pub(crate) struct Said(Mutex<VecDeque<(SystemTime, String)>>);

/// Things remembered as said.
const SAID: usize = 512;
/// After how long a thing may be said again.
const SAY_AGAIN: Duration = Duration::from_mins(10);

impl Said {
    /// Whether to say it now.
    pub(crate) fn first(&self, what: &str, now: SystemTime) -> bool {
        let mut said = self.0.lock().expect("nothing panics while it holds the lock");
        said.retain(|(at, _)| now.duration_since(*at).is_ok_and(|age| age < SAY_AGAIN));
        if said.iter().any(|(_, before)| before == what) {
            return false;
        }
        if said.len() == SAID {
            said.pop_front();
        }
        said.push_back((now, what.to_owned()));
        true
    }
}

#[cfg(test)]
mod tests;
