//! The order of HTTP filters, in one place.

use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::HttpRole;

use crate::marker;
use crate::route::{CORS_FILTER, FAULT_FILTER};

/// A filter we install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    GrpcWeb,
    GrpcStats,
    Marker,
    Fault,
    Cors,
    Router,
}

/// One place in the order.
struct Position {
    filter: Filter,
    /// Why it stands where it stands.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by people, and by the test that asks for it"))]
    why: &'static str,
}

/// Requests pass from first to last, responses from last to first.
const ORDER: [Position; 6] = [
    Position {
        filter: Filter::GrpcWeb,
        why: "turns gRPC-Web into gRPC, so all that look for gRPC stand behind it",
    },
    Position {
        filter: Filter::GrpcStats,
        why: "counts what clients asked for, so it stands before whatever may answer in their place",
    },
    Position {
        filter: Filter::Marker,
        why: "must run before the router dials; it answers nothing, so any place before that would do",
    },
    Position {
        filter: Filter::Fault,
        why: "a fault ends or delays a request as an upstream would, so whatever decides about requests has passed",
    },
    Position {
        filter: Filter::Cors,
        why: "answers preflights and writes headers on responses; behind faults, whose answers are no one's resource",
    },
    Position { filter: Filter::Router, why: "sends the request on; nothing behind it is ever reached" },
];

/// The filters of a connection manager, in order.
pub(super) fn filters(role: HttpRole, grpc_web: bool) -> Vec<envoy::hcm::HttpFilter> {
    ORDER
        .iter()
        .filter(|position| match position.filter {
            Filter::GrpcWeb => grpc_web,
            Filter::Marker => role == HttpRole::Outbound || role == HttpRole::Gateway,
            Filter::GrpcStats | Filter::Fault | Filter::Cors | Filter::Router => true,
        })
        .map(|position| build(position.filter))
        .collect()
}

/// The last filter of every list.
pub(in crate::listener) fn router() -> envoy::hcm::HttpFilter {
    build(Filter::Router)
}

fn build(filter: Filter) -> envoy::hcm::HttpFilter {
    let (name, config) = match filter {
        Filter::GrpcWeb => ("envoy.filters.http.grpc_web", envoy::pack(&envoy::grpc_web::GrpcWeb {})),
        Filter::GrpcStats => ("envoy.filters.http.grpc_stats", envoy::pack(&grpc_stats())),
        Filter::Marker => (marker::HTTP_FILTER, marker::http()),
        Filter::Fault => (FAULT_FILTER, envoy::pack(&envoy::fault::HttpFault::default())),
        Filter::Cors => (CORS_FILTER, envoy::pack(&envoy::cors::Cors {})),
        Filter::Router => ("envoy.filters.http.router", envoy::pack(&envoy::router::Router::default())),
    };
    envoy::hcm::HttpFilter {
        name: name.into(),
        config_type: Some(envoy::hcm::http_filter::ConfigType::TypedConfig(config)),
        ..Default::default()
    }
}

fn grpc_stats() -> envoy::grpc_stats::FilterConfig {
    envoy::grpc_stats::FilterConfig {
        emit_filter_state: true,
        // One set of statistics per method of each service would grow without bound.
        per_method_stat_specifier: Some(
            envoy::grpc_stats::filter_config::PerMethodStatSpecifier::StatsForAllMethods(envoy::boolean(
                false,
            )),
        ),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(role: HttpRole, grpc_web: bool) -> Vec<String> {
        filters(role, grpc_web).into_iter().map(|filter| filter.name).collect()
    }

    #[test]
    fn roles_have_their_filters_in_order() {
        assert_eq!(
            names(HttpRole::Outbound, true),
            [
                "envoy.filters.http.grpc_web",
                "envoy.filters.http.grpc_stats",
                "envoy.filters.http.set_filter_state",
                "envoy.filters.http.fault",
                "envoy.filters.http.cors",
                "envoy.filters.http.router"
            ]
        );
        assert_eq!(names(HttpRole::Gateway, true), names(HttpRole::Outbound, true));
        let inbound = names(HttpRole::Inbound { peer_certificate: true }, false);
        assert!(!inbound.contains(&marker::HTTP_FILTER.to_owned()));
        assert!(!inbound.contains(&"envoy.filters.http.grpc_web".to_owned()));
        assert_eq!(inbound.last().map(String::as_str), Some("envoy.filters.http.router"));
    }

    #[test]
    fn each_place_is_explained_and_taken_once() {
        for (at, position) in ORDER.iter().enumerate() {
            assert!(!position.why.is_empty());
            assert!(ORDER[..at].iter().all(|before| before.filter != position.filter));
        }
    }
}
