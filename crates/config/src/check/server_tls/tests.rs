use serde_json::{Value, json};

use super::*;

fn read(value: &Value, protocol: Protocol) -> (Option<ServerTls>, Vec<(&'static str, String)>) {
    let raw: Option<api::ServerTls> = serde_json::from_value(value.clone()).unwrap();
    let mut out = Diagnostics::default();
    let found = check(raw.as_ref(), protocol, &FieldPath::parse("s"), &mut out);
    let findings = out.finish(None).into_iter().map(|one| (one.code.id, one.field.as_str().to_owned()));
    (found, findings.collect())
}

#[test]
fn good_settings() {
    let tls = |mode| Some(ServerTls { https_redirect: false, mode });
    for (value, protocol, expected) in [
        (json!(null), Protocol::Http, None),
        (
            json!({"httpsRedirect": true}),
            Protocol::Http,
            Some(ServerTls { https_redirect: true, mode: ServerTlsMode::Passthrough }),
        ),
        (json!({}), Protocol::Tls, tls(ServerTlsMode::Passthrough)),
        (
            json!({"mode": "SIMPLE", "credentialName": "web"}),
            Protocol::Https,
            tls(ServerTlsMode::Simple { credential: "web".into() }),
        ),
        (
            json!({"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"}),
            Protocol::Https,
            tls(ServerTlsMode::SimpleFiles { certificate: "/c".into(), key: "/k".into() }),
        ),
    ] {
        assert_eq!(read(&value, protocol), (expected, vec![]), "{value}");
    }
}

#[test]
fn what_cannot_be_understood_is_closed() {
    for (value, protocol, code, field) in [
        (json!(null), Protocol::Https, "PH0101", "s.tls"),
        (json!({"mode": "SIMPLE"}), Protocol::Https, "PH0101", "s.tls.credentialName"),
        (json!({"mode": "SIMPLE", "serverCertificate": "/c"}), Protocol::Https, "PH0101", "s.tls.privateKey"),
        (
            json!({"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k", "credentialName": "x"}),
            Protocol::Https,
            "PH0106",
            "s.tls",
        ),
        (
            json!({"mode": "SIMPLE", "credentialName": "configmap://x"}),
            Protocol::Https,
            "PH0006",
            "s.tls.credentialName",
        ),
        (
            json!({"mode": "SIMPLE", "credentialName": "x", "subjectAltNames": ["a"]}),
            Protocol::Https,
            "PH0006",
            "s.tls.subjectAltNames",
        ),
        (
            json!({"mode": "SIMPLE", "credentialNames": ["x"]}),
            Protocol::Https,
            "PH0006",
            "s.tls.credentialNames",
        ),
        (json!({"mode": "MUTUAL", "credentialName": "x"}), Protocol::Https, "PH0006", "s.tls.mode"),
        (json!({"mode": "simple", "credentialName": "x"}), Protocol::Https, "PH0102", "s.tls.mode"),
        (json!({"mode": "SIMPLE", "credentialName": "x"}), Protocol::Http, "PH0106", "s.tls"),
        (json!({}), Protocol::Tcp, "PH0106", "s.tls"),
    ] {
        let (found, findings) = read(&value, protocol);
        assert_eq!(found.unwrap().mode, ServerTlsMode::Closed, "{value}");
        assert_eq!(findings, [(code, field.to_owned())], "{value}");
    }
}

#[test]
fn harmless_settings_are_mentioned() {
    for (value, protocol, field) in [
        (json!({"credentialName": "x"}), Protocol::Tls, "s.tls"),
        (
            json!({"mode": "SIMPLE", "credentialName": "x", "caCertificates": "/ca"}),
            Protocol::Https,
            "s.tls.caCertificates",
        ),
        (
            json!({"mode": "SIMPLE", "credentialName": "x", "httpsRedirect": true}),
            Protocol::Https,
            "s.tls.httpsRedirect",
        ),
    ] {
        let (found, findings) = read(&value, protocol);
        assert_ne!(found.unwrap().mode, ServerTlsMode::Closed, "{value}");
        assert_eq!(findings, [("PH0113", field.to_owned())], "{value}");
    }
}
