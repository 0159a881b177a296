use std::time::UNIX_EPOCH;

use super::*;

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn token() -> TokenIdentity {
    TokenIdentity {
        namespace: "shop".to_owned(),
        service_account: "cart".to_owned(),
        pod: "cart-1".to_owned(),
        pod_uid: "u-1".to_owned(),
        node: Some("node-1".to_owned()),
        expires: at(NOW + 100),
    }
}

fn pod() -> PodFacts<'static> {
    PodFacts { uid: "u-1", service_account: "cart", node: "node-1", ended: false, deleted_at: None }
}

#[test]
fn who_speaks_for_a_pod() {
    let unbound = TokenIdentity { node: None, ..token() };
    let table = [
        ("the pod itself", token(), pod(), None),
        ("a manifest without uid", token(), PodFacts { uid: "", ..pod() }, None),
        ("a token that names no node", unbound, pod(), None),
        ("a pod whose node is not known", token(), PodFacts { node: "", ..pod() }, None),
        (
            "a later pod of this name",
            token(),
            PodFacts { uid: "u-2", ..pod() },
            Some(BindingRefusal::OtherUid),
        ),
        (
            "another account",
            token(),
            PodFacts { service_account: "pay", ..pod() },
            Some(BindingRefusal::OtherServiceAccount),
        ),
        ("another node", token(), PodFacts { node: "node-2", ..pod() }, Some(BindingRefusal::OtherNode)),
        ("finished", token(), PodFacts { ended: true, ..pod() }, Some(BindingRefusal::Ended)),
        ("within its grace", token(), PodFacts { deleted_at: Some(at(NOW + 20)), ..pod() }, None),
        ("just over its grace", token(), PodFacts { deleted_at: Some(at(NOW - 30)), ..pod() }, None),
        (
            "long over its grace",
            token(),
            PodFacts { deleted_at: Some(at(NOW - 31)), ..pod() },
            Some(BindingRefusal::Deleted),
        ),
    ];
    for (what, token, pod, refusal) in table {
        assert_eq!(bind(&token, &pod, at(NOW)).err(), refusal, "{what}");
    }
}
