//! Outbound clusters: which there are, and what each is.

use std::collections::{BTreeMap, BTreeSet};

use pilothouse_base::{Name, Namespace, Protocol};
use pilothouse_config::endpoint::EndpointAddress;
use pilothouse_config::service::{Resolution, TargetPort};
use pilothouse_config::traffic_policy::{ClientTlsMode, LoadBalancer};
use pilothouse_config::{MtlsMode, Service, ServicePort, TrafficDistribution};

use crate::backends::backends;
use crate::place::Preference;
use crate::plan::{
    ClusterPlan, ClusterService, Discovery, DnsEndpoint, MeshTls, UpstreamProtocol, UpstreamTls,
};
use crate::policy::{Effective, effective};
use crate::query::{ClusterKey, Role, stranger};
use crate::reader::Reader;
use crate::targets::Target;
use crate::{mtls, names};

/// The clusters that everybody has, or what a namespace has instead of some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters {
    /// Ordered by host.
    pub entries: Vec<ClusterEntry>,
    /// Names of clusters of everybody that the namespace does not have, or has from `entries`.
    pub hidden: BTreeSet<Name>,
}

/// A cluster of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterEntry {
    /// What decides it.
    pub key: ClusterKey,
    /// Whether its endpoints are listed in an assignment.
    pub listed: bool,
    /// How the service wants them picked.
    pub(crate) preference: Preference,
}

pub(crate) fn clusters(namespace: &Namespace, role: Role, read: &mut Reader<'_>) -> Clusters {
    let mut preferences = Preferences::default();
    if *namespace == stranger() {
        let public = read.public();
        let entries = public.by_host.values();
        let entries =
            entries.flat_map(|target| entries_of(target, role, preferences.of(&target.service, read)));
        return Clusters { entries: entries.collect(), hidden: BTreeSet::new() };
    }
    let targets = read.targets(namespace);
    let shared = targets.hosts.values().filter_map(|host| host.shared.as_ref());
    let hidden = shared.flat_map(|target| entries_of(target, role, Preference::Anywhere));
    let hidden = hidden.map(|entry| entry.key.name()).collect();
    let own = targets.hosts.values().map(|host| &host.own);
    let entries = own.flat_map(|target| entries_of(target, role, preferences.of(&target.service, read)));
    Clusters { entries: entries.collect(), hidden }
}

/// What services prefer; each namespace is looked at once.
#[derive(Default)]
struct Preferences(BTreeMap<Namespace, Option<TrafficDistribution>>);

impl Preferences {
    fn of(&mut self, service: &Service, read: &mut Reader<'_>) -> Preference {
        let namespace = service.namespace();
        let of_namespace = match self.0.get(namespace) {
            Some(known) => *known,
            None => *self.0.entry(namespace.clone()).or_insert(read.distribution(namespace)),
        };
        Preference::of(service, of_namespace)
    }
}

/// One cluster for each port of a service, and one more for each subset.
fn entries_of(target: &Target, role: Role, preference: Preference) -> Vec<ClusterEntry> {
    let mut all = Vec::new();
    if matches!(target.service.resolution, Resolution::Alias(_)) {
        return all;
    }
    let listed = is_listed(&target.service, role);
    for port in target.service.ports.iter().filter(|port| port.protocol != Protocol::Udp) {
        for subset in std::iter::once(None).chain(target.subsets.iter().cloned().map(Some)) {
            let key = ClusterKey {
                service: target.name(),
                port: port.number,
                subset,
                rules: target.rules.clone(),
                role,
            };
            all.push(ClusterEntry { key, listed, preference });
        }
    }
    all
}

/// Where endpoints of a cluster come from, decided by the service alone. Headless services need a list only where
/// nobody dialled one of their addresses: at gateways.
fn is_listed(service: &Service, role: Role) -> bool {
    match service.resolution {
        Resolution::Endpoints => true,
        Resolution::Headless => role == Role::Gateway,
        Resolution::OriginalDestination
        | Resolution::Dns
        | Resolution::DnsRoundRobin
        | Resolution::Alias(_) => false,
    }
}

/// One cluster; none if there is nothing to send.
pub(crate) fn cluster(key: &ClusterKey, read: &mut Reader<'_>) -> Option<ClusterPlan> {
    let service = read.service(&key.service)?;
    let port = service.port(key.port)?;
    let mesh = read.mesh();
    let Effective { policy, rule, labels } = effective(&key.rules, key.port, key.subset.as_ref(), read);
    let labels = labels?;
    let load_balancer = policy.load_balancer.clone().unwrap_or(LoadBalancer::LeastRequest);
    let discovery = discovery(&service, port, &load_balancer, key.role, &labels, read)?;
    let tls = tls(key, &service, &policy, &discovery, read);
    let pool = policy.connection_pool.clone().unwrap_or_default();
    Some(ClusterPlan {
        name: key.name(),
        connect_timeout: pool.connect_timeout.unwrap_or(mesh.connect_timeout),
        protocol: protocol(port.protocol, pool.h2_upgrade, key.role),
        load_balancer,
        pool,
        outlier: policy.outlier,
        tls,
        services: vec![as_service(&service)],
        external: service.external,
        subset: key.subset.clone(),
        rule,
        discovery,
    })
}

/// The service as telemetry names it.
pub(crate) fn as_service(service: &Service) -> ClusterService {
    ClusterService {
        host: service.host.clone(),
        name: if service.is_kubernetes() {
            service.meta.key.name.clone()
        } else {
            Name::from(service.host.as_str())
        },
        namespace: service.namespace().clone(),
    }
}

fn protocol(port: Protocol, upgrade: bool, role: Role) -> UpstreamProtocol {
    match port {
        _ if port.is_http2() => UpstreamProtocol::Http2,
        Protocol::Auto if role == Role::Sidecar => UpstreamProtocol::AsDownstream,
        Protocol::Http | Protocol::Auto if upgrade => UpstreamProtocol::Http2,
        _ => UpstreamProtocol::Http1,
    }
}

fn discovery(
    service: &Service,
    port: &ServicePort,
    load_balancer: &LoadBalancer,
    role: Role,
    labels: &pilothouse_base::Labels,
    read: &mut Reader<'_>,
) -> Option<Discovery> {
    if *load_balancer == LoadBalancer::Passthrough {
        return Some(Discovery::OriginalDestination { port: None });
    }
    if is_listed(service, role) {
        return Some(Discovery::Endpoints);
    }
    match &service.resolution {
        Resolution::Dns => Some(Discovery::StrictDns(names_to_resolve(service, port, labels, read)?)),
        Resolution::DnsRoundRobin => {
            // Envoy takes exactly one name here.
            let mut names = names_to_resolve(service, port, labels, read)?;
            names.truncate(1);
            Some(Discovery::LogicalDns(names))
        }
        Resolution::Endpoints | Resolution::Headless => Some(Discovery::OriginalDestination { port: None }),
        Resolution::OriginalDestination => {
            let target = match port.target {
                TargetPort::Number(number) => Some(number).filter(|number| *number != port.number),
                TargetPort::Named(_) => None,
            };
            Some(Discovery::OriginalDestination { port: target })
        }
        Resolution::Alias(_) => None,
    }
}

/// What a DNS cluster resolves: its endpoints, or its own host if it has none.
fn names_to_resolve(
    service: &Service,
    port: &ServicePort,
    labels: &pilothouse_base::Labels,
    read: &mut Reader<'_>,
) -> Option<Vec<DnsEndpoint>> {
    let wanted = pilothouse_base::Selector::new(labels.clone());
    let reached = backends(service, port, read);
    let mut names: Vec<DnsEndpoint> = reached
        .iter()
        .filter(|one| wanted.matches(&one.labels))
        .filter_map(|one| {
            let host = match &one.address {
                EndpointAddress::Ip(ip) => Name::from(ip.to_string()),
                EndpointAddress::Name(name) => name.clone(),
                EndpointAddress::Unix(_) => return None,
            };
            let locality = one.locality.clone();
            Some(DnsEndpoint { host, port: one.port, weight: one.weight, locality, mtls: one.meshed })
        })
        .collect();
    if reached.is_empty() && !service.host.is_wildcard() && labels.is_empty() {
        let target = match port.target {
            TargetPort::Number(number) => number,
            TargetPort::Named(_) => port.number,
        };
        names.push(DnsEndpoint {
            host: Name::from(service.host.as_str()),
            port: target,
            weight: 1,
            locality: pilothouse_base::Locality::default(),
            mtls: false,
        });
    }
    (!names.is_empty()).then_some(names)
}

fn tls(
    key: &ClusterKey,
    service: &Service,
    policy: &pilothouse_config::TrafficPolicy,
    discovery: &Discovery,
    read: &mut Reader<'_>,
) -> UpstreamTls {
    let sni = names::server_name(key.port, key.subset.as_ref(), &key.service.host);
    let identities = |read: &mut Reader<'_>| {
        if service.subject_alt_names.is_empty() {
            read.accounts(&key.service).identities.clone()
        } else {
            service.subject_alt_names.clone()
        }
    };
    if let Some(wanted) = &policy.tls {
        let names = |read: &mut Reader<'_>| {
            if wanted.subject_alt_names.is_empty() {
                identities(read)
            } else {
                wanted.subject_alt_names.clone()
            }
        };
        let declared = || {
            if wanted.subject_alt_names.is_empty() {
                service.subject_alt_names.clone()
            } else {
                wanted.subject_alt_names.clone()
            }
        };
        return match &wanted.mode {
            // Their service accounts must not reach for any secret of the namespace, and what never comes would only hold up
            // the proxy's start.
            mode if key.role == Role::Sidecar && mode.names_secret() => UpstreamTls::Closed,
            ClientTlsMode::Disable => UpstreamTls::None,
            ClientTlsMode::IstioMutual => UpstreamTls::Mesh(MeshTls {
                sni: wanted.sni.clone().unwrap_or(sni),
                subject_alt_names: names(read),
            }),
            ClientTlsMode::Simple { roots } => UpstreamTls::Origination {
                sni: wanted.sni.clone(),
                subject_alt_names: declared(),
                roots: roots.clone(),
                certificate: None,
            },
            ClientTlsMode::Mutual { certificate, roots } => UpstreamTls::Origination {
                sni: wanted.sni.clone(),
                subject_alt_names: declared(),
                roots: roots.clone(),
                certificate: Some(certificate.clone()),
            },
            ClientTlsMode::Closed => UpstreamTls::Closed,
        };
    }
    let automatic = read.mesh().auto_mtls
        && !service.external
        && mtls::of_namespace(service.namespace(), read) != MtlsMode::Disable;
    if !automatic {
        return UpstreamTls::None;
    }
    let tls = MeshTls { sni, subject_alt_names: identities(read) };
    match discovery {
        Discovery::Endpoints | Discovery::StrictDns(_) | Discovery::LogicalDns(_) => UpstreamTls::Auto(tls),
        // Addresses are not known beforehand, so it is all or nothing.
        Discovery::OriginalDestination { .. } if read.accounts(&key.service).all_meshed => {
            UpstreamTls::Mesh(tls)
        }
        Discovery::OriginalDestination { .. } | Discovery::Inbound | Discovery::Nothing => UpstreamTls::None,
    }
}

/// Clusters that every proxy of a role has.
pub(crate) fn fixed(role: Role, mesh: &pilothouse_config::Mesh) -> Vec<ClusterPlan> {
    let plan = |name: &str, discovery| ClusterPlan {
        name: Name::from(name),
        connect_timeout: mesh.connect_timeout,
        load_balancer: match discovery {
            Discovery::Nothing => LoadBalancer::RoundRobin,
            _ => LoadBalancer::Passthrough,
        },
        pool: pilothouse_config::traffic_policy::ConnectionPool {
            http_idle_timeout: (discovery != Discovery::Nothing).then(|| std::time::Duration::from_mins(5)),
            ..Default::default()
        },
        outlier: None,
        protocol: match discovery {
            Discovery::Nothing => UpstreamProtocol::Http1,
            _ => UpstreamProtocol::AsDownstream,
        },
        tls: UpstreamTls::None,
        services: Vec::new(),
        external: false,
        subset: None,
        rule: None,
        discovery,
    };
    let black_hole = plan(names::BLACK_HOLE, Discovery::Nothing);
    match role {
        Role::Gateway => vec![black_hole],
        Role::Sidecar => vec![
            black_hole,
            plan(names::PASSTHROUGH, Discovery::OriginalDestination { port: None }),
            plan(names::INBOUND_PASSTHROUGH, Discovery::Inbound),
        ],
    }
}
