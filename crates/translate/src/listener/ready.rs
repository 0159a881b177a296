//! The ready probe.
//!
//! Envoy opens no listener before it has its clusters and the secrets they need, so that this one answers at all is the
//! answer.

use pilothouse_envoy_api as envoy;

use super::http::filters;

/// The path that is answered with 200; every other one with 404.
const PATH: &str = "/healthz/ready";

/// The network filter that answers.
pub(super) fn answer() -> envoy::listener::Filter {
    let ready = envoy::route::Route {
        name: "ready".into(),
        r#match: Some(envoy::route::RouteMatch {
            path_specifier: Some(envoy::route::route_match::PathSpecifier::Path(PATH.into())),
            ..Default::default()
        }),
        action: Some(envoy::route::route::Action::DirectResponse(envoy::route::DirectResponseAction {
            status: 200,
            ..Default::default()
        })),
        ..Default::default()
    };
    let table = envoy::route::RouteConfiguration {
        name: "ready".into(),
        virtual_hosts: vec![envoy::route::VirtualHost {
            name: "ready".into(),
            domains: vec!["*".into()],
            routes: vec![ready],
            ..Default::default()
        }],
        ..Default::default()
    };
    let manager = envoy::hcm::HttpConnectionManager {
        stat_prefix: "ready;".into(),
        route_specifier: Some(envoy::hcm::http_connection_manager::RouteSpecifier::RouteConfig(table)),
        http_filters: vec![filters::router()],
        ..Default::default()
    };
    envoy::listener::Filter {
        name: "envoy.filters.network.http_connection_manager".into(),
        config_type: Some(envoy::listener::filter::ConfigType::TypedConfig(envoy::pack(&manager))),
    }
}
