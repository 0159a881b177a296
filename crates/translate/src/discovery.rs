//! Where Envoy asks for what a resource refers to: always the stream it already has.

use std::time::Duration;

use pilothouse_envoy_api as envoy;

use crate::time;

/// Waits without end: the resource that refers stays in warming, and its last version serves on. For what the control
/// plane always answers (routes, virtual hosts, the workload's own certificates).
pub(crate) const WAIT: Option<Duration> = Some(Duration::ZERO);

/// Envoy's own limit of 15 s. For what may never come, such as a credential that nobody has created.
pub(crate) const GIVE_UP: Option<Duration> = None;

/// For endpoints. Envoy falls back to the endpoints it knows when this has passed; without end a changed cluster
/// whose assignment is not sent again never leaves warming.
pub(crate) const ENDPOINTS: Option<Duration> = Some(Duration::from_secs(1));

/// The aggregated stream.
pub(crate) fn ads(initial_fetch_timeout: Option<Duration>) -> envoy::core::ConfigSource {
    envoy::core::ConfigSource {
        initial_fetch_timeout: initial_fetch_timeout.map(time::duration),
        resource_api_version: envoy::core::ApiVersion::V3.into(),
        config_source_specifier: Some(envoy::core::config_source::ConfigSourceSpecifier::Ads(
            envoy::core::AggregatedConfigSource {},
        )),
        ..Default::default()
    }
}
