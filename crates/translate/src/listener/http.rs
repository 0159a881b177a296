//! HTTP connection managers.

pub(super) mod filters;

use std::time::Duration;

use pilothouse_config::mesh::PathNormalization;
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{HttpPlan, HttpRole, RouteTablePlan, Routes};

use crate::route::{Delivery, assemble, route_table, virtual_host};
use crate::{access_log, discovery, time};

/// The network filter of a plan.
pub(super) fn connection_manager(plan: &HttpPlan) -> envoy::listener::Filter {
    let HttpPlan { stat_prefix, routes, role, grpc_web, path_normalization, access_log } = plan;
    let mut manager = envoy::hcm::HttpConnectionManager {
        // The semicolon ends the prefix for the rules that cut it out of statistics.
        stat_prefix: format!("{stat_prefix};"),
        route_specifier: Some(route_specifier(routes)),
        http_filters: filters::filters(*role, *grpc_web),
        access_log: access_log::access_log(access_log.as_ref()),
        // Streams that are quiet for long are normal for gRPC; limits are those of routes.
        stream_idle_timeout: Some(time::duration(Duration::ZERO)),
        proxy_100_continue: true,
        upgrade_configs: vec![envoy::hcm::http_connection_manager::UpgradeConfig {
            upgrade_type: "websocket".into(),
            ..Default::default()
        }],
        request_id_extension: Some(envoy::hcm::RequestIdExtension {
            typed_config: Some(envoy::pack(&envoy::uuid_request_id::UuidRequestIdConfig::default())),
        }),
        ..Default::default()
    };
    normalize(*path_normalization, &mut manager);
    play(*role, &mut manager);
    envoy::listener::Filter {
        name: "envoy.filters.network.http_connection_manager".into(),
        config_type: Some(envoy::listener::filter::ConfigType::TypedConfig(envoy::pack(&manager))),
    }
}

fn route_specifier(routes: &Routes) -> envoy::hcm::http_connection_manager::RouteSpecifier {
    use envoy::hcm::http_connection_manager::RouteSpecifier;
    match routes {
        Routes::Discovered(name) => RouteSpecifier::Rds(envoy::hcm::Rds {
            config_source: Some(discovery::ads(discovery::WAIT)),
            route_config_name: name.to_string(),
        }),
        Routes::Inline { name, host } => {
            let head = RouteTablePlan { name: name.clone(), catch_all: None };
            let head = route_table(&head, Delivery::Whole);
            RouteSpecifier::RouteConfig(assemble(head, [virtual_host(host)]))
        }
    }
}

fn normalize(how: PathNormalization, manager: &mut envoy::hcm::HttpConnectionManager) {
    use envoy::hcm::http_connection_manager::PathWithEscapedSlashesAction;
    let (normalize, merge, escaped) = match how {
        PathNormalization::None => (false, false, PathWithEscapedSlashesAction::KeepUnchanged),
        PathNormalization::Base => (true, false, PathWithEscapedSlashesAction::KeepUnchanged),
        PathNormalization::MergeSlashes => (true, true, PathWithEscapedSlashesAction::KeepUnchanged),
        PathNormalization::DecodeAndMergeSlashes => {
            (true, true, PathWithEscapedSlashesAction::UnescapeAndForward)
        }
    };
    manager.normalize_path = Some(envoy::boolean(normalize));
    manager.merge_slashes = merge;
    manager.path_with_escaped_slashes_action = escaped.into();
}

/// What differs between the ends: whom to believe about the client, and what to pass on about it.
fn play(role: HttpRole, manager: &mut envoy::hcm::HttpConnectionManager) {
    use envoy::hcm::http_connection_manager::{ForwardClientCertDetails, SetCurrentClientCertDetails};
    let certificate =
        SetCurrentClientCertDetails { subject: Some(envoy::boolean(true)), uri: true, ..Default::default() };
    // Whatever a client writes into `x-forwarded-client-cert` is never passed on.
    let (details, set, server) = match role {
        HttpRole::Inbound { peer_certificate: true } => {
            (ForwardClientCertDetails::SanitizeSet, Some(certificate), "istio-envoy")
        }
        HttpRole::Inbound { peer_certificate: false } => {
            (ForwardClientCertDetails::Sanitize, None, "istio-envoy")
        }
        HttpRole::Outbound => (ForwardClientCertDetails::Sanitize, None, "envoy"),
        HttpRole::Gateway => (
            ForwardClientCertDetails::SanitizeSet,
            Some(SetCurrentClientCertDetails { cert: true, dns: true, ..certificate }),
            "istio-envoy",
        ),
    };
    manager.forward_client_cert_details = details.into();
    manager.set_current_client_cert_details = set;
    manager.server_name = server.into();
    // At the edge the peer's address is the client's; inside, the proxy before has written it down.
    manager.use_remote_address = Some(envoy::boolean(role == HttpRole::Gateway));
}
