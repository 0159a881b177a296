use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;
use crate::{Authority, LeafRequest, create_root};

const NOW: u64 = 1_800_000_000;

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

fn version(authority: &Authority, ttl: u64) -> String {
    let identity = cart();
    let request = LeafRequest { identity: &identity, ttl: Some(Duration::from_secs(ttl)), serial: [2; 16] };
    let leaf = authority.issue(&request, LeafLifetimes::ISTIO, at(NOW)).unwrap();
    SecretVersion::of(&leaf, authority, &identity).to_string()
}

fn still_fresh(version: &str, now: SystemTime, issuer: &Authority, identity: &Identity) -> bool {
    SecretVersion::parse(version).is_some_and(|version| version.is_fresh(now, issuer, identity))
}

#[test]
fn freshness_follows_age_issuer_and_name() {
    let (authority, other) = (authority(), authority());
    let held = version(&authority, 1000);
    let elsewhere = Identity::new("example.org", "shop", "cart");
    let table = [
        ("just issued", NOW, &authority, cart(), true),
        ("before the latest renewal", NOW + 599, &authority, cart(), true),
        ("at the latest renewal", NOW + 600, &authority, cart(), false),
        ("expired", NOW + 1000, &authority, cart(), false),
        ("long expired", NOW + 10_000, &authority, cart(), false),
        ("clock of this replica a little behind", NOW - 120, &authority, cart(), true),
        ("issued in the future", NOW - 121, &authority, cart(), false),
        ("another CA", NOW, &other, cart(), false),
        ("another trust domain", NOW, &authority, elsewhere, false),
    ];
    for (what, now, issuer, identity, fresh) in table {
        assert_eq!(still_fresh(&held, at(now), issuer, &identity), fresh, "{what}");
    }
}

#[test]
fn made_up_versions_prove_nothing() {
    let authority = authority();
    let held = version(&authority, 1000);
    let far = NOW + 1_000_000_000;
    for made_up in [
        String::new(),
        "1".to_owned(),
        format!("{held}."),
        format!("{held}.x"),
        format!(" {held}"),
        held.replace("leaf2", "leaf1"),
        held.replace(&NOW.to_string(), &format!("0{NOW}")),
        held.replace(&NOW.to_string(), &format!("+{NOW}")),
        held.replace(&(NOW + 1000).to_string(), &far.to_string()),
        held.replace(&(NOW + 1000).to_string(), &u64::MAX.to_string()),
        held.replace(&NOW.to_string(), "-5"),
        held.to_uppercase(),
        "x".repeat(100_000),
    ] {
        assert!(!still_fresh(&made_up, at(NOW), &authority, &cart()), "{made_up:.200}");
    }
}

#[test]
fn two_leaves_have_two_versions() {
    let authority = authority();
    assert_ne!(version(&authority, 1000), version(&authority, 1000));
}

proptest! {
    #[test]
    fn renewal_lies_between_two_and_three_fifths(life in 1..10_000_000_u64, entropy in any::<u32>()) {
        let lifetime = Lifetime { issued: at(NOW), not_after: at(NOW + life) };
        let after = lifetime.renew_at(entropy).duration_since(at(NOW)).unwrap();
        let life = Duration::from_secs(life);
        prop_assert!(after >= life * 2 / 5 && after <= life * 3 / 5, "{after:?} of {life:?}");
    }

    #[test]
    fn more_entropy_never_renews_earlier(life in 1..10_000_000_u64, left in any::<u32>(), right in any::<u32>()) {
        let lifetime = Lifetime { issued: at(NOW), not_after: at(NOW + life) };
        prop_assert_eq!(left <= right || lifetime.renew_at(left) >= lifetime.renew_at(right), true);
    }

    /// Whoever is renewed by timer is never told to be fresh after that time has passed for sure.
    #[test]
    fn fresh_means_renewal_may_lie_ahead(life in 5..1_000_000_u64, age in 0..1_000_000_u64) {
        let lifetime = Lifetime { issued: at(NOW), not_after: at(NOW + life) };
        let version = SecretVersion {
            lifetime,
            issuer: ISSUER.with(|issuer| start(issuer.fingerprint())),
            identity: name_print(&cart()),
            leaf: "0".repeat(PRINT),
        };
        let now = at(NOW + age);
        prop_assert_eq!(SecretVersion::parse(&version.to_string()), Some(version.clone()));
        let fresh = ISSUER.with(|issuer| version.is_fresh(now, issuer, &cart()));
        prop_assert_eq!(fresh, lifetime.renew_at(u32::MAX) > now);
    }

    #[test]
    fn any_text_is_read_without_panic(text in "(leaf2)?[.0-9a-f]{0,100}", now in any::<u32>()) {
        ISSUER.with(|issuer| still_fresh(&text, at(u64::from(now)), issuer, &cart()));
    }
}

thread_local! {
    static ISSUER: Authority = authority();
}
