//! Judging the answer to a `TokenReview`: what the API server says of a token that we cannot check ourselves.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::verify::claimed_expiry;
use super::{TokenIdentity, TokenRefusal, is_name};

/// The group of all service accounts.
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// How long a token that does not say when it expires is believed.
const UNDATED: Duration = Duration::from_mins(10);

/// `status` of a `TokenReview`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewAnswer {
    /// `error`, empty if there is none.
    pub error: String,
    /// `authenticated`.
    pub authenticated: bool,
    /// `audiences`: those asked about that the token is meant for.
    pub audiences: Vec<String>,
    /// `user.username`.
    pub username: String,
    /// `user.groups`.
    pub groups: Vec<String>,
    /// `user.extra`.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Whom a reviewed token speaks for. `audiences` are the ones that were asked about, `token` the text that was reviewed.
pub fn judge_review(
    answer: &ReviewAnswer,
    audiences: &[String],
    token: &str,
    now: SystemTime,
) -> Result<TokenIdentity, TokenRefusal> {
    let ReviewAnswer { error, authenticated, audiences: meant_for, username, groups, extra } = answer;
    if !error.is_empty() || !authenticated {
        return Err(TokenRefusal::NotAccepted);
    }
    // A server that knows nothing of audiences names none, and has not looked.
    if !meant_for.iter().any(|audience| audiences.contains(audience)) {
        return Err(TokenRefusal::WrongAudience);
    }
    if !groups.iter().any(|group| group == SERVICE_ACCOUNTS) {
        return Err(TokenRefusal::NotServiceAccount);
    }
    let parts: Vec<&str> = username.split(':').collect();
    let ["system", "serviceaccount", namespace, service_account] = parts[..] else {
        return Err(TokenRefusal::NotServiceAccount);
    };
    let only = |key: &str| match extra.get(key).map(Vec::as_slice) {
        Some([one]) if !one.is_empty() => Some(one.clone()),
        _ => None,
    };
    let (Some(pod), Some(pod_uid)) = (only(POD_NAME), only(POD_UID)) else {
        return Err(TokenRefusal::NotBoundToPod);
    };
    if ![namespace, service_account, &pod, &pod_uid].into_iter().all(is_name) {
        return Err(TokenRefusal::Malformed);
    }
    let expires = claimed_expiry(token).unwrap_or(now + UNDATED);
    if expires <= now {
        return Err(TokenRefusal::Expired);
    }
    Ok(TokenIdentity {
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        pod,
        pod_uid,
        node: only(NODE_NAME),
        expires,
    })
}

#[cfg(test)]
mod tests;
