//! What consistent hashing looks at.

use pilothouse_config::traffic_policy::HashKey;
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::HashPlan;

use crate::time;

/// An entry of the hash policy of a route.
pub(super) fn policy(HashPlan(key): &HashPlan) -> envoy::route::route_action::HashPolicy {
    use envoy::route::route_action::hash_policy::{
        ConnectionProperties, Cookie, Header, PolicySpecifier, QueryParameter,
    };
    let specifier = match key {
        HashKey::Header(name) => {
            PolicySpecifier::Header(Header { header_name: name.to_string(), regex_rewrite: None })
        }
        HashKey::Cookie { name, ttl, path } => PolicySpecifier::Cookie(Cookie {
            name: name.to_string(),
            ttl: ttl.map(time::duration),
            path: path.to_string(),
            attributes: vec![],
        }),
        HashKey::SourceIp => PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true }),
        HashKey::Query(name) => PolicySpecifier::QueryParameter(QueryParameter { name: name.to_string() }),
    };
    envoy::route::route_action::HashPolicy { terminal: false, policy_specifier: Some(specifier) }
}
