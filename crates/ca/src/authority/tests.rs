use std::time::{Duration, UNIX_EPOCH};

use pilothouse_base::Identity;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::*;
use crate::{LeafLifetimes, LeafRequest, create_root};

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A certificate of a made-up PKI with its key.
struct Made {
    params: CertificateParams,
    der: Vec<u8>,
    key: KeyPair,
}

impl Made {
    fn new(name: &str, change: impl FnOnce(&mut CertificateParams), issuer: Option<&Made>) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_before = at(NOW - 1000).into();
        params.not_after = at(NOW + 1_000_000).into();
        change(&mut params);
        let der = match issuer {
            None => params.self_signed(&key),
            Some(issuer) => params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key)),
        };
        Self { der: der.unwrap().der().to_vec(), params, key }
    }

    fn root() -> Self {
        Self::new("root", |_| (), None)
    }

    fn under(name: &str, issuer: &Made) -> Self {
        Self::new(name, |_| (), Some(issuer))
    }

    fn pem(&self) -> Vec<u8> {
        pem::encode("CERTIFICATE", &self.der).into_bytes()
    }

    fn key_pem(&self) -> Vec<u8> {
        pem::encode("PRIVATE KEY", self.key.serialized_der()).into_bytes()
    }
}

fn files(signer: &Made, chain: &[&Made], roots: &[&Made]) -> CaFiles {
    CaFiles {
        ca_cert: Some(signer.pem()),
        ca_key: Some(signer.key_pem()),
        root_cert: Some(roots.iter().flat_map(|made| made.pem()).collect()),
        cert_chain: Some(chain.iter().flat_map(|made| made.pem()).collect()),
        ca_crl: None,
    }
}

/// The leaf's chain, after checking that each certificate is signed by the next and the last by a root.
fn issued_chain(authority: &Authority) -> Vec<Vec<u8>> {
    let identity = Identity::new("cluster.local", "shop", "cart");
    let request = LeafRequest { identity: &identity, ttl: None, serial: [9; 16] };
    let leaf = authority.issue(&request, LeafLifetimes::ISTIO, at(NOW)).unwrap();
    let chain = pem::certificates(leaf.chain_pem.as_bytes()).unwrap();
    for pair in chain.windows(2) {
        assert!(signed(&parse(&pair[1]), &parse(&pair[0])));
    }
    let last = parse(chain.last().unwrap());
    assert!(authority.roots().certificates().any(|root| signed(&parse(root), &last)));
    assert!(authority.roots().certificates().all(|root| !chain.iter().any(|sent| sent == root)));
    chain
}

#[test]
fn layouts_that_work() {
    let root = Made::root();
    let upper = Made::under("upper", &root);
    let lower = Made::under("lower", &upper);
    let other = Made::root();
    let table = [
        ("a root itself, empty chain", files(&root, &[], &[&root]), 1),
        ("a root itself, repeated in the chain", files(&root, &[&root], &[&root]), 1),
        ("one intermediate, chain holds it", files(&upper, &[&upper], &[&root]), 2),
        ("chain holds the root as well", files(&upper, &[&upper, &root], &[&root]), 2),
        ("chain empty", files(&upper, &[], &[&root]), 2),
        ("two intermediates", files(&lower, &[&lower, &upper], &[&root]), 3),
        (
            "chain in another order, with strangers",
            files(&lower, &[&other, &root, &upper, &lower], &[&root]),
            3,
        ),
        ("two roots while they change", files(&lower, &[&lower, &upper], &[&other, &root]), 3),
    ];
    for (what, files, length) in table {
        let authority = Authority::load(&files).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(issued_chain(&authority).len(), length, "{what}");
    }
}

#[test]
fn layouts_that_are_refused() {
    let root = Made::root();
    let other = Made::root();
    let upper = Made::under("upper", &root);
    let lower = Made::under("lower", &upper);
    let good = || files(&upper, &[&upper], &[&root]);
    let leaf = Made::new("leaf", |params| params.is_ca = IsCa::ExplicitNoCa, Some(&root));
    let mute = Made::new("mute", |params| params.key_usages = vec![KeyUsagePurpose::CrlSign], Some(&root));
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let with = |change: &dyn Fn(&mut CaFiles)| {
        let mut files = good();
        change(&mut files);
        files
    };
    let table: Vec<(CaFiles, &str)> = vec![
        (with(&|files| files.ca_key = None), "the CA files are incomplete, missing: ca-key.pem"),
        (
            with(&|files| {
                files.root_cert = None;
                files.cert_chain = None;
            }),
            "the CA files are incomplete, missing: root-cert.pem, cert-chain.pem",
        ),
        (with(&|files| files.ca_cert = Some(Vec::new())), "ca-cert.pem holds no certificate"),
        (
            with(&|files| files.ca_cert = Some(b"-----BEGIN CERTIFICATE-----\n".to_vec())),
            "ca-cert.pem holds a broken PEM block",
        ),
        (
            with(&|files| files.cert_chain = Some(upper.pem()[..200].to_vec())),
            "cert-chain.pem holds a broken PEM block",
        ),
        (with(&|files| files.root_cert = Some(Vec::new())), "root-cert.pem holds no certificate"),
        (with(&|files| files.ca_key = Some(other.key_pem())), "ca-key.pem is not the key of ca-cert.pem"),
        (with(&|files| files.ca_key = Some(upper.pem())), "ca-key.pem holds no readable PEM private key"),
        (
            with(&|files| files.ca_key = Some(pem::encode("ENCRYPTED PRIVATE KEY", b"x").into_bytes())),
            "ca-key.pem is encrypted; store it without a passphrase",
        ),
        (
            with(&|files| {
                files.ca_key = Some(pem::encode("PRIVATE KEY", ed25519.serialized_der()).into_bytes());
            }),
            "ca-key.pem is of a kind we do not sign with; use ECDSA P-256 or P-384, or RSA with at least 2048 bits",
        ),
        (with(&|files| files.ca_crl = Some(upper.pem())), "ca-crl.pem holds no revocation list"),
        (
            with(&|files| files.ca_crl = Some(pem::encode("X509 CRL", b"x").into_bytes())),
            "ca-crl.pem holds a block that is not a revocation list",
        ),
        (
            files(&leaf, &[], &[&root]),
            "ca-cert.pem is not a CA certificate (basicConstraints CA:true is missing)",
        ),
        (
            files(&mute, &[], &[&root]),
            "ca-cert.pem may not sign certificates (key usage keyCertSign is missing)",
        ),
        (
            files(&upper, &[&upper], &[&other]),
            "ca-cert.pem does not lead to a root: no certificate in cert-chain.pem or root-cert.pem signed \"CN=upper\"",
        ),
        (
            files(&lower, &[&lower], &[&root]),
            "ca-cert.pem does not lead to a root: no certificate in cert-chain.pem or root-cert.pem signed \"CN=lower\"",
        ),
    ];
    for (files, expected) in table {
        assert_eq!(Authority::load(&files).unwrap_err().to_string(), expected);
    }
    assert!(CaFiles::default().is_absent());
    assert!(!good().is_absent());
}

#[test]
fn a_circle_of_certificates_ends() {
    // Two certificates that signed each other, and no root among them.
    let first = Made::root();
    let second = Made::under("second", &first);
    let mut crossed = first.params.clone();
    crossed.serial_number = Some(7.into());
    let crossed = crossed.signed_by(&first.key, &Issuer::from_params(&second.params, &second.key)).unwrap();
    let mut files = files(&second, &[&second], &[&Made::new("stranger", |_| (), None)]);
    files.cert_chain.as_mut().unwrap().extend(pem::encode("CERTIFICATE", crossed.der()).bytes());
    assert!(matches!(Authority::load(&files), Err(LoadError::NoPathToRoot { .. })));
}

#[test]
fn leaves_live_no_longer_than_any_intermediate() {
    let root = Made::root();
    let upper = Made::new("upper", |params| params.not_after = at(NOW + 50).into(), Some(&root));
    let lower = Made::under("lower", &upper);
    let authority = Authority::load(&files(&lower, &[&lower, &upper], &[&root])).unwrap();
    assert_eq!(authority.not_after(), at(NOW + 50));
}

/// Material written by OpenSSL, in the forms that operators have at hand. The names have parts that repeat, as in
/// `DC=example, DC=org`, and two encodings of text.
#[test]
fn material_of_other_tools() {
    let root = include_bytes!("tests/rsa-root.pem");
    let keys: [(&str, &[u8]); 2] = [
        ("PKCS #8", include_bytes!("tests/rsa-key-pkcs8.pem")),
        ("PKCS #1", include_bytes!("tests/rsa-key-pkcs1.pem")),
    ];
    for (form, key) in keys {
        let authority = Authority::self_signed(root, key).unwrap_or_else(|error| panic!("{form}: {error}"));
        let chain = issued_chain(&authority);
        let leaf = parse(&chain[0]);
        assert_eq!(
            leaf.issuer().to_string(),
            "DC=org, DC=example, OU=mesh, OU=\u{fc}bung, CN=root",
            "{form}"
        );
    }
    let authority = Authority::load(&CaFiles {
        ca_cert: Some(include_bytes!("tests/ec-intermediate.pem").to_vec()),
        ca_key: Some(include_bytes!("tests/ec-key-sec1.pem").to_vec()),
        root_cert: Some(root.to_vec()),
        cert_chain: Some(include_bytes!("tests/ec-intermediate.pem").to_vec()),
        ca_crl: Some(include_bytes!("tests/crl.pem").to_vec()),
    })
    .unwrap();
    assert_eq!(issued_chain(&authority).len(), 2);
    assert!(authority.crl_pem().unwrap().starts_with("-----BEGIN X509 CRL-----\n"));
}

#[test]
fn our_own_root_loads() {
    let root = create_root("cluster.local", [1; 16], at(NOW)).unwrap();
    let authority =
        Authority::self_signed(root.certificate_pem.as_bytes(), root.key.expose().as_bytes()).unwrap();
    assert_eq!(issued_chain(&authority).len(), 1);
    assert_eq!(authority.roots().pem(), root.certificate_pem);
    assert_eq!(authority.crl_pem(), None);
}
