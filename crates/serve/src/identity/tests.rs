use std::os::unix::fs::PermissionsExt;
use std::time::UNIX_EPOCH;

use pilothouse_ca::token::Verifier;

use super::*;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

fn folders(state: &Path) -> Folders {
    Folders { state: state.to_owned(), cacerts: None }
}

#[test]
fn a_second_start_finds_what_the_first_made() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("deep/state");
    let first = load_or_create(&folders(&state), "cluster.local", now()).unwrap();
    let second = load_or_create(&folders(&state), "cluster.local", now()).unwrap();
    assert_eq!(first.authority.fingerprint(), second.authority.fingerprint());
    assert_eq!(first.tokens.public(), second.tokens.public());
}

#[test]
fn nobody_else_may_read_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    load_or_create(&folders(&state), "cluster.local", now()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for file in ["ca/ca-key.pem", "ca/ca-cert.pem", "ca/root-cert.pem", "token-key.pem"] {
        assert_eq!(mode(&state.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_readable_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    load_or_create(&folders(dir.path()), "cluster.local", now()).unwrap();
    let key = dir.path().join("ca/ca-key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = load_or_create(&folders(dir.path()), "cluster.local", now()).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn half_a_ca_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    load_or_create(&folders(dir.path()), "cluster.local", now()).unwrap();
    std::fs::remove_file(dir.path().join("ca/ca-cert.pem")).unwrap();
    let error = load_or_create(&folders(dir.path()), "cluster.local", now()).unwrap_err();
    assert!(matches!(error, IdentityError::Authority { .. }), "{error}");
}

#[test]
fn a_crash_while_making_the_ca_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("ca.new")).unwrap();
    std::fs::write(dir.path().join("ca.new/ca-key.pem"), "half").unwrap();
    load_or_create(&folders(dir.path()), "cluster.local", now()).unwrap();
    assert!(!dir.path().join("ca.new").exists());
}

#[test]
fn a_given_ca_is_used_and_an_empty_folder_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let other = load_or_create(&folders(&dir.path().join("a")), "cluster.local", now()).unwrap();
    let given = Folders { state: dir.path().join("b"), cacerts: Some(dir.path().join("a/ca")) };
    let loaded = load_or_create(&given, "cluster.local", now()).unwrap();
    assert_eq!(loaded.authority.fingerprint(), other.authority.fingerprint());
    let empty = Folders { state: dir.path().join("b"), cacerts: Some(dir.path().join("none")) };
    let error = load_or_create(&empty, "cluster.local", now()).unwrap_err();
    assert!(matches!(error, IdentityError::NoAuthority { .. }), "{error}");
}

#[test]
fn processes_that_start_at_once_share_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> =
            (0..4).map(|_| scope.spawn(|| load_or_create_token_key(dir.path()).unwrap().public())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_minted_token_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let key = load_or_create_token_key(dir.path()).unwrap();
    let request = TokenRequest {
        audience: AUDIENCE,
        namespace: "shop",
        service_account: "cart",
        pod: "cart-1",
        pod_uid: "u-1",
        ttl: Duration::from_mins(1),
    };
    let token = mint_token(&key, request, now()).unwrap();
    let verifier = Verifier::new(ISSUER, vec![AUDIENCE.to_owned()], vec![key.public()]);
    assert_eq!(verifier.verify(token.expose(), now()).unwrap().pod, "cart-1");
}
