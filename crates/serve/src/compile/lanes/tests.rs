use pilothouse_base::Kind;

use super::*;

#[derive(Debug, PartialEq, Eq)]
struct Fake {
    key: ObjectKey,
    number: u32,
}

impl Paced for Fake {
    fn urgent(&self) -> bool {
        self.key.kind == Kind::Pod
    }

    fn key(&self) -> &ObjectKey {
        &self.key
    }
}

fn pod(name: &str, number: u32) -> Fake {
    Fake { key: ObjectKey::new(Kind::Pod, "shop", name), number }
}

fn route(name: &str, number: u32) -> Fake {
    Fake { key: ObjectKey::new(Kind::VirtualService, "shop", name), number }
}

fn numbers(batch: &[Fake]) -> Vec<u32> {
    batch.iter().map(|change| change.number).collect()
}

fn lanes() -> (Lanes<Fake>, Instant) {
    (Lanes::new(Pacing::default()), Instant::now())
}

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn pods_leave_at_once() {
    let (mut lanes, now) = lanes();
    assert_eq!(lanes.due(now), None);
    lanes.add(vec![pod("a", 1)], now);
    assert_eq!(lanes.due(now), Some(now));
    assert_eq!(numbers(&lanes.take(now)), [1]);
    assert_eq!(lanes.due(now), None);
}

#[tokio::test(start_paused = true)]
async fn others_wait_for_quiet() {
    let (mut lanes, now) = lanes();
    lanes.add(vec![route("a", 1)], now);
    lanes.add(vec![route("a", 2)], now + 5 * MS);
    assert_eq!(lanes.due(now), Some(now + 13 * MS));
    assert!(lanes.take(now + 12 * MS).is_empty());
    assert_eq!(numbers(&lanes.take(now + 13 * MS)), [1, 2]);
    assert_eq!(lanes.due(now), None);
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_longer_than_the_most() {
    let (mut lanes, now) = lanes();
    for at in 0..12 {
        lanes.add(vec![route("a", at)], now + at * 5 * MS);
    }
    assert_eq!(lanes.due(now), Some(now + 50 * MS));
    assert_eq!(lanes.take(now + 50 * MS).len(), 12);
}

#[tokio::test(start_paused = true)]
async fn an_urgent_change_does_not_hurry_others() {
    let (mut lanes, now) = lanes();
    lanes.add(vec![route("a", 1)], now);
    lanes.add(vec![pod("a", 2)], now);
    assert_eq!(numbers(&lanes.take(now)), [2]);
    assert_eq!(lanes.due(now), Some(now + 8 * MS));
    assert_eq!(numbers(&lanes.take(now + 8 * MS)), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_mixed_batch_stays_whole() {
    let (mut lanes, now) = lanes();
    lanes.add(vec![route("a", 1), pod("a", 2)], now);
    assert!(lanes.take(now).is_empty());
    assert_eq!(numbers(&lanes.take(now + 8 * MS)), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn an_object_is_never_overtaken_by_itself() {
    let (mut lanes, now) = lanes();
    lanes.add(vec![route("a", 1), pod("a", 2)], now);
    lanes.add(vec![pod("b", 3)], now);
    lanes.add(vec![pod("a", 4)], now);
    assert_eq!(numbers(&lanes.take(now)), [3, 1, 2, 4]);
    assert_eq!(lanes.due(now), None);
}
