//! Where a request is sent, or what it is answered.

use std::collections::HashMap;
use std::time::Duration;

use pilothouse_base::{Name, Percent};
use pilothouse_config::virtual_service::{DirectResponse, PathRewrite};
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{MirrorPlan, RouteToPlan, WeightedPlan};

use super::headers::Mutations;
use super::{hash, matching, retry};
use crate::{marker, time, weight};

/// Sends a request on. `set_authority` is what header changes of the route make of the authority; a rewrite goes before.
pub(super) fn forward(plan: &RouteToPlan, set_authority: Option<&Name>) -> envoy::route::route::Action {
    use envoy::route::route_action::{ClusterSpecifier, HostRewriteSpecifier};
    let RouteToPlan {
        clusters,
        timeout,
        inbound,
        retry,
        avoid_previous_hosts,
        path,
        authority,
        mirrors,
        hash,
    } = plan;
    let mut authority = authority.as_ref().or(set_authority);
    let cluster = match clusters.as_slice() {
        [only] => {
            authority = authority.or(only.headers.authority.as_ref());
            ClusterSpecifier::Cluster(only.cluster.to_string())
        }
        several => ClusterSpecifier::WeightedClusters(weighted(several)),
    };
    let mut action = envoy::route::RouteAction {
        cluster_specifier: Some(cluster),
        retry_policy: retry.as_ref().and_then(|retry| retry::policy(retry, *avoid_previous_hosts)),
        request_mirror_policies: mirrors.iter().filter_map(mirror).collect(),
        hash_policy: hash.iter().map(hash::policy).collect(),
        host_rewrite_specifier: authority.map(|a| HostRewriteSpecifier::HostRewriteLiteral(a.to_string())),
        ..limits(*timeout, *inbound)
    };
    match path {
        None => {}
        Some(PathRewrite::Prefix(prefix)) => action.prefix_rewrite = prefix.to_string(),
        Some(PathRewrite::Regex { pattern, substitution }) => {
            action.regex_rewrite = Some(envoy::matcher::RegexMatchAndSubstitute {
                pattern: Some(matching::regex(pattern)),
                substitution: substitution.to_string(),
            });
        }
    }
    envoy::route::route::Action::Route(action)
}

/// Answers directly.
pub(super) fn respond(plan: &DirectResponse) -> envoy::route::route::Action {
    use envoy::core::data_source::Specifier;
    let DirectResponse { status, body } = plan;
    let specifier = match String::from_utf8(body.clone()) {
        Ok(text) => Specifier::InlineString(text),
        Err(bytes) => Specifier::InlineBytes(bytes.into_bytes()),
    };
    envoy::route::route::Action::DirectResponse(envoy::route::DirectResponseAction {
        status: u32::from(*status),
        body: (!body.is_empty())
            .then(|| envoy::core::DataSource { specifier: Some(specifier), ..Default::default() }),
        ..Default::default()
    })
}

/// The setting that leaves requests to a cluster unmarked, if they must be.
pub(super) fn marker_setting(plan: &WeightedPlan) -> Option<(String, envoy::Any)> {
    plan.foreign_tls.then(|| (marker::HTTP_FILTER.to_owned(), marker::off()))
}

/// An action without any limit of time.
pub(super) fn without_limits() -> envoy::route::RouteAction {
    limits(None, false)
}

/// Limits of time. A client that says in `grpc-timeout` how long it waits is heard, up to the limit of the route.
fn limits(timeout: Option<Duration>, inbound: bool) -> envoy::route::RouteAction {
    let limit = time::duration(timeout.unwrap_or_default());
    let action = envoy::route::RouteAction { timeout: Some(limit), ..Default::default() };
    if timeout.is_some() && !inbound {
        // Where `max_stream_duration` is set at all Envoy does not look at `timeout`; the older field leaves it in force.
        #[expect(deprecated, reason = "its successor switches the timeout of the route off")]
        return envoy::route::RouteAction { max_grpc_timeout: Some(limit), ..action };
    }
    envoy::route::RouteAction {
        max_stream_duration: Some(envoy::route::route_action::MaxStreamDuration {
            // In front of the workload zero lifts the limit of the connection manager as well; behind it there is none.
            max_stream_duration: inbound.then(|| time::duration(Duration::ZERO)),
            grpc_timeout_header_max: Some(limit),
            grpc_timeout_header_offset: None,
        }),
        ..action
    }
}

fn weighted(plans: &[WeightedPlan]) -> envoy::route::WeightedCluster {
    use envoy::route::weighted_cluster::cluster_weight::HostRewriteSpecifier;
    let weights = weight::fit(plans.iter().map(|plan| plan.weight));
    envoy::route::WeightedCluster {
        clusters: plans
            .iter()
            .zip(weights)
            .map(|(plan, share)| {
                let WeightedPlan { cluster, weight: _, headers, foreign_tls: _ } = plan;
                let Mutations { request_add, request_remove, response_add, response_remove } =
                    Mutations::of(headers);
                let authority = headers.authority.as_ref();
                envoy::route::weighted_cluster::ClusterWeight {
                    name: cluster.to_string(),
                    weight: Some(envoy::uint32(share)),
                    request_headers_to_add: request_add,
                    request_headers_to_remove: request_remove,
                    response_headers_to_add: response_add,
                    response_headers_to_remove: response_remove,
                    typed_per_filter_config: marker_setting(plan).into_iter().collect::<HashMap<_, _>>(),
                    host_rewrite_specifier: authority
                        .map(|a| HostRewriteSpecifier::HostRewriteLiteral(a.to_string())),
                    ..Default::default()
                }
            })
            .collect(),
        ..Default::default()
    }
}

/// A copy of requests; a share of nothing is no copy.
fn mirror(plan: &MirrorPlan) -> Option<envoy::route::route_action::RequestMirrorPolicy> {
    let MirrorPlan { cluster, share } = plan;
    (*share > Percent::NONE).then(|| envoy::route::route_action::RequestMirrorPolicy {
        cluster: cluster.to_string(),
        runtime_fraction: Some(envoy::core::RuntimeFractionalPercent {
            default_value: Some(fraction(*share)),
            runtime_key: String::new(),
        }),
        trace_sampled: Some(envoy::boolean(false)),
        // The copy keeps the authority, as routing at the receiver looks at it.
        disable_shadow_host_suffix_append: true,
        ..Default::default()
    })
}

/// A share as Envoy counts it.
pub(super) fn fraction(share: Percent) -> envoy::types::FractionalPercent {
    envoy::types::FractionalPercent {
        numerator: share.millionths(),
        denominator: envoy::types::fractional_percent::DenominatorType::Million.into(),
    }
}
