use std::time::UNIX_EPOCH;

use x509_parser::prelude::*;

use super::*;
use crate::create_root;
use crate::pem;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn authority() -> Authority {
    let root = create_root("cluster.local", [1; 16], at(NOW)).unwrap();
    Authority::self_signed(root.certificate_pem.as_bytes(), root.key.expose().as_bytes()).unwrap()
}

fn cart() -> Identity {
    Identity::new("cluster.local", "shop", "cart")
}

fn request(identity: &Identity, ttl: Option<Duration>) -> LeafRequest<'_> {
    LeafRequest { identity, ttl, serial: [0xff; 16] }
}

fn seconds_of(at: &ASN1Time) -> u64 {
    u64::try_from(at.timestamp()).unwrap()
}

#[test]
fn a_root_is_as_verifiers_want_it() {
    let root = create_root("example.org", [0; 16], at(NOW)).unwrap();
    let der = pem::certificates(root.certificate_pem.as_bytes()).unwrap().remove(0);
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(parsed.subject().to_string(), "O=example.org");
    assert_eq!(parsed.issuer(), parsed.subject());
    assert!(parsed.verify_signature(None).is_ok());
    assert!(parsed.is_ca());
    assert!(parsed.basic_constraints().unwrap().unwrap().critical);
    let usage = parsed.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.key_cert_sign() && usage.value.crl_sign());
    assert_eq!(usage.value.flags.count_ones(), 2);
    assert_eq!(seconds_of(&parsed.validity().not_before), NOW - 120);
    assert_eq!(seconds_of(&parsed.validity().not_after), NOW + 3650 * DAY);
    assert!(parsed.raw_serial()[0] & 0x80 == 0 && parsed.raw_serial()[0] != 0);
}

#[test]
fn a_leaf_names_its_workload_and_nothing_else() {
    let authority = authority();
    let identity = cart();
    let leaf = authority.issue(&request(&identity, None), LeafLifetimes::ISTIO, at(NOW)).unwrap();
    let chain = pem::certificates(leaf.chain_pem.as_bytes()).unwrap();
    assert_eq!(chain.len(), 1, "the root is not sent");
    let (_, parsed) = X509Certificate::from_der(&chain[0]).unwrap();

    assert_eq!(parsed.version(), X509Version::V3);
    assert!(parsed.subject().iter().next().is_none(), "no subject");
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical, "names are critical when there is no subject");
    assert_eq!(names.value.general_names, [GeneralName::URI("spiffe://cluster.local/ns/shop/sa/cart")]);
    let constraints = parsed.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && !constraints.value.ca);
    let usage = parsed.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature() && usage.value.key_encipherment());
    assert_eq!(usage.value.flags.count_ones(), 2);
    let purposes = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.server_auth && purposes.client_auth && !purposes.any);
    assert_eq!(seconds_of(&parsed.validity().not_before), NOW - 120);
    assert_eq!(seconds_of(&parsed.validity().not_after), NOW + DAY);
    assert_eq!((leaf.issued, leaf.not_after), (at(NOW), at(NOW + DAY)));
    assert_eq!(hex(parsed.raw_serial()), leaf.serial);
    assert_eq!(leaf.serial.len(), 32);
    assert_eq!(crate::roots::sha256(&chain[0]), leaf.fingerprint);

    let root = authority.roots().certificates().next().unwrap();
    let (_, root) = X509Certificate::from_der(root).unwrap();
    assert!(parsed.verify_signature(Some(root.public_key())).is_ok());
    assert_eq!(parsed.issuer().as_raw(), root.subject().as_raw());
    let key_id = |certificate: &X509Certificate<'_>| {
        certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
            _ => None,
        })
    };
    assert_eq!(key_id(&parsed), key_id(&root));

    let key = SigningKey::from_pem(leaf.key.expose().as_bytes()).unwrap();
    let public: &[u8] = rcgen::PublicKeyData::der_bytes(key.pair());
    assert_eq!(parsed.public_key().subject_public_key.data.as_ref(), public);
}

#[test]
fn each_issue_has_a_new_key() {
    let (authority, identity) = (authority(), cart());
    let issue = || authority.issue(&request(&identity, None), LeafLifetimes::ISTIO, at(NOW)).unwrap();
    assert_ne!(issue().key.expose(), issue().key.expose());
}

#[test]
fn lifetimes() {
    let (authority, identity) = (authority(), cart());
    let until = NOW + 3650 * DAY;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let table = [
        ("default", None, NOW, Ok(NOW + DAY)),
        ("zero is the default", seconds(0), NOW, Ok(NOW + DAY)),
        ("less than a second is the default", Some(Duration::from_millis(10)), NOW, Ok(NOW + DAY)),
        ("thirty seconds", seconds(30), NOW, Ok(NOW + 30)),
        ("the most", seconds(90 * DAY), NOW, Ok(NOW + 90 * DAY)),
        (
            "more than the most",
            seconds(90 * DAY + 1),
            NOW,
            Err(IssueError::LifetimeTooLong {
                asked: Duration::from_secs(90 * DAY + 1),
                max: LeafLifetimes::ISTIO.max,
            }),
        ),
        ("cut to the CA's life", None, until - 10, Ok(until)),
        ("CA expires now", None, until, Err(IssueError::IssuerExpired)),
        ("CA expired", None, until + DAY, Err(IssueError::IssuerExpired)),
        ("clock a little behind the CA's birth", None, NOW - 240, Ok(NOW - 240 + DAY)),
        ("clock far behind the CA's birth", None, NOW - 241, Err(IssueError::IssuerNotYetValid)),
    ];
    for (what, ttl, now, expected) in table {
        let result = authority.issue(&request(&identity, ttl), LeafLifetimes::ISTIO, at(now));
        assert_eq!(result.map(|leaf| leaf.not_after), expected.map(at), "{what}");
    }
}

#[test]
fn names_that_cannot_stand_in_a_certificate() {
    let authority = authority();
    for identity in [
        Identity::new("cluster.local", "shop/sa/admin", "cart"),
        Identity::new("cluster.local", "shop", ""),
        Identity::new("cluster.local", "shop", "gärten"),
        Identity::new("a b", "shop", "cart"),
        Identity::new("x".repeat(2048), "shop", "cart"),
        Identity::new("td?x", "shop", "cart"),
    ] {
        let result = authority.issue(&request(&identity, None), LeafLifetimes::ISTIO, at(NOW));
        assert!(matches!(result, Err(IssueError::BadName { .. })), "{identity}");
    }
}

#[test]
fn a_serving_certificate_holds_names_and_addresses() {
    let authority = authority();
    let dns_names = ["pilothouse.mesh-system.svc".to_owned(), "localhost".to_owned()];
    let addresses = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let request = ServingRequest {
        dns_names: &dns_names,
        addresses: &addresses,
        ttl: Duration::from_secs(100_000 * DAY),
        serial: [3; 16],
    };
    let served = authority.serving(&request, at(NOW)).unwrap();
    let der = pem::certificates(served.chain_pem.as_bytes()).unwrap().remove(0);
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    assert_eq!(
        names.value.general_names,
        [
            GeneralName::DNSName("pilothouse.mesh-system.svc"),
            GeneralName::DNSName("localhost"),
            GeneralName::IPAddress(&[127, 0, 0, 1]),
            GeneralName::IPAddress(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ]
    );
    let purposes = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.server_auth && !purposes.client_auth);
    assert_eq!(served.not_after, authority.not_after());

    let bad = |dns_names: &[String]| {
        authority
            .serving(&ServingRequest { dns_names, addresses: &[], ..request.clone() }, at(NOW))
            .unwrap_err()
    };
    assert_eq!(bad(&[]), IssueError::NoName);
    for name in ["", "a..b", "a b", "ä.example", &"x".repeat(64)] {
        assert!(matches!(bad(&[name.to_owned()]), IssueError::BadName { .. }), "{name}");
    }
}
