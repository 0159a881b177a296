//! `tls` of a gateway server. Whatever cannot be understood keeps the server closed.

use pilothouse_api as api;
use pilothouse_base::{Name, Protocol};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::fields;
use crate::gateway::{ServerTls, ServerTlsMode};

/// What a flaw costs.
const CLOSED: &str = "the server stays closed; the other servers are served";

/// `at` is the path of the server.
pub(super) fn check(
    raw: Option<&api::ServerTls>,
    protocol: Protocol,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<ServerTls> {
    let at = at.field("tls");
    let Some(raw) = raw else {
        if !protocol.is_tls() {
            return None;
        }
        out.report(catalogue::REQUIRED, &at)
            .detail("a port of protocol HTTPS or TLS needs it")
            .effect(CLOSED);
        return Some(ServerTls { https_redirect: false, mode: ServerTlsMode::Closed });
    };
    let mode = if protocol.is_http() {
        let mode = mode(raw, &at, out);
        if matches!(mode, ServerTlsMode::Simple { .. } | ServerTlsMode::SimpleFiles { .. }) {
            out.report(catalogue::CONFLICTING_FIELDS, &at)
                .detail("the protocol of the port is plain HTTP")
                .effect(CLOSED)
                .help("set port.protocol to HTTPS");
            ServerTlsMode::Closed
        } else {
            mode
        }
    } else if protocol.is_tls() {
        mode(raw, &at, out)
    } else {
        out.report(catalogue::CONFLICTING_FIELDS, &at)
            .detail("the protocol of the port is plain text")
            .effect(CLOSED)
            .help("set port.protocol to TLS");
        ServerTlsMode::Closed
    };
    let https_redirect = raw.https_redirect.unwrap_or(false);
    if https_redirect && !protocol.is_http() {
        out.report(catalogue::RISKY_VALUE, &at.field("httpsRedirect"))
            .detail("only plain HTTP can be redirected")
            .effect("it has no effect");
    }
    Some(ServerTls { https_redirect: https_redirect && protocol.is_http(), mode })
}

fn mode(raw: &api::ServerTls, at: &FieldPath, out: &mut Diagnostics) -> ServerTlsMode {
    let api::ServerTls {
        https_redirect: _,
        mode,
        server_certificate,
        private_key,
        ca_certificates,
        credential_name,
        credential_names,
        ca_cert_credential_name,
        tls_certificates,
        subject_alt_names,
        verify_certificate_spki,
        verify_certificate_hash,
        ca_crl,
    } = raw;
    let certificate = fields::text(server_certificate.as_ref());
    let key = fields::text(private_key.as_ref());
    let credential = fields::text(credential_name.as_ref());
    let sources = usize::from(certificate.is_some() || key.is_some())
        + usize::from(credential.is_some())
        + usize::from(!credential_names.is_empty())
        + usize::from(!tls_certificates.is_empty());
    match mode.as_deref() {
        None | Some("PASSTHROUGH") => {
            if sources > 0 {
                out.report(catalogue::RISKY_VALUE, at)
                    .detail("mode PASSTHROUGH terminates nothing, so the certificate is not used")
                    .effect("TLS connections are passed through");
            }
            return ServerTlsMode::Passthrough;
        }
        Some("SIMPLE") => {}
        Some(word @ ("MUTUAL" | "OPTIONAL_MUTUAL" | "ISTIO_MUTUAL" | "AUTO_PASSTHROUGH")) => {
            out.report(catalogue::UNSUPPORTED_FIELD, &at.field("mode")).value(word).effect(CLOSED);
            return ServerTlsMode::Closed;
        }
        Some(other) => {
            let words =
                ["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"];
            let words = words.map(|word| (word, ()));
            let _ = fields::word(other, &words, at, "mode", CLOSED, out);
            return ServerTlsMode::Closed;
        }
    }
    // Roots matter only to modes that ask for a client certificate; the other fields narrow who may connect.
    for (field, set) in [
        ("caCertificates", fields::text(ca_certificates.as_ref()).is_some()),
        ("caCertCredentialName", fields::text(ca_cert_credential_name.as_ref()).is_some()),
    ] {
        if set {
            out.report(catalogue::RISKY_VALUE, &at.field(field))
                .detail("mode SIMPLE asks for no client certificate")
                .effect("clients are not verified");
        }
    }
    let narrowing = [
        ("subjectAltNames", !subject_alt_names.is_empty()),
        ("verifyCertificateSpki", !verify_certificate_spki.is_empty()),
        ("verifyCertificateHash", !verify_certificate_hash.is_empty()),
        ("caCrl", fields::text(ca_crl.as_ref()).is_some()),
        ("credentialNames", !credential_names.is_empty()),
        (
            "tlsCertificates",
            tls_certificates.iter().any(
                |api::TlsCertificate { server_certificate: _, private_key: _, ca_certificates: _ }| true,
            ),
        ),
    ];
    let mut closed = false;
    for (field, _) in narrowing.into_iter().filter(|(_, set)| *set) {
        out.report(catalogue::UNSUPPORTED_FIELD, &at.field(field)).effect(CLOSED);
        closed = true;
    }
    if sources > 1 {
        out.report(catalogue::CONFLICTING_FIELDS, at)
            .detail("the certificate is named in more than one way")
            .effect(CLOSED)
            .help("keep credentialName");
        closed = true;
    }
    if closed {
        return ServerTlsMode::Closed;
    }
    match (credential, certificate, key) {
        (Some(name), ..) if name.contains("://") || name.contains('/') => {
            out.report(catalogue::UNSUPPORTED_FIELD, &at.field("credentialName"))
                .value(name)
                .detail("only the plain name of a secret is supported")
                .effect(CLOSED);
            ServerTlsMode::Closed
        }
        (Some(name), ..) => ServerTlsMode::Simple { credential: Name::from(name) },
        (None, Some(certificate), Some(key)) => {
            ServerTlsMode::SimpleFiles { certificate: Name::from(certificate), key: Name::from(key) }
        }
        (None, certificate, _) => {
            let missing = if certificate.is_some() { "privateKey" } else { "credentialName" };
            out.report(catalogue::REQUIRED, &at.field(missing))
                .detail("mode SIMPLE needs a certificate and its key")
                .effect(CLOSED);
            ServerTlsMode::Closed
        }
    }
}

#[cfg(test)]
mod tests;
