//! What an API server knows of the tokens it mints: its public keys, and its word on a single token.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo};
use kube::api::PostParams;
use kube::{Api, Client, Error};
use pilothouse_ca::token::{JwksError, ReviewAnswer, TokenPublicKey, Verifier};
use pilothouse_runtime::Stop;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::pause::Pause;
use crate::with_causes;

/// How often keys are fetched again: a token of a new key is put to the API server until then.
const REFRESH: Duration = Duration::from_mins(1);
/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the keys are, and whose they are (OpenID Connect Discovery 1.0).
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// The keys themselves.
const KEYS: &str = "/openid/v1/jwks";

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
}

/// The keys could not be fetched. Waiting may help.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The API server says no, or nothing.
    #[error("the API server does not tell the keys of its tokens")]
    Api(#[from] Box<Error>),
    /// It takes too long.
    #[error("the API server takes more than {}s to tell the keys of its tokens", PATIENCE.as_secs())]
    Late,
    /// What it says cannot be used.
    #[error(transparent)]
    Keys(#[from] JwksError),
    /// What it says is not JSON.
    #[error("the document at {DISCOVERY} cannot be read")]
    Discovery(#[from] serde_json::Error),
}

/// Keeps a verifier with the keys of the API server, until stop is said. The last good one stays while it is away.
pub async fn follow_keys(
    client: Client,
    audiences: Vec<String>,
    verifier: watch::Sender<Option<Arc<Verifier>>>,
    stop: Stop,
) -> Result<(), Infallible> {
    let mut pause = Pause::default();
    let mut known: Option<(String, Vec<TokenPublicKey>)> = None;
    loop {
        let wait = match fetch(&client).await {
            Ok(fetched) => {
                pause.well();
                if known.as_ref() != Some(&fetched) {
                    let (issuer, keys) = &fetched;
                    info!(issuer, keys = keys.len(), "tokens are checked with the keys of the API server");
                    let made = Verifier::new(issuer.clone(), audiences.clone(), keys.clone());
                    verifier.send_replace(Some(Arc::new(made)));
                    known = Some(fetched);
                }
                REFRESH
            }
            Err(error) if pause.is_first() => {
                warn!(
                    why = with_causes(&error),
                    "known keys hold; tokens of others are put to the API server"
                );
                pause.next()
            }
            Err(error) => {
                debug!(why = with_causes(&error), "still no keys");
                pause.next()
            }
        };
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            () = sleep(wait) => {}
        }
    }
}

async fn fetch(client: &Client) -> Result<(String, Vec<TokenPublicKey>), KeysError> {
    let get = async |path: &str| {
        let request = http::Request::get(path).body(Vec::new()).expect("a constant path makes a request");
        let answer = timeout(PATIENCE, client.request_text(request)).await;
        answer.map_err(|_| KeysError::Late)?.map_err(|error| KeysError::Api(Box::new(error)))
    };
    let Discovered { issuer } = serde_json::from_str(&get(DISCOVERY).await?)?;
    let keys = TokenPublicKey::from_jwks(get(KEYS).await?.as_bytes())?;
    Ok((issuer, keys))
}

/// Puts a token to the API server.
pub async fn review(client: &Client, token: &str, audiences: &[String]) -> Result<ReviewAnswer, Box<Error>> {
    let api: Api<TokenReview> = Api::all(client.clone());
    let question = TokenReview {
        spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(audiences.to_vec()) },
        ..TokenReview::default()
    };
    let answer = api.create(&PostParams::default(), &question).await.map_err(Box::new)?;
    Ok(answered(answer.status.unwrap_or_default()))
}

fn answered(status: TokenReviewStatus) -> ReviewAnswer {
    let TokenReviewStatus { audiences, authenticated, error, user } = status;
    let UserInfo { extra, groups, uid: _, username } = user.unwrap_or_default();
    ReviewAnswer {
        error: error.unwrap_or_default(),
        authenticated: authenticated.unwrap_or_default(),
        audiences: audiences.unwrap_or_default(),
        username: username.unwrap_or_default(),
        groups: groups.unwrap_or_default(),
        extra: extra.unwrap_or_default(),
    }
}
