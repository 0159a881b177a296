use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn good() -> ReviewAnswer {
    let one = |key: &str, value: &str| (key.to_owned(), vec![value.to_owned()]);
    ReviewAnswer {
        error: String::new(),
        authenticated: true,
        audiences: vec!["istio-ca".to_owned()],
        username: "system:serviceaccount:shop:cart".to_owned(),
        groups: vec!["system:serviceaccounts".to_owned(), "system:serviceaccounts:shop".to_owned()],
        extra: [one(POD_NAME, "cart-1"), one(POD_UID, "u-1"), one(NODE_NAME, "node-1")].into(),
    }
}

#[test]
fn answers() {
    let with = |change: &dyn Fn(&mut ReviewAnswer)| {
        let mut answer = good();
        change(&mut answer);
        answer
    };
    let table = [
        ("as it should be", good(), None),
        ("an error", with(&|a| a.error = "no".to_owned()), Some(TokenRefusal::NotAccepted)),
        ("not authenticated", with(&|a| a.authenticated = false), Some(TokenRefusal::NotAccepted)),
        (
            "a server that knows no audiences",
            with(&|a| a.audiences.clear()),
            Some(TokenRefusal::WrongAudience),
        ),
        (
            "another audience",
            with(&|a| a.audiences = vec!["api".to_owned()]),
            Some(TokenRefusal::WrongAudience),
        ),
        (
            "a person",
            with(&|a| a.groups = vec!["system:masters".to_owned()]),
            Some(TokenRefusal::NotServiceAccount),
        ),
        (
            "a node",
            with(&|a| a.username = "system:node:node-1".to_owned()),
            Some(TokenRefusal::NotServiceAccount),
        ),
        ("five parts", with(&|a| a.username.push_str(":x")), Some(TokenRefusal::NotServiceAccount)),
        ("no pod", with(&|a| drop(a.extra.remove(POD_NAME))), Some(TokenRefusal::NotBoundToPod)),
        ("no uid", with(&|a| drop(a.extra.remove(POD_UID))), Some(TokenRefusal::NotBoundToPod)),
        (
            "two pods",
            with(&|a| a.extra.get_mut(POD_NAME).unwrap().push("cart-2".to_owned())),
            Some(TokenRefusal::NotBoundToPod),
        ),
        (
            "a slash in a name",
            with(&|a| a.extra.get_mut(POD_NAME).unwrap()[0] = "a/b".to_owned()),
            Some(TokenRefusal::Malformed),
        ),
        ("no node", with(&|a| drop(a.extra.remove(NODE_NAME))), None),
    ];
    let asked = ["other".to_owned(), "istio-ca".to_owned()];
    for (what, answer, refusal) in table {
        assert_eq!(judge_review(&answer, &asked, "opaque", at(NOW)).err(), refusal, "{what}");
    }
}

#[test]
fn a_reviewed_token_ends_when_it_says() {
    let token = |claims: &str| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims));
    let ends = |token: &str| judge_review(&good(), &["istio-ca".to_owned()], token, at(NOW));
    assert_eq!(ends(&token(&format!(r#"{{"exp":{}}}"#, NOW + 7))).unwrap().expires, at(NOW + 7));
    assert_eq!(ends(&token(&format!(r#"{{"exp":{NOW}}}"#))), Err(TokenRefusal::Expired));
    assert_eq!(ends("opaque").unwrap().expires, at(NOW) + UNDATED);
}
