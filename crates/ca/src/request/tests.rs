use std::time::{Duration, UNIX_EPOCH};

use pilothouse_base::Identity;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, SanType};
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::*;
use crate::create_root;
use crate::der;

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn authority() -> Authority {
    let root = create_root("cluster.local", [1; 16], at(NOW)).unwrap();
    Authority::self_signed(root.certificate_pem.as_bytes(), root.key.expose().as_bytes()).unwrap()
}

/// A request that claims another name than the caller has.
fn csr(key: &KeyPair) -> String {
    let mut params = CertificateParams::default();
    let claimed = "spiffe://cluster.local/ns/kube-system/sa/admin".try_into().unwrap();
    params.subject_alt_names = vec![SanType::URI(claimed)];
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn certify(csr: &str, ttl: Option<Duration>) -> Result<Certified, RequestError> {
    let identity = Identity::new("cluster.local", "shop", "cart");
    let request = LeafRequest { identity: &identity, ttl, serial: [7; 16] };
    AUTHORITY.with(|authority| authority.certify(csr, &request, LeafLifetimes::ISTIO, at(NOW)))
}

#[test]
fn the_key_of_the_request_is_certified_for_the_caller() {
    let rsa = include_str!("../authority/tests/rsa-key-pkcs8.pem");
    let keys = [
        KeyPair::generate().unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        KeyPair::from_pem_and_sign_algo(rsa, &PKCS_RSA_SHA256).unwrap(),
    ];
    for key in keys {
        let certified = certify(&csr(&key), None).unwrap();
        assert_eq!(certified.chain.len(), 1);
        assert!(certified.chain[0].ends_with("-----END CERTIFICATE-----\n"));
        assert_eq!(certified.not_after, at(NOW) + LeafLifetimes::ISTIO.default);
        let leaf = pem::certificates(certified.chain[0].as_bytes()).unwrap().remove(0);
        let (_, parsed) = X509Certificate::from_der(&leaf).unwrap();
        assert_eq!(parsed.public_key().subject_public_key.data, rcgen::PublicKeyData::der_bytes(&key));
        let names = parsed.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [GeneralName::URI("spiffe://cluster.local/ns/shop/sa/cart")]);
        AUTHORITY.with(|authority| {
            let root = authority.roots().certificates().next().unwrap().to_vec();
            let (_, root) = X509Certificate::from_der(&root).unwrap();
            parsed.verify_signature(Some(root.public_key())).unwrap();
        });
    }
}

#[test]
fn what_is_not_signed() {
    let good = csr(&KeyPair::generate().unwrap());
    let forged = {
        let block = pem::blocks(good.as_bytes()).unwrap().remove(0);
        let mut content = block.content.to_vec();
        let last = content.len() - 1;
        content[last] ^= 1;
        pem::encode("CERTIFICATE REQUEST", &content)
    };
    let longer = {
        let block = pem::blocks(good.as_bytes()).unwrap().remove(0);
        pem::encode("CERTIFICATE REQUEST", &[&block.content[..], b"x"].concat())
    };
    let ed25519 = csr(&KeyPair::generate_for(&PKCS_ED25519).unwrap());
    let table = [
        ("empty", String::new(), RequestError::Unreadable("is not one PEM block")),
        ("two", format!("{good}{good}"), RequestError::Unreadable("is not one PEM block")),
        (
            "a certificate",
            good.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
            RequestError::Unreadable("is a PEM block of another kind"),
        ),
        (
            "not PKCS #10",
            pem::encode("CERTIFICATE REQUEST", &der::wrap(der::SEQUENCE, &[b"x"])),
            RequestError::Unreadable("is not PKCS #10"),
        ),
        ("more after it", longer, RequestError::Unreadable("has something after its end")),
        ("another key's signature", forged, RequestError::BadSignature),
        ("a key that Envoy does not verify", ed25519, RequestError::BadKey),
    ];
    for (what, csr, error) in table {
        assert_eq!(certify(&csr, None), Err(error), "{what}");
    }
    let long = certify(&good, Some(LeafLifetimes::ISTIO.max + Duration::from_secs(1)));
    assert!(matches!(long, Err(RequestError::Issue(IssueError::LifetimeTooLong { .. }))), "{long:?}");
}

proptest! {
    #[test]
    fn any_request_is_read_without_panic(bytes: Vec<u8>) {
        prop_assert!(certify(&pem::encode("CERTIFICATE REQUEST", &bytes), None).is_err());
    }
}

thread_local! {
    static AUTHORITY: Authority = authority();
}
