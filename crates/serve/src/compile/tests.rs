use pilothouse_runtime::{Metrics, Stopper};

use super::*;
use crate::fake::{World, calm, proxy, touch, urgent};
use pilothouse_engine::Role;

struct Running {
    world: World,
    changes: mpsc::Sender<Vec<Change>>,
    handle: Handle,
    metrics: Metrics,
    _stopper: Stopper,
    loop_end: tokio::task::JoinHandle<Result<(), tokio::task::JoinError>>,
}

#[expect(clippy::disallowed_methods, reason = "a test joins its own task")]
fn start() -> Running {
    let world = World::default();
    let (changes, inbox) = mpsc::channel(16);
    let (handle, ends) = channel();
    let (stopper, stop) = Stop::pair();
    let metrics = Metrics::new();
    let compiled = CompileMetrics::new(&metrics);
    let loop_end = tokio::spawn(run(world.clone(), Pacing::default(), inbox, ends, compiled, stop));
    Running { world, changes, handle, metrics, _stopper: stopper, loop_end }
}

impl Running {
    /// Waits for the next revision.
    async fn revision(&self, at_least: u64) {
        let mut published = self.handle.published();
        published.wait_for(|published| published.started && published.revision >= at_least).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_first_batch_starts() {
    let running = start();
    assert!(!running.handle.published().borrow().started);
    running.changes.send(Vec::new()).await.unwrap();
    running.revision(1).await;
    assert_eq!(running.world.batches(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_one_batch() {
    let running = start();
    let began = Instant::now();
    for at in 0..10 {
        running.changes.send(vec![calm(&format!("v{at}"))]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    running.revision(1).await;
    assert_eq!(running.world.batches(), [10]);
    assert!(began.elapsed() < Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn a_steady_stream_is_cut_at_the_most() {
    let running = start();
    let began = Instant::now();
    let feeding = async {
        for at in 0..40 {
            running.changes.send(vec![calm(&format!("v{at}"))]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    };
    let seen = async {
        running.revision(1).await;
        began.elapsed()
    };
    let (first, ()) = tokio::join!(seen, feeding);
    assert_eq!(first, Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn endpoints_wait_for_nothing() {
    let running = start();
    running.changes.send(vec![calm("v")]).await.unwrap();
    running.changes.send(vec![urgent("e")]).await.unwrap();
    let began = Instant::now();
    running.revision(1).await;
    assert!(began.elapsed() < Duration::from_millis(2));
    assert_eq!(running.world.batches(), [1]);
    running.revision(2).await;
    assert_eq!(running.world.batches(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_proxy_finds_the_newest_state_only() {
    let running = start();
    touch(&running.changes).await;
    running.revision(1).await;
    let mut connection = running.handle.connect(proxy("cart-1", "shop", Role::Sidecar)).await.unwrap();
    connection.snapshots.borrow_and_update();
    for at in 2..6 {
        running.world.cluster("a", &at.to_string());
        touch(&running.changes).await;
        running.revision(at).await;
    }
    assert!(connection.snapshots.has_changed().unwrap());
    assert_eq!(connection.snapshots.borrow_and_update().revision, 5);
    assert!(!connection.snapshots.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_goes_is_forgotten() {
    let running = start();
    let connection = running.handle.connect(proxy("cart-1", "shop", Role::Sidecar)).await.unwrap();
    assert_eq!(running.world.proxies(), 1);
    drop(connection);
    touch(&running.changes).await;
    running.revision(1).await;
    assert_eq!(running.world.proxies(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_keeps_the_last_good_state() {
    let running = start();
    running.world.cluster("a", "good");
    touch(&running.changes).await;
    running.revision(1).await;
    let mut connection = running.handle.connect(proxy("cart-1", "shop", Role::Sidecar)).await.unwrap();
    connection.snapshots.borrow_and_update();

    running.world.panics(true);
    let mut published = running.handle.published();
    published.mark_unchanged();
    touch(&running.changes).await;
    published.changed().await.unwrap();
    assert!(!connection.snapshots.has_changed().unwrap());
    assert_eq!(
        running.handle.connect(proxy("b", "shop", Role::Sidecar)).await.unwrap_err(),
        ConnectError::Bug
    );
    assert!(running.metrics.render().contains("pilothouse_compile_panics_total 2"));

    running.world.panics(false);
    touch(&running.changes).await;
    connection.snapshots.changed().await.unwrap();
    assert!(!running.loop_end.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_bug_is_counted_once_and_who_waits_for_its_end_is_kept_in_mind_once() {
    let running = start();
    touch(&running.changes).await;
    running.revision(1).await;
    running.world.bug(Some("working out something failed"));
    touch(&running.changes).await;
    running.revision(2).await;
    for _ in 0..3 {
        let refused = running.handle.connect(proxy("cart-1", "shop", Role::Sidecar)).await.unwrap_err();
        assert_eq!(refused, ConnectError::Bug);
    }
    assert_eq!(running.world.proxies(), 1);
    let metrics = running.metrics.render();
    assert!(metrics.contains("pilothouse_compile_panics_total 1"), "{metrics}");
    assert!(metrics.contains("pilothouse_compile_bugs 1"), "{metrics}");

    // Another one, whose pod goes.
    running.world.pod("cart-2.shop", "uid", "default");
    running.handle.connect(proxy("cart-2", "shop", Role::Sidecar)).await.unwrap_err();
    assert_eq!(running.world.proxies(), 2);
    running.world.remove_pod("cart-2.shop");
    let gone = Change::Remove { key: ObjectKey::new(Kind::Pod, "shop", "cart-2") };
    running.changes.send(vec![gone]).await.unwrap();
    running.revision(3).await;
    assert_eq!(running.world.proxies(), 1);

    running.world.bug(None);
    touch(&running.changes).await;
    running.revision(4).await;
    assert_eq!(running.world.proxies(), 0, "it comes again by itself");
    running.handle.connect(proxy("cart-1", "shop", Role::Sidecar)).await.unwrap();
    assert!(running.metrics.render().contains("pilothouse_compile_bugs 0"));
}
