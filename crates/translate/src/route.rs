//! Route tables, virtual hosts and routes.

mod action;
mod cors;
mod fault;
mod hash;
mod headers;
mod matching;
mod redirect;
mod retry;
mod table;

use pilothouse_base::Name;
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{ActionPlan, RoutePlan, VirtualHostPlan};

pub(crate) use cors::FILTER as CORS_FILTER;
pub(crate) use fault::FILTER as FAULT_FILTER;
pub use table::{Delivery, assemble, empty_route_table, route_table};

use crate::metadata;
use headers::Mutations;

/// The virtual host of a plan, as part of a whole table.
pub fn virtual_host(plan: &VirtualHostPlan) -> envoy::route::VirtualHost {
    let VirtualHostPlan { name, domains, routes, require_tls, attempt_count } = plan;
    let require_tls = if *require_tls {
        envoy::route::virtual_host::TlsRequirementType::All
    } else {
        envoy::route::virtual_host::TlsRequirementType::None
    };
    envoy::route::VirtualHost {
        name: name.to_string(),
        domains: domains.iter().map(Name::to_string).collect(),
        routes: routes.iter().map(route).collect(),
        require_tls: require_tls.into(),
        include_request_attempt_count: *attempt_count,
        ..Default::default()
    }
}

fn route(plan: &RoutePlan) -> envoy::route::Route {
    let RoutePlan { name, origin, matches, action, operation, headers, fault, cors } = plan;
    let mut settings: std::collections::HashMap<String, envoy::Any> = std::collections::HashMap::new();
    settings.extend(fault::settings(fault).map(|any| (fault::FILTER.to_owned(), any)));
    settings.extend(cors.as_ref().map(|cors| (cors::FILTER.to_owned(), cors::settings(cors))));
    let mut mutations = Mutations::of(headers);
    let action = match action {
        ActionPlan::Route(to) => {
            // What one cluster alone says about headers and the marker is said on the route.
            if let [only] = to.clusters.as_slice() {
                mutations.append(&only.headers);
                settings.extend(action::marker_setting(only));
            }
            action::forward(to, headers.authority.as_ref())
        }
        ActionPlan::Redirect { redirect, listener_port } => redirect::redirect(redirect, *listener_port),
        ActionPlan::Respond(response) => action::respond(response),
    };
    let Mutations { request_add, request_remove, response_add, response_remove } = mutations;
    envoy::route::Route {
        name: name.to_string(),
        r#match: Some(matching::route_match(matches)),
        metadata: metadata::origin(origin.as_ref()),
        decorator: (!operation.as_str().is_empty())
            .then(|| envoy::route::Decorator { operation: operation.to_string(), propagate: None }),
        typed_per_filter_config: settings,
        request_headers_to_add: request_add,
        request_headers_to_remove: request_remove,
        response_headers_to_add: response_add,
        response_headers_to_remove: response_remove,
        stat_prefix: matching::stat_prefix(matches),
        action: Some(action),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
