//! Cross-origin rules.

use pilothouse_base::{Name, Percent};
use pilothouse_config::virtual_service::Cors;
use pilothouse_envoy_api as envoy;

use super::action::fraction;
use super::matching;

/// The filter that applies them, and the key of its settings on routes.
pub(crate) const FILTER: &str = "envoy.filters.http.cors";

/// The setting of a route.
pub(super) fn settings(plan: &Cors) -> envoy::Any {
    let Cors { origins, methods, headers, expose, max_age, credentials, forward_unmatched } = plan;
    envoy::pack(&envoy::cors::CorsPolicy {
        allow_origin_string_match: origins.iter().map(matching::string).collect(),
        allow_methods: listed(methods),
        allow_headers: listed(headers),
        expose_headers: listed(expose),
        max_age: max_age.map(|age| age.as_secs().to_string()).unwrap_or_default(),
        allow_credentials: credentials.map(envoy::boolean),
        filter_enabled: Some(envoy::core::RuntimeFractionalPercent {
            default_value: Some(fraction(Percent::ALL)),
            runtime_key: String::new(),
        }),
        forward_not_matching_preflights: Some(envoy::boolean(*forward_unmatched)),
        ..Default::default()
    })
}

fn listed(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(",")
}
