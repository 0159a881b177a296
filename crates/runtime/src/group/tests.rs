use super::*;
use tokio::sync::oneshot;

#[tokio::test]
async fn tasks_come_and_go_and_are_counted() {
    let group = Group::new("streams");
    let (finish, finished) = oneshot::channel::<()>();
    group.spawn("a", async move { finished.await.unwrap() });
    assert_eq!(group.len(), 1);
    finish.send(()).unwrap();
    assert_eq!(group.drain(Duration::from_secs(5)).await, 0);
    assert!(group.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_rest_is_cut_off_after_the_deadline() {
    let group = Group::new("streams");
    group.spawn("deaf", std::future::pending());
    group.spawn("slow", tokio::time::sleep(Duration::from_secs(2)));
    let before = tokio::time::Instant::now();
    assert_eq!(group.drain(Duration::from_secs(4)).await, 1);
    assert_eq!(before.elapsed(), Duration::from_secs(4));
    assert!(group.is_empty());
}

#[tokio::test]
async fn a_panic_is_heard_by_the_owner_even_if_it_asks_later() {
    let group = Group::new("streams");
    group.spawn("fine", async {});
    group.spawn("buggy", async { panic!("a bug of ours") });
    group.drain(Duration::from_secs(5)).await;
    group.panicked().await;
}
