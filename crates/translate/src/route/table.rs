//! Route tables: the head that belongs to all hosts, and the hosts beside it.

use std::collections::BTreeMap;

use pilothouse_base::Name;
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{CatchAll, RouteTablePlan};

use crate::discovery;

/// The cluster that dials what the client dialled.
const PASSTHROUGH: &str = "PassthroughCluster";
/// The largest body of a direct response, in bytes: what users may write.
const LARGEST_BODY: u32 = 1 << 20;

/// How the hosts of a table reach the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Inside the table.
    Whole,
    /// Each as a resource of its own, pushed on the same stream.
    Split,
}

/// The head of a table: all of it but the hosts of its services.
pub fn route_table(plan: &RouteTablePlan, delivery: Delivery) -> envoy::route::RouteConfiguration {
    let RouteTablePlan { name, catch_all } = plan;
    envoy::route::RouteConfiguration {
        virtual_hosts: catch_all.map(catch_all_host).into_iter().collect(),
        max_direct_response_body_size_bytes: Some(envoy::uint32(LARGEST_BODY)),
        ignore_port_in_host_matching: true,
        ..empty_route_table(name, delivery)
    }
}

/// A table without hosts, for names that are no table: an answer ends Envoy's waiting.
pub fn empty_route_table(name: &Name, delivery: Delivery) -> envoy::route::RouteConfiguration {
    let vhds = match delivery {
        Delivery::Whole => None,
        // With a limit, a listener whose hosts are late opens with the catch-all alone, and that may mean past all rules.
        Delivery::Split => Some(envoy::route::Vhds { config_source: Some(discovery::ads(discovery::WAIT)) }),
    };
    envoy::route::RouteConfiguration {
        name: name.to_string(),
        vhds,
        // Clusters may come later than routes to them; such a route answers 503 until then.
        validate_clusters: Some(envoy::boolean(false)),
        ..Default::default()
    }
}

/// The whole table: hosts by name, then the catch-all of the head.
pub fn assemble(
    head: envoy::route::RouteConfiguration,
    hosts: impl IntoIterator<Item = envoy::route::VirtualHost>,
) -> envoy::route::RouteConfiguration {
    let hosts: BTreeMap<_, _> = hosts.into_iter().map(|host| (host.name.clone(), host)).collect();
    let virtual_hosts = hosts.into_values().chain(head.virtual_hosts).collect();
    envoy::route::RouteConfiguration { virtual_hosts, vhds: None, ..head }
}

fn catch_all_host(plan: CatchAll) -> envoy::route::VirtualHost {
    let (name, routes) = match plan {
        CatchAll::Passthrough => {
            let pass = envoy::route::RouteAction {
                cluster_specifier: Some(envoy::route::route_action::ClusterSpecifier::Cluster(
                    PASSTHROUGH.into(),
                )),
                ..super::action::without_limits()
            };
            ("allow_any".to_owned(), vec![all("allow_any", envoy::route::route::Action::Route(pass))])
        }
        CatchAll::Block => {
            let refuse = envoy::route::DirectResponseAction { status: 502, ..Default::default() };
            (
                "block_all".to_owned(),
                vec![all("block_all", envoy::route::route::Action::DirectResponse(refuse))],
            )
        }
        // Envoy answers 404 where no route is.
        CatchAll::NotFound { port } => (format!("blackhole:{port}"), vec![]),
    };
    envoy::route::VirtualHost {
        name,
        domains: vec!["*".into()],
        routes,
        include_request_attempt_count: true,
        ..Default::default()
    }
}

fn all(name: &str, action: envoy::route::route::Action) -> envoy::route::Route {
    envoy::route::Route {
        name: name.into(),
        r#match: Some(super::matching::everything()),
        action: Some(action),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
