//! Limits of connections and requests, and keepalive.

use std::time::Duration;

use pilothouse_config::traffic_policy::{ConnectionPool, Keepalive};
use pilothouse_envoy_api as envoy;

/// The thresholds of a cluster. Envoy's own defaults (1024, and 3 retries) surprise; a limit that nobody wrote is none.
pub(super) fn circuit_breakers(pool: &ConnectionPool) -> envoy::cluster::CircuitBreakers {
    let ConnectionPool {
        max_connections,
        max_pending_requests,
        max_requests,
        max_retries,
        connect_timeout: _,
        keepalive: _,
        tcp_idle_timeout: _,
        max_connection_duration: _,
        max_requests_per_connection: _,
        http_idle_timeout: _,
        h2_upgrade: _,
    } = pool;
    // Zero means "no limit" to users; to Envoy it would mean "nothing at all".
    let limit = |value: &Option<u32>| Some(envoy::uint32(value.filter(|v| *v > 0).unwrap_or(u32::MAX)));
    envoy::cluster::CircuitBreakers {
        thresholds: vec![envoy::cluster::circuit_breakers::Thresholds {
            max_connections: limit(max_connections),
            max_pending_requests: limit(max_pending_requests),
            max_requests: limit(max_requests),
            max_retries: limit(max_retries),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Keepalive of upstream connections.
pub(super) fn keepalive(pool: &ConnectionPool) -> Option<envoy::cluster::UpstreamConnectionOptions> {
    let Keepalive { probes, time, interval } = pool.keepalive.as_ref()?;
    // The kernel counts whole seconds and takes no zero.
    let seconds = |value: &Option<Duration>| {
        value.map(|value| envoy::uint32(u32::try_from(value.as_secs()).unwrap_or(u32::MAX).max(1)))
    };
    Some(envoy::cluster::UpstreamConnectionOptions {
        tcp_keepalive: Some(envoy::core::TcpKeepalive {
            keepalive_probes: probes.map(envoy::uint32),
            keepalive_time: seconds(time),
            keepalive_interval: seconds(interval),
        }),
        ..Default::default()
    })
}
