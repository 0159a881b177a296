use serde_json::{Value, json};

use super::*;
use crate::gateway::{ClientRoots, ClientVerification, ServerCertificate, Termination};

const KEY: &str = "NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A=";
const PRINT: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const PRINT_WITH_COLONS: &str =
    "0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A:0A";

fn secret(name: &str) -> ServerCertificate {
    ServerCertificate::Secret(name.into())
}

fn files(certificate: &str, key: &str) -> ServerCertificate {
    ServerCertificate::Files { certificate: certificate.into(), key: key.into() }
}

fn verified(required: bool, roots: ClientRoots) -> ClientVerification {
    ClientVerification {
        required,
        roots,
        subject_alt_names: vec![],
        public_keys: vec![],
        fingerprints: vec![],
    }
}

fn terminate(certificates: Vec<ServerCertificate>, clients: Option<ClientVerification>) -> ServerTlsMode {
    ServerTlsMode::Terminate(Box::new(Termination { certificates, clients }))
}

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
            tls(terminate(vec![secret("web")], None)),
        ),
        (
            json!({"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"}),
            Protocol::Https,
            tls(terminate(vec![files("/c", "/k")], None)),
        ),
        (
            json!({"mode": "SIMPLE", "credentialNames": ["rsa", "ecdsa"]}),
            Protocol::Tls,
            tls(terminate(vec![secret("rsa"), secret("ecdsa")], None)),
        ),
        (
            json!({"mode": "SIMPLE", "tlsCertificates": [{"serverCertificate": "/c", "privateKey": "/k"}]}),
            Protocol::Tls,
            tls(terminate(vec![files("/c", "/k")], None)),
        ),
        (
            json!({"mode": "MUTUAL", "credentialName": "web"}),
            Protocol::Https,
            tls(terminate(vec![secret("web")], Some(verified(true, ClientRoots::Secret("web".into()))))),
        ),
        (
            json!({"mode": "OPTIONAL_MUTUAL", "credentialName": "web", "caCertCredentialName": "partners"}),
            Protocol::Https,
            tls(terminate(
                vec![secret("web")],
                Some(verified(false, ClientRoots::Secret("partners".into()))),
            )),
        ),
        (
            json!({"mode": "MUTUAL", "credentialNames": ["rsa", "ecdsa"]}),
            Protocol::Https,
            tls(terminate(
                vec![secret("rsa"), secret("ecdsa")],
                Some(verified(true, ClientRoots::Secret("rsa".into()))),
            )),
        ),
        (
            json!({"mode": "MUTUAL", "serverCertificate": "/c", "privateKey": "/k", "caCertificates": "/r", "caCrl": "/l"}),
            Protocol::Https,
            tls(terminate(
                vec![files("/c", "/k")],
                Some(verified(true, ClientRoots::Files { roots: "/r".into(), revoked: Some("/l".into()) })),
            )),
        ),
        (
            json!({
                "mode": "MUTUAL", "credentialName": "web", "subjectAltNames": ["spiffe://a/b"],
                "verifyCertificateSpki": [KEY], "verifyCertificateHash": [PRINT, PRINT_WITH_COLONS],
            }),
            Protocol::Https,
            tls(terminate(
                vec![secret("web")],
                Some(ClientVerification {
                    subject_alt_names: vec!["spiffe://a/b".into()],
                    public_keys: vec![KEY.into()],
                    fingerprints: vec![PRINT.into(), PRINT_WITH_COLONS.into()],
                    ..verified(true, ClientRoots::Secret("web".into()))
                }),
            )),
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
            "PH0106",
            "s.tls.subjectAltNames",
        ),
        (
            json!({"mode": "SIMPLE", "credentialName": "x", "caCrl": "/l"}),
            Protocol::Https,
            "PH0106",
            "s.tls.caCrl",
        ),
        (
            json!({"mode": "SIMPLE", "credentialNames": ["x", "y", "z"]}),
            Protocol::Https,
            "PH0102",
            "s.tls.credentialNames",
        ),
        (
            json!({"mode": "SIMPLE", "credentialNames": ["x", "a/b"]}),
            Protocol::Https,
            "PH0006",
            "s.tls.credentialNames[1]",
        ),
        (
            json!({"mode": "SIMPLE", "tlsCertificates": [{"serverCertificate": "/c"}]}),
            Protocol::Https,
            "PH0101",
            "s.tls.tlsCertificates[0].privateKey",
        ),
        (
            json!({"mode": "SIMPLE", "tlsCertificates": [{"serverCertificate": "/c", "privateKey": "/k", "caCertificates": "/r"}]}),
            Protocol::Https,
            "PH0006",
            "s.tls.tlsCertificates[0].caCertificates",
        ),
        (
            json!({"mode": "SIMPLE", "credentialName": "x-cacert"}),
            Protocol::Https,
            "PH0102",
            "s.tls.credentialName",
        ),
        (
            json!({"mode": "MUTUAL", "credentialName": "kubernetes://x"}),
            Protocol::Https,
            "PH0006",
            "s.tls.credentialName",
        ),
        (
            json!({"mode": "MUTUAL", "serverCertificate": "/c", "privateKey": "/k"}),
            Protocol::Https,
            "PH0101",
            "s.tls.caCertificates",
        ),
        (
            json!({"mode": "MUTUAL", "credentialName": "x", "caCertificates": "/r"}),
            Protocol::Https,
            "PH0106",
            "s.tls.caCertificates",
        ),
        (
            json!({"mode": "MUTUAL", "credentialName": "x", "caCrl": "/l"}),
            Protocol::Https,
            "PH0106",
            "s.tls.caCrl",
        ),
        (
            json!({"mode": "MUTUAL", "credentialName": "x", "caCertCredentialName": "a/b"}),
            Protocol::Https,
            "PH0006",
            "s.tls.caCertCredentialName",
        ),
        (
            json!({"mode": "MUTUAL", "credentialName": "x", "verifyCertificateSpki": ["zz"]}),
            Protocol::Https,
            "PH0102",
            "s.tls.verifyCertificateSpki[0]",
        ),
        (
            json!({"mode": "OPTIONAL_MUTUAL", "credentialName": "x", "verifyCertificateHash": [PRINT, "zz"]}),
            Protocol::Https,
            "PH0102",
            "s.tls.verifyCertificateHash[1]",
        ),
        (json!({"mode": "ISTIO_MUTUAL"}), Protocol::Https, "PH0006", "s.tls.mode"),
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
