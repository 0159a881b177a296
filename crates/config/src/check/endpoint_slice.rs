//! Endpoint slices.

use std::net::IpAddr;

use pilothouse_api::k8s_openapi::api::discovery::v1 as discovery;
use pilothouse_base::{Locality, Name};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::endpoint::SliceEndpoint;
use crate::{EndpointSlice, Health, Meta};

/// The label that names the service of a slice.
const SERVICE: &str = "kubernetes.io/service-name";

pub(super) fn check(
    raw: &discovery::EndpointSlice,
    meta: Meta,
    out: &mut Diagnostics,
) -> Option<EndpointSlice> {
    let labels = raw.metadata.labels.as_ref();
    let Some(service) = labels.and_then(|labels| labels.get(SERVICE)).filter(|name| !name.is_empty()) else {
        out.report(catalogue::REQUIRED, &FieldPath::parse("metadata").field("labels").key(SERVICE))
            .effect("the slice belongs to no service and has no effect");
        return None;
    };
    if raw.address_type == "FQDN" {
        out.report(catalogue::UNSUPPORTED_FIELD, &FieldPath::parse("addressType"))
            .value(&raw.address_type)
            .effect("the slice has no effect");
        return None;
    }
    let at = FieldPath::parse("endpoints");
    let endpoints = raw
        .endpoints
        .iter()
        .enumerate()
        .filter_map(|(index, one)| endpoint(one, &at.index(index), out))
        .collect();
    let ports = raw.ports.iter().flatten().filter(|port| port.protocol.as_deref() != Some("UDP"));
    Some(EndpointSlice {
        service: Name::from(service.as_str()),
        ports: ports
            .filter_map(|port| {
                let number = u16::try_from(port.port?).ok().filter(|number| *number > 0)?;
                Some((Name::from(port.name.as_deref().unwrap_or_default()), number))
            })
            .collect(),
        endpoints,
        meta,
    })
}

fn endpoint(raw: &discovery::Endpoint, at: &FieldPath, out: &mut Diagnostics) -> Option<SliceEndpoint> {
    let written = raw.addresses.first().map(String::as_str).unwrap_or_default();
    let Ok(address) = written.parse::<IpAddr>() else {
        out.report(catalogue::INVALID_VALUE, &at.field("addresses").index(0))
            .value(written)
            .detail("it is no IP address")
            .effect("the endpoint gets no traffic");
        return None;
    };
    let conditions = raw.conditions.as_ref();
    // A service that publishes addresses that are not ready has all of them ready until they are gone.
    let health = match conditions.map(|all| (all.ready, all.serving, all.terminating)) {
        Some((Some(false), Some(false), Some(true))) => Health::Terminating,
        Some((Some(false), _, Some(true))) => Health::Draining,
        Some((Some(false), ..)) => Health::Unhealthy,
        _ => Health::Healthy,
    };
    let target = raw.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
    Some(SliceEndpoint {
        address,
        health,
        pod: target.and_then(|target| target.name.as_deref()).map(Name::from),
        locality: Locality {
            zone: Name::from(raw.zone.as_deref().unwrap_or_default()),
            ..Locality::default()
        },
        node: Name::from(raw.node_name.as_deref().unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Object;
    use crate::check::tests::{checked, findings};

    fn slice(endpoints: &Value) -> Value {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "cart-abc", "namespace": "shop", "labels": {SERVICE: "cart"}},
            "addressType": "IPv4", "endpoints": endpoints,
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]})
    }

    #[test]
    fn conditions_become_health() {
        let value = slice(&json!([
            {"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "zone": "a", "targetRef": {"kind": "Pod", "name": "cart-1"}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": false, "serving": true, "terminating": true}},
            {"addresses": ["10.0.0.4"], "nodeName": "n1"},
            {"addresses": ["10.0.0.5"], "conditions": {"ready": false, "serving": false, "terminating": true}},
            {"addresses": ["10.0.0.6"], "conditions": {"ready": true, "serving": true, "terminating": true}},
        ]));
        let Some(Object::EndpointSlice(slice)) = checked(&value) else { panic!() };
        assert_eq!(slice.service, Name::from("cart"));
        assert_eq!(
            slice.ports.iter().map(|(name, port)| (name.as_str(), *port)).collect::<Vec<_>>(),
            [("http", 8080)]
        );
        let health: Vec<_> = slice.endpoints.iter().map(|one| one.health).collect();
        let expected = [
            Health::Healthy,
            Health::Unhealthy,
            Health::Draining,
            Health::Healthy,
            Health::Terminating,
            Health::Healthy,
        ];
        assert_eq!(health, expected);
        assert_eq!(
            (slice.endpoints[0].locality.zone.as_str(), slice.endpoints[3].node.as_str()),
            ("a", "n1")
        );
        assert_eq!(slice.endpoints[0].pod, Some(Name::from("cart-1")));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(
            findings(&slice(&json!([{"addresses": ["cart"]}]))),
            [("PH0102", "endpoints[0].addresses[0]".to_owned(), "the endpoint gets no traffic".to_owned())]
        );
        let mut value = slice(&json!([]));
        value["metadata"]["labels"] = json!({});
        assert_eq!(findings(&value)[0].0, "PH0101");
        let mut value = slice(&json!([]));
        value["addressType"] = json!("FQDN");
        assert_eq!(findings(&value)[0].0, "PH0006");
    }
}
