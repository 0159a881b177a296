//! How a filter chain terminates TLS.

use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::ServerTlsPlan;

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
        ServerTlsPlan::Credential { secret, http } => public(envoy::tls::CommonTlsContext {
            tls_certificate_sds_secret_configs: vec![tls::credential(secret.as_str())],
            alpn_protocols: offer(*http),
            ..Default::default()
        }),
        ServerTlsPlan::Files { certificate, key, http } => public(envoy::tls::CommonTlsContext {
            tls_certificates: vec![tls::files(certificate, key)],
            alpn_protocols: offer(*http),
            ..Default::default()
        }),
    };
    Some(tls::socket(envoy::pack(&context)))
}

/// TLS to clients without certificates.
fn public(common: envoy::tls::CommonTlsContext) -> envoy::tls::DownstreamTlsContext {
    envoy::tls::DownstreamTlsContext {
        common_tls_context: Some(envoy::tls::CommonTlsContext {
            tls_params: Some(tls::versions()),
            ..common
        }),
        require_client_certificate: Some(envoy::boolean(false)),
        ..Default::default()
    }
}

fn offer(http: bool) -> Vec<String> {
    if http { vec!["h2".into(), "http/1.1".into()] } else { vec![] }
}
