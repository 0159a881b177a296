//! Filter chains.

use std::time::Duration;

use pilothouse_base::{Hostname, Name};
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{ChainMatch, ChainPlan, Network, ServerTlsPlan, Transport};

use super::{http, ready, server_tls, tcp};
use crate::{address, metadata, time};

/// How long a TLS handshake may take; a peer that says nothing would hold its connection for ever.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// The filter chain of a plan.
pub(super) fn chain(plan: &ChainPlan) -> envoy::listener::FilterChain {
    let ChainPlan { name, matches, tls, network } = plan;
    let terminates = *tls != ServerTlsPlan::None;
    let (filters, origin) = match network {
        Network::Http(http) => (vec![http::connection_manager(http)], None),
        Network::Tcp(tcp) => (tcp::filters(tcp, terminates), tcp.origin.as_ref()),
        Network::Ready => (vec![ready::answer()], None),
    };
    envoy::listener::FilterChain {
        name: name.to_string(),
        filter_chain_match: chain_match(matches),
        filters,
        metadata: metadata::origin(origin),
        transport_socket: server_tls::socket(tls),
        transport_socket_connect_timeout: terminates.then(|| time::duration(HANDSHAKE)),
        ..Default::default()
    }
}

fn chain_match(plan: &ChainMatch) -> Option<envoy::listener::FilterChainMatch> {
    let ChainMatch { destination_port, prefix_ranges, server_names, transport, application_protocols } = plan;
    // `*` is every name and also none, which Envoy says by an empty list.
    let any_name = server_names.iter().any(|name| name.as_str() == "*");
    let server_names = if any_name { &[][..] } else { server_names };
    let matches = envoy::listener::FilterChainMatch {
        destination_port: destination_port.map(|port| envoy::uint32(u32::from(port))),
        prefix_ranges: prefix_ranges.iter().map(address::range).collect(),
        server_names: server_names.iter().map(Hostname::to_string).collect(),
        transport_protocol: match transport {
            None => String::new(),
            Some(Transport::Tls) => "tls".into(),
            Some(Transport::RawBuffer) => "raw_buffer".into(),
        },
        application_protocols: application_protocols.iter().map(Name::to_string).collect(),
        ..Default::default()
    };
    (matches != envoy::listener::FilterChainMatch::default()).then_some(matches)
}
