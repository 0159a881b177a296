//! Secrets: from objects, and the certificates that are issued per stream.

use std::sync::Arc;

use pilothouse_base::Name;
use pilothouse_config::Certificate;
use pilothouse_envoy_api as envoy;
use pilothouse_envoy_api::Message as _;
use pilothouse_view::plan::SecretPlan;
use zeroize::{Zeroize as _, Zeroizing};

/// The secret of a plan. Of a plan with both a certificate and roots, the certificate is taken, unless the name asks
/// for the roots.
pub fn secret(plan: &SecretPlan) -> envoy::tls::Secret {
    let SecretPlan { name, certificate, ca } = plan;
    let roots_wanted = name.as_str().ends_with("-cacert");
    match (certificate, ca) {
        (Some(Certificate { chain, key }), roots) if !(roots_wanted && roots.is_some()) => {
            with_certificate(name, chain.to_vec(), key.reveal().to_vec())
        }
        (_, Some(roots)) => with_roots(name, Arc::clone(roots).to_vec()),
        (_, None) => with_roots(name, Vec::new()),
    }
}

/// The encoded secret with a workload's certificate, which is made for one stream. It holds the private key, so it is
/// wiped when dropped, as is everything that was needed to make it.
pub fn workload_secret(name: &Name, chain_pem: &[u8], key_pem: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut message = with_certificate(name, chain_pem.to_vec(), key_pem.to_vec());
    // Sized beforehand: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(message.encoded_len()));
    message.encode(&mut *bytes).expect("a vector takes any number of bytes");
    if let Some(envoy::tls::secret::Type::TlsCertificate(certificate)) = &mut message.r#type
        && let Some(source) = &mut certificate.private_key
        && let Some(envoy::core::data_source::Specifier::InlineBytes(key)) = &mut source.specifier
    {
        key.zeroize();
    }
    bytes
}

/// The encoded secret with the roots of the mesh.
pub fn root_secret(name: &Name, roots_pem: &[u8]) -> Vec<u8> {
    envoy::encode(&with_roots(name, roots_pem.to_vec()))
}

fn with_certificate(name: &Name, chain: Vec<u8>, key: Vec<u8>) -> envoy::tls::Secret {
    envoy::tls::Secret {
        name: name.to_string(),
        r#type: Some(envoy::tls::secret::Type::TlsCertificate(envoy::tls::TlsCertificate {
            certificate_chain: Some(inline(chain)),
            private_key: Some(inline(key)),
            ..Default::default()
        })),
    }
}

fn with_roots(name: &Name, roots: Vec<u8>) -> envoy::tls::Secret {
    envoy::tls::Secret {
        name: name.to_string(),
        r#type: Some(envoy::tls::secret::Type::ValidationContext(envoy::tls::CertificateValidationContext {
            trusted_ca: Some(inline(roots)),
            ..Default::default()
        })),
    }
}

fn inline(bytes: Vec<u8>) -> envoy::core::DataSource {
    envoy::core::DataSource {
        specifier: Some(envoy::core::data_source::Specifier::InlineBytes(bytes)),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
