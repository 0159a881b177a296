use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Object;
use crate::check::tests::{checked, expect_one, findings};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\nAAA=\n-----END CERTIFICATE-----\n";
const REVOKED: &str = "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";

fn secret(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web", "namespace": "shop"}, "stringData": data})
}

#[test]
fn both_layouts_in_both_encodings() {
    for (chain, key, ca) in [("tls.crt", "tls.key", "ca.crt"), ("cert", "key", "cacert")] {
        let text = secret(&json!({chain: CERTIFICATE, key: KEY, ca: CERTIFICATE}));
        let mut bytes = secret(&json!({}));
        bytes["data"] = json!({chain: STANDARD.encode(CERTIFICATE), key: STANDARD.encode(KEY), ca: STANDARD.encode(CERTIFICATE)});
        for value in [text, bytes] {
            let Some(Object::Secret(secret)) = checked(&value) else { panic!() };
            let certificate = secret.certificate.as_ref().unwrap();
            assert_eq!(
                (&*certificate.chain, certificate.key.reveal()),
                (CERTIFICATE.as_bytes(), KEY.as_bytes())
            );
            assert_eq!(&*secret.ca.as_ref().unwrap().certificates, CERTIFICATE.as_bytes());
            assert!(!format!("{secret:?}").contains("PRIVATE"));
        }
    }
    let Some(Object::Secret(only_roots)) = checked(&secret(&json!({"ca.crt": CERTIFICATE}))) else {
        panic!()
    };
    assert!(only_roots.certificate.is_none() && only_roots.ca.is_some());
}

#[test]
fn revoked_certificates_come_with_their_roots() {
    for (ca, list) in [("ca.crt", "ca.crl"), ("cacert", "crl")] {
        let value = secret(&json!({ca: CERTIFICATE, list: REVOKED}));
        let Some(Object::Secret(secret)) = checked(&value) else { panic!() };
        assert_eq!(secret.ca.as_ref().unwrap().revoked.as_deref(), Some(REVOKED.as_bytes()));
    }
    // Without the list everybody under these roots would be let in.
    let broken = secret(&json!({"ca.crt": CERTIFICATE, "ca.crl": "nonsense"}));
    let Some(Object::Secret(closed)) = checked(&broken) else { panic!() };
    assert_eq!(closed.ca, None);
    expect_one(&broken, "PH0403", "stringData[\"ca.crl\"]", "closed");
}

#[test]
fn certificate_and_roots_may_have_different_layouts() {
    let value = secret(&json!({"tls.crt": CERTIFICATE, "tls.key": KEY, "cacert": CERTIFICATE}));
    let Some(Object::Secret(secret)) = checked(&value) else { panic!() };
    assert!(secret.certificate.is_some() && secret.ca.is_some());
}

#[test]
fn other_secrets_are_of_no_interest() {
    assert_eq!(checked(&secret(&json!({"password": "x"}))), None);
    assert_eq!(findings(&secret(&json!({"key": "x"}))), []);
}

#[test]
fn broken_material_is_named_and_never_shown() {
    expect_one(
        &secret(&json!({"tls.crt": "nonsense", "tls.key": KEY})),
        "PH0403",
        "stringData[\"tls.crt\"]",
        "closed",
    );
    expect_one(
        &secret(&json!({"tls.crt": CERTIFICATE, "tls.key": "nonsense"})),
        "PH0403",
        "stringData[\"tls.key\"]",
        "closed",
    );
    expect_one(&secret(&json!({"tls.crt": CERTIFICATE})), "PH0403", "stringData[\"tls.crt\"]", "closed");
    expect_one(&secret(&json!({"ca.crt": "x"})), "PH0403", "stringData[\"ca.crt\"]", "closed");
    let list = crate::judge(
        &secret(&json!({"tls.crt": CERTIFICATE, "tls.key": "hunter2"})),
        &crate::check::tests::settings(),
    );
    assert!(!format!("{:?}", list.diagnostics).contains("hunter2"));
}
