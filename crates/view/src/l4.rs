//! TCP and TLS rules of virtual services, applied to one service port.

use pilothouse_base::{Hostname, Name, ObjectKey};
use pilothouse_config::service::Resolution;
use pilothouse_config::traffic_policy::{ClientTlsMode, HashKey, LoadBalancer};
use pilothouse_config::virtual_service::{Destination, GatewayRef, L4Destination, L4Match};

use crate::names;
use crate::plan::TcpPlan;
use crate::policy::effective;
use crate::query::{Client, TcpEntry};
use crate::reader::Reader;

/// Connections that are carried somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    /// Only those whose TLS hello names one of these; empty: all.
    pub(crate) server_names: Vec<Hostname>,
    /// Where to.
    pub(crate) to: TcpPlan,
    /// Who said so.
    pub(crate) origin: Option<ObjectKey>,
}

/// Where connections to a service port go. All parts of a match must hold; the first rule that takes every connection ends
/// the search. Where a TLS rule applies, connections with other server names are not the service's.
pub(crate) fn route(
    entry: &TcpEntry,
    port: u16,
    client: Option<&Client>,
    read: &mut Reader<'_>,
) -> Vec<Carried> {
    let mut carried = Vec::new();
    if let Some(client) = client {
        for key in entry.claims.iter() {
            let Some(object) = read.virtual_service(key) else { continue };
            let applies =
                |one: &L4Match| applies(one, &GatewayRef::Mesh, &object.gateways, entry.port, client);
            if entry.protocol.is_tls() {
                for rule in &object.tls {
                    for one in rule.matches.iter().filter(|one| applies(one)) {
                        carried.push(Carried {
                            server_names: one.sni_hosts.clone(),
                            to: plan(&rule.route, key, port, client, read),
                            origin: Some(key.clone()),
                        });
                    }
                }
            } else {
                let rule = object
                    .tcp
                    .iter()
                    .find(|rule| rule.matches.is_empty() || rule.matches.iter().any(&applies));
                if let Some(rule) = rule {
                    let to = plan(&rule.route, key, port, client, read);
                    return vec![Carried { server_names: Vec::new(), to, origin: Some(key.clone()) }];
                }
            }
            if !carried.is_empty() {
                return carried;
            }
        }
    }
    let server_names = if entry.by_server_name { vec![entry.service.host.clone()] } else { Vec::new() };
    let cluster = names::outbound_cluster(entry.port, None, &entry.service.host);
    let policy = effective(&entry.rules, entry.port, None, read).policy;
    vec![Carried { server_names, to: settings(vec![(cluster, 1)], None, &policy), origin: None }]
}

/// Whether a match takes connections of a client that arrive on a port through a gateway (or the mesh).
pub(crate) fn applies(
    one: &L4Match,
    through: &GatewayRef,
    of_object: &[GatewayRef],
    port: u16,
    client: &Client,
) -> bool {
    let gateways = one.gateways.as_deref().unwrap_or(of_object);
    let mesh = *through == GatewayRef::Mesh;
    one.port.is_none_or(|wanted| wanted == port)
        && gateways.contains(through)
        && (!mesh || pilothouse_base::Selector::new(one.source_labels.clone()).matches(&client.labels))
        && (!mesh || one.source_namespace.as_ref().is_none_or(|wanted| *wanted == client.namespace))
}

/// Carries connections to destinations by weight; settings come from the first one's destination rule.
pub(crate) fn plan(
    route: &[L4Destination],
    object: &ObjectKey,
    port: u16,
    client: &Client,
    read: &mut Reader<'_>,
) -> TcpPlan {
    let clusters: Vec<(Name, u32)> = route
        .iter()
        .filter(|one| route.len() == 1 || one.weight > 0)
        .map(|one| (cluster_of(&one.destination, port, client, read), one.weight.max(1)))
        .collect();
    let policy = match route.first() {
        Some(first) => policy_of(&first.destination, port, client, read),
        None => Default::default(),
    };
    let prefix = (clusters.len() > 1).then(|| Name::from(format!("{}.{}", object.name, object.namespace)));
    settings(clusters, prefix, &policy)
}

fn settings(
    clusters: Vec<(Name, u32)>,
    stat_prefix: Option<Name>,
    policy: &pilothouse_config::TrafficPolicy,
) -> TcpPlan {
    let pool = policy.connection_pool.as_ref();
    let own_tls = policy.tls.as_ref().is_some_and(|tls| {
        matches!(
            tls.mode,
            ClientTlsMode::Simple { .. } | ClientTlsMode::Mutual { .. } | ClientTlsMode::Closed
        )
    });
    TcpPlan {
        stat_prefix: stat_prefix
            .or_else(|| clusters.first().map(|(name, _)| name.clone()))
            .unwrap_or_else(|| Name::from(names::BLACK_HOLE)),
        clusters: if clusters.is_empty() { vec![(Name::from(names::BLACK_HOLE), 1)] } else { clusters },
        idle_timeout: pool.and_then(|pool| pool.tcp_idle_timeout),
        max_duration: pool.and_then(|pool| pool.max_connection_duration),
        hash_source_ip: matches!(
            policy.load_balancer,
            Some(LoadBalancer::ConsistentHash { key: HashKey::SourceIp, .. })
        ),
        mesh_marker: !own_tls,
        after_handshake: false,
        access_log: None,
        origin: None,
    }
}

/// The cluster of a destination: its port, else the only one of the service, else that of the listener.
pub(crate) fn cluster_of(
    destination: &Destination,
    port: u16,
    client: &Client,
    read: &mut Reader<'_>,
) -> Name {
    let (host, port) = host_and_port(destination, port, client, read);
    names::outbound_cluster(port, destination.subset.as_ref(), &host)
}

/// The policy of a destination.
pub(crate) fn policy_of(
    destination: &Destination,
    port: u16,
    client: &Client,
    read: &mut Reader<'_>,
) -> pilothouse_config::TrafficPolicy {
    let (_, port) = host_and_port(destination, port, client, read);
    match read.target(&client.namespace, &destination.host) {
        Some(target) => effective(&target.rules, port, destination.subset.as_ref(), read).policy,
        None => Default::default(),
    }
}

/// The host a destination stands for (an alias leads on) and its port.
pub(crate) fn host_and_port(
    destination: &Destination,
    port: u16,
    client: &Client,
    read: &mut Reader<'_>,
) -> (Hostname, u16) {
    let target = read.target(&client.namespace, &destination.host);
    let host = match &target {
        Some(target) => match &target.service.resolution {
            // What it leads to is no service here; requests fail under the name that does not exist.
            Resolution::Alias(real) => real.clone(),
            _ => target.service.host.clone(),
        },
        None => destination.host.clone(),
    };
    let only = target.and_then(|target| match target.service.ports.as_slice() {
        [only] => Some(only.number),
        _ => None,
    });
    (host, destination.port.or(only).unwrap_or(port))
}
