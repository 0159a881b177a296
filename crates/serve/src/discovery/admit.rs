//! Who may have a stream, and whose stream it is.
//!
//! On the TLS port the token decides: it names a pod, and the stream is bound to that pod. The node id must name the
//! same pod, so that a misconfigured proxy hears about it instead of getting another one's configuration. On the
//! loopback port the node's own words are believed.
//!
//! The functions here decide and wait for nothing.

use std::net::IpAddr;
use std::time::SystemTime;

use pilothouse_ca::token::{TokenIdentity, TokenRefusal, Verifier};
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
    #[error("the token is bound to an earlier pod of this name")]
    OtherUid,
    #[error("the pod runs under another service account than the token says")]
    OtherServiceAccount,
    #[error("the pod has ended")]
    Ended,
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
            Self::OtherPod
            | Self::OtherUid
            | Self::OtherServiceAccount
            | Self::Ended
            | Self::Gone
            | Self::PeerAddress => Code::PermissionDenied,
            Self::TooManyStreams | Self::TooManyOfWorkload => Code::ResourceExhausted,
            Self::Silent => Code::DeadlineExceeded,
            Self::UnknownPod | Self::NotStarted | Self::Unread | Self::Stopping => Code::Unavailable,
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
            Self::OtherPod | Self::OtherUid | Self::OtherServiceAccount | Self::PeerAddress => {
                "other_workload"
            }
            Self::UnknownPod => "unknown_pod",
            Self::Ended | Self::Gone => "pod_ended",
            Self::NodeChanged | Self::Protocol(_) => "protocol",
            Self::TooManyStreams | Self::TooManyOfWorkload => "too_many_streams",
            Self::NotStarted => "not_started",
            Self::Unread => "unread",
            Self::NotCompiled => "not_compiled",
            Self::Stopping => "stopping",
        }
    }
}

/// Reads and checks the bearer token of a call.
pub(crate) fn authenticate(
    headers: &MetadataMap,
    verifier: &Verifier,
    now: SystemTime,
) -> Result<TokenIdentity, Refusal> {
    let mut values = headers.get_all("authorization").iter();
    // Two tokens would be two claims; which of them counts is not ours to guess.
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Refusal::NoToken) };
    let value = value.to_str().map_err(|_| Refusal::NoToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::NoToken);
    }
    Ok(verifier.verify(token.trim(), now)?)
}

/// Whether the node is the pod of the token.
pub(crate) fn same_pod(token: &TokenIdentity, node: &NodeId) -> Result<(), Refusal> {
    let TokenIdentity { namespace, service_account: _, pod, pod_uid: _, expires: _, node: _ } = token;
    if *namespace == node.namespace && *pod == node.pod { Ok(()) } else { Err(Refusal::OtherPod) }
}

/// Whether the pod as we know it is the one of the token. Asked at the start of a stream and before each leaf.
pub(crate) fn bind(token: &TokenIdentity, facts: &WorkloadFacts) -> Result<(), Refusal> {
    if facts.ended {
        return Err(Refusal::Ended);
    }
    // Manifests written by hand have no uid; then the name is all there is.
    if !facts.uid.as_str().is_empty() && facts.uid != *token.pod_uid {
        return Err(Refusal::OtherUid);
    }
    if facts.service_account != *token.service_account {
        return Err(Refusal::OtherServiceAccount);
    }
    Ok(())
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
