//! Secrets: from objects, and the certificates that are issued per stream.

use pilothouse_base::Name;
use pilothouse_config::Certificate;
use pilothouse_config::secret::Roots;
use pilothouse_envoy_api as envoy;
use pilothouse_envoy_api::Message as _;
use pilothouse_view::plan::{SecretMaterial, SecretPlan};
use zeroize::{Zeroize as _, Zeroizing};

use crate::tls;

/// The secret of a plan. Files are read again by Envoy when something is moved into their folder, as Kubernetes does.
pub fn secret(plan: &SecretPlan) -> envoy::tls::Secret {
    let SecretPlan { name, material } = plan;
    match material {
        SecretMaterial::Certificate(Certificate { chain, key }) => {
            with_certificate(name, chain.to_vec(), key.reveal().to_vec())
        }
        SecretMaterial::Roots(Roots { certificates, revoked }) => roots(
            name,
            envoy::tls::CertificateValidationContext {
                trusted_ca: Some(inline(certificates.to_vec())),
                crl: revoked.as_ref().map(|list| inline(list.to_vec())),
                ..Default::default()
            },
        ),
        SecretMaterial::CertificateFiles { certificate, key } => envoy::tls::Secret {
            name: name.to_string(),
            r#type: Some(envoy::tls::secret::Type::TlsCertificate(tls::files(certificate, key))),
        },
        SecretMaterial::RootFiles { roots: file, revoked } => roots(
            name,
            envoy::tls::CertificateValidationContext {
                trusted_ca: Some(tls::file(file.as_str())),
                crl: revoked.as_ref().map(|file| tls::file(file.as_str())),
                ..Default::default()
            },
        ),
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
    let context = envoy::tls::CertificateValidationContext {
        trusted_ca: Some(inline(roots_pem.to_vec())),
        ..Default::default()
    };
    envoy::encode(&roots(name, context))
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

fn roots(name: &Name, context: envoy::tls::CertificateValidationContext) -> envoy::tls::Secret {
    envoy::tls::Secret {
        name: name.to_string(),
        r#type: Some(envoy::tls::secret::Type::ValidationContext(context)),
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
