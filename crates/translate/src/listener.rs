//! Listeners.

mod chain;
mod http;
mod ready;
mod server_tls;
mod sniffing;
mod tcp;

use std::net::IpAddr;

use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{Direction, ListenerPlan, ListenerPort};

use crate::{access_log, address, time};

/// The listener of a plan.
pub fn listener(plan: &ListenerPlan) -> envoy::listener::Listener {
    let ListenerPlan {
        name,
        port,
        direction,
        hands_over,
        original_dst,
        sniffing,
        chains,
        default_chain,
        access_log,
    } = plan;
    let ListenerPort { address, additional, port, bound } = port;
    let mut listener_filters = Vec::new();
    if *original_dst {
        // First: what follows looks at the dialled port.
        listener_filters.push(sniffing::original_destination());
    }
    listener_filters.extend(sniffing::inspectors(sniffing));
    envoy::listener::Listener {
        name: name.to_string(),
        address: Some(address::ip(*address, *port)),
        additional_addresses: additional.iter().map(|address| further(*address, *port)).collect(),
        traffic_direction: match direction {
            Direction::Inbound => envoy::core::TrafficDirection::Inbound,
            Direction::Outbound => envoy::core::TrafficDirection::Outbound,
        }
        .into(),
        bind_to_port: (!bound).then(|| envoy::boolean(false)),
        // One worker that takes a whole burst of connections starves the others.
        max_connections_to_accept_per_socket_event: bound.then(|| envoy::uint32(1)),
        use_original_dst: hands_over.then(|| envoy::boolean(true)),
        listener_filters,
        listener_filters_timeout: sniffing.timeout.map(time::duration),
        continue_on_listener_filters_timeout: sniffing.timeout.is_some(),
        filter_chains: chains.iter().map(chain::chain).collect(),
        default_filter_chain: default_chain.as_ref().map(chain::chain),
        access_log: access_log::of_unmatched(access_log.as_ref()),
        ..Default::default()
    }
}

fn further(address: IpAddr, port: u16) -> envoy::listener::AdditionalAddress {
    envoy::listener::AdditionalAddress { address: Some(address::ip(address, port)), ..Default::default() }
}

#[cfg(test)]
mod tests;
