//! What is watched.

use std::fmt;

use kube::core::ApiResource;
use pilothouse_base::{Kind, Namespace};

/// A kind that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Watched {
    /// Which of the kinds below that are not Kubernetes' own exist.
    CustomResourceDefinition,
    /// Labels of namespaces.
    Namespace,
    /// Where nodes are.
    Node,
    /// The mesh settings.
    ConfigMap,
    Service,
    EndpointSlice,
    Pod,
    /// Certificates of gateways.
    Secret,
    VirtualService,
    DestinationRule,
    ServiceEntry,
    WorkloadEntry,
    Gateway,
    PeerAuthentication,
    AuthorizationPolicy,
    RequestAuthentication,
    Sidecar,
    EnvoyFilter,
    WorkloadGroup,
    ProxyConfig,
    Telemetry,
    WasmPlugin,
    TrafficExtension,
}

/// How a kind is named in the API.
struct Names {
    group: &'static str,
    /// The one to read, then those that older definitions have.
    versions: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
    /// What readiness says while the API server does not let us.
    allowed: &'static str,
}

/// The names of a kind.
macro_rules! names {
    ($group:expr, $versions:expr, $kind:literal, $plural:literal) => {
        Names {
            group: $group,
            versions: $versions,
            kind: $kind,
            plural: $plural,
            allowed: concat!("the API server lets us read ", $plural),
        }
    };
}

const NETWORKING: &[&str] = &["v1", "v1beta1", "v1alpha3"];
const SECURITY: &[&str] = &["v1", "v1beta1"];

impl Watched {
    /// Those that always exist, with one watch over all namespaces.
    pub(super) const ALWAYS: [Self; 6] = [
        Self::CustomResourceDefinition,
        Self::Namespace,
        Self::Node,
        Self::Service,
        Self::EndpointSlice,
        Self::Pod,
    ];

    /// Those that exist where somebody installed their definition.
    pub(super) const CUSTOM: [Self; 15] = [
        Self::VirtualService,
        Self::DestinationRule,
        Self::ServiceEntry,
        Self::WorkloadEntry,
        Self::Gateway,
        Self::PeerAuthentication,
        Self::AuthorizationPolicy,
        Self::RequestAuthentication,
        Self::Sidecar,
        Self::EnvoyFilter,
        Self::WorkloadGroup,
        Self::ProxyConfig,
        Self::Telemetry,
        Self::WasmPlugin,
        Self::TrafficExtension,
    ];

    fn names(self) -> Names {
        match self {
            Self::CustomResourceDefinition => {
                names!(
                    "apiextensions.k8s.io",
                    &["v1"],
                    "CustomResourceDefinition",
                    "customresourcedefinitions"
                )
            }
            Self::Namespace => names!("", &["v1"], "Namespace", "namespaces"),
            Self::Node => names!("", &["v1"], "Node", "nodes"),
            Self::ConfigMap => names!("", &["v1"], "ConfigMap", "configmaps"),
            Self::Service => names!("", &["v1"], "Service", "services"),
            Self::EndpointSlice => names!("discovery.k8s.io", &["v1"], "EndpointSlice", "endpointslices"),
            Self::Pod => names!("", &["v1"], "Pod", "pods"),
            Self::Secret => names!("", &["v1"], "Secret", "secrets"),
            Self::VirtualService => {
                names!("networking.istio.io", NETWORKING, "VirtualService", "virtualservices")
            }
            Self::DestinationRule => {
                names!("networking.istio.io", NETWORKING, "DestinationRule", "destinationrules")
            }
            Self::ServiceEntry => names!("networking.istio.io", NETWORKING, "ServiceEntry", "serviceentries"),
            Self::WorkloadEntry => {
                names!("networking.istio.io", NETWORKING, "WorkloadEntry", "workloadentries")
            }
            Self::Gateway => names!("networking.istio.io", NETWORKING, "Gateway", "gateways"),
            Self::PeerAuthentication => {
                names!("security.istio.io", SECURITY, "PeerAuthentication", "peerauthentications")
            }
            Self::AuthorizationPolicy => {
                names!("security.istio.io", SECURITY, "AuthorizationPolicy", "authorizationpolicies")
            }
            Self::RequestAuthentication => {
                names!("security.istio.io", SECURITY, "RequestAuthentication", "requestauthentications")
            }
            Self::Sidecar => names!("networking.istio.io", NETWORKING, "Sidecar", "sidecars"),
            Self::EnvoyFilter => names!("networking.istio.io", &["v1alpha3"], "EnvoyFilter", "envoyfilters"),
            Self::WorkloadGroup => {
                names!("networking.istio.io", NETWORKING, "WorkloadGroup", "workloadgroups")
            }
            Self::ProxyConfig => names!("networking.istio.io", &["v1beta1"], "ProxyConfig", "proxyconfigs"),
            Self::Telemetry => names!("telemetry.istio.io", &["v1", "v1alpha1"], "Telemetry", "telemetries"),
            Self::WasmPlugin => names!("extensions.istio.io", &["v1alpha1"], "WasmPlugin", "wasmplugins"),
            Self::TrafficExtension => {
                names!("extensions.istio.io", &["v1alpha1"], "TrafficExtension", "trafficextensions")
            }
        }
    }

    /// Its name in the API; `attempt` counts through the versions.
    pub(super) fn resource(self, attempt: usize) -> ApiResource {
        let Names { group, versions, kind, plural, allowed: _ } = self.names();
        let version = versions[attempt % versions.len()];
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }

    /// `kind`.
    pub(super) fn kind(self) -> &'static str {
        self.names().kind
    }

    /// `apiVersion` of the version to read.
    pub(super) fn api_version(self) -> String {
        self.resource(0).api_version
    }

    /// The name of its definition.
    pub(super) fn definition(self) -> String {
        let Names { group, plural, .. } = self.names();
        format!("{plural}.{group}")
    }

    /// That we may read it, as a fact.
    pub(super) fn allowed(self) -> &'static str {
        self.names().allowed
    }

    /// Whether objects of it have an effect. Of others no more than their names is read, to say that they have none.
    pub(super) fn has_effect(self) -> bool {
        !self.is_custom() || Kind::ALL.iter().any(|kind| kind.as_str() == self.kind())
    }

    /// Whether nothing but metadata is read of its objects.
    pub(super) fn metadata_is_enough(self) -> bool {
        matches!(self, Self::CustomResourceDefinition | Self::Namespace | Self::Node) || !self.has_effect()
    }

    /// Whether it is one that a mesh is configured with, so that revisions share out its objects.
    pub(super) fn is_custom(self) -> bool {
        Self::CUSTOM.contains(&self)
    }
}

/// A watch: all objects of a kind, or some of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Watch {
    /// The kind.
    pub(super) kind: Watched,
    /// Only this namespace.
    pub(super) namespace: Option<Namespace>,
    /// Only those that this field selector picks.
    pub(super) field: Option<String>,
}

impl Watch {
    /// All objects of a kind.
    pub(super) fn all(kind: Watched) -> Self {
        Self { kind, namespace: None, field: None }
    }

    /// Some objects of a namespace.
    pub(super) fn some(kind: Watched, namespace: &Namespace, field: String) -> Self {
        Self { kind, namespace: Some(namespace.clone()), field: Some(field) }
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.kind.names().plural)?;
        if let Some(namespace) = &self.namespace {
            write!(out, " of {namespace}")?;
        }
        if let Some(field) = &self.field {
            write!(out, " with {field}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_of_ours_is_watched_at_the_version_to_read() {
        let ours = pilothouse_api::schema::definitions().iter();
        let ours: std::collections::BTreeMap<String, Vec<String>> = ours
            .map(|one| {
                let definition = one.resource();
                let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
                let versions = versions.map(|version| version["name"].as_str().unwrap().to_owned()).collect();
                (definition["metadata"]["name"].as_str().unwrap().to_owned(), versions)
            })
            .collect();
        let watched: Vec<String> = Watched::CUSTOM.iter().map(|kind| kind.definition()).collect();
        assert_eq!(ours.len(), Watched::CUSTOM.len());
        for kind in Watched::CUSTOM {
            let served = ours.get(&kind.definition()).unwrap_or_else(|| panic!("{watched:?}"));
            assert!(kind.names().versions.iter().all(|version| served.iter().any(|one| one == version)));
            assert_eq!(kind.names().versions.len(), served.len(), "{}", kind.definition());
        }
    }

    #[test]
    fn kinds_without_effect() {
        assert!(
            Watched::VirtualService.has_effect() && Watched::Pod.has_effect() && Watched::Node.has_effect()
        );
        assert!(!Watched::EnvoyFilter.has_effect() && !Watched::WasmPlugin.has_effect());
    }
}
