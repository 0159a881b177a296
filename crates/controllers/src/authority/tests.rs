use super::*;

fn root() -> NewRoot {
    create_root("cluster.local", [1; 16], Clock::system().now()).unwrap()
}

fn data(files: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
    files
        .iter()
        .map(|(name, content)| ((*name).to_owned(), ByteString(content.as_bytes().to_vec())))
        .collect()
}

#[test]
fn what_we_make_is_read_back() {
    let root = root();
    let secret = made(&root);
    assert_eq!(secret.type_.as_deref(), Some("istio.io/ca-root"));
    let authority = load("istio-system", MADE, &files(secret.data.unwrap(), true)).unwrap();
    assert_eq!(authority.roots().pem(), root.certificate_pem);
}

#[test]
fn an_operator_may_use_either_layout() {
    let root = root();
    let (certificate, key) = (root.certificate_pem.as_str(), root.key.expose());
    let istio = [
        ("ca-cert.pem", certificate),
        ("ca-key.pem", key),
        ("root-cert.pem", certificate),
        ("cert-chain.pem", certificate),
    ];
    // A root that signs has no chain.
    let chainless = [("cert-chain.pem", ""), istio[0], istio[1], istio[2]];
    let tls = [("tls.crt", certificate), ("tls.key", key), ("ca.crt", certificate)];
    for layout in [&istio[..], &chainless[..], &tls[..]] {
        let authority = load("istio-system", GIVEN, &files(data(layout), false)).unwrap();
        assert_eq!(authority.roots().pem(), certificate);
    }
}

#[test]
fn half_a_given_bundle_is_an_error_and_an_empty_secret_is_none() {
    let root = root();
    let half = data(&[("ca-cert.pem", &root.certificate_pem), ("ca-key.pem", root.key.expose())]);
    let error = load("istio-system", GIVEN, &files(half, false)).unwrap_err();
    assert!(with_causes(&error).contains("missing: root-cert.pem"), "{}", with_causes(&error));
    assert!(files(data(&[]), false).is_absent());
    assert!(files(data(&[("ca-cert.pem", ""), ("ca-key.pem", "")]), true).is_absent());
}
