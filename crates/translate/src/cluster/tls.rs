//! How connections to endpoints are secured.

use pilothouse_base::Name;
use pilothouse_config::traffic_policy::{ClientCertificate, Roots};
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{MeshTls, UpstreamProtocol, UpstreamTls};

use crate::assignment::{TLS_MODE, TLS_MODE_MESH};
use crate::metadata::{structure, text};
use crate::{marker, tls};

/// Where the usual images keep the roots of the operating system.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Sets transport sockets.
pub(super) fn apply(plan: &UpstreamTls, protocol: UpstreamProtocol, cluster: &mut envoy::cluster::Cluster) {
    match plan {
        UpstreamTls::None => {}
        UpstreamTls::Auto(settings) => {
            cluster.transport_socket_matches = vec![
                envoy::cluster::cluster::TransportSocketMatch {
                    name: "tlsMode-istio".into(),
                    r#match: Some(structure([(TLS_MODE, text(TLS_MODE_MESH))])),
                    transport_socket: Some(mesh(settings, protocol)),
                },
                envoy::cluster::cluster::TransportSocketMatch {
                    name: "tlsMode-disabled".into(),
                    r#match: Some(envoy::Struct::default()),
                    transport_socket: Some(plain()),
                },
            ];
        }
        UpstreamTls::Mesh(settings) => cluster.transport_socket = Some(mesh(settings, protocol)),
        UpstreamTls::Origination { sni, subject_alt_names, roots, certificate } => {
            cluster.transport_socket =
                Some(origination(sni.as_ref(), subject_alt_names, roots, certificate.as_ref(), protocol));
        }
        UpstreamTls::Closed => cluster.transport_socket = Some(closed()),
    }
}

/// Mutual TLS of the mesh.
///
/// The offer written here is for what carries no marker of its own. That is mirrored requests: Envoy sends them without the
/// filter state of the request they copy.
fn mesh(settings: &MeshTls, protocol: UpstreamProtocol) -> envoy::core::TransportSocket {
    let MeshTls { sni, subject_alt_names } = settings;
    let offer = match protocol {
        // A declared HTTP/1.1 port takes both marks for requests, a declared TCP port both for bytes.
        UpstreamProtocol::Http1 => marker::BYTES,
        UpstreamProtocol::Http2 | UpstreamProtocol::AsDownstream => marker::HTTP,
    };
    let common = tls::mesh(subject_alt_names.iter().map(tls::exactly).collect());
    upstream(&envoy::tls::UpstreamTlsContext {
        common_tls_context: Some(envoy::tls::CommonTlsContext {
            alpn_protocols: vec![offer.into()],
            ..common
        }),
        sni: sni.to_string(),
        ..Default::default()
    })
}

/// TLS as a rule asks for.
fn origination(
    sni: Option<&Name>,
    subject_alt_names: &[Name],
    roots: &Roots,
    certificate: Option<&ClientCertificate>,
    protocol: UpstreamProtocol,
) -> envoy::core::TransportSocket {
    let (tls_certificates, tls_certificate_sds_secret_configs) = match certificate {
        None => (vec![], vec![]),
        Some(ClientCertificate::Files { certificate, key }) => (vec![tls::files(certificate, key)], vec![]),
        Some(ClientCertificate::Secret(name)) => (vec![], vec![tls::credential(secret_name(name, ""))]),
    };
    let alpn_protocols = match protocol {
        UpstreamProtocol::Http2 => vec!["h2".into()],
        UpstreamProtocol::Http1 | UpstreamProtocol::AsDownstream => vec![],
    };
    upstream(&envoy::tls::UpstreamTlsContext {
        common_tls_context: Some(envoy::tls::CommonTlsContext {
            tls_params: Some(tls::versions()),
            tls_certificates,
            tls_certificate_sds_secret_configs,
            alpn_protocols,
            validation_context_type: validation(&accepted_names(sni, subject_alt_names), roots),
            ..Default::default()
        }),
        sni: sni.map(Name::to_string).unwrap_or_default(),
        // For bytes, where there is no request to take a name from: the name that DNS resolved. A name from the request
        // goes before it.
        auto_host_sni: sni.is_none(),
        ..Default::default()
    })
}

/// The names a server may have: those that are written, else the one it is asked for by. Without either the request
/// says it (`http_options.rs`).
fn accepted_names(sni: Option<&Name>, written: &[Name]) -> Vec<Name> {
    if written.is_empty() { sni.cloned().into_iter().collect() } else { written.to_vec() }
}

/// Which certificates of the server are accepted.
fn validation(
    subject_alt_names: &[Name],
    roots: &Roots,
) -> Option<envoy::tls::common_tls_context::ValidationContextType> {
    use envoy::tls::common_tls_context::{CombinedCertificateValidationContext, ValidationContextType};
    let context = |trusted_ca| envoy::tls::CertificateValidationContext {
        trusted_ca,
        match_typed_subject_alt_names: subject_alt_names.iter().map(tls::exactly).collect(),
        ..Default::default()
    };
    Some(match roots {
        Roots::Unverified => return None,
        Roots::System => ValidationContextType::ValidationContext(context(Some(tls::file(SYSTEM_ROOTS)))),
        Roots::File(path) => {
            ValidationContextType::ValidationContext(context(Some(tls::file(path.as_str()))))
        }
        Roots::Secret(name) => {
            ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
                default_validation_context: Some(context(None)),
                validation_context_sds_secret_config: Some(tls::credential(secret_name(name, "-cacert"))),
                ..Default::default()
            })
        }
    })
}

/// The resource that a `credentialName` asks for.
fn secret_name(name: &Name, part: &str) -> String {
    let name = name.as_str();
    let scheme = if name.contains("://") { "" } else { "kubernetes://" };
    let part = if name.ends_with(part) { "" } else { part };
    format!("{scheme}{name}{part}")
}

/// TLS that never succeeds: no certificate has this fingerprint.
pub(crate) fn closed() -> envoy::core::TransportSocket {
    upstream(&envoy::tls::UpstreamTlsContext {
        common_tls_context: Some(envoy::tls::CommonTlsContext {
            validation_context_type: Some(
                envoy::tls::common_tls_context::ValidationContextType::ValidationContext(
                    envoy::tls::CertificateValidationContext {
                        verify_certificate_hash: vec!["0".repeat(64)],
                        ..Default::default()
                    },
                ),
            ),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn plain() -> envoy::core::TransportSocket {
    envoy::core::TransportSocket {
        name: "envoy.transport_sockets.raw_buffer".into(),
        config_type: Some(envoy::core::transport_socket::ConfigType::TypedConfig(envoy::pack(
            &envoy::raw_buffer::RawBuffer {},
        ))),
    }
}

fn upstream(context: &envoy::tls::UpstreamTlsContext) -> envoy::core::TransportSocket {
    tls::socket(envoy::pack(context))
}
