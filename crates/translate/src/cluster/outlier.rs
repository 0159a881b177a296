//! Ejection of failing endpoints, and what happens when few are left.

use pilothouse_config::traffic_policy::OutlierDetection;
use pilothouse_envoy_api as envoy;

use crate::time;

/// Ejection by consecutive failures. The statistical detectors of Envoy stay off: the API does not speak of them.
pub(super) fn detection(settings: &OutlierDetection) -> envoy::cluster::OutlierDetection {
    let OutlierDetection {
        consecutive_5xx,
        consecutive_gateway,
        local_origin,
        split_local_origin,
        interval,
        base_ejection_time,
        max_ejection_percent,
        min_health_percent: _,
    } = settings;
    // A counter of zero switches its detector off.
    let enforcing = |value: u32| Some(envoy::uint32(if value > 0 { 100 } else { 0 }));
    let mut detection = envoy::cluster::OutlierDetection {
        consecutive_5xx: consecutive_5xx.map(envoy::uint32),
        enforcing_consecutive_5xx: consecutive_5xx.and_then(enforcing),
        consecutive_gateway_failure: consecutive_gateway.map(envoy::uint32),
        enforcing_consecutive_gateway_failure: consecutive_gateway.and_then(enforcing),
        enforcing_success_rate: Some(envoy::uint32(0)),
        interval: interval.and_then(time::positive),
        base_ejection_time: base_ejection_time.and_then(time::positive),
        max_ejection_percent: max_ejection_percent.map(|percent| envoy::uint32(percent.min(100))),
        ..Default::default()
    };
    if *split_local_origin {
        detection.split_external_local_origin_errors = true;
        detection.consecutive_local_origin_failure = local_origin.map(envoy::uint32);
        detection.enforcing_consecutive_local_origin_failure = local_origin.and_then(enforcing);
        detection.enforcing_local_origin_success_rate = Some(envoy::uint32(0));
    }
    detection
}

/// Below which share of healthy endpoints Envoy sends to unhealthy ones too. Never unless asked for: unhealthy endpoints
/// are in assignments, and Envoy's own default of half would bring them back.
pub(super) fn panic_threshold(
    settings: Option<&OutlierDetection>,
) -> envoy::cluster::cluster::CommonLbConfig {
    let percent = settings.map_or(0, |settings| settings.min_health_percent.min(100));
    envoy::cluster::cluster::CommonLbConfig {
        healthy_panic_threshold: Some(envoy::types::Percent { value: f64::from(percent) }),
        ..Default::default()
    }
}
