//! The way of a stream from its first request to its place in the engine.

use std::sync::Arc;
use std::time::SystemTime;

use pilothouse_base::{Identity, Labels, Name, Namespace};
use pilothouse_ca::token::TokenIdentity;
use pilothouse_envoy_api::core;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::compile::{ConnectError, Connection, Stopped};
use crate::discovery::Discovery;
use crate::discovery::admit::{self, Refusal};
use crate::discovery::node::{self, NodeId, NodeRole};
use crate::identity::assumed_uid;
use crate::listen::Peer;
use pilothouse_engine::{Proxy, Role, WorkloadFacts};

/// A stream that is bound to a workload.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) namespace: Namespace,
    pub(crate) pod: Name,
    pub(crate) service_account: Name,
    /// Tells pods of one name apart; made of the name where nobody gave one.
    pub(crate) uid: Arc<str>,
    /// What the stream was opened with; none on the loopback port.
    pub(crate) token: Option<TokenIdentity>,
    pub(crate) role: Role,
    pub(crate) envoy: Option<String>,
    /// The node id, which must not change.
    pub(crate) node_id: String,
}

impl From<Stopped> for Refusal {
    fn from(_: Stopped) -> Self {
        Self::Stopping
    }
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Stopped(_) => Self::Stopping,
            ConnectError::Bug => Self::NotCompiled,
        }
    }
}

impl Session {
    /// `POD.NAMESPACE`.
    pub(crate) fn proxy(&self) -> String {
        format!("{}.{}", self.pod, self.namespace)
    }

    /// Whom leaves of this stream name.
    pub(crate) fn identity(&self, trust_domain: &Name) -> Identity {
        Identity::new(trust_domain.clone(), self.namespace.clone(), self.service_account.clone())
    }

    /// When the right to the stream ends.
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        self.token.as_ref().map(|token| token.expires)
    }

    /// Whether the workload is still who it was. Asked before each leaf.
    pub(crate) async fn still_valid(&self, shared: &Discovery) -> Result<(), Refusal> {
        if self.expires().is_some_and(|at| at <= shared.clock.now()) {
            return Err(Refusal::TokenExpired);
        }
        let facts = shared.compile.workload(&self.namespace, &self.pod).await?;
        self.still_bound(facts.as_ref(), shared.clock.now())
    }

    /// Whether what is known of the pod still fits the token. On the loopback port nothing has to fit.
    pub(crate) fn still_bound(&self, facts: Option<&WorkloadFacts>, now: SystemTime) -> Result<(), Refusal> {
        match (&self.token, facts) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Refusal::Gone),
            (Some(token), Some(facts)) => admit::bind(token, facts, now),
        }
    }
}

/// Binds a stream to the workload it speaks for.
pub(crate) async fn bind(
    shared: &Discovery,
    node: Option<&core::Node>,
    token: Option<TokenIdentity>,
    peer: &Peer,
) -> Result<(Session, Proxy), Refusal> {
    let node = node.ok_or(node::NodeError::Missing)?;
    let id = NodeId::parse(&node.id)?;
    let envoy = node::version(node)?.map(|version| version.to_string());
    if let Some(token) = &token {
        admit::same_pod(token, &id)?;
    }
    let namespace = Namespace::new(id.namespace.as_str());
    let pod = Name::new(id.pod.as_str());
    let facts = find(shared, &namespace, &pod, token.is_some()).await?;
    let (service_account, uid) = match (&token, &facts) {
        (Some(token), Some(facts)) => {
            admit::bind(token, facts, shared.clock.now())?;
            look_at_peer(shared, facts, &format!("{pod}.{namespace}"), peer)?;
            (Name::new(token.service_account.as_str()), token.pod_uid.clone())
        }
        (Some(_), None) => return Err(Refusal::UnknownPod),
        (None, Some(facts)) => (facts.service_account.clone(), facts.uid.to_string()),
        (None, None) => {
            let claimed = node::text(node, "SERVICE_ACCOUNT").unwrap_or("default");
            (Name::new(claimed), String::new())
        }
    };
    let uid = if uid.is_empty() { assumed_uid(&id.namespace, &id.pod) } else { uid };
    let role = match id.role {
        NodeRole::Sidecar => Role::Sidecar,
        NodeRole::Router => Role::Gateway,
    };
    let proxy = describe(node, &id, role, facts.as_ref());
    let session = Session {
        namespace,
        pod,
        service_account,
        uid: uid.into(),
        token,
        role,
        envoy,
        node_id: node.id.clone(),
    };
    Ok((session, proxy))
}

/// Whether the peer may be the pod, as far as its address tells.
pub(crate) fn look_at_peer(
    shared: &Discovery,
    facts: &WorkloadFacts,
    proxy: &str,
    peer: &Peer,
) -> Result<(), Refusal> {
    let address = peer.address.ip();
    if !admit::peer_fits(address, facts, shared.peer_address)?
        && shared.said.first(&format!("{proxy} from {address}"), shared.clock.now())
    {
        warn!(proxy, peer = %address, "a stream comes from an address that its pod does not have");
    }
    Ok(())
}

/// What the engine is told of a proxy. What a node claims is taken over on the loopback port alone: elsewhere it
/// could pose as another workload of its namespace while its pod is not known.
fn describe(node: &core::Node, id: &NodeId, role: Role, facts: Option<&WorkloadFacts>) -> Proxy {
    let mut proxy = Proxy::of_pod(role, id.namespace.as_str(), id.pod.as_str());
    if let Some(facts) = facts {
        proxy.claims.addresses.clone_from(&facts.addresses);
        proxy.claims.service_account = facts.service_account.clone();
        proxy.claims.node = facts.node.clone();
    } else {
        proxy.claims.addresses = node::addresses(node, id);
        proxy.claims.service_account = Name::new(node::text(node, "SERVICE_ACCOUNT").unwrap_or("default"));
        proxy.claims.locality = node::locality(node);
        proxy.claims.node = Name::new(node::text(node, "NODE_NAME").unwrap_or_default());
        proxy.claims.labels = Labels::new(node::map(node, "LABELS"));
    }
    proxy
}

/// The pod, once there is a configuration. A pod that must be there is waited for: its proxy may be faster than the
/// news of it.
pub(crate) async fn find(
    shared: &Discovery,
    namespace: &Namespace,
    pod: &Name,
    must: bool,
) -> Result<Option<WorkloadFacts>, Refusal> {
    let until = Instant::now() + shared.limits.pod_wait;
    let mut published = shared.compile.published();
    timeout_at(until, published.wait_for(|published| published.started))
        .await
        .map_err(|_| Refusal::NotStarted)?
        .map_err(|_| Refusal::Stopping)?;
    loop {
        published.mark_unchanged();
        let facts = shared.compile.workload(namespace, pod).await?;
        if facts.is_some() || !must {
            return Ok(facts);
        }
        timeout_at(until, published.changed())
            .await
            .map_err(|_| Refusal::UnknownPod)?
            .map_err(|_| Refusal::Stopping)?;
    }
}

/// Connects a bound stream to the engine.
pub(crate) async fn connect(shared: &Discovery, proxy: Proxy) -> Result<Connection, Refusal> {
    Ok(shared.compile.connect(proxy).await?)
}
