//! From a listening socket to connections that are worth serving.
//!
//! Whoever connects is a stranger until a stream is admitted, so everything before that has a bound and a deadline:
//! open connections, handshakes at once, the time a handshake takes, and how long a connection may lie about without a
//! stream. Half-open connections are found by HTTP/2 pings.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use pilothouse_runtime::{Group, Stop};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use crate::metrics::{DiscoveryMetrics, Open};
use crate::settings::Limits;

/// Connections that wait to be taken by the server.
const BACKLOG: usize = 64;
/// How long to wait when the system has no file descriptors to give.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Who is at the other end, and how many streams its connection carries.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    streams: Arc<AtomicUsize>,
}

/// A stream of a connection until it is dropped.
#[derive(Debug)]
pub(crate) struct InUse(Arc<AtomicUsize>);

impl Peer {
    /// Marks the connection as used.
    pub(crate) fn in_use(&self) -> InUse {
        self.streams.fetch_add(1, Ordering::Relaxed);
        InUse(self.streams.clone())
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that ends when it carries no stream for too long.
pub(crate) struct Link<S> {
    socket: S,
    peer: Peer,
    idle_after: Duration,
    idle: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
    _open: Open,
}

/// What connections of one port need.
#[derive(Clone)]
pub(crate) struct Doorway {
    limits: Limits,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    metrics: DiscoveryMetrics,
    group: Group,
}

impl Doorway {
    pub(crate) fn new(limits: Limits, metrics: DiscoveryMetrics, group: Group) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(limits.connections)),
            handshakes: Arc::new(Semaphore::new(limits.handshakes)),
            limits,
            metrics,
            group,
        }
    }

    /// Accepts TLS connections until stop is said.
    pub(crate) fn tls(
        &self,
        listener: TcpListener,
        acceptor: TlsAcceptor,
        stop: Stop,
    ) -> (
        impl Future<Output = ()> + Send + use<>,
        mpsc::Receiver<io::Result<Link<tokio_rustls::server::TlsStream<TcpStream>>>>,
    ) {
        let (out, incoming) = mpsc::channel(BACKLOG);
        let this = self.clone();
        let accepting = async move {
            let group = this.group.clone();
            this.accept(listener, stop, |socket, address, permit| {
                let (this, out, acceptor) = (this.clone(), out.clone(), acceptor.clone());
                group.spawn("handshake", async move {
                    let handshake = async {
                        let _turn = this.handshakes.acquire().await.map_err(io::Error::other)?;
                        acceptor.accept(socket).await
                    };
                    match timeout(this.limits.handshake, handshake).await {
                        Ok(Ok(socket)) => drop(out.send(Ok(this.link(socket, address, permit))).await),
                        Ok(Err(error)) => debug!(%address, %error, "TLS handshake failed"),
                        Err(_) => debug!(%address, "TLS handshake took too long"),
                    }
                });
            })
            .await;
        };
        (accepting, incoming)
    }

    /// Accepts plain connections until stop is said.
    pub(crate) fn plain(
        &self,
        listener: TcpListener,
        stop: Stop,
    ) -> (impl Future<Output = ()> + Send + use<>, mpsc::Receiver<io::Result<Link<TcpStream>>>) {
        let (out, incoming) = mpsc::channel(BACKLOG);
        let this = self.clone();
        let accepting = async move {
            let group = this.group.clone();
            this.accept(listener, stop, |socket, address, permit| {
                let (link, out) = (this.link(socket, address, permit), out.clone());
                group.spawn("connection", async move { drop(out.send(Ok(link)).await) });
            })
            .await;
        };
        (accepting, incoming)
    }

    async fn accept(
        &self,
        listener: TcpListener,
        stop: Stop,
        mut take: impl FnMut(TcpStream, SocketAddr, OwnedSemaphorePermit),
    ) {
        let mut full = false;
        loop {
            let accepted = tokio::select! {
                () = stop.stopped() => return,
                accepted = listener.accept() => accepted,
            };
            let (socket, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // The connection is gone, or descriptors ran out; in both cases the next one may do.
                    debug!(%error, "cannot accept a connection");
                    sleep(EXHAUSTED).await;
                    continue;
                }
            };
            let Ok(permit) = self.connections.clone().try_acquire_owned() else {
                if !full {
                    warn!(limit = self.limits.connections, "too many connections; new ones are closed");
                }
                full = true;
                continue;
            };
            full = false;
            // Responses are written whole; waiting to fill packets only delays them.
            let _ = socket.set_nodelay(true);
            take(socket, address, permit);
        }
    }

    fn link<S>(&self, socket: S, address: SocketAddr, permit: OwnedSemaphorePermit) -> Link<S> {
        Link {
            socket,
            peer: Peer { address, streams: Arc::default() },
            idle_after: self.limits.idle_connection,
            idle: Box::pin(sleep(self.limits.idle_connection)),
            _permit: permit,
            _open: self.metrics.connection(),
        }
    }
}

impl<S> Connected for Link<S> {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Link<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(read) = Pin::new(&mut this.socket).poll_read(context, into) {
            return Poll::Ready(read);
        }
        while this.idle.as_mut().poll(context).is_ready() {
            if this.peer.streams.load(Ordering::Relaxed) == 0 {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no stream for too long")));
            }
            this.idle.as_mut().reset(Instant::now() + this.idle_after);
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Link<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(context, from)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(context, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}
