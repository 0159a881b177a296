//! Many proxies at once, and what becomes of a change.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pilothouse_runtime::Group;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::client::Client;
use crate::counts::{Counts, Received};
use crate::facts::Reader;
use crate::link::{Broken, Talk, talk};
use crate::message::{Protocol, Request, Response};
use crate::proxy::Proxy;
use crate::target::Target;

/// Simulated proxies that stay connected until this is closed.
#[derive(Debug)]
pub struct Fleet {
    ledger: Arc<Ledger>,
    group: Group,
}

/// What the proxies write down.
#[derive(Debug)]
struct Ledger {
    tallies: Vec<Mutex<Tally>>,
    /// Rung when a proxy has everything for the first time.
    configured: Notify,
    last: Mutex<Instant>,
}

/// What one proxy has seen.
#[derive(Clone, Debug, Default)]
struct Tally {
    counts: Counts,
    /// When it had everything for the first time.
    configured: Option<Instant>,
    /// Its last acknowledgement.
    acknowledged: Option<Instant>,
    breaks: u64,
    /// Why its last stream broke.
    why: Option<String>,
}

/// A moment, and how things stood then.
#[derive(Clone, Debug)]
pub struct Mark {
    at: Instant,
    counts: Vec<Counts>,
}

impl Mark {
    /// The moment.
    pub fn at(&self) -> Instant {
        self.at
    }
}

/// What became of a change.
#[derive(Clone, Debug, Default)]
pub struct Effect {
    /// From the mark to the last acknowledgement of each proxy that heard something, sorted.
    pub delays: Vec<Duration>,
    /// What all proxies received.
    pub counts: Counts,
}

/// Not all proxies got everything in time.
#[derive(Debug, thiserror::Error)]
#[error("{ready} of {of} proxies are configured; one that is not says: {why}")]
pub struct Unfinished {
    /// Proxies that have everything.
    pub ready: usize,
    /// All proxies.
    pub of: usize,
    /// Why one of them does not.
    pub why: String,
}

impl Fleet {
    /// Connects all proxies at once. Who is not let in, or loses its stream, comes back after `retry`.
    pub fn start(target: &Target, protocol: Protocol, proxies: Vec<Proxy>, retry: Duration) -> Self {
        let ledger = Arc::new(Ledger {
            tallies: proxies.iter().map(|_| Mutex::default()).collect(),
            configured: Notify::new(),
            last: Mutex::new(Instant::now()),
        });
        let (group, reader) = (Group::new("proxies"), Arc::new(Reader::default()));
        for (index, proxy) in proxies.into_iter().enumerate() {
            let (target, ledger, reader) = (target.clone(), ledger.clone(), reader.clone());
            group.spawn("proxy", async move {
                loop {
                    let client = Client::new(protocol, proxy.node(), reader.clone());
                    let mut seat = Seat { client, ledger: ledger.clone(), index };
                    let broken = talk(&target, protocol, proxy.token.as_ref(), &mut seat).await;
                    drop(seat);
                    ledger.broke(index, &broken);
                    sleep(retry).await;
                }
            });
        }
        Self { ledger, group }
    }

    /// How many proxies there are.
    pub fn len(&self) -> usize {
        self.ledger.tallies.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ledger.tallies.is_empty()
    }

    /// Waits until all proxies have had everything once; when each had, sorted.
    pub async fn configured(&self, patience: Duration) -> Result<Vec<Instant>, Unfinished> {
        let deadline = Instant::now() + patience;
        loop {
            let rung = self.ledger.configured.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            let mut moments: Vec<Instant> = self.tallies(|tally| tally.configured).flatten().collect();
            if moments.len() == self.len() {
                moments.sort_unstable();
                return Ok(moments);
            }
            if timeout_at(deadline, rung).await.is_err() {
                let missing = self.tallies(Tally::clone).find(|tally| tally.configured.is_none());
                let why =
                    missing.and_then(|tally| tally.why).unwrap_or_else(|| "something is missing".into());
                return Err(Unfinished { ready: moments.len(), of: self.len(), why });
            }
        }
    }

    /// What all proxies received so far.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.tallies(|tally| tally.counts).for_each(|counts| sum += counts);
        sum
    }

    /// How often streams broke so far.
    pub fn breaks(&self) -> u64 {
        self.tallies(|tally| tally.breaks).sum()
    }

    /// The start of a change.
    pub fn mark(&self) -> Mark {
        let counts = self.tallies(|tally| tally.counts).collect();
        Mark { at: Instant::now(), counts }
    }

    /// Waits until nothing has arrived for `quiet`, then says what arrived since the mark. Where nothing arrives at all it gives up
    /// after `patience`.
    pub async fn effect(&self, mark: &Mark, quiet: Duration, patience: Duration) -> Effect {
        loop {
            let last = *lock(&self.ledger.last);
            let until = if last > mark.at { last + quiet } else { mark.at + patience };
            if until <= Instant::now() {
                break;
            }
            sleep_until(until).await;
        }
        let mut effect = Effect::default();
        for (tally, before) in self.tallies(Tally::clone).zip(&mark.counts) {
            let since = tally.counts - *before;
            if since.total().messages == 0 {
                continue;
            }
            effect.counts += since;
            effect.delays.extend(tally.acknowledged.map(|at| at.saturating_duration_since(mark.at)));
        }
        effect.delays.sort_unstable();
        effect
    }

    /// Disconnects all proxies.
    pub async fn close(self) {
        self.group.drain(Duration::ZERO).await;
    }

    fn tallies<T>(&self, read: impl Fn(&Tally) -> T) -> impl Iterator<Item = T> {
        self.ledger.tallies.iter().map(move |tally| read(&lock(tally)))
    }
}

impl Ledger {
    fn tally(&self, index: usize) -> MutexGuard<'_, Tally> {
        lock(&self.tallies[index])
    }

    fn broke(&self, index: usize, why: &Broken) {
        let mut tally = self.tally(index);
        tally.breaks += 1;
        tally.why = Some(why.to_string());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A proxy and its page of the ledger.
struct Seat {
    client: Client,
    ledger: Arc<Ledger>,
    index: usize,
}

impl Talk for Seat {
    fn open(&mut self) -> Request {
        self.client.open()
    }

    fn receive(&mut self, response: &Response, bytes: usize) -> Vec<Request> {
        if let Some(kind) = response.kind() {
            let received = Received {
                messages: 1,
                resources: response.resources.len() as u64,
                removed: response.removed.len() as u64,
                bytes: bytes as u64,
            };
            self.ledger.tally(self.index).counts.add(kind, received);
        }
        self.client.receive(response)
    }

    fn said(&mut self) {
        let now = Instant::now();
        *lock(&self.ledger.last) = now;
        let mut tally = self.ledger.tally(self.index);
        tally.acknowledged = Some(now);
        if tally.configured.is_none() && self.client.is_configured() {
            tally.configured = Some(now);
            self.ledger.configured.notify_waiters();
        }
    }
}
