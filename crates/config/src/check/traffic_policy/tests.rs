use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn read(value: &Value) -> (LayeredPolicy, Vec<(&'static str, String)>) {
    let raw: api::TrafficPolicy = serde_json::from_value(value.clone()).unwrap();
    let mut out = Diagnostics::default();
    let found = layered(Some(&raw), &FieldPath::parse("p"), &mut out);
    let findings = out.finish(None).into_iter().map(|one| (one.code.id, one.field.as_str().to_owned()));
    (found, findings.collect())
}

#[test]
fn blocks_are_read() {
    let (policy, findings) = read(&json!({
        "loadBalancer": {"consistentHash": {"httpCookie": {"name": "user", "ttl": "0s"}, "ringHash": {"minimumRingSize": "2048"}}},
        "connectionPool": {
            "tcp": {"maxConnections": 1, "connectTimeout": "30ms", "idleTimeout": "0s", "tcpKeepalive": {"probes": 3, "time": "7200s"}},
            "http": {"http1MaxPendingRequests": 2, "http2MaxRequests": 3, "maxRetries": 0, "h2UpgradePolicy": "UPGRADE"}},
        "outlierDetection": {"consecutive5xxErrors": 0, "consecutiveGatewayErrors": 3, "interval": "5s", "maxEjectionPercent": 100, "minHealthPercent": 30},
    }));
    assert_eq!(findings, []);
    let TrafficPolicy { load_balancer, connection_pool, outlier, tls } = policy.all;
    let key = HashKey::Cookie { name: "user".into(), ttl: Some(Duration::ZERO), path: Name::default() };
    assert_eq!(load_balancer, Some(LoadBalancer::ConsistentHash { key, minimum_ring_size: 2048 }));
    let pool = connection_pool.unwrap();
    assert_eq!(
        (pool.max_connections, pool.max_pending_requests, pool.max_requests, pool.max_retries),
        (Some(1), Some(2), Some(3), None)
    );
    assert_eq!((pool.tcp_idle_timeout, pool.h2_upgrade), (Some(Duration::ZERO), true));
    let outlier = outlier.unwrap();
    assert_eq!(
        (outlier.consecutive_5xx, outlier.consecutive_gateway, outlier.min_health_percent),
        (Some(0), Some(3), 30)
    );
    assert_eq!(tls, None);
}

#[test]
fn words_of_load_balancers() {
    for (word, expected) in [
        ("UNSPECIFIED", LoadBalancer::LeastRequest),
        ("LEAST_REQUEST", LoadBalancer::LeastRequest),
        ("LEAST_CONN", LoadBalancer::LeastRequest),
        ("RANDOM", LoadBalancer::Random),
        ("PASSTHROUGH", LoadBalancer::Passthrough),
        ("ROUND_ROBIN", LoadBalancer::RoundRobin),
    ] {
        assert_eq!(
            read(&json!({"loadBalancer": {"simple": word}})).0.all.load_balancer,
            Some(expected),
            "{word}"
        );
    }
}

#[test]
fn mistakes_say_nothing_instead_of_something_else() {
    for (value, code, field) in [
        (json!({"loadBalancer": {"simple": "random"}}), "PH0102", "p.loadBalancer.simple"),
        (json!({"loadBalancer": {"simple": "LEAST_CONN"}}), "PH0111", "p.loadBalancer.simple"),
        (
            json!({"loadBalancer": {"simple": "RANDOM", "consistentHash": {"useSourceIp": true}}}),
            "PH0106",
            "p.loadBalancer",
        ),
        (json!({"loadBalancer": {"consistentHash": {}}}), "PH0101", "p.loadBalancer.consistentHash"),
        (
            json!({"loadBalancer": {"consistentHash": {"useSourceIp": true, "httpHeaderName": "a"}}}),
            "PH0106",
            "p.loadBalancer.consistentHash",
        ),
        (
            json!({"loadBalancer": {"consistentHash": {"httpHeaderName": "a b"}}}),
            "PH0102",
            "p.loadBalancer.consistentHash.httpHeaderName",
        ),
        (
            json!({"loadBalancer": {"consistentHash": {"httpCookie": {}}}}),
            "PH0101",
            "p.loadBalancer.consistentHash.httpCookie.name",
        ),
        (
            json!({"loadBalancer": {"consistentHash": {"useSourceIp": true, "minimumRingSize": 5}}}),
            "PH0111",
            "p.loadBalancer.consistentHash.minimumRingSize",
        ),
        (
            json!({"loadBalancer": {"consistentHash": {"useSourceIp": true, "ringHash": {"minimumRingSize": 99_999_999}}}}),
            "PH0103",
            "p.loadBalancer.consistentHash.ringHash.minimumRingSize",
        ),
        (json!({"connectionPool": {}}), "PH0101", "p.connectionPool"),
        (
            json!({"connectionPool": {"tcp": {"maxConnections": -1}}}),
            "PH0103",
            "p.connectionPool.tcp.maxConnections",
        ),
        (
            json!({"connectionPool": {"tcp": {"connectTimeout": "0s"}}}),
            "PH0103",
            "p.connectionPool.tcp.connectTimeout",
        ),
        (
            json!({"connectionPool": {"http": {"idleTimeout": "1 h"}}}),
            "PH0104",
            "p.connectionPool.http.idleTimeout",
        ),
        (
            json!({"connectionPool": {"http": {"h2UpgradePolicy": "YES"}}}),
            "PH0102",
            "p.connectionPool.http.h2UpgradePolicy",
        ),
        (
            json!({"outlierDetection": {"consecutiveLocalOriginFailures": 3}}),
            "PH0106",
            "p.outlierDetection.consecutiveLocalOriginFailures",
        ),
        (
            json!({"outlierDetection": {"maxEjectionPercent": 101}}),
            "PH0103",
            "p.outlierDetection.maxEjectionPercent",
        ),
        (
            json!({"outlierDetection": {"baseEjectionTime": "0s"}}),
            "PH0103",
            "p.outlierDetection.baseEjectionTime",
        ),
        (
            json!({"portLevelSettings": [{"loadBalancer": {}}]}),
            "PH0101",
            "p.portLevelSettings[0].port.number",
        ),
        (
            json!({"portLevelSettings": [{"port": {"number": 0}}]}),
            "PH0103",
            "p.portLevelSettings[0].port.number",
        ),
        (
            json!({"portLevelSettings": [{"port": {"number": 1}}, {"port": {"number": 1}}]}),
            "PH0112",
            "p.portLevelSettings[1].port.number",
        ),
    ] {
        assert_eq!(read(&value).1, [(code, field.to_owned())], "{value}");
    }
    assert_eq!(read(&json!({"loadBalancer": {"consistentHash": {}}})).0.all.load_balancer, None);
}
