//! One stream: a loop that hears the proxy, the engine, the CA and the clock, and tells the protocol's state machine.
//!
//! What is sent waits here in a short queue until the connection takes it. While something waits, no newer snapshot
//! is taken from the slot and only few requests are read, so a proxy that does not read costs no memory, and in the
//! end its stream.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pilothouse_base::Name;
use pilothouse_ca::Trust;
use pilothouse_ca::token::TokenIdentity;
use pilothouse_runtime::entropy;
use pilothouse_xds::{Protocol, Request, ResourceType, Response, Snapshot, Subscriber};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tonic::{Status, Streaming};
use tracing::{debug, info, warn};

use crate::compile::Connection;
use crate::discovery::Discovery;
use crate::discovery::admit::Refusal;
use crate::discovery::session::{self, Session};
use crate::discovery::streams::{Place, Question};
use crate::discovery::wire::{Incoming, Outgoing};
use crate::listen::{InUse, Peer};
use crate::status::{self, Gone, seconds};

mod leaf;
mod report;

use leaf::LeafState;

/// Responses that may wait before no more requests are read.
const QUEUE: usize = 16;
/// Questions about the stream that may wait.
const QUESTIONS: usize = 4;
/// How long the last words to a client may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// Revisions whose arrival is remembered.
const ARRIVALS: usize = 32;

/// A stream that was opened.
pub(crate) struct Call {
    pub(crate) token: Option<TokenIdentity>,
    pub(crate) place: Place,
    pub(crate) protocol: Protocol,
    pub(crate) peer: Peer,
    pub(crate) used: InUse,
    pub(crate) incoming: Streaming<Incoming>,
    pub(crate) out: mpsc::Sender<Result<Outgoing, Status>>,
}

/// How a stream ended without anybody's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client closed it.
    Closed,
    /// It was old enough. The client comes back at once.
    Aged,
}

/// Serves a stream to its end.
pub(crate) async fn run(shared: Arc<Discovery>, call: Call) {
    let Call { token, mut place, protocol, peer, used, mut incoming, out } = call;
    let ended = match open(&shared, token, &mut place, &peer, &mut incoming).await {
        Ok(Some((session, connection, questions, first))) => {
            let proxy = session.proxy();
            info!(
                proxy,
                peer = %peer.address,
                stream = place.id,
                protocol = status::protocol_name(protocol),
                envoy = session.envoy,
                "connected"
            );
            let mut stream = Stream::new(&shared, protocol, session, connection, &place, &peer);
            let ended = stream.serve(first, incoming, &out, questions).await;
            stream.leave();
            let why = match &ended {
                Ok(End::Closed) => "the proxy closed the stream".to_owned(),
                Ok(End::Aged) => "the stream is old enough".to_owned(),
                Err(refusal) => refusal.to_string(),
            };
            info!(proxy, stream = place.id, reason = why, "disconnected");
            let gone = Gone { last: stream.report(), since: seconds(shared.clock.now()), reason: why };
            drop(stream);
            place.gone(gone);
            if let Err(refusal) = &ended {
                shared.metrics.refused(refusal.reason());
            }
            ended
        }
        Ok(None) => Ok(End::Closed),
        Err((refusal, proxy)) => {
            shared.refused(&refusal, proxy.as_deref(), &peer);
            Err(refusal)
        }
    };
    if let Err(refusal) = ended {
        // The client may be gone or not read; then nobody needs to hear it.
        let _ = timeout(GOODBYE, out.send(Err(refusal.status()))).await;
    }
    drop((place, used));
}

type Questions = mpsc::Receiver<Question>;
type Opened = (Session, Connection, Questions, Incoming);

/// Admits a stream; `None` if the client goes before. A refusal tells which proxy it was, as far as that is known.
async fn open(
    shared: &Discovery,
    token: Option<TokenIdentity>,
    place: &mut Place,
    peer: &Peer,
    incoming: &mut Streaming<Incoming>,
) -> Result<Option<Opened>, (Refusal, Option<String>)> {
    let claimed = token.as_ref().map(|token| format!("{}.{}", token.pod, token.namespace));
    let first = tokio::select! {
        () = shared.stop.stopped() => return Err((Refusal::Stopping, claimed)),
        first = timeout(shared.limits.first_request, incoming.message()) => first,
    };
    let first = match first {
        Ok(Ok(Some(first))) => first,
        Ok(Ok(None)) => return Ok(None),
        Ok(Err(error)) => {
            debug!(peer = %peer.address, %error, "a stream broke before its first request");
            return Ok(None);
        }
        Err(_) => return Err((Refusal::Silent, claimed)),
    };
    let bound = async {
        let (session, proxy) = session::bind(shared, first.node.as_ref(), token, peer).await?;
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let from = peer.address.ip();
        if let Some(elsewhere) = place.admit(&session.uid, session.proxy(), from, questions)? {
            shared.metrics.used_elsewhere();
            warn!(
                proxy = session.proxy(),
                peer = %from,
                other = %elsewhere,
                "one workload has streams from two addresses; was its token carried off?"
            );
        }
        let connection = session::connect(shared, proxy).await?;
        Ok((session, connection, asked))
    };
    let bound = tokio::select! {
        () = shared.stop.stopped() => Err(Refusal::Stopping),
        bound = bound => bound,
    };
    let named = claimed.or_else(|| first.node.as_ref().map(|node| node.id.chars().take(128).collect()));
    let (session, connection, asked) = bound.map_err(|refusal| (refusal, named))?;
    Ok(Some((session, connection, asked, first)))
}

/// The state of an admitted stream.
struct Stream<'a> {
    shared: &'a Discovery,
    session: Session,
    protocol: Protocol,
    subscriber: Subscriber,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    connection: Connection,
    trust: watch::Receiver<Arc<Trust>>,
    trust_domain: watch::Receiver<Name>,
    id: u64,
    peer: &'a Peer,
    connected: SystemTime,
    queue: VecDeque<Response>,
    /// Since when the first of the queue waits.
    waiting: Instant,
    /// When a push goes on without the answer it waits for.
    release_at: Option<Instant>,
    leaf: LeafState,
    arrivals: VecDeque<(u64, SystemTime)>,
}

impl<'a> Stream<'a> {
    fn new(
        shared: &'a Discovery,
        protocol: Protocol,
        session: Session,
        connection: Connection,
        place: &Place,
        peer: &'a Peer,
    ) -> Self {
        let mut snapshots = connection.snapshots.clone();
        let snapshot = snapshots.borrow_and_update().clone();
        let now = shared.clock.now();
        let arrivals = VecDeque::from([(snapshot.revision, now)]);
        let mut subscriber = Subscriber::new(protocol, shared.options, snapshot);
        if let Some(words) = shared.streams.recall(&session.uid, protocol) {
            subscriber.remember(words);
        }
        Self {
            trust: shared.certificates.trust(),
            trust_domain: shared.compile.trust_domain(),
            shared,
            session,
            protocol,
            subscriber,
            snapshots,
            connection,
            id: place.id,
            peer,
            connected: now,
            queue: VecDeque::new(),
            waiting: Instant::now(),
            release_at: None,
            leaf: LeafState::default(),
            arrivals,
        }
    }

    async fn serve(
        &mut self,
        first: Incoming,
        mut incoming: Streaming<Incoming>,
        out: &mpsc::Sender<Result<Outgoing, Status>>,
        mut questions: Questions,
    ) -> Result<End, Refusal> {
        let end_at = Instant::now() + self.age();
        self.trust.mark_unchanged();
        self.trust_domain.mark_unchanged();
        // It may have ended between the look at it and now.
        self.workload()?;
        self.request(first).await?;
        loop {
            let idle = self.queue.is_empty();
            let write_by = self.waiting + self.shared.limits.write;
            let look = self.secrets_due();
            tokio::select! {
                biased;
                () = self.shared.stop.stopped() => return Err(Refusal::Stopping),
                () = out.closed() => return Ok(End::Closed),
                () = sleep_until(end_at) => return self.aged(),
                permit = out.reserve(), if !idle => match permit {
                    Ok(permit) => self.send(permit),
                    Err(_) => return Ok(End::Closed),
                },
                () = sleep_until(write_by), if !idle => return Err(Refusal::Unread),
                message = incoming.message(), if self.queue.len() < QUEUE => match message {
                    Ok(Some(message)) => self.request(message).await?,
                    Ok(None) => return Ok(End::Closed),
                    Err(error) => {
                        debug!(proxy = self.session.proxy(), %error, "the stream broke");
                        return Ok(End::Closed);
                    }
                },
                changed = self.snapshots.changed(), if idle => match changed {
                    Ok(()) => self.snapshot(),
                    Err(_) => return Err(Refusal::Stopping),
                },
                Ok(()) = self.connection.workload.changed() => self.workload()?,
                Ok(()) = self.trust.changed() => self.new_trust().await?,
                Ok(()) = self.trust_domain.changed() => self.new_leaf().await?,
                () = until(look) => self.secrets().await?,
                () = release(self.release_at) => {
                    self.release_at = None;
                    let responses = self.subscriber.release();
                    self.enqueue(responses);
                }
                Some(question) = questions.recv() => self.answer(question),
            }
        }
    }

    /// How old the stream may get: its token is good for so long, and it is looked at anew after some time anyway.
    /// Chance keeps proxies that connected together from coming back together.
    fn age(&self) -> Duration {
        let most = self.shared.limits.stream_age;
        let [chance] = entropy::bytes::<1>();
        let age = most.saturating_sub(most / 10 * u32::from(chance) / 255);
        let left =
            self.session.expires().map(|at| at.duration_since(self.shared.clock.now()).unwrap_or_default());
        left.map_or(age, |left| left.min(age))
    }

    fn aged(&self) -> Result<End, Refusal> {
        let expired = self.session.expires().is_some_and(|at| at <= self.shared.clock.now());
        if expired { Err(Refusal::TokenExpired) } else { Ok(End::Aged) }
    }

    fn send(&mut self, permit: mpsc::Permit<'_, Result<Outgoing, Status>>) {
        let Some(response) = self.queue.pop_front() else { return };
        let bytes = response.resources.iter().map(|resource| resource.body.len()).sum();
        debug!(
            proxy = self.session.proxy(),
            kind = response.kind.short(),
            resources = response.resources.len(),
            removed = response.removed.len(),
            bytes,
            "push"
        );
        self.shared.metrics.sent(response.kind.short(), bytes);
        let versions = self.wire_versions(&response);
        permit.send(Ok(Outgoing { response, versions }));
        self.waiting = Instant::now();
    }

    fn enqueue(&mut self, responses: Vec<Response>) {
        if self.queue.is_empty() {
            self.waiting = Instant::now();
        }
        self.queue.extend(responses);
        self.watch_answers();
    }

    /// Starts the time after which a push goes on by itself, or stops it. Endpoints and secrets that go out meanwhile
    /// do not prolong it; answers do.
    fn watch_answers(&mut self) {
        if !self.subscriber.is_waiting() {
            self.release_at = None;
        } else if self.release_at.is_none() {
            self.release_at = Some(Instant::now() + self.shared.limits.answer);
        }
    }

    async fn request(&mut self, incoming: Incoming) -> Result<(), Refusal> {
        let Incoming { node, request } = incoming;
        if node.is_some_and(|node| !node.id.is_empty() && node.id != self.session.node_id) {
            return Err(Refusal::NodeChanged);
        }
        let mut request = match request {
            Ok(request) => request,
            Err(type_url) => {
                let type_url: String = type_url.chars().take(128).collect();
                debug!(proxy = self.session.proxy(), type_url, "a type that is not served");
                return Ok(());
            }
        };
        self.note_reported(&mut request);
        if is_answer(&request) {
            self.release_at = None;
        }
        let responses = self.subscriber.on_request(request)?;
        for rejection in self.subscriber.take_rejections() {
            self.shared.metrics.rejected(rejection.kind.short());
            let resources: Vec<&str> = rejection.resources.iter().map(|(name, _)| &**name).collect();
            let objects: Vec<String> = rejection.origins.iter().map(ToString::to_string).collect();
            warn!(
                proxy = self.session.proxy(),
                kind = rejection.kind.short(),
                resources = resources.join(", "),
                objects = objects.join(", "),
                message = &*rejection.message,
                "the proxy rejected an update and keeps what it had"
            );
        }
        self.enqueue(responses);
        self.secrets().await?;
        self.note_taken();
        Ok(())
    }

    fn snapshot(&mut self) {
        let snapshot = self.snapshots.borrow_and_update().clone();
        if self.arrivals.len() == ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back((snapshot.revision, self.shared.clock.now()));
        let responses = self.subscriber.on_snapshot(snapshot);
        self.enqueue(responses);
    }

    /// Ends the stream of a pod that has ended.
    fn workload(&mut self) -> Result<(), Refusal> {
        let now = self.shared.clock.now();
        self.session.still_bound(self.connection.workload.borrow_and_update().as_ref(), now)
    }

    /// Leaves word for the next stream of this proxy.
    fn leave(&self) {
        let words = self.subscriber.unconfirmed();
        if !words.is_empty() {
            self.shared.streams.remember(&self.session.uid, self.protocol, words);
        }
    }
}

/// Whether a request answers a response whose answer others wait for.
fn is_answer(request: &Request) -> bool {
    let (kind, nonce) = match request {
        Request::Delta(request) => (request.kind, &request.response_nonce),
        Request::Sotw(request) => (request.kind, &request.response_nonce),
    };
    !nonce.is_empty() && !matches!(kind, ResourceType::Endpoint | ResourceType::Secret)
}

/// Sleeps so long; for ever if there is nothing to wait for.
async fn until(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => pending().await,
    }
}

async fn release(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
