//! Public keys that tokens are checked with: our own, and those an API server publishes as JSON Web Key Set (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;

/// Longer documents are not looked at. Real ones have one or two keys.
pub const MAX_JWKS_BYTES: usize = 256 << 10;
/// More keys than this are not read.
const MAX_KEYS: usize = 64;

/// The public half of a key that signs tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPublicKey {
    /// What headers call it.
    id: Option<String>,
    kind: Kind,
}

/// What the key is. It goes with one algorithm each.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// The uncompressed point.
    P256(Vec<u8>),
    /// The uncompressed point.
    P384(Vec<u8>),
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

/// Why a document of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Larger than any real one.
    #[error("the document of token keys is larger than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// Not the JSON of RFC 7517.
    #[error("the document of token keys is no JSON Web Key Set")]
    Malformed,
    /// Nothing in it can be used.
    #[error("the document of token keys holds no RSA, P-256 or P-384 key for signatures")]
    Empty,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
}

impl TokenPublicKey {
    pub(super) fn p256(id: String, point: &[u8]) -> Self {
        Self { id: Some(id), kind: Kind::P256(point.to_vec()) }
    }

    /// The keys of a document that we can check with. Others are passed over: whoever publishes them has them for
    /// others.
    pub fn from_jwks(json: &[u8]) -> Result<Vec<Self>, JwksError> {
        if json.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLarge);
        }
        let document: Document = serde_json::from_slice(json).map_err(|_| JwksError::Malformed)?;
        let keys: Vec<Self> = document.keys.into_iter().take(MAX_KEYS).filter_map(Self::from_jwk).collect();
        if keys.is_empty() { Err(JwksError::Empty) } else { Ok(keys) }
    }

    fn from_jwk(key: Key) -> Option<Self> {
        let Key { kty, kid, purpose, alg, crv, x, y, n, e } = key;
        if purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes =
            |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok().filter(|bytes| !bytes.is_empty());
        let kind = match (kty.as_str(), crv.as_deref()) {
            ("RSA", _) => {
                let stripped = |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0).collect();
                Kind::Rsa { modulus: stripped(bytes(n)?), exponent: stripped(bytes(e)?) }
            }
            ("EC", Some("P-256")) => Kind::P256(point(&bytes(x)?, &bytes(y)?, 32)?),
            ("EC", Some("P-384")) => Kind::P384(point(&bytes(x)?, &bytes(y)?, 48)?),
            _ => return None,
        };
        let key = Self { id: kid, kind };
        alg.is_none_or(|alg| alg == key.algorithm()).then_some(key)
    }

    /// The one algorithm it goes with, as headers write it.
    pub(super) fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::P256(_) => "ES256",
            Kind::P384(_) => "ES384",
            Kind::Rsa { .. } => "RS256",
        }
    }

    /// Whether a header may mean this key.
    pub(super) fn is_named(&self, algorithm: &str, id: Option<&str>) -> bool {
        let same_id = match (&self.id, id) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        };
        same_id && self.algorithm() == algorithm
    }

    /// Whether it made this signature of these bytes.
    pub(super) fn made(&self, signature: &[u8], signed: &[u8]) -> bool {
        let checked = match &self.kind {
            Kind::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Kind::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(signed, signature)
            }
            Kind::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                signed,
                signature,
            ),
        };
        checked.is_ok()
    }
}

/// The uncompressed form of a point (SEC 1, section 2.3.3). RFC 7518 demands full-length coordinates.
fn point(x: &[u8], y: &[u8], length: usize) -> Option<Vec<u8>> {
    if x.len() != length || y.len() != length {
        return None;
    }
    let mut point = Vec::with_capacity(1 + 2 * length);
    point.push(4);
    point.extend_from_slice(x);
    point.extend_from_slice(y);
    Some(point)
}

#[cfg(test)]
mod tests;
