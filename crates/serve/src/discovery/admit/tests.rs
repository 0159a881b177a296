use std::time::UNIX_EPOCH;

use pilothouse_base::Name;

use super::*;

fn token() -> TokenIdentity {
    TokenIdentity {
        namespace: "shop".to_owned(),
        service_account: "cart".to_owned(),
        pod: "cart-1".to_owned(),
        pod_uid: "u-1".to_owned(),
        expires: UNIX_EPOCH + Duration::from_secs(100),
        node: None,
    }
}

fn facts() -> WorkloadFacts {
    WorkloadFacts {
        uid: Name::from("u-1"),
        service_account: Name::from("cart"),
        ended: false,
        deleted_at: None,
        node: Name::default(),
        addresses: vec!["10.0.0.7".parse().unwrap()],
    }
}

#[test]
fn the_pod_of_the_token_is_admitted() {
    assert_eq!(bind(&token(), &facts(), UNIX_EPOCH), Ok(()));
    // A manifest without a uid.
    assert_eq!(bind(&token(), &WorkloadFacts { uid: Name::default(), ..facts() }, UNIX_EPOCH), Ok(()));
}

#[test]
fn other_pods_are_refused() {
    let cases = [
        (WorkloadFacts { uid: Name::from("u-2"), ..facts() }, Refusal::Binding(BindingRefusal::OtherUid)),
        (
            WorkloadFacts { service_account: Name::from("other"), ..facts() },
            Refusal::Binding(BindingRefusal::OtherServiceAccount),
        ),
        (WorkloadFacts { ended: true, ..facts() }, Refusal::Binding(BindingRefusal::Ended)),
    ];
    for (facts, refusal) in cases {
        assert_eq!(bind(&token(), &facts, UNIX_EPOCH), Err(refusal.clone()));
        assert_eq!(refusal.status().code(), Code::PermissionDenied);
    }
    for id in ["sidecar~10.0.0.7~cart-2.shop~x", "sidecar~10.0.0.7~cart-1.other~x"] {
        assert_eq!(same_pod(&token(), &NodeId::parse(id).unwrap()), Err(Refusal::OtherPod));
    }
}

#[test]
fn peers_are_compared_with_the_addresses_of_the_pod() {
    let (own, mapped, other): (IpAddr, IpAddr, IpAddr) =
        ("10.0.0.7".parse().unwrap(), "::ffff:10.0.0.7".parse().unwrap(), "10.0.0.8".parse().unwrap());
    for how in [PeerAddress::Ignore, PeerAddress::Warn, PeerAddress::Enforce] {
        assert_eq!(peer_fits(own, &facts(), how), Ok(true));
        assert_eq!(peer_fits(mapped, &facts(), how), Ok(true));
    }
    assert_eq!(peer_fits(other, &facts(), PeerAddress::Ignore), Ok(true));
    assert_eq!(peer_fits(other, &facts(), PeerAddress::Warn), Ok(false));
    assert_eq!(peer_fits(other, &facts(), PeerAddress::Enforce), Err(Refusal::PeerAddress));
}

#[test]
fn only_one_bearer_token_is_read() {
    let read = |values: &[&str]| {
        let mut headers = MetadataMap::new();
        for value in values {
            headers.append("authorization", value.parse().unwrap());
        }
        bearer(&headers).map(str::to_owned)
    };
    for none in [&[][..], &["Basic eDp5"], &["Bearer"], &["Bearer a", "Bearer b"]] {
        assert_eq!(read(none), Err(Refusal::NoToken), "{none:?}");
    }
    assert_eq!(read(&["bearer  some "]), Ok("some".to_owned()));
    assert_eq!(Refusal::NoToken.status().code(), Code::Unauthenticated);
}
