use std::collections::BTreeMap;

use pilothouse_base::{Kind, ObjectKey};

use super::*;

fn report() -> Report {
    let synced = TypeReport {
        state: State::Synced,
        pending_revision: None,
        pending_since: None,
        names: 2,
        rejected: vec![],
    };
    let pending = TypeReport {
        state: State::Pending,
        pending_revision: Some(7),
        pending_since: Some(90),
        ..synced.clone()
    };
    let rejected = TypeReport {
        state: State::Rejected,
        rejected: vec![Refused {
            resources: vec!["80".to_owned()],
            message: "bad route\n".to_owned(),
            objects: vec![ObjectKey::new(Kind::VirtualService, "shop", "cart")],
            revision: 7,
            count: 1,
        }],
        ..synced.clone()
    };
    let proxy = ProxyStatus {
        proxy: "web-1.shop".to_owned(),
        role: "sidecar".to_owned(),
        protocol: "delta".to_owned(),
        envoy: Some("1.40.0".to_owned()),
        identity: "spiffe://cluster.local/ns/shop/sa/web".to_owned(),
        authenticated: true,
        peer: "10.0.0.1:4000".to_owned(),
        stream: 1,
        connected: 40,
        revision: 7,
        acknowledged: 6,
        types: BTreeMap::from([
            ("CDS".to_owned(), synced),
            ("LDS".to_owned(), pending),
            ("RDS".to_owned(), rejected),
        ]),
        certificate: None,
    };
    Report { revision: 7, at: 100, proxies: vec![proxy], gone: vec![] }
}

#[test]
fn the_table_has_a_line_for_each_stream_and_says_why() {
    assert_eq!(
        table(&report()),
        "\
PROXY       ENVOY   CDS     EDS  LDS          RDS       VHDS  SDS
web-1.shop  1.40.0  synced  -    pending 10s  rejected  -     -

web-1.shop rejected RDS 80 (revision 7, 1 times)
  Envoy says: bad route
  made from:  VirtualService shop/cart
"
    );
    assert_eq!(table(&Report { proxies: vec![], ..report() }), "no proxy is connected\n");
}

#[test]
fn who_went_is_listed_with_the_reason() {
    let mut report = report();
    let last = report.proxies.remove(0);
    report.gone = vec![Gone { last, since: 70, reason: "the proxy closed the stream".to_owned() }];
    assert_eq!(
        table(&report),
        "\
no proxy is connected

GONE        ENVOY   SINCE  REASON
web-1.shop  1.40.0  30s    the proxy closed the stream
"
    );
    let text = details(&report);
    assert!(
        text.starts_with("web-1.shop is not connected since 30s: the proxy closed the stream\n"),
        "{text}"
    );
    assert!(text.contains("spiffe://cluster.local/ns/shop/sa/web"), "{text}");
}

#[test]
fn details_name_everything() {
    let text = details(&report());
    for part in [
        "1.40.0",
        "spiffe://cluster.local/ns/shop/sa/web",
        "proved by token",
        "60s ago",
        "answered up to 6",
        "bad route",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
