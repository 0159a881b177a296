//! `trafficPolicy`: blocks that cannot be understood say nothing, except for TLS, which closes.

use std::collections::BTreeMap;

use pilothouse_api as api;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{client_tls, duration, fields, header};
use crate::TrafficPolicy;
use crate::destination_rule::LayeredPolicy;
use crate::traffic_policy::{ConnectionPool, HashKey, Keepalive, LoadBalancer, OutlierDetection};

/// The size of a ring that nobody set.
const RING: u64 = 1024;
/// The largest ring Envoy builds.
const LARGEST_RING: u32 = 8 * 1024 * 1024;

/// A policy with its port-level replacements.
pub(super) fn layered(
    raw: Option<&api::TrafficPolicy>,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> LayeredPolicy {
    let Some(raw) = raw else { return LayeredPolicy::default() };
    let api::TrafficPolicy { load_balancer, connection_pool, outlier_detection, tls, port_level_settings } =
        raw;
    let all = policy(
        load_balancer.as_ref(),
        connection_pool.as_ref(),
        outlier_detection.as_ref(),
        tls.as_ref(),
        at,
        out,
    );
    let mut ports = BTreeMap::new();
    for (index, raw) in port_level_settings.iter().enumerate() {
        let at = at.field("portLevelSettings").index(index);
        let api::PortTrafficPolicy { port, load_balancer, connection_pool, outlier_detection, tls } = raw;
        let number = port.as_ref().and_then(|api::PortSelector { number }| *number);
        let Some(number) = number else {
            out.report(catalogue::REQUIRED, &at.field("port").field("number"))
                .effect("the settings have no effect");
            continue;
        };
        let port_at = at.field("port");
        let Some(number) = fields::port(number, &port_at, "number", "the settings have no effect", out)
        else {
            continue;
        };
        let policy = policy(
            load_balancer.as_ref(),
            connection_pool.as_ref(),
            outlier_detection.as_ref(),
            tls.as_ref(),
            &at,
            out,
        );
        if let std::collections::btree_map::Entry::Vacant(e) = ports.entry(number) {
            e.insert(policy);
        } else {
            out.report(catalogue::DUPLICATE_ENTRY, &port_at.field("number"))
                .value(number)
                .effect("the first settings of the port count");
        }
    }
    LayeredPolicy { all, ports }
}

fn policy(
    load_balancer: Option<&api::LoadBalancer>,
    connection_pool: Option<&api::ConnectionPool>,
    outlier: Option<&api::OutlierDetection>,
    tls: Option<&api::ClientTls>,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> TrafficPolicy {
    TrafficPolicy {
        load_balancer: load_balancer.and_then(|raw| self::load_balancer(raw, &at.field("loadBalancer"), out)),
        connection_pool: connection_pool
            .map(|raw| self::connection_pool(raw, &at.field("connectionPool"), out)),
        outlier: outlier.map(|raw| self::outlier(raw, &at.field("outlierDetection"), out)),
        tls: tls.map(|raw| client_tls::check(raw, &at.field("tls"), out)),
    }
}

fn load_balancer(raw: &api::LoadBalancer, at: &FieldPath, out: &mut Diagnostics) -> Option<LoadBalancer> {
    const DEFAULT: &str = "the default of least requests is used";
    let api::LoadBalancer { simple, consistent_hash } = raw;
    if let Some(raw) = consistent_hash {
        if simple.is_some() {
            out.report(catalogue::CONFLICTING_FIELDS, at)
                .detail("simple and consistentHash are both set")
                .effect("consistentHash counts");
        }
        return self::consistent_hash(raw, &at.field("consistentHash"), out);
    }
    // An index, because a load balancer cannot be copied.
    let words = [
        ("UNSPECIFIED", 0),
        ("LEAST_CONN", 1),
        ("RANDOM", 2),
        ("PASSTHROUGH", 3),
        ("ROUND_ROBIN", 4),
        ("LEAST_REQUEST", 0),
    ];
    Some(match fields::word(simple.as_ref()?, &words, at, "simple", DEFAULT, out)? {
        0 => LoadBalancer::LeastRequest,
        1 => {
            out.report(catalogue::DEPRECATED, &at.field("simple"))
                .value("LEAST_CONN")
                .help("write LEAST_REQUEST");
            LoadBalancer::LeastRequest
        }
        2 => LoadBalancer::Random,
        3 => LoadBalancer::Passthrough,
        _ => LoadBalancer::RoundRobin,
    })
}

fn consistent_hash(raw: &api::ConsistentHash, at: &FieldPath, out: &mut Diagnostics) -> Option<LoadBalancer> {
    const LOST: &str = "requests are spread by the default of least requests";
    let api::ConsistentHash {
        http_header_name,
        http_cookie,
        use_source_ip,
        http_query_parameter_name,
        ring_hash,
        minimum_ring_size,
    } = raw;
    let header = fields::text(http_header_name.as_ref());
    let query = fields::text(http_query_parameter_name.as_ref());
    let source = use_source_ip.unwrap_or(false);
    let count = [header.is_some(), http_cookie.is_some(), query.is_some(), source]
        .into_iter()
        .filter(|set| *set)
        .count();
    if count != 1 {
        let code = if count == 0 { catalogue::REQUIRED } else { catalogue::CONFLICTING_FIELDS };
        out.report(code, at)
            .detail("exactly one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName says what is hashed")
            .effect(LOST);
        return None;
    }
    let key = if let Some(name) = header {
        if !header::is_token(name) {
            out.report(catalogue::INVALID_VALUE, &at.field("httpHeaderName"))
                .value(name)
                .detail("it is no header name")
                .effect(LOST);
            return None;
        }
        HashKey::Header(Name::from(name))
    } else if let Some(api::HttpCookie { name, path, ttl }) = http_cookie {
        let at = at.field("httpCookie");
        let name = fields::required(name.as_ref(), &at, "name", LOST, out)?;
        if !header::is_token(name) {
            out.report(catalogue::INVALID_VALUE, &at.field("name"))
                .value(name)
                .detail("it is no cookie name")
                .effect(LOST);
            return None;
        }
        HashKey::Cookie {
            name: Name::from(name),
            ttl: duration::any(ttl.as_ref(), &at, "ttl", "no cookie is made", out),
            path: fields::name(path.as_ref()),
        }
    } else if let Some(name) = query {
        HashKey::Query(Name::from(name))
    } else {
        HashKey::SourceIp
    };
    let ring = ring_hash.as_ref().and_then(|api::RingHash { minimum_ring_size }| *minimum_ring_size);
    let (size, at) = if let Some(size) = ring {
        (Some(size), at.field("ringHash"))
    } else {
        if minimum_ring_size.is_some() {
            out.report(catalogue::DEPRECATED, &at.field("minimumRingSize"))
                .help("write ringHash.minimumRingSize");
        }
        (*minimum_ring_size, at.clone())
    };
    let effect = "the ring has 1024 points";
    let size = size
        .filter(|size| size.0 != 0)
        .and_then(|size| fields::number(size, 1..=LARGEST_RING, &at, "minimumRingSize", effect, out));
    Some(LoadBalancer::ConsistentHash { key, minimum_ring_size: size.map_or(RING, u64::from) })
}

fn connection_pool(raw: &api::ConnectionPool, at: &FieldPath, out: &mut Diagnostics) -> ConnectionPool {
    const UNSET: &str = "the limit is not set";
    let api::ConnectionPool { tcp, http } = raw;
    let mut pool = ConnectionPool::default();
    if let Some(raw) = tcp {
        let at = at.field("tcp");
        let api::TcpPool {
            max_connections,
            connect_timeout,
            tcp_keepalive,
            max_connection_duration,
            idle_timeout,
        } = raw;
        pool.max_connections = fields::limit(*max_connections, &at, "maxConnections", out);
        pool.connect_timeout = duration::positive(
            connect_timeout.as_ref(),
            &at,
            "connectTimeout",
            "the connect timeout of the mesh holds",
            out,
        );
        pool.keepalive = tcp_keepalive.as_ref().map(|raw| keepalive(raw, &at.field("tcpKeepalive"), out));
        pool.max_connection_duration =
            duration::positive(max_connection_duration.as_ref(), &at, "maxConnectionDuration", UNSET, out);
        pool.tcp_idle_timeout = duration::any(idle_timeout.as_ref(), &at, "idleTimeout", UNSET, out);
    }
    if let Some(raw) = http {
        let at = at.field("http");
        let api::HttpPool {
            http1_max_pending_requests,
            http2_max_requests,
            max_requests_per_connection,
            max_retries,
            idle_timeout,
            h2_upgrade_policy,
        } = raw;
        pool.max_pending_requests =
            fields::limit(*http1_max_pending_requests, &at, "http1MaxPendingRequests", out);
        pool.max_requests = fields::limit(*http2_max_requests, &at, "http2MaxRequests", out);
        pool.max_requests_per_connection =
            fields::limit(*max_requests_per_connection, &at, "maxRequestsPerConnection", out);
        pool.max_retries = fields::limit(*max_retries, &at, "maxRetries", out);
        pool.http_idle_timeout = duration::positive(idle_timeout.as_ref(), &at, "idleTimeout", UNSET, out);
        let words = [("DEFAULT", false), ("DO_NOT_UPGRADE", false), ("UPGRADE", true)];
        pool.h2_upgrade = h2_upgrade_policy.as_ref().is_some_and(|written| {
            let effect = "connections are not upgraded";
            fields::word(written, &words, &at, "h2UpgradePolicy", effect, out).unwrap_or(false)
        });
    }
    if tcp.is_none() && http.is_none() {
        out.report(catalogue::REQUIRED, at)
            .detail("neither tcp nor http is set")
            .effect("nothing is limited");
    }
    pool
}

fn keepalive(raw: &api::Keepalive, at: &FieldPath, out: &mut Diagnostics) -> Keepalive {
    const OS: &str = "the operating system's value holds";
    let api::Keepalive { probes, time, interval } = raw;
    Keepalive {
        probes: fields::limit(*probes, at, "probes", out),
        time: duration::positive(time.as_ref(), at, "time", OS, out),
        interval: duration::positive(interval.as_ref(), at, "interval", OS, out),
    }
}

fn outlier(raw: &api::OutlierDetection, at: &FieldPath, out: &mut Diagnostics) -> OutlierDetection {
    const DEFAULT: &str = "the default is used";
    let api::OutlierDetection {
        split_external_local_origin_errors,
        consecutive_local_origin_failures,
        consecutive_gateway_errors,
        consecutive_5xx_errors,
        interval,
        base_ejection_time,
        max_ejection_percent,
        min_health_percent,
    } = raw;
    let split = split_external_local_origin_errors.unwrap_or(false);
    let mut count = |value: &Option<api::Int>, field| {
        value.and_then(|value| fields::number(value, 0..=u32::MAX, at, field, DEFAULT, out))
    };
    let consecutive_5xx = count(consecutive_5xx_errors, "consecutive5xxErrors");
    let consecutive_gateway = count(consecutive_gateway_errors, "consecutiveGatewayErrors");
    let local_origin = count(consecutive_local_origin_failures, "consecutiveLocalOriginFailures");
    if !split && local_origin.is_some_and(|count| count > 0) {
        out.report(catalogue::CONFLICTING_FIELDS, &at.field("consecutiveLocalOriginFailures"))
            .detail("it needs splitExternalLocalOriginErrors: true")
            .effect("local failures count as 5xx");
    }
    let percent = |value: Option<api::Int>, field, out: &mut Diagnostics| {
        value
            .filter(|value| value.0 != 0)
            .and_then(|value| fields::number(value, 1..=100, at, field, DEFAULT, out))
    };
    OutlierDetection {
        consecutive_5xx,
        consecutive_gateway,
        local_origin: local_origin.filter(|_| split),
        split_local_origin: split,
        interval: duration::positive(interval.as_ref(), at, "interval", DEFAULT, out),
        base_ejection_time: duration::positive(
            base_ejection_time.as_ref(),
            at,
            "baseEjectionTime",
            DEFAULT,
            out,
        ),
        max_ejection_percent: percent(*max_ejection_percent, "maxEjectionPercent", out),
        min_health_percent: percent(*min_health_percent, "minHealthPercent", out).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
