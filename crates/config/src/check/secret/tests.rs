use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Object;
use crate::check::tests::{checked, expect_one, findings};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\nAAA=\n-----END CERTIFICATE-----\n";
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
            assert!(secret.ca.is_some());
            assert!(!format!("{secret:?}").contains("PRIVATE"));
        }
    }
    let Some(Object::Secret(only_roots)) = checked(&secret(&json!({"ca.crt": CERTIFICATE}))) else {
        panic!()
    };
    assert!(only_roots.certificate.is_none() && only_roots.ca.is_some());
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
