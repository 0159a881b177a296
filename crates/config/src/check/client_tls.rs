//! `tls` of a traffic policy. Whatever cannot be understood fails connections; nothing goes out in plain text by mistake.

use pilothouse_api as api;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::fields;
use crate::traffic_policy::{ClientCertificate, ClientTls, ClientTlsMode, Roots};

/// What a flaw costs.
const CLOSED: &str = "connections to the host fail; nothing is sent in plain text";

#[derive(Clone, Copy)]
enum Mode {
    Disable,
    Simple,
    Mutual,
    IstioMutual,
}

/// The words of `mode`.
const MODES: [(&str, Mode); 4] = [
    ("DISABLE", Mode::Disable),
    ("SIMPLE", Mode::Simple),
    ("MUTUAL", Mode::Mutual),
    ("ISTIO_MUTUAL", Mode::IstioMutual),
];

pub(super) fn check(raw: &api::ClientTls, at: &FieldPath, out: &mut Diagnostics) -> ClientTls {
    let api::ClientTls {
        mode,
        client_certificate,
        private_key,
        ca_certificates,
        credential_name,
        subject_alt_names,
        sni,
        insecure_skip_verify,
        ca_crl,
    } = raw;
    // Empty, as in `tls: {}`, is the zero value of the API.
    let mode = mode
        .as_ref()
        .map_or(Some(Mode::Disable), |written| fields::word(written, &MODES, at, "mode", CLOSED, out));
    let mut files = Files {
        certificate: fields::text(client_certificate.as_ref()),
        key: fields::text(private_key.as_ref()),
        roots: fields::text(ca_certificates.as_ref()),
        credential: fields::text(credential_name.as_ref()),
        unverified: insecure_skip_verify.unwrap_or(false),
        names: !subject_alt_names.is_empty(),
    };
    let mode = match mode {
        None => ClientTlsMode::Closed,
        Some(Mode::Disable) => ClientTlsMode::Disable,
        Some(Mode::IstioMutual) => ClientTlsMode::IstioMutual,
        Some(Mode::Simple | Mode::Mutual) if fields::text(ca_crl.as_ref()).is_some() => {
            out.report(catalogue::UNSUPPORTED_FIELD, &at.field("caCrl")).effect(CLOSED);
            ClientTlsMode::Closed
        }
        Some(mode @ (Mode::Simple | Mode::Mutual)) => {
            if files.roots == Some("system") {
                files.roots = None;
            }
            files.mode(matches!(mode, Mode::Mutual), at, out).unwrap_or(ClientTlsMode::Closed)
        }
    };
    if mode.names_secret() {
        out.report(catalogue::GATEWAYS_ONLY_SECRET, &at.field("credentialName"))
            .effect("connections from sidecars to the host fail; gateways that have the secret in their namespace use it")
            .help("for sidecars, name files of the proxy: clientCertificate, privateKey, caCertificates");
    }
    ClientTls {
        mode,
        sni: fields::text(sni.as_ref()).map(Name::from),
        subject_alt_names: subject_alt_names.iter().map(|name| Name::from(name.as_str())).collect(),
    }
}

/// What `SIMPLE` and `MUTUAL` are made of.
struct Files<'r> {
    certificate: Option<&'r str>,
    key: Option<&'r str>,
    roots: Option<&'r str>,
    credential: Option<&'r str>,
    unverified: bool,
    names: bool,
}

impl Files<'_> {
    /// None: closed, and a finding says so.
    fn mode(&self, mutual: bool, at: &FieldPath, out: &mut Diagnostics) -> Option<ClientTlsMode> {
        let own = mutual && (self.certificate.is_some() || self.key.is_some());
        if self.credential.is_some() && (own || self.roots.is_some()) {
            out.report(catalogue::CONFLICTING_FIELDS, &at.field("credentialName"))
                .detail("files are named too")
                .effect(CLOSED);
            return None;
        }
        if self.unverified && (self.roots.is_some() || self.names || (!mutual && self.credential.is_some())) {
            out.report(catalogue::CONFLICTING_FIELDS, &at.field("insecureSkipVerify"))
                .detail("fields that verify the server are set too")
                .effect(CLOSED);
            return None;
        }
        if let Some(name) = self.credential.filter(|name| name.contains("://") || name.contains('/')) {
            out.report(catalogue::UNSUPPORTED_FIELD, &at.field("credentialName"))
                .value(name)
                .detail("only the plain name of a secret is supported")
                .effect(CLOSED);
            return None;
        }
        let roots = match (self.unverified, self.roots, self.credential) {
            (true, ..) => Roots::Unverified,
            (false, Some(file), _) => Roots::File(Name::from(file)),
            (false, None, Some(secret)) => Roots::Secret(Name::from(secret)),
            (false, None, None) => Roots::System,
        };
        if !mutual {
            return Some(ClientTlsMode::Simple { roots });
        }
        if let Some(name) = self.credential.filter(|name| name.ends_with("-cacert")) {
            out.report(catalogue::INVALID_VALUE, &at.field("credentialName"))
                .value(name)
                .detail("names that end in -cacert stand for roots, and mode MUTUAL needs a certificate")
                .effect(CLOSED);
            return None;
        }
        let certificate = match (self.credential, self.certificate, self.key) {
            (Some(secret), ..) => ClientCertificate::Secret(Name::from(secret)),
            (None, Some(certificate), Some(key)) => {
                ClientCertificate::Files { certificate: Name::from(certificate), key: Name::from(key) }
            }
            (None, certificate, key) => {
                for (field, value) in [("clientCertificate", certificate), ("privateKey", key)] {
                    if value.is_none() {
                        out.report(catalogue::REQUIRED, &at.field(field))
                            .detail("mode MUTUAL needs a certificate and its key")
                            .effect(CLOSED);
                    }
                }
                return None;
            }
        };
        Some(ClientTlsMode::Mutual { certificate, roots })
    }
}

#[cfg(test)]
mod tests;
