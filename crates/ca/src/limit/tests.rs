use proptest::prelude::*;

use super::*;

const S: Duration = Duration::from_secs(1);

fn limiter(total_burst: u32, kept_for_first: u32, max_pods: usize) -> IssueLimiter {
    IssueLimiter::new(LimitSettings {
        per_pod: Rate { burst: 3, every: Duration::from_mins(1) },
        total: Rate { burst: total_burst, every: S },
        kept_for_first,
        max_pods,
    })
}

#[test]
fn a_pod_gets_its_burst_and_then_one_a_minute() {
    let mut limiter = limiter(100, 0, 10);
    let now = 1000 * S;
    for _ in 0..3 {
        assert_eq!(limiter.ask("a", Purpose::First, now), Decision::Granted);
    }
    assert_eq!(limiter.ask("a", Purpose::First, now), Decision::Wait(60 * S));
    assert_eq!(limiter.ask("b", Purpose::First, now), Decision::Granted);
    assert_eq!(limiter.ask("a", Purpose::First, now + 20 * S), Decision::Wait(40 * S));
    assert_eq!(limiter.ask("a", Purpose::First, now + 60 * S), Decision::Granted);
    assert_eq!(limiter.ask("a", Purpose::First, now + 60 * S), Decision::Wait(60 * S));
}

#[test]
fn renewals_leave_room_for_first_leaves() {
    let mut limiter = limiter(4, 2, 10);
    assert_eq!(limiter.ask("a", Purpose::Renewal, S), Decision::Granted);
    assert_eq!(limiter.ask("b", Purpose::Renewal, S), Decision::Granted);
    assert_eq!(limiter.ask("c", Purpose::Renewal, S), Decision::Wait(S));
    assert_eq!(limiter.ask("d", Purpose::First, S), Decision::Granted);
    assert_eq!(limiter.ask("e", Purpose::First, S), Decision::Granted);
    assert_eq!(limiter.ask("f", Purpose::First, S), Decision::Wait(S));
    assert_eq!(limiter.ask("f", Purpose::First, 2 * S), Decision::Granted);
}

#[test]
fn pods_with_a_full_bucket_are_forgotten() {
    let mut limiter = limiter(100, 0, 10);
    for pod in ["a", "b", "c"] {
        assert_eq!(limiter.ask(pod, Purpose::First, S), Decision::Granted);
    }
    assert_eq!(limiter.remembered(), 3);
    assert_eq!(limiter.ask("d", Purpose::First, 100 * S), Decision::Granted);
    assert_eq!(limiter.remembered(), 1);
}

proptest! {
    /// The counts that the settings promise hold for any order of asking, and memory stays bounded.
    #[test]
    fn never_more_than_promised(asks in proptest::collection::vec((0..6_u8, any::<bool>(), 0..30_u64), 1..200)) {
        let mut limiter = limiter(5, 2, 4);
        let mut now = Duration::ZERO;
        let mut granted = Vec::new();
        for (pod, first, step) in asks {
            now += Duration::from_millis(step * 100);
            let purpose = if first { Purpose::First } else { Purpose::Renewal };
            match limiter.ask(&pod.to_string(), purpose, now) {
                Decision::Granted => granted.push(now),
                Decision::Wait(wait) => {
                    prop_assert!(wait > Duration::ZERO && wait <= 3 * 60 * S, "{wait:?}");
                }
            }
            prop_assert!(limiter.remembered() <= 4);
            prop_assert_eq!(limiter.by_time.len(), limiter.full_at.len());
        }
        for (index, from) in granted.iter().enumerate() {
            let within = granted[index..].iter().filter(|at| at.saturating_sub(*from) < 10 * S).count();
            prop_assert!(within <= 5 + 10, "{within} in ten seconds");
        }
    }

    #[test]
    fn waiting_as_long_as_told_helps(asks in proptest::collection::vec(0..3_u8, 1..30)) {
        let mut limiter = limiter(5, 2, 8);
        let mut now = S;
        for pod in asks {
            if let Decision::Wait(wait) = limiter.ask(&pod.to_string(), Purpose::Renewal, now) {
                now += wait;
                prop_assert_eq!(limiter.ask(&pod.to_string(), Purpose::Renewal, now), Decision::Granted);
            }
        }
    }
}
