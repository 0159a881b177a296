//! What both ends of TLS share: versions, where certificates come from, accepted names.

use std::net::IpAddr;

use pilothouse_base::Name;
use pilothouse_envoy_api as envoy;

use crate::discovery;

/// The secret with the workload's own certificate.
const CERTIFICATE: &str = "default";
/// The secret with the roots of the mesh.
const ROOTS: &str = "ROOTCA";

/// TLS 1.2 and 1.3. The upper limit must be said: without it Envoy's clients stop at 1.2.
pub(crate) fn versions() -> envoy::tls::TlsParameters {
    use envoy::tls::tls_parameters::TlsProtocol;
    envoy::tls::TlsParameters {
        tls_minimum_protocol_version: TlsProtocol::TlSv12.into(),
        tls_maximum_protocol_version: TlsProtocol::TlSv13.into(),
        ..Default::default()
    }
}

/// Mutual TLS of the mesh, either end: the workload's certificate, and peers under the roots of the mesh with one of
/// these names (any name if there is none).
pub(crate) fn mesh(names: Vec<envoy::tls::SubjectAltNameMatcher>) -> envoy::tls::CommonTlsContext {
    use envoy::tls::common_tls_context::{CombinedCertificateValidationContext, ValidationContextType};
    envoy::tls::CommonTlsContext {
        tls_params: Some(versions()),
        tls_certificate_sds_secret_configs: vec![discovered(CERTIFICATE, discovery::WAIT)],
        validation_context_type: Some(ValidationContextType::CombinedValidationContext(
            CombinedCertificateValidationContext {
                default_validation_context: Some(envoy::tls::CertificateValidationContext {
                    match_typed_subject_alt_names: names,
                    ..Default::default()
                }),
                validation_context_sds_secret_config: Some(discovered(ROOTS, discovery::WAIT)),
                ..Default::default()
            },
        )),
        ..Default::default()
    }
}

/// A secret that somebody has to create first.
pub(crate) fn credential(name: impl Into<String>) -> envoy::tls::SdsSecretConfig {
    discovered(name, discovery::GIVE_UP)
}

fn discovered(
    name: impl Into<String>,
    initial_fetch_timeout: Option<std::time::Duration>,
) -> envoy::tls::SdsSecretConfig {
    envoy::tls::SdsSecretConfig { name: name.into(), sds_config: Some(discovery::ads(initial_fetch_timeout)) }
}

/// A certificate in files of the proxy.
pub(crate) fn files(certificate: &Name, key: &Name) -> envoy::tls::TlsCertificate {
    envoy::tls::TlsCertificate {
        certificate_chain: Some(file(certificate.as_str())),
        private_key: Some(file(key.as_str())),
        ..Default::default()
    }
}

/// A file of the proxy.
pub(crate) fn file(path: &str) -> envoy::core::DataSource {
    envoy::core::DataSource {
        specifier: Some(envoy::core::data_source::Specifier::Filename(path.into())),
        ..Default::default()
    }
}

/// Accepts exactly this name of a peer: a URI, an IP address, else a DNS name.
pub(crate) fn exactly(name: &Name) -> envoy::tls::SubjectAltNameMatcher {
    use envoy::tls::subject_alt_name_matcher::SanType;
    let san_type = if name.as_str().contains("://") {
        SanType::Uri
    } else if name.as_str().parse::<IpAddr>().is_ok() {
        SanType::IpAddress
    } else {
        SanType::Dns
    };
    matcher(san_type, envoy::matcher::string_matcher::MatchPattern::Exact(name.to_string()))
}

/// Accepts every identity of a trust domain.
pub(crate) fn trust_domain(name: &Name) -> envoy::tls::SubjectAltNameMatcher {
    matcher(
        envoy::tls::subject_alt_name_matcher::SanType::Uri,
        // The slash keeps `cluster.local` from covering `cluster.local.example`.
        envoy::matcher::string_matcher::MatchPattern::Prefix(format!("spiffe://{name}/")),
    )
}

/// Accepts no peer: an empty list of names would accept them all.
pub(crate) fn nobody() -> envoy::tls::SubjectAltNameMatcher {
    matcher(
        envoy::tls::subject_alt_name_matcher::SanType::Uri,
        envoy::matcher::string_matcher::MatchPattern::Exact("spiffe://nobody.invalid/".into()),
    )
}

fn matcher(
    san_type: envoy::tls::subject_alt_name_matcher::SanType,
    pattern: envoy::matcher::string_matcher::MatchPattern,
) -> envoy::tls::SubjectAltNameMatcher {
    envoy::tls::SubjectAltNameMatcher {
        san_type: san_type.into(),
        matcher: Some(envoy::matcher::StringMatcher { ignore_case: false, match_pattern: Some(pattern) }),
        oid: String::new(),
    }
}

/// A TLS transport socket, either end.
pub(crate) fn socket(context: envoy::Any) -> envoy::core::TransportSocket {
    envoy::core::TransportSocket {
        name: "envoy.transport_sockets.tls".into(),
        config_type: Some(envoy::core::transport_socket::ConfigType::TypedConfig(context)),
    }
}
