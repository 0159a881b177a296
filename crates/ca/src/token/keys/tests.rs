use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use super::*;
use crate::token::{TokenRefusal, Verifier};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A key that an API server may sign with. The RSA key was made for this test alone.
enum Signer {
    Ecdsa(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

fn ecdsa(p384: bool) -> Signer {
    let algorithm = if p384 { &ECDSA_P384_SHA384_FIXED_SIGNING } else { &ECDSA_P256_SHA256_FIXED_SIGNING };
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    Signer::Ecdsa(Box::new(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()))
}

fn rsa() -> Signer {
    let block =
        crate::pem::blocks(include_bytes!("../../authority/tests/rsa-key-pkcs8.pem")).unwrap().remove(0);
    Signer::Rsa(Box::new(RsaKeyPair::from_pkcs8(&block.content).unwrap()))
}

impl Signer {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ecdsa(pair) if pair.public_key().as_ref().len() > 65 => "ES384",
            Self::Ecdsa(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    fn jwk(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"use": "sig", "kty": "EC", "kid": id, "crv": curve, "alg": self.algorithm(),
                    "x": text(x), "y": text(y)})
            }
            Self::Rsa(pair) => {
                let public: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"use": "sig", "kty": "RSA", "kid": id, "alg": "RS256",
                    "n": text(&public.n), "e": text(&public.e)})
            }
        }
    }

    fn token(&self, id: &str) -> String {
        let header = json!({"alg": self.algorithm(), "kid": id});
        // As a current API server writes them.
        let claims = json!({
            "aud": ["istio-ca"], "exp": NOW + 3600, "iat": NOW, "iss": ISSUER, "jti": "0b1c", "nbf": NOW,
            "kubernetes.io": {
                "namespace": "shop", "node": {"name": "node-1", "uid": "n-1"},
                "pod": {"name": "cart-1", "uid": "u-1"}, "serviceaccount": {"name": "cart", "uid": "s-1"},
            },
            "sub": "system:serviceaccount:shop:cart",
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Ecdsa(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn verifier(keys: &[Value]) -> Verifier {
    let keys = TokenPublicKey::from_jwks(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    Verifier::new(ISSUER, vec!["istio-ca".to_owned()], keys)
}

#[test]
fn tokens_of_an_api_server_are_checked_with_the_keys_it_publishes() {
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    for (signer, other) in [(rsa(), ecdsa(false)), (ecdsa(false), rsa()), (ecdsa(true), ecdsa(false))] {
        let verifier = verifier(&[other.jwk("other"), signer.jwk("own")]);
        let identity = verifier.verify(&signer.token("own"), now).unwrap();
        assert_eq!((identity.pod.as_str(), identity.pod_uid.as_str()), ("cart-1", "u-1"));
        assert_eq!(identity.node.as_deref(), Some("node-1"));
        // A key that came after the document was read.
        assert_eq!(verifier.verify(&signer.token("new"), now), Err(TokenRefusal::UnknownKey));
        // The other key's name on this key's signature.
        let refusal = verifier.verify(&signer.token("other"), now).unwrap_err();
        assert!(matches!(refusal, TokenRefusal::UnknownKey | TokenRefusal::BadSignature), "{refusal}");
    }
    let (signer, foreign) = (ecdsa(false), ecdsa(false));
    assert_eq!(
        verifier(&[signer.jwk("own")]).verify(&foreign.token("own"), now),
        Err(TokenRefusal::BadSignature)
    );
    assert_eq!(
        verifier(&[signer.jwk("own")]).verify(&rsa().token("own"), now),
        Err(TokenRefusal::AlgorithmNotAllowed)
    );
}

#[test]
fn keys_for_other_ends_are_passed_over() {
    let good = ecdsa(false).jwk("good");
    let with = |field: &str, value: &str| {
        let mut key = good.clone();
        key[field] = json!(value);
        key
    };
    let foreign = [
        with("use", "enc"),
        with("kty", "oct"),
        with("crv", "P-521"),
        with("alg", "ES384"),
        with("x", "AA"),
        with("y", "not base64!"),
    ];
    let read = |keys: &[Value]| TokenPublicKey::from_jwks(json!({ "keys": keys }).to_string().as_bytes());
    assert_eq!(read(&foreign), Err(JwksError::Empty));
    let mut all = foreign.to_vec();
    all.push(good);
    assert_eq!(read(&all).unwrap().len(), 1);
    assert_eq!(TokenPublicKey::from_jwks(b"{}"), Err(JwksError::Malformed));
    assert_eq!(TokenPublicKey::from_jwks(&vec![b' '; MAX_JWKS_BYTES + 1]), Err(JwksError::TooLarge));
}

proptest! {
    #[test]
    fn any_key_is_read_without_panic(n in "[A-Za-z0-9_-]{0,40}", e in "[A-Za-z0-9_-]{0,8}", signature: Vec<u8>) {
        let document = json!({"keys": [{"kty": "RSA", "n": n, "e": e}]}).to_string();
        for key in TokenPublicKey::from_jwks(document.as_bytes()).unwrap_or_default() {
            prop_assert!(!key.made(&signature, b"text"));
        }
    }
}
