use super::*;

fn candidate(holder: &str) -> Candidate {
    Candidate {
        namespace: "istio-system".to_owned(),
        name: "pilothouse".to_owned(),
        holder: holder.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_take_it() {
    let start = Instant::now();
    let seen = |holder: &str| Seen {
        holder: holder.to_owned(),
        version: Some("1".to_owned()),
        good: Duration::from_secs(15),
        since: start,
    };
    let later = |seconds| start + Duration::from_secs(seconds);
    let table = [
        ("there is none", None, 0, Step::Create),
        ("ours", Some(seen("a")), 0, Step::Take),
        ("ours, long ago", Some(seen("a")), 100, Step::Take),
        ("given back", Some(seen("")), 0, Step::Take),
        ("another's", Some(seen("b")), 0, Step::Wait),
        ("another's, to the last moment", Some(seen("b")), 15, Step::Wait),
        ("another's, silent for too long", Some(seen("b")), 16, Step::Take),
    ];
    for (what, seen, seconds, step) in table {
        assert_eq!(decide(seen.as_ref(), "a", later(seconds)), step, "{what}");
    }
}

#[test]
fn a_claim_keeps_the_version_and_counts_changes_of_hands() {
    let at = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    let mut first = claim(None, &candidate("a"), at);
    first.metadata.resource_version = Some("7".to_owned());
    let spec = first.spec.clone().unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("a"), Some(1)));
    let renewed = claim(Some(first.clone()), &candidate("a"), at + Duration::from_secs(3));
    let spec = renewed.spec.clone().unwrap();
    assert_eq!((spec.lease_transitions, spec.acquire_time), (Some(1), micro(at)));
    assert_eq!(spec.renew_time, micro(at + Duration::from_secs(3)));
    let taken = claim(Some(renewed), &candidate("b"), at + Duration::from_mins(1));
    assert_eq!(taken.metadata.resource_version.as_deref(), Some("7"));
    let spec = taken.spec.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("b"), Some(2)));
    assert!(
        TRUSTED + ROUND < Duration::from_secs(GOOD.into()),
        "the old holder stops before a new one starts"
    );
}
