//! How a filter chain terminates TLS.

use pilothouse_base::Name;
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{ClientVerificationPlan, ServerTlsPlan};

use crate::tls;

/// The strongest first; what Envoy accepts beyond these is not offered to peers of the mesh. TLS 1.3 has its own.
const MESH_CIPHERS: [&str; 6] = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
];

/// The transport socket of a plan; none leaves bytes as they are.
pub(super) fn socket(plan: &ServerTlsPlan) -> Option<envoy::core::TransportSocket> {
    let context = match plan {
        ServerTlsPlan::None => return None,
        ServerTlsPlan::Mesh { trust_domains } => {
            let mut names: Vec<_> = trust_domains.iter().map(tls::trust_domain).collect();
            if names.is_empty() {
                names.push(tls::nobody());
            }
            // No ALPN: what the client offers is a mark to choose the chain by, and nothing is negotiated. HTTP/2 is
            // found by its first bytes.
            let mut common = tls::mesh(names);
            if let Some(params) = &mut common.tls_params {
                params.cipher_suites = MESH_CIPHERS.map(String::from).to_vec();
            }
            envoy::tls::DownstreamTlsContext {
                common_tls_context: Some(common),
                require_client_certificate: Some(envoy::boolean(true)),
                ..Default::default()
            }
        }
        ServerTlsPlan::Terminate { certificates, clients, http } => envoy::tls::DownstreamTlsContext {
            common_tls_context: Some(envoy::tls::CommonTlsContext {
                tls_params: Some(tls::versions()),
                tls_certificate_sds_secret_configs: certificates
                    .iter()
                    .map(|name| tls::credential(name.as_str()))
                    .collect(),
                alpn_protocols: offer(*http),
                validation_context_type: clients.as_deref().map(verification),
                ..Default::default()
            }),
            require_client_certificate: Some(envoy::boolean(
                clients.as_ref().is_some_and(|clients| clients.required),
            )),
            ..Default::default()
        },
    };
    Some(tls::socket(envoy::pack(&context)))
}

/// Which certificates of clients are accepted. Until the roots are there, Envoy refuses every connection.
fn verification(plan: &ClientVerificationPlan) -> envoy::tls::common_tls_context::ValidationContextType {
    use envoy::tls::common_tls_context::{CombinedCertificateValidationContext, ValidationContextType};
    let ClientVerificationPlan { required: _, roots, subject_alt_names, public_keys, fingerprints } = plan;
    ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
        default_validation_context: Some(envoy::tls::CertificateValidationContext {
            match_typed_subject_alt_names: subject_alt_names.iter().map(tls::exactly).collect(),
            verify_certificate_spki: public_keys.iter().map(Name::to_string).collect(),
            verify_certificate_hash: fingerprints.iter().map(Name::to_string).collect(),
            ..Default::default()
        }),
        validation_context_sds_secret_config: Some(tls::credential(roots.as_str())),
        ..Default::default()
    })
}

fn offer(http: bool) -> Vec<String> {
    if http { vec!["h2".into(), "http/1.1".into()] } else { vec![] }
}
