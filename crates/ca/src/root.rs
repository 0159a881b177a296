//! Making our own root, for a mesh that was given none.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose, SerialNumber,
};

use crate::issue::{BACKDATE, positive_serial};
use crate::key::{KeyError, PrivateKeyPem, SigningKey};
use crate::pem;
use crate::seconds;

/// How long a root of ours lives: ten years, as Istio's self-signed one.
const ROOT_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);

/// A root just made, to be stored and then loaded with [`crate::Authority::self_signed`].
#[derive(Debug)]
pub struct NewRoot {
    /// The certificate as PEM: `ca-cert.pem` and `root-cert.pem` of the `cacerts` layout.
    pub certificate_pem: String,
    /// Its key: `ca-key.pem`.
    pub key: PrivateKeyPem,
}

/// Why no root could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// The key could not be made.
    #[error("the key of the root {0}")]
    Key(#[from] KeyError),
    /// The encoder refused the certificate.
    #[error("the root certificate cannot be encoded: {0}")]
    Encode(String),
}

/// Makes a self-signed P-256 root named after the trust domain.
pub fn create_root(trust_domain: &str, serial: [u8; 16], now: SystemTime) -> Result<NewRoot, RootError> {
    let key = SigningKey::generate()?;
    let now = seconds::since_epoch(now);
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, trust_domain);

    let mut params = CertificateParams::default();
    params.not_before = seconds::to_time(now.saturating_sub(BACKDATE)).into();
    params.not_after = seconds::to_time(now.saturating_add(ROOT_LIFETIME.as_secs())).into();
    params.serial_number = Some(SerialNumber::from_slice(&positive_serial(serial)));
    params.distinguished_name = subject;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(key.pair()).map_err(|error| RootError::Encode(error.to_string()))?;
    Ok(NewRoot { certificate_pem: pem::encode("CERTIFICATE", certificate.der()), key: key.to_pem() })
}
