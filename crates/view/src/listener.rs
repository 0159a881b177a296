//! Outbound listeners of sidecars.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pilothouse_base::{Hostname, Name};
use pilothouse_config::Mesh;
use pilothouse_config::mesh::OutboundPolicy;

use crate::inbound::PLAIN_HTTP;
use crate::l4::{self, Carried};
use crate::names;
use crate::plan::{
    ChainMatch, ChainPlan, Direction, HttpPlan, HttpRole, Inspected, ListenerPlan, ListenerPort, Network,
    Routes, ServerTlsPlan, Sniffing, TcpPlan, Transport,
};
use crate::query::{ListenerKey, OutboundListener};
use crate::reader::Reader;

/// The port that captured outbound connections arrive at.
pub(crate) const OUTBOUND_PORT: u16 = 15001;

pub(crate) fn listener(key: &ListenerKey, read: &mut Reader<'_>) -> ListenerPlan {
    let mesh = read.mesh();
    match key {
        ListenerKey::Capture { v6 } => capture(*v6, &mesh),
        ListenerKey::Outbound(listener) => outbound(listener, &mesh, read),
    }
}

/// The listener that captured connections arrive at: it hands them to the listener of the dialled address; the rest goes
/// where the mesh settings say.
fn capture(v6: bool, mesh: &Mesh) -> ListenerPlan {
    let address: IpAddr = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    ListenerPlan {
        name: Name::from(names::VIRTUAL_OUTBOUND),
        port: ListenerPort { address, additional: Vec::new(), port: OUTBOUND_PORT, bound: true },
        direction: Direction::Outbound,
        hands_over: true,
        original_dst: false,
        sniffing: Sniffing::default(),
        chains: vec![
            // Somebody dialled the capture port itself: without this chain the connection would come back for ever.
            ChainPlan {
                name: Name::from("virtualOutbound-blackhole"),
                matches: ChainMatch { destination_port: Some(OUTBOUND_PORT), ..ChainMatch::default() },
                tls: ServerTlsPlan::None,
                network: Network::Tcp(to_cluster(names::BLACK_HOLE)),
            },
            ChainPlan {
                name: Name::from("virtualOutbound-catchall-tcp"),
                matches: ChainMatch::default(),
                tls: ServerTlsPlan::None,
                network: Network::Tcp(unknown(mesh)),
            },
        ],
        default_chain: None,
        access_log: mesh.access_log.clone(),
    }
}

/// What happens to connections to hosts that nobody defines.
fn unknown(mesh: &Mesh) -> TcpPlan {
    let cluster = match mesh.outbound {
        OutboundPolicy::AllowAny => names::PASSTHROUGH,
        OutboundPolicy::RegistryOnly => names::BLACK_HOLE,
    };
    TcpPlan { access_log: mesh.access_log.clone(), ..to_cluster(cluster) }
}

fn to_cluster(cluster: &str) -> TcpPlan {
    TcpPlan {
        stat_prefix: Name::from(cluster),
        clusters: vec![(Name::from(cluster), 1)],
        idle_timeout: None,
        max_duration: None,
        hash_source_ip: false,
        mesh_marker: false,
        after_handshake: false,
        access_log: None,
        origin: None,
    }
}

fn outbound(key: &OutboundListener, mesh: &Mesh, read: &mut Reader<'_>) -> ListenerPlan {
    let OutboundListener { address, additional, port, http, tcp, client } = key;
    let name = names::listener(*address, *port);
    let mut chains = Vec::new();
    let mut sniffing = Sniffing::default();
    if let Some((table, grpc_web)) = http {
        sniffing.http = Some(Inspected::Everywhere);
        chains.push(http_chain(&name, table, *grpc_web, mesh));
    }
    let mut fallback = None;
    for entry in tcp {
        let routed = l4::route(entry, *port, client.as_ref(), read);
        for Carried { server_names, to, origin } in routed {
            let server_names: Vec<Hostname> =
                if server_names.contains(&Hostname::parse("*")) { Vec::new() } else { server_names };
            let plan = TcpPlan { access_log: mesh.access_log.clone(), origin, ..to };
            let matches = ChainMatch {
                prefix_ranges: entry.ranges.clone(),
                server_names: server_names.clone(),
                ..ChainMatch::default()
            };
            let chain = ChainPlan {
                name: Name::from(plan.stat_prefix.as_str()),
                tls: ServerTlsPlan::None,
                network: Network::Tcp(plan),
                matches,
            };
            if !server_names.is_empty() {
                sniffing.tls = Some(Inspected::Everywhere);
            }
            if chain.matches.server_names.is_empty() && chain.matches.prefix_ranges.is_empty() {
                fallback.get_or_insert(chain);
            } else if !chains.iter().any(|one: &ChainPlan| one.matches == chain.matches) {
                chains.push(chain);
            }
        }
    }
    let default_chain = match fallback {
        Some(only) if chains.is_empty() => {
            chains.push(only);
            None
        }
        Some(rest) => Some(rest),
        None => Some(ChainPlan {
            name: Name::from("PassthroughFilterChain"),
            matches: ChainMatch::default(),
            tls: ServerTlsPlan::None,
            network: Network::Tcp(unknown(mesh)),
        }),
    };
    if sniffing.http.is_some() || sniffing.tls.is_some() {
        sniffing.timeout = Some(mesh.protocol_detection_timeout);
    }
    ListenerPlan {
        name,
        port: ListenerPort { address: *address, additional: additional.clone(), port: *port, bound: false },
        direction: Direction::Outbound,
        hands_over: false,
        original_dst: false,
        sniffing,
        chains,
        default_chain,
        access_log: mesh.access_log.clone(),
    }
}

fn http_chain(listener: &Name, table: &Name, grpc_web: bool, mesh: &Mesh) -> ChainPlan {
    ChainPlan {
        name: Name::from(format!("{listener}_http")),
        matches: ChainMatch {
            transport: Some(Transport::RawBuffer),
            application_protocols: PLAIN_HTTP.map(Name::from).into(),
            ..ChainMatch::default()
        },
        tls: ServerTlsPlan::None,
        network: Network::Http(Box::new(HttpPlan {
            stat_prefix: Name::from(format!("outbound_{listener}")),
            routes: Routes::Discovered(table.clone()),
            role: HttpRole::Outbound,
            grpc_web,
            path_normalization: mesh.path_normalization,
            access_log: mesh.access_log.clone(),
        })),
    }
}
