//! Questions about what an audience sees, as values.
//!
//! A question holds everything its answer may depend on besides the world, so equal questions of different proxies are
//! one question, and an answer can be kept until a key that was read for it answers differently.
//!
//! Questions are layered: one may only ask questions of a lower [`Query::layer`].

use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{Hostname, Labels, Locality, Name, Namespace, ObjectKey, Protocol};
use pilothouse_config::MtlsMode;
use pilothouse_config::service::Cidr;
use pilothouse_world::ServiceRef;

use crate::plan::RouteTablePlan;

/// What kind of proxy asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Beside one workload.
    Sidecar,
    /// At the edge.
    Gateway,
}

/// The facts about a client that routing may look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client {
    /// What kind of proxy it is.
    pub role: Role,
    /// Its namespace.
    pub namespace: Namespace,
    /// Those of its labels that some visible virtual service asks for.
    pub labels: Labels,
    /// Whether it only has IPv6 addresses.
    pub v6: bool,
}

impl Client {
    /// A sidecar of no namespace: it sees what everybody sees and has nothing of its own. Its lists are what the lists of
    /// all others are told apart from.
    pub fn stranger(v6: bool) -> Self {
        Self { role: Role::Sidecar, namespace: stranger(), labels: Labels::default(), v6 }
    }

    /// Whether nothing is its own.
    pub fn is_stranger(&self) -> bool {
        *self == Self::stranger(self.v6)
    }
}

/// The namespace of a stranger, which no object can be in.
pub fn stranger() -> Namespace {
    Namespace::default()
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// Which service each host name means to everybody, and which destination rules shape it.
    Public,
    /// Which host names mean something else to clients of a namespace.
    Targets(Namespace),
    /// What one host means to clients of a namespace.
    Target(Namespace, Hostname),
    /// Which virtual services clients of a namespace see, in order of precedence. A stranger sees those of everybody.
    Claims(Namespace),
    /// The identities behind a service.
    Accounts(ServiceRef),
    /// What a proxy is.
    Audience(WorkloadName),
    /// The clusters of everybody (for a stranger), or those that a namespace has instead of them.
    Clusters(Namespace, Role),
    /// Which endpoints the services of a namespace prefer where they do not say.
    Distribution(Namespace),
    /// Whether outlier detection tells which endpoints of a cluster can be used.
    FailsOver(ClusterKey),
    /// The clusters whose endpoints depend on where the client runs, as for clusters.
    Placed(Namespace, Role),
    /// The assignments of the other clusters, as for clusters.
    Assignments(Namespace, Role),
    /// The assignments of those, for clients of a place.
    Near(Namespace, Role, Place),
    /// Outbound listeners and route tables of sidecars, as for clusters.
    Outbound(Client),
    /// Listeners and route tables of gateways.
    Gateway(GatewayKey),
    /// One cluster.
    Cluster(ClusterKey),
    /// One assignment.
    Assignment(AssignmentKey),
    /// One outbound listener.
    Listener(ListenerKey),
    /// One virtual host.
    Host(HostKey),
    /// What stands in front of a workload.
    Inbound(InboundKey),
    /// The clusters that every proxy of a role has.
    Fixed(Role),
    /// One secret.
    Secret(SecretKey),
    /// What is to be said about an object's references to others.
    Findings(ObjectKey),
}

/// The kinds of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the variant of `Query` with the same name")]
pub enum QueryKind {
    Public,
    Targets,
    Target,
    Claims,
    Accounts,
    Audience,
    Clusters,
    Distribution,
    FailsOver,
    Placed,
    Assignments,
    Near,
    Outbound,
    Gateway,
    Cluster,
    Assignment,
    Listener,
    Host,
    Inbound,
    Fixed,
    Secret,
    Findings,
}

impl QueryKind {
    /// Every kind of question.
    pub const ALL: [Self; 22] = [
        Self::Public,
        Self::Targets,
        Self::Target,
        Self::Claims,
        Self::Accounts,
        Self::Audience,
        Self::Clusters,
        Self::Distribution,
        Self::FailsOver,
        Self::Placed,
        Self::Assignments,
        Self::Near,
        Self::Outbound,
        Self::Gateway,
        Self::Cluster,
        Self::Assignment,
        Self::Listener,
        Self::Host,
        Self::Inbound,
        Self::Fixed,
        Self::Secret,
        Self::Findings,
    ];
}

impl Query {
    /// The kind of question this is.
    pub fn kind(&self) -> QueryKind {
        match self {
            Self::Public => QueryKind::Public,
            Self::Targets(..) => QueryKind::Targets,
            Self::Target(..) => QueryKind::Target,
            Self::Claims(..) => QueryKind::Claims,
            Self::Accounts(..) => QueryKind::Accounts,
            Self::Audience(..) => QueryKind::Audience,
            Self::Clusters(..) => QueryKind::Clusters,
            Self::Distribution(..) => QueryKind::Distribution,
            Self::FailsOver(..) => QueryKind::FailsOver,
            Self::Placed(..) => QueryKind::Placed,
            Self::Assignments(..) => QueryKind::Assignments,
            Self::Near(..) => QueryKind::Near,
            Self::Outbound(..) => QueryKind::Outbound,
            Self::Gateway(..) => QueryKind::Gateway,
            Self::Cluster(..) => QueryKind::Cluster,
            Self::Assignment(..) => QueryKind::Assignment,
            Self::Listener(..) => QueryKind::Listener,
            Self::Host(..) => QueryKind::Host,
            Self::Inbound(..) => QueryKind::Inbound,
            Self::Fixed(..) => QueryKind::Fixed,
            Self::Secret(..) => QueryKind::Secret,
            Self::Findings(..) => QueryKind::Findings,
        }
    }

    /// Its layer: it asks questions of lower layers only.
    pub fn layer(&self) -> u8 {
        match self {
            Self::Public | Self::Accounts(_) | Self::Distribution(_) => 0,
            Self::Claims(namespace) if *namespace == stranger() => 0,
            Self::Targets(_) | Self::Claims(_) => 1,
            Self::Target(..) | Self::Clusters(..) => 2,
            Self::FailsOver(_) => 3,
            Self::Outbound(client) if client.is_stranger() => 4,
            Self::Placed(..) | Self::Gateway(_) => 4,
            Self::Assignments(..) | Self::Near(..) | Self::Outbound(_) | Self::Audience(_) => 5,
            Self::Cluster(_)
            | Self::Assignment(_)
            | Self::Listener(_)
            | Self::Host(_)
            | Self::Inbound(_)
            | Self::Fixed(_)
            | Self::Secret(_)
            | Self::Findings(_) => 6,
        }
    }
}

/// Names a proxy's workload, with what the proxy says of itself for the case that nobody else knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadName {
    /// What kind of proxy.
    pub role: Role,
    /// The namespace of the pod.
    pub namespace: Namespace,
    /// The name of the pod.
    pub name: Name,
    /// Used only while no pod of that name is known.
    pub claims: Arc<WorkloadClaims>,
}

/// What a proxy says of its workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadClaims {
    /// Its labels.
    pub labels: Labels,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Its service account.
    pub service_account: Name,
    /// Its locality.
    pub locality: Locality,
    /// The node it runs on, empty if it does not say.
    pub node: Name,
}

/// Decides an outbound cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterKey {
    /// The service.
    pub service: ServiceRef,
    /// Its port.
    pub port: u16,
    /// The subset, if it is one.
    pub subset: Option<Name>,
    /// The destination rules that shape it, in order of precedence.
    pub rules: Arc<[ObjectKey]>,
    /// Who asks.
    pub role: Role,
}

impl ClusterKey {
    /// Its name in Istio's scheme.
    pub fn name(&self) -> Name {
        crate::names::outbound_cluster(self.port, self.subset.as_ref(), &self.service.host)
    }
}

/// Decides an assignment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssignmentKey {
    /// The cluster.
    pub cluster: ClusterKey,
    /// How its endpoints depend on where the client runs.
    pub near: Near,
}

/// Where a proxy runs; parts that nobody asks for are empty, as are unknown ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Region, zone and sub-zone.
    pub locality: Locality,
    /// The name of the node.
    pub node: Name,
}

/// How endpoints depend on where the client runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Near {
    /// Not at all.
    Anywhere,
    /// Those of the same sub-zone come first, then those of the same zone and region.
    SubZone(Locality),
    /// Those of the same zone come first, then those of the same region.
    Zone {
        /// The region.
        region: Name,
        /// The zone.
        zone: Name,
    },
    /// Those of the same node come first, then as for sub-zones.
    Node {
        /// The node.
        node: Name,
        /// Where it is.
        locality: Locality,
    },
    /// Only those of the same node.
    OnlyNode(Name),
}

/// Decides an outbound listener of a sidecar.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenerKey {
    /// The listener that captured connections arrive at.
    Capture {
        /// Whether it listens on IPv6.
        v6: bool,
    },
    /// The listener of an address and port.
    Outbound(Arc<OutboundListener>),
}

impl ListenerKey {
    /// The name of the listener.
    pub fn name(&self) -> Name {
        match self {
            Self::Capture { .. } => Name::from(crate::names::VIRTUAL_OUTBOUND),
            Self::Outbound(listener) => crate::names::listener(listener.address, listener.port),
        }
    }
}

/// What is served at an outbound address and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboundListener {
    /// The address; unspecified for every one without an own listener.
    pub address: IpAddr,
    /// Further addresses of the same service.
    pub additional: Vec<IpAddr>,
    /// The port.
    pub port: u16,
    /// The route table, if HTTP is served, and whether gRPC-Web is.
    pub http: Option<(Name, bool)>,
    /// Services that are served as bytes or by server name, first come first served.
    pub tcp: Vec<TcpEntry>,
    /// Who asks, where virtual services may look at it.
    pub client: Option<Client>,
}

/// A service that is served as bytes or by server name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpEntry {
    /// The service.
    pub service: ServiceRef,
    /// Its port.
    pub port: u16,
    /// What the port is declared to speak.
    pub protocol: Protocol,
    /// The destination rules that shape it.
    pub rules: Arc<[ObjectKey]>,
    /// Only for these dialled addresses; empty for all that arrive at the listener.
    pub ranges: Vec<Cidr>,
    /// Whether connections are told apart by the server name of the TLS hello.
    pub by_server_name: bool,
    /// Virtual services with TCP or TLS rules for its host, in order of precedence.
    pub claims: Arc<[ObjectKey]>,
}

/// Decides a route table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableKey {
    /// Its name.
    pub name: Name,
    /// Its catch-all.
    pub catch_all: Option<crate::plan::CatchAll>,
    /// Its hosts, ordered by name; names are unique.
    pub hosts: Arc<[HostKey]>,
}

impl TableKey {
    /// The plan of the table without its hosts.
    pub fn plan(&self) -> RouteTablePlan {
        RouteTablePlan { name: self.name.clone(), catch_all: self.catch_all }
    }
}

/// Decides a virtual host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostKey {
    /// Its name, `<host>:<port>`.
    pub name: Name,
    /// What it answers to.
    pub domains: Arc<[Name]>,
    /// The port of the listener (of the server, on gateways).
    pub port: u16,
    /// Where its routes come from.
    pub source: HostSource,
    /// Whether plain requests are redirected to HTTPS.
    pub require_tls: bool,
}

/// Where routes of a virtual host come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostSource {
    /// Nobody wrote any: everything goes to the service.
    Service {
        /// The service.
        service: ServiceRef,
        /// The destination rules that shape it.
        rules: Arc<[ObjectKey]>,
    },
    /// Virtual services. At gateways the routes of all of them, one after the other; in the mesh those of the first one that has
    /// any for this client.
    VirtualServices {
        /// Who asks.
        client: Client,
        /// Which, and through which gateway they are bound (none: the mesh).
        objects: Arc<[(ObjectKey, Option<ObjectKey>)]>,
        /// What the host is where none of them has a route for this client.
        otherwise: Otherwise,
    },
    /// Nothing but a redirect to HTTPS.
    Nothing,
}

/// What a host is apart from virtual services.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Otherwise {
    /// A service.
    Service {
        /// The service.
        service: ServiceRef,
        /// The destination rules that shape it.
        rules: Arc<[ObjectKey]>,
    },
    /// Nothing: as any host that nobody defines.
    Unknown,
    /// Not asked for: some virtual service has routes for every client.
    Never,
}

/// Decides what stands in front of a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboundKey {
    /// Ports that services lead to, by number.
    pub ports: Vec<InboundPort>,
    /// The mode of every other port.
    pub mode: MtlsMode,
    /// Modes of other ports that have one of their own.
    pub port_modes: Vec<(u16, MtlsMode)>,
    /// Whether the workload only has IPv6 addresses.
    pub v6: bool,
}

/// A port of a workload that a service leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboundPort {
    /// The port of the workload.
    pub target: u16,
    /// What the service declares it to speak.
    pub protocol: Protocol,
    /// How it treats mutual TLS.
    pub mode: MtlsMode,
    /// The service, the oldest if there are several.
    pub service: ServiceRef,
    /// Its short name.
    pub service_name: Name,
    /// The port of the service.
    pub service_port: u16,
}

/// Decides what a gateway serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayKey {
    /// Who it is.
    pub client: Client,
    /// Its Gateway objects, in order of precedence.
    pub gateways: Vec<ObjectKey>,
    /// Where ports of its services lead on the workload.
    pub ports: Vec<(u16, u16)>,
}

/// Decides a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretKey {
    /// The name it is asked for by.
    pub resource: Name,
    /// Where it is.
    pub source: SecretSource,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretSource {
    /// The certificate of a Secret.
    Certificate {
        /// The namespace of the object.
        namespace: Namespace,
        /// The name of the object.
        name: Name,
    },
    /// The roots of the Secret `<name>-cacert`, else those of the Secret `<name>`.
    Roots {
        /// The namespace of the objects.
        namespace: Namespace,
        /// The name.
        name: Name,
    },
    /// Files of the proxy with a certificate and its key.
    CertificateFiles {
        /// The file with the chain.
        certificate: Name,
        /// The file with the key.
        key: Name,
    },
    /// Files of the proxy with roots.
    RootFiles {
        /// The file with the roots.
        roots: Name,
        /// The file with revoked certificates.
        revoked: Option<Name>,
    },
}
