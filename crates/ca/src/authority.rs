//! What signs: a certificate, its key, and the path from it to a trusted root.

use std::fmt;
use std::time::SystemTime;

use rcgen::{
    CertificateParams, Issuer, KeyIdMethod, KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey as _,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use crate::der;
use crate::files::CaFiles;
use crate::key::{KeyError, SigningKey};
use crate::pem;
use crate::roots::{RootBundle, RootBundleError, sha256};
use crate::seconds;

/// The longest path of intermediates we follow. Real ones have one or two.
const MAX_PATH: usize = 8;

/// A CA that is known to be usable: the key fits the certificate, and the certificate leads to a root.
pub struct Authority {
    key: SigningKey,
    /// The subject of the signing certificate as encoded there. Names are compared byte by byte along a path, so an
    /// equal name in another encoding would not do.
    subject: Vec<u8>,
    key_id: Option<Vec<u8>>,
    /// The signing certificate and the intermediates above it, without the root; empty if it is a root itself.
    path_pem: String,
    roots: RootBundle,
    fingerprint: String,
    crl_pem: Option<String>,
    not_before: u64,
    not_after: u64,
}

/// Why the material of a CA was refused. Nothing gets better by waiting; the files must change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Some of the four required files are not there.
    #[error("the CA files are incomplete, missing: {}", files.join(", "))]
    Missing {
        /// Names of the files that are not there.
        files: Vec<&'static str>,
    },
    /// A file is not what its name says.
    #[error("{file} {reason}")]
    Unreadable {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The key cannot be used.
    #[error("ca-key.pem {0}")]
    Key(#[from] KeyError),
    /// The key belongs to another certificate.
    #[error("ca-key.pem is not the key of ca-cert.pem")]
    KeyMismatch,
    /// The certificate may not sign others.
    #[error("ca-cert.pem {reason}")]
    NotAuthority {
        /// Which permission it lacks.
        reason: &'static str,
    },
    /// Nothing in `cert-chain.pem` or `root-cert.pem` signed this certificate.
    #[error(
        "ca-cert.pem does not lead to a root: no certificate in cert-chain.pem or root-cert.pem signed \"{subject}\""
    )]
    NoPathToRoot {
        /// The subject of the last certificate of the path.
        subject: String,
    },
}

impl Authority {
    /// Loads a root that we made ourselves.
    pub fn self_signed(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, LoadError> {
        Self::load(&CaFiles {
            ca_cert: Some(certificate_pem.to_vec()),
            ca_key: Some(key_pem.to_vec()),
            root_cert: Some(certificate_pem.to_vec()),
            cert_chain: Some(Vec::new()),
            ca_crl: None,
        })
    }

    /// Loads given material. All four files must be there: half a bundle is a mistake of the operator, and signing
    /// with a root of our own instead would split the mesh.
    pub fn load(files: &CaFiles) -> Result<Self, LoadError> {
        let (Some(ca_cert), Some(ca_key), Some(root_cert), Some(cert_chain)) =
            (&files.ca_cert, &files.ca_key, &files.root_cert, &files.cert_chain)
        else {
            return Err(LoadError::Missing { files: files.missing() });
        };
        let certificate = read("ca-cert.pem", ca_cert)?.into_iter().next().ok_or(LoadError::Unreadable {
            file: "ca-cert.pem",
            reason: "holds no certificate".to_owned(),
        })?;
        let chain = read("cert-chain.pem", cert_chain)?;
        let roots = RootBundle::from_pem(root_cert).map_err(|error| LoadError::Unreadable {
            file: "root-cert.pem",
            reason: match error {
                RootBundleError::Unreadable(reason) => reason,
                RootBundleError::Empty => "holds no certificate".to_owned(),
            },
        })?;
        let crl_pem = files.ca_crl.as_deref().map(check_crl).transpose()?;
        let key = SigningKey::from_pem(ca_key)?;

        let parsed = parse(&certificate);
        check_authority(&parsed)?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.pair().der_bytes() {
            return Err(LoadError::KeyMismatch);
        }
        let path = path_to_root(&certificate, &chain, &roots)?;

        // A leaf that outlives the certificates we send along with it could not be verified in its last days.
        let (mut not_before, mut not_after) = validity(&parsed);
        for der in &path {
            let (from, until) = validity(&parse(der));
            not_before = not_before.max(from);
            not_after = not_after.min(until);
        }
        Ok(Self {
            subject: parsed.subject().as_raw().to_vec(),
            key_id: subject_key_id(&parsed),
            path_pem: path.iter().map(|der| pem::encode("CERTIFICATE", der)).collect(),
            fingerprint: sha256(&certificate),
            key,
            roots,
            crl_pem,
            not_before,
            not_after,
        })
    }

    /// The roots that proxies are to trust.
    pub fn roots(&self) -> &RootBundle {
        &self.roots
    }

    /// The revocation list as PEM, if one was given.
    pub fn crl_pem(&self) -> Option<&str> {
        self.crl_pem.as_deref()
    }

    /// When the first certificate of the path expires: no leaf lives longer.
    pub fn not_after(&self) -> SystemTime {
        seconds::to_time(self.not_after)
    }

    /// SHA-256 of the signing certificate, hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The signing certificate and what stands above it, without the root.
    pub(crate) fn path_pem(&self) -> &str {
        &self.path_pem
    }

    pub(crate) fn validity_seconds(&self) -> (u64, u64) {
        (self.not_before, self.not_after)
    }

    /// Signs what `params` describe and returns the chain: the new certificate, then the intermediates.
    pub(crate) fn sign(
        &self,
        mut params: CertificateParams,
        subject_key: &impl PublicKeyData,
    ) -> Result<Signed, rcgen::Error> {
        let mut issuer = CertificateParams::default();
        if let Some(key_id) = &self.key_id {
            issuer.key_identifier_method = KeyIdMethod::PreSpecified(key_id.clone());
            params.use_authority_key_identifier_extension = true;
        }
        let draft = params.signed_by(subject_key, &Issuer::new(issuer, Unsigned(self.key.pair())))?;
        let der = self
            .complete(draft.der())
            .expect("the encoder writes a certificate whose first fields are version to issuer")?;
        let mut chain_pem = pem::encode("CERTIFICATE", &der);
        chain_pem.push_str(&self.path_pem);
        Ok(Signed { chain_pem, fingerprint: sha256(&der) })
    }

    /// Puts our name into a draft and signs it. The encoder's own issuer names cannot express all that occur in
    /// given CAs (several `DC` or `OU` parts, for one), and a name that differs by a byte breaks the path.
    fn complete(&self, draft: &[u8]) -> Option<Result<Vec<u8>, rcgen::Error>> {
        let body = der::first(der::first(draft)?.content)?;
        let version = der::first(body.content)?;
        let serial = der::first(version.rest)?;
        let algorithm = der::first(serial.rest)?;
        let issuer = der::first(algorithm.rest)?;
        let parts = [version.whole, serial.whole, algorithm.whole, &self.subject, issuer.rest];
        let body = der::wrap(der::SEQUENCE, &parts);
        Some(self.key.pair().sign(&body).map(|signature| {
            let signature = der::wrap(der::BIT_STRING, &[&[0], &signature]);
            der::wrap(der::SEQUENCE, &[&body, algorithm.whole, &signature])
        }))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Authority")
            .field("fingerprint", &self.fingerprint)
            .field("roots", &self.roots)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// A signed certificate with its path.
pub(crate) struct Signed {
    pub(crate) chain_pem: String,
    pub(crate) fingerprint: String,
}

/// Says which algorithm will sign, without signing: the draft's signature is thrown away.
struct Unsigned<'a>(&'a KeyPair);

impl PublicKeyData for Unsigned<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        PublicKeyData::algorithm(self.0)
    }
}

impl rcgen::SigningKey for Unsigned<'_> {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(Vec::new())
    }
}

fn read(file: &'static str, text: &[u8]) -> Result<Vec<Vec<u8>>, LoadError> {
    pem::certificates(text).map_err(|error| LoadError::Unreadable { file, reason: error.to_string() })
}

/// Parses again what [`pem::certificates`] accepted: the parsed form borrows, so it is not kept.
fn parse(der: &[u8]) -> X509Certificate<'_> {
    X509Certificate::from_der(der).expect("checked when it was read").1
}

fn validity(certificate: &X509Certificate<'_>) -> (u64, u64) {
    let validity = certificate.validity();
    (
        seconds::from_signed(validity.not_before.timestamp()),
        seconds::from_signed(validity.not_after.timestamp()),
    )
}

fn subject_key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}

fn check_authority(certificate: &X509Certificate<'_>) -> Result<(), LoadError> {
    let not = |reason| Err(LoadError::NotAuthority { reason });
    if !certificate.is_ca() {
        return not("is not a CA certificate (basicConstraints CA:true is missing)");
    }
    match certificate.key_usage() {
        Ok(Some(usage)) if !usage.value.key_cert_sign() => {
            not("may not sign certificates (key usage keyCertSign is missing)")
        }
        Err(_) => not("has an unreadable key usage"),
        _ => Ok(()),
    }
}

/// The certificates to send along with a leaf: `certificate` and those above it, without the root.
fn path_to_root(
    certificate: &[u8],
    chain: &[Vec<u8>],
    roots: &RootBundle,
) -> Result<Vec<Vec<u8>>, LoadError> {
    let mut path = Vec::new();
    let mut last = certificate;
    loop {
        if roots.certificates().any(|root| root == last) {
            return Ok(path);
        }
        path.push(last.to_vec());
        let parsed = parse(last);
        let no_path = || LoadError::NoPathToRoot { subject: parsed.subject().to_string() };
        if roots.certificates().any(|root| signed(&parse(root), &parsed)) {
            return Ok(path);
        }
        if path.len() == MAX_PATH {
            return Err(no_path());
        }
        last = chain
            .iter()
            .find(|candidate| !path.contains(candidate) && signed(&parse(candidate), &parsed))
            .ok_or_else(no_path)?;
    }
}

fn signed(issuer: &X509Certificate<'_>, certificate: &X509Certificate<'_>) -> bool {
    issuer.subject().as_raw() == certificate.issuer().as_raw()
        && issuer.is_ca()
        && certificate.verify_signature(Some(issuer.public_key())).is_ok()
}

fn check_crl(text: &[u8]) -> Result<String, LoadError> {
    let unreadable = |reason: &str| LoadError::Unreadable { file: "ca-crl.pem", reason: reason.to_owned() };
    let blocks = pem::blocks(text).map_err(|error| unreadable(&error.to_string()))?;
    let lists: Vec<_> = blocks.iter().filter(|block| block.label == "X509 CRL").collect();
    if lists.is_empty() {
        return Err(unreadable("holds no revocation list"));
    }
    if lists.iter().any(|block| CertificateRevocationList::from_der(&block.content).is_err()) {
        return Err(unreadable("holds a block that is not a revocation list"));
    }
    Ok(lists.iter().map(|block| pem::encode("X509 CRL", &block.content)).collect())
}

#[cfg(test)]
mod tests;
