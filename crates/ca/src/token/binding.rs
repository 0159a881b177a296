//! Whether the pod that a token is bound to is the pod we know.
//!
//! A signature says who the token was made for; it does not say that this pod still runs. So each stream, and each leaf
//! on it, asks again what is known of the pod.

use std::time::{Duration, SystemTime};

use super::TokenIdentity;

/// How long after the end of its grace a deleted pod may still be about: kubelets need a moment to report.
const REPORTING: Duration = Duration::from_secs(30);

/// What is known of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodFacts<'a> {
    /// `metadata.uid`; empty in a manifest written by hand.
    pub uid: &'a str,
    /// Its service account.
    pub service_account: &'a str,
    /// The node it runs on; empty if it is not known.
    pub node: &'a str,
    /// Whether all its containers have ended for good.
    pub ended: bool,
    /// `metadata.deletionTimestamp`: when the grace of its deletion is over.
    pub deleted_at: Option<SystemTime>,
}

/// Why a token does not speak for a pod. Nothing gets better by waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BindingRefusal {
    /// Its containers have ended.
    #[error("the pod has ended")]
    Ended,
    /// It was deleted, and its grace is over.
    #[error("the pod was deleted")]
    Deleted,
    /// The token was made for an earlier pod of this name.
    #[error("the token is bound to an earlier pod of this name")]
    OtherUid,
    /// The pod has another account.
    #[error("the pod runs under another service account than the token says")]
    OtherServiceAccount,
    /// The pod runs elsewhere.
    #[error("the pod runs on another node than the token says")]
    OtherNode,
}

/// Whether a token speaks for this pod now. The caller has looked the pod up by the name in the token.
pub fn bind(token: &TokenIdentity, pod: &PodFacts<'_>, now: SystemTime) -> Result<(), BindingRefusal> {
    let TokenIdentity { namespace: _, service_account, pod: _, pod_uid, node, expires: _ } = token;
    // Without a uid the name is all there is.
    if !pod.uid.is_empty() && pod.uid != pod_uid {
        return Err(BindingRefusal::OtherUid);
    }
    if pod.service_account != service_account {
        return Err(BindingRefusal::OtherServiceAccount);
    }
    if node.as_ref().is_some_and(|node| !pod.node.is_empty() && node != pod.node) {
        return Err(BindingRefusal::OtherNode);
    }
    if pod.ended {
        return Err(BindingRefusal::Ended);
    }
    let over = |at: SystemTime| now.duration_since(at).is_ok_and(|since| since > REPORTING);
    if pod.deleted_at.is_some_and(over) {
        return Err(BindingRefusal::Deleted);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
