//! From one CA to another without a failed handshake.
//!
//! A peer that does not trust a root refuses what that root signed. So a new root is only trusted at first: it joins the
//! bundle beside the old ones. When all who are connected have taken the bundle, and some time has passed for those who
//! hear of it in other ways (files, other replicas), it begins to sign. The roots it replaces stay trusted for as long
//! as leaves that lead to them may live.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::authority::Authority;
use crate::roots::RootBundle;

/// How long the steps take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolloverSettings {
    /// How long a new root is at least trusted before it signs.
    pub hold: Duration,
    /// How long those who have not taken it are waited for; after that they have only themselves to blame.
    pub patience: Duration,
    /// How long a root stays trusted after it was replaced: the longest life of its leaves.
    pub keep: Duration,
}

/// What signs and what is trusted at one moment.
#[derive(Clone)]
pub struct Trust {
    signer: Arc<Authority>,
    roots: RootBundle,
    crl_pem: Option<String>,
}

impl Trust {
    /// A CA and its own roots.
    pub fn of(authority: Authority) -> Self {
        let (roots, crl_pem) = (authority.roots().clone(), authority.crl_pem().map(str::to_owned));
        Self { signer: Arc::new(authority), roots, crl_pem }
    }

    /// What signs.
    pub fn signer(&self) -> &Arc<Authority> {
        &self.signer
    }

    /// What proxies are to trust.
    pub fn roots(&self) -> &RootBundle {
        &self.roots
    }

    /// The revocation list of the newest CA as PEM, if it has one.
    pub fn crl_pem(&self) -> Option<&str> {
        self.crl_pem.as_deref()
    }

    /// Whether nobody would notice the difference.
    pub fn same(&self, other: &Self) -> bool {
        let Self { signer, roots, crl_pem } = self;
        signer.fingerprint() == other.signer.fingerprint()
            && *roots == other.roots
            && *crl_pem == other.crl_pem
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signer, roots, crl_pem: _ } = self;
        out.debug_struct("Trust").field("signer", signer).field("roots", roots).finish_non_exhaustive()
    }
}

/// What became of a CA that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It is the one that signs, or is about to.
    Known,
    /// It signs from now on: all its roots are trusted already.
    Signs,
    /// Its roots are trusted from now on; later it will sign.
    Trusted,
}

/// The way from one CA to the next. Instants are times since any fixed moment, on a clock that does not jump.
#[derive(Debug)]
pub struct Rollover {
    settings: RolloverSettings,
    signer: Arc<Authority>,
    next: Option<Next>,
    /// Roots that signed before, and until when they are trusted.
    former: Vec<(RootBundle, Duration)>,
}

#[derive(Debug)]
struct Next {
    authority: Arc<Authority>,
    since: Duration,
}

impl Rollover {
    /// One CA, and none on the way.
    pub fn new(authority: Authority, settings: RolloverSettings) -> Self {
        Self { settings, signer: Arc::new(authority), next: None, former: Vec::new() }
    }

    /// What signs and what is trusted now.
    pub fn trust(&self) -> Trust {
        let mut roots = self.signed_by();
        if let Some(next) = &self.next {
            roots = roots.joined(next.authority.roots());
        }
        let newest = self.next.as_ref().map_or(&self.signer, |next| &next.authority);
        Trust { signer: self.signer.clone(), roots, crl_pem: newest.crl_pem().map(str::to_owned) }
    }

    /// Whether a CA waits for its turn.
    pub fn is_moving(&self) -> bool {
        self.next.is_some()
    }

    /// The CA that the mesh is given now.
    pub fn offer(&mut self, authority: Authority, now: Duration) -> Offered {
        if self.next.as_ref().is_some_and(|next| same(&next.authority, &authority)) {
            return Offered::Known;
        }
        // What waited has been taken back. It has signed nothing, so nobody misses it.
        self.next = None;
        if same(&self.signer, &authority) {
            return Offered::Known;
        }
        let authority = Arc::new(authority);
        let known = authority.fingerprint() == self.signer.fingerprint()
            || self.signed_by().contains(authority.roots());
        if known {
            self.sign_with(authority, now);
            Offered::Signs
        } else {
            self.next = Some(Next { authority, since: now });
            Offered::Trusted
        }
    }

    /// Takes the steps that are due. `taken` tells whether all who are connected have the newest bundle.
    pub fn advance(&mut self, taken: bool, now: Duration) {
        self.former.retain(|(_, until)| *until > now);
        let RolloverSettings { hold, patience, keep: _ } = self.settings;
        let due = self.next.take_if(|next| {
            let waited = now.saturating_sub(next.since);
            waited >= hold && (taken || waited >= patience)
        });
        if let Some(Next { authority, since: _ }) = due {
            self.sign_with(authority, now);
        }
    }

    fn sign_with(&mut self, authority: Arc<Authority>, now: Duration) {
        let before = std::mem::replace(&mut self.signer, authority);
        if !self.signer.roots().contains(before.roots()) {
            self.former.push((before.roots().clone(), now.saturating_add(self.settings.keep)));
        }
    }

    /// The roots that leaves in use may lead to.
    fn signed_by(&self) -> RootBundle {
        let signer = self.signer.roots().clone();
        self.former.iter().fold(signer, |roots, (former, _)| roots.joined(former))
    }
}

/// Whether two CAs are the same in all that anybody notices.
fn same(one: &Authority, other: &Authority) -> bool {
    one.fingerprint() == other.fingerprint()
        && one.roots() == other.roots()
        && one.crl_pem() == other.crl_pem()
        && one.path_pem() == other.path_pem()
}

#[cfg(test)]
mod tests;
