use std::sync::Arc;

use envoy::core::data_source::Specifier;
use envoy::tls::secret::Type;
use pilothouse_config::secret::PrivateBytes;

use super::*;

fn plan(material: SecretMaterial) -> SecretPlan {
    SecretPlan { name: Name::from("kubernetes://shop"), material }
}

fn certificate() -> SecretMaterial {
    SecretMaterial::Certificate(Certificate { chain: Arc::from(*b"chain"), key: PrivateBytes::new(*b"key") })
}

fn trusted(revoked: Option<&[u8]>) -> SecretMaterial {
    SecretMaterial::Roots(Roots { certificates: Arc::from(*b"roots"), revoked: revoked.map(Arc::from) })
}

fn bytes(source: Option<&envoy::core::DataSource>) -> &[u8] {
    match source.and_then(|source| source.specifier.as_ref()) {
        Some(Specifier::InlineBytes(bytes)) => bytes,
        other => panic!("not inline: {other:?}"),
    }
}

#[test]
fn a_certificate_has_its_key() {
    let Some(Type::TlsCertificate(tls)) = secret(&plan(certificate())).r#type else { panic!() };
    assert_eq!(bytes(tls.certificate_chain.as_ref()), b"chain");
    assert_eq!(bytes(tls.private_key.as_ref()), b"key");
}

#[test]
fn roots_come_with_what_is_revoked() {
    for revoked in [None, Some(&b"revoked"[..])] {
        let built = secret(&plan(trusted(revoked)));
        let Some(Type::ValidationContext(context)) = built.r#type else { panic!() };
        assert_eq!(bytes(context.trusted_ca.as_ref()), b"roots");
        assert_eq!(context.crl.as_ref().map(|list| bytes(Some(list))), revoked);
    }
}

#[test]
fn files_are_named() {
    let [certificate, key, roots, list] = ["/c", "/k", "/r", "/l"].map(Name::from);
    let file = |source: Option<&envoy::core::DataSource>| match source.unwrap().specifier.as_ref() {
        Some(Specifier::Filename(name)) => name.clone(),
        other => panic!("no file: {other:?}"),
    };
    let built = secret(&plan(SecretMaterial::CertificateFiles { certificate, key }));
    let Some(Type::TlsCertificate(tls)) = built.r#type else { panic!() };
    assert_eq!([file(tls.certificate_chain.as_ref()), file(tls.private_key.as_ref())], ["/c", "/k"]);
    let built = secret(&plan(SecretMaterial::RootFiles { roots, revoked: Some(list) }));
    let Some(Type::ValidationContext(context)) = built.r#type else { panic!() };
    assert_eq!([file(context.trusted_ca.as_ref()), file(context.crl.as_ref())], ["/r", "/l"]);
}

#[test]
fn issued_certificates_are_encoded_like_others() {
    let name = Name::from("kubernetes://shop");
    let issued = workload_secret(&name, b"chain", b"key");
    assert_eq!(*issued, envoy::encode(&secret(&plan(certificate()))));
    assert_eq!(issued.capacity(), issued.len(), "a buffer that grew has left the key behind");
    assert_eq!(root_secret(&name, b"roots"), envoy::encode(&secret(&plan(trusted(None)))));
}
