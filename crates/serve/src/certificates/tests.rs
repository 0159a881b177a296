use std::time::{Duration, SystemTime};

use pilothouse_base::Identity;
use pilothouse_ca::{Authority, Rate, create_root};
use pilothouse_runtime::Metrics;

use super::*;

fn authority() -> Authority {
    let root = create_root("cluster.local", entropy::bytes(), Clock::system().now()).unwrap();
    Authority::self_signed(root.certificate_pem.as_bytes(), root.key.expose().as_bytes()).unwrap()
}

fn certificates(lifetime: Duration, per_pod: Rate) -> Certificates {
    let (_, trust) = watch::channel(Arc::new(Trust::of(authority())));
    let limits = LimitSettings { per_pod, ..LimitSettings::default() };
    let lifetimes = LeafLifetimes { default: lifetime, ..LeafLifetimes::ISTIO };
    Certificates::new(trust, limits, lifetimes, Clock::system(), DiscoveryMetrics::new(&Metrics::new()))
}

fn identity() -> Identity {
    Identity::new("cluster.local", "shop", "cart")
}

#[tokio::test]
async fn the_wire_version_tells_the_life_of_a_leaf() {
    let certificates = certificates(Duration::from_mins(10), LimitSettings::default().per_pod);
    let leaf = certificates.issue(&identity(), "u-1", Purpose::First).unwrap();
    let life = leaf.version.lifetime.not_after.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(leaf.version.to_string().contains(&life.as_secs().to_string()));
    assert_eq!(leaf.secret.version, leaf_version(&leaf.version.to_string()));
    assert_eq!(&*leaf.secret.name, LEAF);
}

#[tokio::test(start_paused = true)]
async fn short_lives_are_always_renewed_in_time() {
    let slow = Rate { burst: 1, every: Duration::from_hours(1) };
    let certificates = certificates(Duration::from_secs(30), slow);
    certificates.issue(&identity(), "u-1", Purpose::First).unwrap();
    let Err(NoLeaf::Wait(wait)) = certificates.issue(&identity(), "u-1", Purpose::Renewal) else {
        panic!("the second one waits")
    };
    assert!(wait < Duration::from_secs(5), "{wait:?}");
    tokio::time::advance(wait).await;
    certificates.issue(&identity(), "u-1", Purpose::Renewal).unwrap();
}

#[tokio::test]
async fn another_pod_is_not_delayed() {
    let certificates =
        certificates(Duration::from_hours(24), Rate { burst: 1, every: Duration::from_mins(1) });
    certificates.issue(&identity(), "u-1", Purpose::First).unwrap();
    assert!(certificates.issue(&identity(), "u-1", Purpose::First).is_err());
    certificates.issue(&identity(), "u-2", Purpose::First).unwrap();
}
