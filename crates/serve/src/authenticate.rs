//! Whom a bearer token speaks for.
//!
//! A token is checked with keys that we hold: our own, or those that the API server publishes, fetched while it was
//! healthy. So proxies can come back while it is away. A token that these keys cannot judge (they may have changed, or
//! are of a kind we do not know) is put to the API server itself. What it says is remembered for a moment, and there is
//! a bound on how many wait for its answer: whoever connects can send tokens.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use pilothouse_ca::token::{
    MAX_TOKEN_BYTES, ReviewAnswer, TokenIdentity, TokenPublicKey, TokenRefusal, Verifier, judge_review,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use crate::discovery::Refusal;
use crate::identity::ISSUER;

/// How long an answer of the API server may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a token that was accepted is not asked about again.
const ACCEPTED: Duration = Duration::from_mins(5);
/// How long a token that was refused is not asked about again.
const REFUSED: Duration = Duration::from_secs(10);
/// Answers that are remembered.
const REMEMBERED: usize = 10_000;

/// Who mints tokens.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// `pilothouse token`, with the key of the state folder.
    Own(TokenPublicKey),
    /// The API server of the cluster.
    Cluster(ClusterTokens),
}

/// How tokens of a cluster are checked.
#[derive(Clone, Debug)]
pub struct ClusterTokens {
    /// Checks with the keys that the API server publishes; none before they were fetched.
    pub verifier: watch::Receiver<Option<Arc<Verifier>>>,
    /// Asks the API server.
    pub reviews: mpsc::Sender<ReviewCall>,
}

/// A token for the API server to review.
#[derive(Debug)]
pub struct ReviewCall {
    /// The token. Never log it.
    pub token: Zeroizing<String>,
    /// Whom it may be meant for.
    pub audiences: Vec<String>,
    /// What the API server says; nothing if it cannot be asked.
    pub reply: oneshot::Sender<Option<ReviewAnswer>>,
}

/// Checks tokens.
#[derive(Debug)]
pub(crate) struct Authenticator(Means);

#[derive(Debug)]
enum Means {
    Own(Verifier),
    Cluster { tokens: ClusterTokens, audiences: Vec<String>, answers: Mutex<Answers> },
}

impl Authenticator {
    /// Accepts tokens of a source for any of these audiences.
    pub(crate) fn new(source: TokenSource, audiences: Vec<String>) -> Self {
        Self(match source {
            TokenSource::Own(key) => Means::Own(Verifier::new(ISSUER, audiences, vec![key])),
            TokenSource::Cluster(tokens) => Means::Cluster { tokens, audiences, answers: Mutex::default() },
        })
    }

    /// Checks a token, without the word `Bearer`.
    pub(crate) async fn check(&self, token: &str, now: SystemTime) -> Result<TokenIdentity, Refusal> {
        let (tokens, audiences, answers) = match &self.0 {
            Means::Own(verifier) => return Ok(verifier.verify(token, now)?),
            Means::Cluster { tokens, audiences, answers } => (tokens, audiences, answers),
        };
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefusal::TooLarge.into());
        }
        let verifier = tokens.verifier.borrow().clone();
        match verifier.map(|verifier| verifier.verify(token, now)) {
            Some(Ok(identity)) => return Ok(identity),
            // Our keys cannot tell; those of the API server may.
            None
            | Some(Err(
                TokenRefusal::UnknownKey | TokenRefusal::ForeignIssuer | TokenRefusal::AlgorithmNotAllowed,
            )) => {}
            Some(Err(refusal)) => return Err(refusal.into()),
        }
        let remember = || answers.lock().expect("nothing panics while it holds the lock");
        let print = pilothouse_ca::fingerprint(token.as_bytes());
        if let Some(known) = remember().recall(&print, now) {
            return Ok(known?);
        }
        let answer = review(tokens, audiences, token).await?;
        let judged = judge_review(&answer, audiences, token, now);
        remember().remember(print, judged.clone());
        Ok(judged?)
    }
}

async fn review(tokens: &ClusterTokens, audiences: &[String], token: &str) -> Result<ReviewAnswer, Refusal> {
    let (reply, answer) = oneshot::channel();
    let call = ReviewCall { token: Zeroizing::new(token.to_owned()), audiences: audiences.to_vec(), reply };
    tokens.reviews.try_send(call).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => Refusal::TooManyReviews,
        mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
    })?;
    match timeout(PATIENCE, answer).await {
        Ok(Ok(Some(answer))) => Ok(answer),
        Ok(Ok(None) | Err(_)) | Err(_) => Err(Refusal::NotChecked),
    }
}

/// What the API server said, by the hash of the token.
#[derive(Debug, Default)]
struct Answers {
    known: HashMap<String, (Instant, Result<TokenIdentity, TokenRefusal>)>,
    order: VecDeque<String>,
}

impl Answers {
    fn recall(&self, print: &str, now: SystemTime) -> Option<Result<TokenIdentity, TokenRefusal>> {
        let (until, answer) = self.known.get(print)?;
        if *until <= Instant::now() {
            return None;
        }
        match answer {
            Ok(identity) if identity.expires <= now => Some(Err(TokenRefusal::Expired)),
            answer => Some(answer.clone()),
        }
    }

    fn remember(&mut self, print: String, answer: Result<TokenIdentity, TokenRefusal>) {
        let until = Instant::now() + if answer.is_ok() { ACCEPTED } else { REFUSED };
        if self.known.insert(print.clone(), (until, answer)).is_none() {
            self.order.push_back(print);
        }
        while self.known.len() > REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { break };
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
