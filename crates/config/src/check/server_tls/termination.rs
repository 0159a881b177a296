//! Certificates of a gateway server, and what it asks of its clients.

use pilothouse_api as api;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::CLOSED;
use crate::check::fields;
use crate::gateway::{ClientRoots, ClientVerification, ServerCertificate, Termination};

/// What the mode asks of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clients {
    /// No certificate.
    Unasked,
    /// A certificate that is verified if there is one.
    Asked,
    /// A certificate.
    Required,
}

/// Whether some field names a certificate of the server.
pub(super) fn names_certificates(raw: &api::ServerTls) -> bool {
    sources(raw) > 0
}

fn sources(raw: &api::ServerTls) -> usize {
    let api::ServerTls {
        https_redirect: _,
        mode: _,
        server_certificate,
        private_key,
        credential_name,
        credential_names,
        tls_certificates,
        // These say how clients are verified, see `verification` and `unasked`.
        ca_certificates: _,
        ca_cert_credential_name: _,
        subject_alt_names: _,
        verify_certificate_spki: _,
        verify_certificate_hash: _,
        ca_crl: _,
    } = raw;
    let files = fields::text(server_certificate.as_ref()).or(fields::text(private_key.as_ref()));
    usize::from(files.is_some())
        + usize::from(fields::text(credential_name.as_ref()).is_some())
        + usize::from(!credential_names.is_empty())
        + usize::from(!tls_certificates.is_empty())
}

/// None: the server stays closed, and a finding says why.
pub(super) fn check(
    raw: &api::ServerTls,
    clients: Clients,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<Termination> {
    // Both are looked at, so that one run names all that is wrong.
    let certificates = certificates(raw, at, out);
    let verification = if clients == Clients::Unasked {
        unasked(raw, at, out).then_some(None)
    } else {
        verification(raw, clients == Clients::Required, at, out).map(Some)
    };
    Some(Termination { certificates: certificates?, clients: verification? })
}

fn certificates(
    raw: &api::ServerTls,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<Vec<ServerCertificate>> {
    if sources(raw) > 1 {
        out.report(catalogue::CONFLICTING_FIELDS, at)
            .detail("the certificate is named in more than one way")
            .effect(CLOSED)
            .help("keep credentialName");
        return None;
    }
    for (field, count) in
        [("credentialNames", raw.credential_names.len()), ("tlsCertificates", raw.tls_certificates.len())]
    {
        if count > 2 {
            out.report(catalogue::INVALID_VALUE, &at.field(field))
                .detail("at most two certificates fit, of different kinds of key")
                .effect(CLOSED);
            return None;
        }
    }
    if let Some(name) = fields::text(raw.credential_name.as_ref()) {
        return Some(vec![ServerCertificate::Secret(credential(name, &at.field("credentialName"), out)?)]);
    }
    if !raw.credential_names.is_empty() {
        let at = at.field("credentialNames");
        let names = raw.credential_names.iter().enumerate();
        return names
            .map(|(index, name)| Some(ServerCertificate::Secret(credential(name, &at.index(index), out)?)))
            .collect();
    }
    if !raw.tls_certificates.is_empty() {
        let at = at.field("tlsCertificates");
        let entries = raw.tls_certificates.iter().enumerate();
        return entries
            .map(|(index, entry)| {
                let api::TlsCertificate { server_certificate, private_key, ca_certificates } = entry;
                let at = at.index(index);
                if fields::text(ca_certificates.as_ref()).is_some() {
                    out.report(catalogue::UNSUPPORTED_FIELD, &at.field("caCertificates"))
                        .effect(CLOSED)
                        .help("name the roots in caCertificates of tls");
                    return None;
                }
                files(server_certificate.as_ref(), private_key.as_ref(), "serverCertificate", &at, out)
            })
            .collect();
    }
    let (certificate, key) = (raw.server_certificate.as_ref(), raw.private_key.as_ref());
    Some(vec![files(certificate, key, "credentialName", at, out)?])
}

/// `instead` is the field to name when there is nothing at all.
fn files(
    certificate: Option<&String>,
    key: Option<&String>,
    instead: &str,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<ServerCertificate> {
    let missing = match (fields::text(certificate), fields::text(key)) {
        (Some(certificate), Some(key)) => {
            return Some(ServerCertificate::Files {
                certificate: Name::from(certificate),
                key: Name::from(key),
            });
        }
        (Some(_), None) => "privateKey",
        (None, Some(_)) => "serverCertificate",
        (None, None) => instead,
    };
    out.report(catalogue::REQUIRED, &at.field(missing))
        .detail("the server needs a certificate and its key")
        .effect(CLOSED);
    None
}

/// The name of a secret with a certificate.
fn credential(name: &str, at: &FieldPath, out: &mut Diagnostics) -> Option<Name> {
    let name = plain_name(name, at, out)?;
    if name.as_str().ends_with("-cacert") {
        out.report(catalogue::INVALID_VALUE, at)
            .value(&name)
            .detail("names that end in -cacert stand for roots")
            .effect(CLOSED);
        return None;
    }
    Some(name)
}

fn plain_name(name: &str, at: &FieldPath, out: &mut Diagnostics) -> Option<Name> {
    if name.is_empty() || name.contains('/') {
        out.report(catalogue::UNSUPPORTED_FIELD, at)
            .value(name)
            .detail("only the plain name of a secret is supported")
            .effect(CLOSED);
        return None;
    }
    Some(Name::from(name))
}

/// Whether nothing is asked of clients, as the mode says.
fn unasked(raw: &api::ServerTls, at: &FieldPath, out: &mut Diagnostics) -> bool {
    for (field, set) in [
        ("caCertificates", fields::text(raw.ca_certificates.as_ref()).is_some()),
        ("caCertCredentialName", fields::text(raw.ca_cert_credential_name.as_ref()).is_some()),
    ] {
        if set {
            out.report(catalogue::RISKY_VALUE, &at.field(field))
                .detail("mode SIMPLE asks for no client certificate")
                .effect("clients are not verified");
        }
    }
    let mut good = true;
    for (field, set) in [
        ("subjectAltNames", !raw.subject_alt_names.is_empty()),
        ("verifyCertificateSpki", !raw.verify_certificate_spki.is_empty()),
        ("verifyCertificateHash", !raw.verify_certificate_hash.is_empty()),
        ("caCrl", fields::text(raw.ca_crl.as_ref()).is_some()),
    ] {
        if set {
            out.report(catalogue::CONFLICTING_FIELDS, &at.field(field))
                .detail(
                    "it narrows which clients may connect, but mode SIMPLE asks for no client certificate",
                )
                .effect(CLOSED)
                .help("set mode MUTUAL");
            good = false;
        }
    }
    good
}

fn verification(
    raw: &api::ServerTls,
    required: bool,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<ClientVerification> {
    let roots = roots(raw, at, out);
    let is_good = [
        hashes(&raw.verify_certificate_spki, "verifyCertificateSpki", is_public_key, at, out),
        hashes(&raw.verify_certificate_hash, "verifyCertificateHash", is_fingerprint, at, out),
    ];
    let names = |list: &[String]| list.iter().map(|one| Name::from(one.as_str())).collect();
    is_good.iter().all(|good| *good).then_some(ClientVerification {
        required,
        roots: roots?,
        subject_alt_names: names(&raw.subject_alt_names),
        public_keys: names(&raw.verify_certificate_spki),
        fingerprints: names(&raw.verify_certificate_hash),
    })
}

/// Where the roots are: a file, a secret of their own, or the secret of the certificate (of the first one).
fn roots(raw: &api::ServerTls, at: &FieldPath, out: &mut Diagnostics) -> Option<ClientRoots> {
    let file = fields::text(raw.ca_certificates.as_ref());
    let own = fields::text(raw.ca_cert_credential_name.as_ref());
    let credential = fields::text(raw.credential_name.as_ref());
    let credential = credential.or(raw.credential_names.first().map(String::as_str));
    let revoked = fields::text(raw.ca_crl.as_ref());
    let conflict = |field: &str, detail: &str, out: &mut Diagnostics| {
        out.report(catalogue::CONFLICTING_FIELDS, &at.field(field)).detail(detail).effect(CLOSED);
        None
    };
    match (file, own.or(credential)) {
        (Some(_), Some(_)) => conflict("caCertificates", "a secret is named for the roots too", out),
        (Some(roots), None) => {
            Some(ClientRoots::Files { roots: Name::from(roots), revoked: revoked.map(Name::from) })
        }
        (None, Some(_)) if revoked.is_some() => conflict(
            "caCrl",
            "with roots of a secret, revoked certificates stand there too, as ca.crl or crl",
            out,
        ),
        (None, Some(name)) => {
            let field = if own.is_some() { "caCertCredentialName" } else { "credentialName" };
            // What is wrong with the name of a certificate is said there.
            let is_plain = !name.is_empty() && !name.contains('/');
            if own.is_none() && !is_plain { None } else { plain_name(name, &at.field(field), out) }
                .map(ClientRoots::Secret)
        }
        (None, None) => {
            out.report(catalogue::REQUIRED, &at.field("caCertificates"))
                .detail("clients are verified, but no roots are named")
                .effect(CLOSED);
            None
        }
    }
}

/// Envoy refuses a listener with a hash that is none, so such a server is left out.
fn hashes(
    list: &[String],
    field: &str,
    is_good: fn(&str) -> bool,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> bool {
    let mut good = true;
    for (index, hash) in list.iter().enumerate().filter(|(_, hash)| !is_good(hash)) {
        out.report(catalogue::INVALID_VALUE, &at.field(field).index(index))
            .value(hash)
            .detail("it is not the SHA-256 of a certificate or key in the form that this field has")
            .effect(CLOSED);
        good = false;
    }
    good
}

/// 32 bytes in base64 with padding. The last letter before it carries two bits too many, which must be zero.
fn is_public_key(text: &str) -> bool {
    let Some(letters) = text.strip_suffix('=').filter(|letters| letters.len() == 43) else { return false };
    letters.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b))
        && letters.ends_with(|last: char| "AEIMQUYcgkosw048".contains(last))
}

/// 64 hexadecimal digits, or pairs of them with colons between.
fn is_fingerprint(text: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    match text.len() {
        64 => hex(text),
        95 => text.split(':').all(|pair| pair.len() == 2 && hex(pair)),
        _ => false,
    }
}
