//! What can be asked of the world, as values: footprints and deltas are sets of these.

use pilothouse_base::{Name, Namespace};
use serde::Serialize;

use crate::ServiceRef;

/// One question to the world.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Key {
    /// The mesh settings.
    Mesh,
    /// The labels of a namespace.
    Namespace(Namespace),
    /// All services with their content (not their endpoints).
    Services,
    /// All services of a namespace with their content.
    ServicesIn(Namespace),
    /// One service.
    Service(ServiceRef),
    /// What stands behind a service: slices, or what its selector picks.
    Endpoints(ServiceRef),
    /// One pod.
    Pod(Namespace, Name),
    /// Hosts, gateways and visibility of all virtual services.
    VirtualServiceHeaders,
    /// One virtual service.
    VirtualService(Namespace, Name),
    /// Hosts, subset names and visibility of the destination rules of a namespace.
    RuleHeaders(Namespace),
    /// One destination rule.
    Rule(Namespace, Name),
    /// All gateways.
    Gateways,
    /// The peer authentication policies of a namespace.
    PeerAuthentications(Namespace),
    /// One secret.
    Secret(Namespace, Name),
}

/// The kinds of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[expect(missing_docs, reason = "each is the variant of `Key` with the same name")]
pub enum KeyKind {
    Mesh,
    Namespace,
    Services,
    ServicesIn,
    Service,
    Endpoints,
    Pod,
    VirtualServiceHeaders,
    VirtualService,
    RuleHeaders,
    Rule,
    Gateways,
    PeerAuthentications,
    Secret,
}

impl KeyKind {
    /// Every kind of question.
    pub const ALL: [Self; 14] = [
        Self::Mesh,
        Self::Namespace,
        Self::Services,
        Self::ServicesIn,
        Self::Service,
        Self::Endpoints,
        Self::Pod,
        Self::VirtualServiceHeaders,
        Self::VirtualService,
        Self::RuleHeaders,
        Self::Rule,
        Self::Gateways,
        Self::PeerAuthentications,
        Self::Secret,
    ];
}

impl Key {
    /// The kind of question this is.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Mesh => KeyKind::Mesh,
            Self::Namespace(_) => KeyKind::Namespace,
            Self::Services => KeyKind::Services,
            Self::ServicesIn(_) => KeyKind::ServicesIn,
            Self::Service(_) => KeyKind::Service,
            Self::Endpoints(_) => KeyKind::Endpoints,
            Self::Pod(..) => KeyKind::Pod,
            Self::VirtualServiceHeaders => KeyKind::VirtualServiceHeaders,
            Self::VirtualService(..) => KeyKind::VirtualService,
            Self::RuleHeaders(_) => KeyKind::RuleHeaders,
            Self::Rule(..) => KeyKind::Rule,
            Self::Gateways => KeyKind::Gateways,
            Self::PeerAuthentications(_) => KeyKind::PeerAuthentications,
            Self::Secret(..) => KeyKind::Secret,
        }
    }
}
