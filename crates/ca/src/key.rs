//! Private keys: the type that carries one without showing it, and the forms in which operators hand us theirs.

use std::fmt;

use rcgen::KeyPair;
use zeroize::{Zeroize, Zeroizing};

use crate::der;
use crate::pem;

/// A private key as PKCS #8 PEM text. It prints as a placeholder, cannot be copied or serialized by accident, and is
/// overwritten when dropped.
pub struct PrivateKeyPem(Zeroizing<String>);

impl PrivateKeyPem {
    pub(crate) fn from_pkcs8(der: &[u8]) -> Self {
        Self(Zeroizing::new(pem::encode("PRIVATE KEY", der)))
    }

    /// The text itself, for the one place that writes it to a file or into a response. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PrivateKeyPem(secret)")
    }
}

/// Why a private key cannot be used. No variant carries any of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text has no private key block, or a broken one.
    #[error("holds no readable PEM private key")]
    Unreadable,
    /// The key asks for a passphrase; nobody is there to type it.
    #[error("is encrypted; store it without a passphrase")]
    Encrypted,
    /// Neither ECDSA P-256 or P-384 nor RSA of at least 2048 bits.
    #[error("is of a kind we do not sign with; use ECDSA P-256 or P-384, or RSA with at least 2048 bits")]
    Unsupported,
    /// The operating system gave no entropy. Waiting may help.
    #[error("cannot be generated: the system's random generator failed")]
    NoEntropy,
}

/// A loaded key. The serialized copy inside is overwritten on drop.
pub(crate) struct SigningKey(KeyPair);

impl SigningKey {
    /// A new P-256 key.
    pub(crate) fn generate() -> Result<Self, KeyError> {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map(Self).map_err(|_| KeyError::NoEntropy)
    }

    /// Reads PKCS #8, SEC 1 (`EC PRIVATE KEY`) or PKCS #1 (`RSA PRIVATE KEY`). Other blocks in the text, such as the
    /// `EC PARAMETERS` that OpenSSL writes first, are skipped.
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let blocks = pem::blocks(text).map_err(|_| KeyError::Unreadable)?;
        let block =
            blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")).ok_or(KeyError::Unreadable)?;
        let pkcs8 = match block.label.as_str() {
            "PRIVATE KEY" => Zeroizing::new(block.content.to_vec()),
            "EC PRIVATE KEY" => wrap_sec1(&block.content).ok_or(KeyError::Unsupported)?,
            "RSA PRIVATE KEY" => wrap_pkcs1(&block.content),
            "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
            _ => return Err(KeyError::Unsupported),
        };
        let key = Self(KeyPair::try_from(pkcs8.as_slice()).map_err(|_| KeyError::Unsupported)?);
        // Envoy verifies no Ed25519 signatures, so such a CA would work here and nowhere else.
        let usable =
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_RSA_SHA256];
        if usable.iter().any(|algorithm| key.0.is_compatible(algorithm)) {
            Ok(key)
        } else {
            Err(KeyError::Unsupported)
        }
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.0
    }

    pub(crate) fn to_pem(&self) -> PrivateKeyPem {
        PrivateKeyPem::from_pkcs8(self.0.serialized_der())
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SigningKey(secret)")
    }
}

/// INTEGER 0: the version of PKCS #8 and what an object identifier of a curve or of RSA is wrapped with.
const VERSION: &[u8] = &[0x02, 0x01, 0x00];
const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// RFC 5915 into RFC 5208. The curve is told by the length of the secret number: the parameters may be absent.
fn wrap_sec1(sec1: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = der::first(sec1).filter(|element| element.tag == der::SEQUENCE)?;
    let version = der::first(key.content)?;
    let secret = der::first(version.rest).filter(|element| element.tag == der::OCTET_STRING)?;
    let curve = match secret.content.len() {
        32 => P256,
        48 => P384,
        _ => return None,
    };
    let algorithm = der::wrap(der::SEQUENCE, &[EC_PUBLIC_KEY, curve]);
    let inner = Zeroizing::new(der::wrap(der::OCTET_STRING, &[sec1]));
    Some(Zeroizing::new(der::wrap(der::SEQUENCE, &[VERSION, &algorithm, &inner])))
}

/// RFC 8017 appendix A.1.2 into RFC 5208.
fn wrap_pkcs1(pkcs1: &[u8]) -> Zeroizing<Vec<u8>> {
    let algorithm = der::wrap(der::SEQUENCE, &[RSA_ENCRYPTION]);
    let inner = Zeroizing::new(der::wrap(der::OCTET_STRING, &[pkcs1]));
    Zeroizing::new(der::wrap(der::SEQUENCE, &[VERSION, &algorithm, &inner]))
}
