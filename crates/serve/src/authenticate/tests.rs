use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use pilothouse_ca::token::{TokenGrant, TokenKey, mint};

use super::*;

const AUDIENCE: &str = "istio-ca";
const ISSUER: &str = "https://kubernetes.default.svc";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

fn key() -> TokenKey {
    TokenKey::from_pem(TokenKey::generate().unwrap().expose().as_bytes()).unwrap()
}

fn token(key: &TokenKey, audience: &str) -> String {
    let grant = TokenGrant {
        issuer: ISSUER,
        audience,
        namespace: "shop",
        service_account: "cart",
        pod: "cart-1",
        pod_uid: "u-1",
        ttl: Duration::from_hours(1),
    };
    mint(key, &grant, [3; 16], now()).unwrap().expose().to_owned()
}

fn verifier(key: &TokenKey) -> Arc<Verifier> {
    Arc::new(Verifier::new(ISSUER, vec![AUDIENCE.to_owned()], vec![key.public()]))
}

struct Cluster {
    authenticator: Authenticator,
    keys: watch::Sender<Option<Arc<Verifier>>>,
    reviews: mpsc::Receiver<ReviewCall>,
}

fn cluster(known: Option<Arc<Verifier>>, queue: usize) -> Cluster {
    let (keys, verifier) = watch::channel(known);
    let (calls, reviews) = mpsc::channel(queue);
    let tokens = ClusterTokens { verifier, reviews: calls };
    Cluster {
        authenticator: Authenticator::new(TokenSource::Cluster(tokens), vec![AUDIENCE.to_owned()]),
        keys,
        reviews,
    }
}

impl Cluster {
    /// Checks a token while the API server answers the reviews it gets; tells how many those were.
    async fn check(
        &mut self,
        token: &str,
        answer: Option<ReviewAnswer>,
    ) -> (Result<TokenIdentity, Refusal>, usize) {
        let mut asked = 0;
        let checking = self.authenticator.check(token, now());
        tokio::pin!(checking);
        loop {
            tokio::select! {
                checked = &mut checking => return (checked, asked),
                Some(call) = self.reviews.recv() => {
                    assert_eq!((call.token.as_str(), &call.audiences[..]), (token, &[AUDIENCE.to_owned()][..]));
                    asked += 1;
                    call.reply.send(answer.clone()).unwrap();
                }
            }
        }
    }
}

fn accepted() -> ReviewAnswer {
    let one =
        |key: &str, value: &str| (format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()]);
    ReviewAnswer {
        error: String::new(),
        authenticated: true,
        audiences: vec![AUDIENCE.to_owned()],
        username: "system:serviceaccount:shop:cart".to_owned(),
        groups: vec!["system:serviceaccounts".to_owned()],
        extra: BTreeMap::from([one("pod-name", "cart-1"), one("pod-uid", "u-1")]),
    }
}

#[tokio::test]
async fn known_keys_decide_without_the_api_server() {
    let key = key();
    let mut cluster = cluster(Some(verifier(&key)), 1);
    let (checked, asked) = cluster.check(&token(&key, AUDIENCE), None).await;
    assert_eq!((checked.unwrap().pod.as_str(), asked), ("cart-1", 0));
    let (checked, asked) = cluster.check(&token(&key, "vault"), None).await;
    assert_eq!((checked, asked), (Err(Refusal::Token(TokenRefusal::WrongAudience)), 0));
}

#[tokio::test(start_paused = true)]
async fn what_keys_cannot_tell_the_api_server_is_asked_once() {
    let (old, new) = (key(), key());
    let mut cluster = cluster(Some(verifier(&old)), 1);
    let fresh = token(&new, AUDIENCE);
    let (checked, asked) = cluster.check(&fresh, Some(accepted())).await;
    assert_eq!((checked.unwrap().pod_uid.as_str(), asked), ("u-1", 1));
    let (checked, asked) = cluster.check(&fresh, None).await;
    assert_eq!((checked.is_ok(), asked), (true, 0));
    tokio::time::advance(ACCEPTED).await;
    assert_eq!(cluster.check(&fresh, Some(accepted())).await.1, 1);
    // Once the new keys are known, nobody is asked any more.
    tokio::time::advance(ACCEPTED).await;
    cluster.keys.send_replace(Some(verifier(&new)));
    assert_eq!(cluster.check(&fresh, None).await.1, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_remembered_for_a_moment() {
    let mut cluster = cluster(None, 1);
    let foreign = token(&key(), AUDIENCE);
    let refusal = Err(Refusal::Token(TokenRefusal::NotAccepted));
    assert_eq!(cluster.check(&foreign, Some(ReviewAnswer::default())).await, (refusal.clone(), 1));
    assert_eq!(cluster.check(&foreign, Some(accepted())).await, (refusal, 0));
    tokio::time::advance(REFUSED).await;
    assert_eq!(cluster.check(&foreign, Some(accepted())).await.1, 1);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_nothing_is_decided_or_remembered() {
    let mut cluster = cluster(None, 1);
    let fresh = token(&key(), AUDIENCE);
    assert_eq!(cluster.check(&fresh, None).await, (Err(Refusal::NotChecked), 1));
    assert_eq!(cluster.check(&fresh, Some(accepted())).await.1, 1);
    // Nobody takes the call: in the end the caller is told, and others are told at once.
    let waiting = cluster.authenticator.check("a", now());
    let second = cluster.authenticator.check("b", now());
    let (first, second) = tokio::join!(waiting, second);
    assert_eq!((first, second), (Err(Refusal::NotChecked), Err(Refusal::TooManyReviews)));
}

#[test]
fn answers_are_bounded() {
    let mut answers = Answers::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    for one in 0..REMEMBERED + 10 {
        answers.remember(one.to_string(), Err(TokenRefusal::NotAccepted));
    }
    assert_eq!((answers.known.len(), answers.order.len()), (REMEMBERED, REMEMBERED));
    assert!(answers.recall("3", now()).is_none());
    assert!(answers.recall("12", now()).is_some());
}
