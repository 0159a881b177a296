//! The aggregated discovery service: both dialects, on both ports.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use pilothouse_ca::token::TokenIdentity;
use pilothouse_diag::Diagnostic;
use pilothouse_runtime::{Clock, Group, Stop};
use pilothouse_xds::{Options, Protocol};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};
use tracing::info;

use crate::authenticate::Authenticator;
use crate::certificates::Certificates;
use crate::compile::Handle;
use crate::listen::Peer;
use crate::metrics::DiscoveryMetrics;
use crate::settings::{Limits, PeerAddress};

mod admit;
mod node;
mod requests;
mod session;
mod stream;
mod streams;
mod wire;

pub(crate) use admit::Refusal;
pub(crate) use streams::Said;
pub(crate) use streams::Streams;
use wire::{Incoming, Outgoing, Wire};

const DELTA: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const SOTW: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

/// What all streams share.
pub(crate) struct Discovery {
    pub(crate) compile: Handle,
    /// What there is to say about objects by themselves.
    pub(crate) findings: watch::Receiver<Arc<[Diagnostic]>>,
    pub(crate) streams: Streams,
    pub(crate) certificates: Certificates,
    pub(crate) authenticator: Authenticator,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) peer_address: PeerAddress,
    pub(crate) options: Options,
    pub(crate) metrics: DiscoveryMetrics,
    pub(crate) said: Said,
    pub(crate) group: Group,
    pub(crate) stop: Stop,
}

/// Whether the clients of a port prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// By a token.
    Token,
    /// Not at all: whoever reaches loopback could as well read our memory.
    Loopback,
}

/// The service of one port.
#[derive(Clone)]
pub(crate) struct Ads {
    shared: Arc<Discovery>,
    proof: Proof,
}

impl Ads {
    pub(crate) fn new(shared: Arc<Discovery>, proof: Proof) -> Self {
        Self { shared, proof }
    }
}

impl Service<http::Request<Body>> for Ads {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let protocol = match request.uri().path() {
            DELTA => Protocol::Delta,
            SOTW => Protocol::Sotw,
            requests::CREATE => {
                let creating = requests::Creating { shared: self.shared.clone(), proof: self.proof };
                return Box::pin(async move { Ok(creating.answer(request).await) });
            }
            _ => {
                let unknown =
                    Status::unimplemented("only aggregated discovery and certificates are served here");
                return Box::pin(async move { Ok(unknown.into_http()) });
            }
        };
        let limit = self.shared.limits.request_bytes;
        let opening = Opening { shared: self.shared.clone(), proof: self.proof, protocol };
        Box::pin(async move {
            let mut grpc = Grpc::new(Wire(protocol)).max_decoding_message_size(limit);
            Ok(grpc.streaming(opening, request).await)
        })
    }
}

/// One call, before its stream is opened.
#[derive(Clone)]
struct Opening {
    shared: Arc<Discovery>,
    proof: Proof,
    protocol: Protocol,
}

impl StreamingService<Incoming> for Opening {
    type Response = Outgoing;
    type ResponseStream = ReceiverStream<Result<Outgoing, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Incoming>>) -> Self::Future {
        let opening = self.clone();
        Box::pin(async move { opening.open(request).await.map_err(|refusal| refusal.status()) })
    }
}

impl Opening {
    async fn open(
        self,
        request: Request<Streaming<Incoming>>,
    ) -> Result<Response<ReceiverStream<Result<Outgoing, Status>>>, Refusal> {
        let shared = &self.shared;
        let peer =
            request.extensions().get::<Peer>().expect("the listener gives every connection a peer").clone();
        let opened = match self.proof {
            Proof::Loopback => Ok(None),
            Proof::Token => shared.authenticate(request.metadata()).await.map(Some),
        };
        let opened = opened.and_then(|token| Ok((token, shared.streams.open()?)));
        let (token, place) = opened.inspect_err(|refusal| shared.refused(refusal, None, &peer))?;
        // The slot of one: what is not taken by the connection yet stays with the stream, which knows the newest state.
        let (out, responses) = mpsc::channel(1);
        let call = stream::Call {
            token,
            place,
            protocol: self.protocol,
            used: peer.in_use(),
            peer,
            incoming: request.into_inner(),
            out,
        };
        shared.group.spawn("stream", stream::run(shared.clone(), call));
        Ok(Response::new(ReceiverStream::new(responses)))
    }
}

impl Discovery {
    /// Whom the bearer token of a call speaks for.
    async fn authenticate(&self, headers: &MetadataMap) -> Result<TokenIdentity, Refusal> {
        self.authenticator.check(admit::bearer(headers)?, self.clock.now()).await
    }

    /// Counts a refusal and logs it, each once for some time: a refused proxy comes back every few seconds.
    fn refused(&self, refusal: &Refusal, proxy: Option<&str>, peer: &Peer) {
        self.metrics.refused(refusal.reason());
        let proxy = proxy.unwrap_or("unknown");
        let address = peer.address.ip();
        if self.said.first(&format!("{address} {proxy} {refusal}"), self.clock.now()) {
            info!(%proxy, peer = %address, reason = %refusal, "refused a stream");
        }
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Discovery").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
