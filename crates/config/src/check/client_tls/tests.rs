use serde_json::{Value, json};

use super::*;

fn read(value: &Value) -> (ClientTls, Vec<(&'static str, String)>) {
    let raw: api::ClientTls = serde_json::from_value(value.clone()).unwrap();
    let mut out = Diagnostics::default();
    let found = check(&raw, &FieldPath::parse("tls"), &mut out);
    let findings = out.finish(None).into_iter().map(|one| (one.code.id, one.field.as_str().to_owned()));
    (found, findings.collect())
}

#[test]
fn modes_and_what_they_need() {
    let files = || ClientCertificate::Files { certificate: "/c".into(), key: "/k".into() };
    for (value, expected) in [
        (json!({}), ClientTlsMode::Disable),
        (json!({"mode": "DISABLE"}), ClientTlsMode::Disable),
        (json!({"mode": "ISTIO_MUTUAL", "privateKey": "/ignored"}), ClientTlsMode::IstioMutual),
        (json!({"mode": "SIMPLE"}), ClientTlsMode::Simple { roots: Roots::System }),
        (
            json!({"mode": "SIMPLE", "caCertificates": "system"}),
            ClientTlsMode::Simple { roots: Roots::System },
        ),
        (
            json!({"mode": "SIMPLE", "caCertificates": "/ca"}),
            ClientTlsMode::Simple { roots: Roots::File("/ca".into()) },
        ),
        (
            json!({"mode": "SIMPLE", "credentialName": "x"}),
            ClientTlsMode::Simple { roots: Roots::Secret("x".into()) },
        ),
        (
            json!({"mode": "SIMPLE", "insecureSkipVerify": true}),
            ClientTlsMode::Simple { roots: Roots::Unverified },
        ),
        (
            json!({"mode": "MUTUAL", "clientCertificate": "/c", "privateKey": "/k"}),
            ClientTlsMode::Mutual { certificate: files(), roots: Roots::System },
        ),
        (
            json!({"mode": "MUTUAL", "credentialName": "x"}),
            ClientTlsMode::Mutual {
                certificate: ClientCertificate::Secret("x".into()),
                roots: Roots::Secret("x".into()),
            },
        ),
    ] {
        let (found, findings) = read(&value);
        let said: Vec<_> = findings.iter().map(|one| (one.0, one.1.as_str())).collect();
        let of_secrets: &[_] =
            if found.mode.names_secret() { &[("PH0404", "tls.credentialName")] } else { &[] };
        assert_eq!((found.mode, &said[..]), (expected, of_secrets), "{value}");
    }
    let (tls, _) = read(&json!({"mode": "SIMPLE", "sni": "a.com", "subjectAltNames": ["b"]}));
    assert_eq!((tls.sni, tls.subject_alt_names), (Some("a.com".into()), vec!["b".into()]));
}

#[test]
fn what_cannot_be_understood_is_closed() {
    for (value, expected) in [
        (json!({"mode": "SIMPEL"}), vec![("PH0102", "tls.mode")]),
        (json!({"mode": "MUTUAL"}), vec![("PH0101", "tls.clientCertificate"), ("PH0101", "tls.privateKey")]),
        (json!({"mode": "MUTUAL", "clientCertificate": "/c"}), vec![("PH0101", "tls.privateKey")]),
        (
            json!({"mode": "MUTUAL", "clientCertificate": "/c", "credentialName": "x"}),
            vec![("PH0106", "tls.credentialName")],
        ),
        (
            json!({"mode": "SIMPLE", "caCertificates": "/c", "credentialName": "x"}),
            vec![("PH0106", "tls.credentialName")],
        ),
        (
            json!({"mode": "SIMPLE", "credentialName": "configmap://a/b"}),
            vec![("PH0006", "tls.credentialName")],
        ),
        (json!({"mode": "MUTUAL", "credentialName": "x-cacert"}), vec![("PH0102", "tls.credentialName")]),
        (json!({"mode": "SIMPLE", "caCrl": "/crl"}), vec![("PH0006", "tls.caCrl")]),
        (
            json!({"mode": "SIMPLE", "insecureSkipVerify": true, "caCertificates": "/ca"}),
            vec![("PH0106", "tls.insecureSkipVerify")],
        ),
        (
            json!({"mode": "SIMPLE", "insecureSkipVerify": true, "subjectAltNames": ["a"]}),
            vec![("PH0106", "tls.insecureSkipVerify")],
        ),
    ] {
        let (found, findings) = read(&value);
        assert_eq!(found.mode, ClientTlsMode::Closed, "{value}");
        assert_eq!(
            findings.iter().map(|one| (one.0, one.1.as_str())).collect::<Vec<_>>(),
            expected,
            "{value}"
        );
    }
}
