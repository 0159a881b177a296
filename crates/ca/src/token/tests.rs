use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::mint::sign;
use super::*;

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn key() -> TokenKey {
    TokenKey::from_pem(TokenKey::generate().unwrap().expose().as_bytes()).unwrap()
}

fn grant() -> TokenGrant<'static> {
    TokenGrant {
        issuer: "https://pilothouse.mesh-system.svc",
        audience: "istio-ca",
        namespace: "shop",
        service_account: "cart",
        pod: "cart-0",
        pod_uid: "5c3d9a52-0000-4000-8000-000000000001",
        ttl: Duration::from_hours(1),
    }
}

fn verifier(key: &TokenKey) -> Verifier {
    Verifier::new(grant().issuer, vec!["pilothouse".to_owned(), "istio-ca".to_owned()], vec![key.public()])
}

fn claims() -> Value {
    json!({
        "iss": grant().issuer, "aud": ["istio-ca"], "exp": NOW + 3600, "nbf": NOW, "iat": NOW, "jti": "x",
        "sub": "system:serviceaccount:shop:cart",
        "kubernetes.io": {
            "namespace": "shop", "serviceaccount": {"name": "cart", "uid": "u"},
            "pod": {"name": "cart-0", "uid": "u-1"}, "node": {"name": "ignored"},
        },
    })
}

fn signed(key: &TokenKey, header: &Value, claims: &Value) -> String {
    sign(key, header.to_string().as_bytes(), claims.to_string().as_bytes()).unwrap().expose().to_owned()
}

fn es256() -> Value {
    json!({"alg": "ES256"})
}

#[test]
fn a_minted_token_speaks_for_its_pod() {
    let key = key();
    let token = mint(&key, &grant(), [7; 16], at(NOW)).unwrap();
    let identity = verifier(&key).verify(token.expose(), at(NOW + 3599)).unwrap();
    assert_eq!(
        identity,
        TokenIdentity {
            namespace: "shop".to_owned(),
            service_account: "cart".to_owned(),
            pod: "cart-0".to_owned(),
            pod_uid: grant().pod_uid.to_owned(),
            node: None,
            expires: at(NOW + 3600),
        }
    );
    let header = URL_SAFE_NO_PAD.decode(token.expose().split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header, json!({"alg": "ES256", "typ": "JWT", "kid": key.id}));
}

#[test]
fn a_second_key_is_accepted_while_keys_change() {
    let (old, new) = (key(), key());
    let token = mint(&new, &grant(), [0; 16], at(NOW)).unwrap();
    let both = Verifier::new(grant().issuer, vec!["istio-ca".to_owned()], vec![old.public(), new.public()]);
    assert!(both.verify(token.expose(), at(NOW)).is_ok());
}

#[test]
fn refusals_by_claim() {
    let set = |path: &str, value: Value| {
        let mut claims = claims();
        *claims.pointer_mut(path).unwrap() = value;
        claims
    };
    let unset = |path: &str, field: &str| {
        let mut claims = claims();
        claims.pointer_mut(path).unwrap().as_object_mut().unwrap().remove(field);
        claims
    };
    let table: Vec<(&str, Value, Option<TokenRefusal>)> = vec![
        ("as it should be", claims(), None),
        ("one audience as a string", set("/aud", json!("istio-ca")), None),
        ("ours among several audiences", set("/aud", json!(["a", "istio-ca"])), None),
        ("clock behind by a minute", set("/nbf", json!(NOW + 60)), None),
        ("another audience", set("/aud", json!(["api"])), Some(TokenRefusal::WrongAudience)),
        ("no audience", set("/aud", json!([])), Some(TokenRefusal::WrongAudience)),
        ("audience in other case", set("/aud", json!("Istio-CA")), Some(TokenRefusal::WrongAudience)),
        ("expires now", set("/exp", json!(NOW)), Some(TokenRefusal::Expired)),
        ("expired a second ago, no allowance", set("/exp", json!(NOW - 1)), Some(TokenRefusal::Expired)),
        ("not before, beyond the allowance", set("/nbf", json!(NOW + 61)), Some(TokenRefusal::NotYetValid)),
        ("issued in the future", set("/iat", json!(NOW + 61)), Some(TokenRefusal::NotYetValid)),
        ("another issuer", set("/iss", json!("https://elsewhere")), Some(TokenRefusal::ForeignIssuer)),
        ("no pod", unset("/kubernetes.io", "pod"), Some(TokenRefusal::NotBoundToPod)),
        ("pod without uid", unset("/kubernetes.io/pod", "uid"), Some(TokenRefusal::NotBoundToPod)),
        ("no expiry", unset("", "exp"), Some(TokenRefusal::Malformed)),
        ("no issue time", unset("", "iat"), Some(TokenRefusal::Malformed)),
        ("no account", unset("/kubernetes.io", "serviceaccount"), Some(TokenRefusal::Malformed)),
        ("negative expiry", set("/exp", json!(-1)), Some(TokenRefusal::Malformed)),
        ("expiry as text", set("/exp", json!("tomorrow")), Some(TokenRefusal::Malformed)),
        (
            "subject of another account",
            set("/sub", json!("system:serviceaccount:shop:pay")),
            Some(TokenRefusal::Malformed),
        ),
        ("slash in a name", set("/kubernetes.io/pod/name", json!("a/b")), Some(TokenRefusal::Malformed)),
        ("empty pod name", set("/kubernetes.io/pod/name", json!("")), Some(TokenRefusal::Malformed)),
    ];
    let key = key();
    for (what, claims, expected) in table {
        let token = signed(&key, &es256(), &claims);
        let result = verifier(&key).verify(&token, at(NOW));
        assert_eq!(result.clone().err(), expected, "{what}");
        if let Err(refusal) = result {
            assert!(!refusal.to_string().contains(&token[..20]), "{what}");
        }
    }
}

#[test]
fn refusals_by_form() {
    let (key, foreign) = (key(), key());
    let good = signed(&key, &es256(), &claims());
    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let base64 = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let doubled = claims().to_string().replacen("\"exp\"", "\"exp\":9999999999,\"exp\"", 1);
    let table: Vec<(&str, String, TokenRefusal)> = vec![
        ("another key", signed(&foreign, &es256(), &claims()), TokenRefusal::BadSignature),
        ("none", format!("{}.{body}.", base64(&json!({"alg": "none"}))), TokenRefusal::AlgorithmNotAllowed),
        ("None", signed(&key, &json!({"alg": "None"}), &claims()), TokenRefusal::AlgorithmNotAllowed),
        ("HS256", signed(&key, &json!({"alg": "HS256"}), &claims()), TokenRefusal::AlgorithmNotAllowed),
        ("RS256", signed(&key, &json!({"alg": "RS256"}), &claims()), TokenRefusal::AlgorithmNotAllowed),
        (
            "es256 in lower case",
            signed(&key, &json!({"alg": "es256"}), &claims()),
            TokenRefusal::AlgorithmNotAllowed,
        ),
        (
            "critical extension",
            signed(&key, &json!({"alg": "ES256", "crit": ["b64"]}), &claims()),
            TokenRefusal::Malformed,
        ),
        ("no algorithm", signed(&key, &json!({}), &claims()), TokenRefusal::Malformed),
        ("no signature", format!("{header}.{body}."), TokenRefusal::BadSignature),
        ("cut signature", format!("{header}.{body}.{}", &signature[..84]), TokenRefusal::BadSignature),
        (
            "other body",
            format!(
                "{header}.{}.{signature}",
                base64(&{
                    let mut claims = claims();
                    claims["exp"] = json!(NOW + 999_999);
                    claims
                })
            ),
            TokenRefusal::BadSignature,
        ),
        (
            "other header",
            format!("{}.{body}.{signature}", base64(&json!({"alg": "ES256", "kid": "x"}))),
            TokenRefusal::UnknownKey,
        ),
        (
            "a claim twice",
            sign(&key, es256().to_string().as_bytes(), doubled.as_bytes()).unwrap().expose().to_owned(),
            TokenRefusal::Malformed,
        ),
        ("empty", String::new(), TokenRefusal::Malformed),
        ("two parts", format!("{header}.{body}"), TokenRefusal::Malformed),
        ("four parts", format!("{good}.x"), TokenRefusal::Malformed),
        ("padded", format!("{header}=.{body}.{signature}"), TokenRefusal::Malformed),
        ("with the word Bearer", format!("Bearer {good}"), TokenRefusal::Malformed),
        ("line end", format!("{good}\n"), TokenRefusal::Malformed),
        ("too large", "a".repeat(MAX_TOKEN_BYTES + 1), TokenRefusal::TooLarge),
    ];
    let verifier = verifier(&key);
    assert!(verifier.verify(&good, at(NOW)).is_ok());
    for (what, token, expected) in table {
        assert_eq!(verifier.verify(&token, at(NOW)), Err(expected), "{what}");
    }
}

#[test]
fn grants_that_make_no_token() {
    let key = key();
    let bad = |grant: TokenGrant<'_>| mint(&key, &grant, [0; 16], at(NOW)).unwrap_err();
    for grant in [
        TokenGrant { namespace: "", ..grant() },
        TokenGrant { service_account: "a:b", ..grant() },
        TokenGrant { pod: "a/b", ..grant() },
        TokenGrant { pod_uid: "a b", ..grant() },
        TokenGrant { audience: "", ..grant() },
    ] {
        assert!(matches!(bad(grant.clone()), MintError::BadName { .. }), "{grant:?}");
    }
    for ttl in [Duration::ZERO, Duration::from_millis(999), MAX_TOKEN_TTL + Duration::from_secs(1)] {
        assert_eq!(bad(TokenGrant { ttl, ..grant() }), MintError::BadLifetime { asked: ttl });
    }
}

#[test]
fn only_p256_keys_sign_tokens() {
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let text = crate::pem::encode("PRIVATE KEY", p384.serialized_der());
    assert_eq!(TokenKey::from_pem(text.as_bytes()).err(), Some(KeyError::Unsupported));
    assert_eq!(TokenKey::from_pem(b"").err(), Some(KeyError::Unreadable));
}

proptest! {
    #[test]
    fn any_text_is_refused_without_panic(text in "\\PC{0,200}") {
        prop_assert!(KEY.with(verifier).verify(&text, at(NOW)).is_err());
    }

    #[test]
    fn no_single_changed_byte_is_accepted(place in 0..2000_usize, byte in any::<u8>()) {
        let good = KEY.with(|key| signed(key, &es256(), &claims()));
        let mut bytes = good.clone().into_bytes();
        let place = place % bytes.len();
        bytes[place] = byte & 0x7f;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != good);
        prop_assert!(KEY.with(verifier).verify(&changed, at(NOW)).is_err());
    }
}

thread_local! {
    static KEY: TokenKey = key();
}
