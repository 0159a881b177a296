//! No key and no token shows up in what anything prints about itself.

use std::fmt::{Debug, Write as _};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilothouse_base::Identity;

use crate::token::{MintError, TokenGrant, TokenKey, Verifier, mint};
use crate::{Authority, CaFiles, KeyError, LeafLifetimes, LeafRequest, create_root};

/// All windows of a key that a leak could show: as PEM text, as hexadecimal, as a list of numbers.
fn traces(pem: &str) -> Vec<String> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(&body).expect("PEM of our own");
    let mut traces: Vec<String> =
        body.as_bytes()[48..88].windows(16).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    // The secret number are the bytes 36 to 67; what stands around it is the same in all keys, or public.
    for part in der[36..68].windows(6) {
        traces.push(crate::roots::hex(part));
        let list = format!("{part:?}");
        traces.push(list.trim_matches(['[', ']']).to_owned());
        traces.push(list.trim_matches(['[', ']']).replace(", ", ",\n        "));
    }
    traces
}

#[test]
fn nothing_prints_a_secret() {
    let now = UNIX_EPOCH + Duration::from_hours(500_000);
    let mut printed = String::new();
    let mut print = |value: &dyn Debug| {
        write!(printed, "{value:?}\n{value:#?}\n").expect("a string takes all");
    };

    let root = create_root("cluster.local", [1; 16], now).unwrap();
    let files = CaFiles {
        ca_cert: Some(root.certificate_pem.clone().into_bytes()),
        ca_key: Some(root.key.expose().as_bytes().to_vec()),
        root_cert: Some(root.certificate_pem.clone().into_bytes()),
        cert_chain: Some(Vec::new()),
        ca_crl: None,
    };
    let authority = Authority::load(&files).unwrap();
    let identity = Identity::new("cluster.local", "shop", "cart");
    let request = LeafRequest { identity: &identity, ttl: None, serial: [2; 16] };
    let leaf = authority.issue(&request, LeafLifetimes::ISTIO, now).unwrap();
    print(&root);
    print(&files);
    print(&authority);
    print(&authority.roots());
    print(&leaf);
    print(&leaf.key);

    let stored = TokenKey::generate().unwrap();
    let key = TokenKey::from_pem(stored.expose().as_bytes()).unwrap();
    let grant = TokenGrant {
        issuer: "mesh",
        audience: "istio-ca",
        namespace: "shop",
        service_account: "cart",
        pod: "cart-0",
        pod_uid: "u-1",
        ttl: Duration::from_mins(1),
    };
    let token = mint(&key, &grant, [3; 16], now).unwrap();
    let verifier = Verifier::new("mesh", vec!["istio-ca".to_owned()], vec![key.public()]);
    print(&stored);
    print(&key);
    print(&token);
    print(&verifier);
    print(&verifier.verify(token.expose(), now));
    print(&verifier.verify(token.expose(), now + Duration::from_hours(1)));
    print(&verifier.verify(&format!("{}x", token.expose()), now));
    print(&MintError::Sign);

    // A key in the wrong file must not be quoted by the error about it.
    let swapped = CaFiles {
        ca_cert: Some(root.key.expose().as_bytes().to_vec()),
        ca_key: files.ca_key.clone(),
        root_cert: files.root_cert.clone(),
        cert_chain: files.cert_chain.clone(),
        ca_crl: None,
    };
    let error = Authority::load(&swapped).unwrap_err();
    print(&error);
    print(&error.to_string());
    print(&KeyError::Unreadable);

    for secret in [root.key.expose(), leaf.key.expose(), stored.expose()] {
        for trace in traces(secret) {
            assert!(!printed.contains(&trace), "part of a key is printed");
        }
    }
    for part in token.expose().split('.').skip(1) {
        assert!(!printed.contains(&part[..16]), "part of a token is printed");
    }
    assert!(printed.contains("secret"), "the placeholder is there");
}
