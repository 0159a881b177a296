//! Who may have a stream, and whose stream it is.
//!
//! On the TLS port the token decides: it names a pod, and the stream is bound to that pod. The node id must name the
//! same pod, so that a misconfigured proxy hears about it instead of getting another one's configuration. On the
//! loopback port the node's own words are believed.
//!
//! The functions here decide and wait for nothing.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use pilothouse_ca::token::{self, BindingRefusal, PodFacts, TokenIdentity, TokenRefusal};
use pilothouse_xds::StreamError;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::discovery::node::{NodeError, NodeId};
use crate::settings::PeerAddress;
use pilothouse_engine::WorkloadFacts;

/// Why a stream is refused or ended. The texts go to the log and to the client; they tell what was expected and
/// nothing that a stranger could use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no bearer token in the authorization header")]
    NoToken,
    #[error("{0}")]
    Token(#[from] TokenRefusal),
    #[error("{0}")]
    Node(#[from] NodeError),
    #[error("no request came within the time allowed")]
    Silent,
    #[error("the node id names another pod than the token")]
    OtherPod,
    #[error("the pod is not known to the control plane (yet)")]
    UnknownPod,
    #[error("{0}")]
    Binding(#[from] BindingRefusal),
    #[error("the pod does not exist any more")]
    Gone,
    #[error("the connection does not come from an address of the pod")]
    PeerAddress,
    #[error("the node id changed within the stream")]
    NodeChanged,
    #[error("{0}")]
    Protocol(#[from] StreamError),
    #[error("the control plane has too many streams")]
    TooManyStreams,
    #[error("this workload has too many streams")]
    TooManyOfWorkload,
    #[error("the control plane has no configuration yet")]
    NotStarted,
    #[error("the proxy does not read what it is sent")]
    Unread,
    #[error("the configuration of this proxy cannot be compiled")]
    NotCompiled,
    #[error("the token cannot be checked now: the API server does not answer")]
    NotChecked,
    #[error("too many tokens wait to be checked")]
    TooManyReviews,
    #[error("the token has expired; come back with a new one")]
    TokenExpired,
    #[error("the control plane is stopping")]
    Stopping,
}

impl Refusal {
    /// What the client is told.
    pub(crate) fn status(&self) -> Status {
        let code = match self {
            Self::NoToken | Self::Token(_) | Self::TokenExpired => Code::Unauthenticated,
            Self::Node(NodeError::TooOld(_)) => Code::FailedPrecondition,
            Self::Node(_) | Self::NodeChanged | Self::Protocol(_) => Code::InvalidArgument,
            Self::OtherPod | Self::Binding(_) | Self::Gone | Self::PeerAddress => Code::PermissionDenied,
            Self::TooManyStreams | Self::TooManyOfWorkload | Self::TooManyReviews => Code::ResourceExhausted,
            Self::Silent => Code::DeadlineExceeded,
            Self::UnknownPod | Self::NotStarted | Self::Unread | Self::NotChecked | Self::Stopping => {
                Code::Unavailable
            }
            Self::NotCompiled => Code::Internal,
        };
        Status::new(code, self.to_string())
    }

    /// A word for counting; few of them exist.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NoToken | Self::Token(_) => "token",
            Self::TokenExpired => "token_expired",
            Self::Node(NodeError::TooOld(_)) => "envoy_too_old",
            Self::Node(_) => "node",
            Self::Silent => "silent",
            Self::Binding(BindingRefusal::Ended | BindingRefusal::Deleted) | Self::Gone => "pod_ended",
            Self::OtherPod | Self::Binding(_) | Self::PeerAddress => "other_workload",
            Self::NotChecked | Self::TooManyReviews => "not_checked",
            Self::UnknownPod => "unknown_pod",
            Self::NodeChanged | Self::Protocol(_) => "protocol",
            Self::TooManyStreams | Self::TooManyOfWorkload => "too_many_streams",
            Self::NotStarted => "not_started",
            Self::Unread => "unread",
            Self::NotCompiled => "not_compiled",
            Self::Stopping => "stopping",
        }
    }
}

/// Reads the bearer token of a call.
pub(crate) fn bearer(headers: &MetadataMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all("authorization").iter();
    // Two tokens would be two claims; which of them counts is not ours to guess.
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Refusal::NoToken) };
    let value = value.to_str().map_err(|_| Refusal::NoToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::NoToken);
    }
    Ok(token.trim())
}

/// Whether the node is the pod of the token.
pub(crate) fn same_pod(token: &TokenIdentity, node: &NodeId) -> Result<(), Refusal> {
    if token.namespace == node.namespace && token.pod == node.pod { Ok(()) } else { Err(Refusal::OtherPod) }
}

/// Whether the pod as we know it is the one of the token. Asked at the start of a stream and before each leaf.
pub(crate) fn bind(token: &TokenIdentity, facts: &WorkloadFacts, now: SystemTime) -> Result<(), Refusal> {
    let pod = PodFacts {
        uid: facts.uid.as_str(),
        service_account: facts.service_account.as_str(),
        node: facts.node.as_str(),
        ended: facts.ended,
        deleted_at: facts.deleted_at.map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(at)),
    };
    Ok(token::bind(token, &pod, now)?)
}

/// Whether a peer may be this pod. `Ok(false)` means: it may, but it should be logged.
pub(crate) fn peer_fits(peer: IpAddr, facts: &WorkloadFacts, how: PeerAddress) -> Result<bool, Refusal> {
    let peer = peer.to_canonical();
    let fits =
        facts.addresses.is_empty() || facts.addresses.iter().any(|address| address.to_canonical() == peer);
    match how {
        _ if fits => Ok(true),
        PeerAddress::Ignore => Ok(true),
        PeerAddress::Warn => Ok(false),
        PeerAddress::Enforce => Err(Refusal::PeerAddress),
    }
}

#[cfg(test)]
mod tests;
