//! Listeners with their route tables and secrets in place.

use std::collections::BTreeMap;

use pilothouse_base::Name;
use pilothouse_envoy_api as envoy;

use super::secrets::Secrets;

/// A listener with everything in place. Chains whose certificate is not there are left out, and a listener of which nothing
/// is left with them: to Envoy a listener without chains is a mistake.
pub(super) fn in_place(
    mut listener: envoy::listener::Listener,
    tables: &BTreeMap<String, envoy::route::RouteConfiguration>,
    secrets: &mut Secrets,
) -> Option<envoy::listener::Listener> {
    listener.filter_chains.retain_mut(|chain| chain_in_place(chain, tables, secrets));
    if listener.default_filter_chain.as_mut().is_some_and(|chain| !chain_in_place(chain, tables, secrets)) {
        listener.default_filter_chain = None;
    }
    (!listener.filter_chains.is_empty() || listener.default_filter_chain.is_some()).then_some(listener)
}

fn chain_in_place(
    chain: &mut envoy::listener::FilterChain,
    tables: &BTreeMap<String, envoy::route::RouteConfiguration>,
    secrets: &mut Secrets,
) -> bool {
    for filter in &mut chain.filters {
        routes_in_place(filter, tables);
    }
    chain.transport_socket.as_mut().is_none_or(|socket| secrets.downstream(socket))
}

fn routes_in_place(
    filter: &mut envoy::listener::Filter,
    tables: &BTreeMap<String, envoy::route::RouteConfiguration>,
) {
    use envoy::hcm::http_connection_manager::RouteSpecifier;
    use envoy::listener::filter::ConfigType;
    let Some(ConfigType::TypedConfig(any)) = &mut filter.config_type else { return };
    let Ok(mut manager) = envoy::unpack::<envoy::hcm::HttpConnectionManager>(any) else { return };
    let Some(RouteSpecifier::Rds(rds)) = &manager.route_specifier else { return };
    let name = &rds.route_config_name;
    let mut table = tables
        .get(name)
        .cloned()
        .unwrap_or_else(|| crate::empty_route_table(&Name::from(name.as_str()), crate::Delivery::Whole));
    table.vhds = None;
    manager.route_specifier = Some(RouteSpecifier::RouteConfig(table));
    *any = envoy::pack(&manager);
}
