//! What is watched.

use std::fmt;

use kube::core::ApiResource;
use pilothouse_base::Namespace;

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
}

/// How a kind is named in the API.
struct Names {
    group: &'static str,
    /// The one to read, then those that older definitions have.
    versions: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
}

const NETWORKING: &[&str] = &["v1", "v1beta1", "v1alpha3"];

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
    pub(super) const CUSTOM: [Self; 6] = [
        Self::VirtualService,
        Self::DestinationRule,
        Self::ServiceEntry,
        Self::WorkloadEntry,
        Self::Gateway,
        Self::PeerAuthentication,
    ];

    fn names(self) -> Names {
        let (group, versions, kind, plural): (_, &'static [&'static str], _, _) = match self {
            Self::CustomResourceDefinition => {
                ("apiextensions.k8s.io", &["v1"], "CustomResourceDefinition", "customresourcedefinitions")
            }
            Self::Namespace => ("", &["v1"], "Namespace", "namespaces"),
            Self::Node => ("", &["v1"], "Node", "nodes"),
            Self::ConfigMap => ("", &["v1"], "ConfigMap", "configmaps"),
            Self::Service => ("", &["v1"], "Service", "services"),
            Self::EndpointSlice => ("discovery.k8s.io", &["v1"], "EndpointSlice", "endpointslices"),
            Self::Pod => ("", &["v1"], "Pod", "pods"),
            Self::Secret => ("", &["v1"], "Secret", "secrets"),
            Self::VirtualService => ("networking.istio.io", NETWORKING, "VirtualService", "virtualservices"),
            Self::DestinationRule => {
                ("networking.istio.io", NETWORKING, "DestinationRule", "destinationrules")
            }
            Self::ServiceEntry => ("networking.istio.io", NETWORKING, "ServiceEntry", "serviceentries"),
            Self::WorkloadEntry => ("networking.istio.io", NETWORKING, "WorkloadEntry", "workloadentries"),
            Self::Gateway => ("networking.istio.io", NETWORKING, "Gateway", "gateways"),
            Self::PeerAuthentication => {
                ("security.istio.io", &["v1", "v1beta1"], "PeerAuthentication", "peerauthentications")
            }
        };
        Names { group, versions, kind, plural }
    }

    /// Its name in the API; `attempt` counts through the versions.
    pub(super) fn resource(self, attempt: usize) -> ApiResource {
        let Names { group, versions, kind, plural } = self.names();
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
