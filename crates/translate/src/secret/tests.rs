use envoy::core::data_source::Specifier;
use envoy::tls::secret::Type;
use pilothouse_config::secret::PrivateBytes;

use super::*;

fn plan(name: &str, certificate: bool, ca: bool) -> SecretPlan {
    SecretPlan {
        name: Name::from(name),
        certificate: certificate
            .then(|| Certificate { chain: Arc::from(*b"chain"), key: PrivateBytes::new(*b"key") }),
        ca: ca.then(|| Arc::from(*b"roots")),
    }
}

fn bytes(source: Option<&envoy::core::DataSource>) -> &[u8] {
    match source.and_then(|source| source.specifier.as_ref()) {
        Some(Specifier::InlineBytes(bytes)) => bytes,
        other => panic!("not inline: {other:?}"),
    }
}

#[test]
fn certificate_or_roots_by_what_is_asked_for() {
    for (name, certificate, ca, roots) in [
        ("kubernetes://shop", true, false, false),
        ("kubernetes://shop", true, true, false),
        ("kubernetes://shop", false, true, true),
        ("kubernetes://shop-cacert", true, true, true),
        ("kubernetes://shop-cacert", false, true, true),
        ("kubernetes://odd-cacert", true, false, false),
    ] {
        let built = secret(&plan(name, certificate, ca));
        assert_eq!(built.name, name);
        match built.r#type {
            Some(Type::ValidationContext(context)) => {
                assert!(roots, "{name}");
                assert_eq!(bytes(context.trusted_ca.as_ref()), b"roots");
            }
            Some(Type::TlsCertificate(tls)) => {
                assert!(!roots, "{name}");
                assert_eq!(bytes(tls.certificate_chain.as_ref()), b"chain");
                assert_eq!(bytes(tls.private_key.as_ref()), b"key");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn issued_certificates_are_encoded_like_others() {
    let name = Name::from("kubernetes://shop");
    let issued = workload_secret(&name, b"chain", b"key");
    assert_eq!(*issued, envoy::encode(&secret(&plan("kubernetes://shop", true, false))));
    assert_eq!(issued.capacity(), issued.len(), "a buffer that grew has left the key behind");
    assert_eq!(root_secret(&name, b"roots"), envoy::encode(&secret(&plan("kubernetes://shop", false, true))));
}
