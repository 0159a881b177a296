//! A proxy that wants to be served, and how it is read from an Envoy node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{Labels, Locality, Name, Namespace};
use pilothouse_view::query::{Role, WorkloadClaims, WorkloadName};
use serde_json::Value;

/// A proxy that wants to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// What kind it is.
    pub role: Role,
    /// The namespace of its pod.
    pub namespace: Namespace,
    /// The name of its pod.
    pub name: Name,
    /// What it says of itself; counts only while no pod of that name is known.
    pub claims: WorkloadClaims,
}

/// Why a node cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The id has not four parts.
    #[error("the node id must be <type>~<ip>~<pod>.<namespace>~<domain>, not {0:?}")]
    Id(String),
    /// The type is none that is served.
    #[error("proxies of type {0:?} are not served; sidecar and router are")]
    Type(String),
    /// No address can be read.
    #[error("neither the node id nor INSTANCE_IPS holds an IP address")]
    Address,
}

impl Proxy {
    /// The proxy of a pod that the configuration knows.
    pub fn of_pod(role: Role, namespace: impl Into<Namespace>, name: impl Into<Name>) -> Self {
        Self { role, namespace: namespace.into(), name: name.into(), claims: WorkloadClaims::default() }
    }

    /// Reads id and metadata of an Envoy node (`core.v3.Node`, as JSON) in Istio's form.
    pub fn from_node(id: &str, metadata: &Value) -> Result<Self, NodeError> {
        let parts: Vec<&str> = id.split('~').collect();
        let [kind, address, pod, domain] = parts[..] else { return Err(NodeError::Id(id.to_owned())) };
        let role = match kind {
            "sidecar" => Role::Sidecar,
            "router" => Role::Gateway,
            other => return Err(NodeError::Type(other.to_owned())),
        };
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        // A pod's name may hold dots; a namespace may not.
        let (name, of_id) = pod.rsplit_once('.').ok_or_else(|| NodeError::Id(id.to_owned()))?;
        let namespace = text("NAMESPACE").or(domain.split('.').next()).filter(|text| !text.is_empty());
        let addresses: Vec<IpAddr> = match text("INSTANCE_IPS") {
            Some(list) => list.split(',').filter_map(|one| one.trim().parse().ok()).collect(),
            None => address.parse().into_iter().collect(),
        };
        if addresses.is_empty() {
            return Err(NodeError::Address);
        }
        let labels: BTreeMap<String, String> = metadata
            .get("LABELS")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        let locality = labels.get("istio-locality").map(|text| Locality::parse(&text.replace('.', "/")));
        Ok(Self {
            role,
            namespace: Namespace::from(if of_id.is_empty() { namespace.unwrap_or(of_id) } else { of_id }),
            name: Name::from(name),
            claims: WorkloadClaims {
                labels: Labels::new(labels),
                addresses,
                service_account: Name::from(text("SERVICE_ACCOUNT").unwrap_or("default")),
                locality: locality.unwrap_or_default(),
                node: Name::from(text("NODE_NAME").unwrap_or_default()),
            },
        })
    }

    pub(crate) fn workload(self) -> WorkloadName {
        let Self { role, namespace, name, claims } = self;
        WorkloadName { role, namespace, name, claims: Arc::new(claims) }
    }
}
