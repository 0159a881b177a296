//! Checking a token.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;

use super::{Audience, Bound, Claims, Header, Named, SKEW, TokenPublicKey, is_name, numeric_date, subject};
use crate::seconds;

/// Longer texts are not looked at.
pub const MAX_TOKEN_BYTES: usize = 8192;

/// Whom a good token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIdentity {
    /// Namespace of the service account and the pod.
    pub namespace: String,
    /// The service account.
    pub service_account: String,
    /// Name of the pod the token is bound to.
    pub pod: String,
    /// Uid of that pod.
    pub pod_uid: String,
    /// The node that the pod was bound to when the token was made, if the token says.
    pub node: Option<String>,
    /// When the token expires.
    pub expires: SystemTime,
}

/// Why a token is refused. The texts say what was expected and never what the token holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Larger than any real token.
    #[error("the token is larger than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// Not three parts of base64url, or not the JSON we know.
    #[error("the token is not a JWT with the claims of a service account")]
    Malformed,
    /// An algorithm that none of our keys goes with: `none` and the symmetric ones above all.
    #[error("the token is signed with an algorithm that is not accepted")]
    AlgorithmNotAllowed,
    /// Somebody else's token.
    #[error("the token comes from another issuer")]
    ForeignIssuer,
    /// Signed with a key that is not known (yet): keys may have changed.
    #[error("the token is signed with a key that this control plane does not know")]
    UnknownKey,
    /// Changed, or signed with a key that is not ours.
    #[error("the signature of the token is wrong, or made with a key this control plane does not know")]
    BadSignature,
    /// Meant for another receiver.
    #[error("the token is meant for another audience")]
    WrongAudience,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come: it was made in the future of our clock.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It names an account but no pod.
    #[error("the token is not bound to a pod")]
    NotBoundToPod,
    /// The API server was asked and says no.
    #[error("the API server does not accept the token")]
    NotAccepted,
    /// The API server was asked, and it is somebody else.
    #[error("the token is not one of a service account")]
    NotServiceAccount,
}

/// What is accepted.
#[derive(Debug, Clone)]
pub struct Verifier {
    issuer: String,
    audiences: Vec<String>,
    keys: Vec<TokenPublicKey>,
}

impl Verifier {
    /// Accepts tokens of one issuer for any of these audiences, signed with any of these keys.
    pub fn new(issuer: impl Into<String>, audiences: Vec<String>, keys: Vec<TokenPublicKey>) -> Self {
        Self { issuer: issuer.into(), audiences, keys }
    }

    /// Checks a token (without the word `Bearer`) and tells whom it speaks for.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<TokenIdentity, TokenRefusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefusal::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenRefusal::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenRefusal::Malformed)?;
        let header: Header = decode(header)?;
        if !self.keys.iter().any(|key| key.algorithm() == header.alg) {
            return Err(TokenRefusal::AlgorithmNotAllowed);
        }
        if header.crit.is_some() {
            return Err(TokenRefusal::Malformed);
        }
        let claims: Claims = decode(claims)?;
        // Read before the signature is checked, which is safe because it can only refuse: an operator who mixes up two
        // meshes reads "another issuer" instead of "wrong signature".
        if claims.iss != self.issuer {
            return Err(TokenRefusal::ForeignIssuer);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenRefusal::Malformed)?;
        let mut candidates =
            self.keys.iter().filter(|key| key.is_named(&header.alg, header.kid.as_deref())).peekable();
        if candidates.peek().is_none() {
            return Err(TokenRefusal::UnknownKey);
        }
        if !candidates.any(|key| key.made(&signature, signed.as_bytes())) {
            return Err(TokenRefusal::BadSignature);
        }
        self.check(claims, numeric_date(now))
    }

    fn check(&self, claims: Claims, now: u64) -> Result<TokenIdentity, TokenRefusal> {
        let Claims { iss: _, aud, exp, nbf, iat, jti: _, sub, bound } = claims;
        let meant_for_us = match &aud {
            Audience::One(audience) => self.audiences.contains(audience),
            Audience::Many(audiences) => audiences.iter().any(|audience| self.audiences.contains(audience)),
        };
        if !meant_for_us {
            return Err(TokenRefusal::WrongAudience);
        }
        if exp <= now {
            return Err(TokenRefusal::Expired);
        }
        if nbf.max(iat) > now.saturating_add(SKEW) {
            return Err(TokenRefusal::NotYetValid);
        }
        let Bound { namespace, serviceaccount: Named { name: service_account, uid: _ }, pod, node } = bound;
        let Some(Named { name: pod, uid: Some(pod_uid) }) = pod else {
            return Err(TokenRefusal::NotBoundToPod);
        };
        let names = [&namespace, &service_account, &pod, &pod_uid];
        if sub != subject(&namespace, &service_account) || !names.into_iter().all(|name| is_name(name)) {
            return Err(TokenRefusal::Malformed);
        }
        let node = node.map(|node| node.name).filter(|name| !name.is_empty());
        Ok(TokenIdentity { namespace, service_account, pod, pod_uid, node, expires: seconds::to_time(exp) })
    }
}

/// When a token says that it expires. It is not checked: only for a token whose word is good for other reasons.
pub(super) fn claimed_expiry(token: &str) -> Option<SystemTime> {
    #[derive(serde::Deserialize)]
    struct Expiry {
        exp: u64,
    }
    let claims = token.split('.').nth(1)?;
    decode::<Expiry>(claims).ok().map(|claims| seconds::to_time(claims.exp))
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, TokenRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenRefusal::Malformed)
}
