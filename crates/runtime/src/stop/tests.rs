use super::*;

#[tokio::test]
async fn every_clone_hears_it_and_late_listeners_too() {
    let (stopper, stop) = Stop::pair();
    let other = stop.clone();
    assert!(!stop.is_stopped());
    stopper.stop();
    stop.stopped().await;
    other.into_stopped().await;
    assert!(stop.is_stopped());
}

#[tokio::test]
async fn a_narrower_stop_hears_the_wider_one_and_not_the_reverse() {
    let (stopper, wide) = Stop::pair();
    let (inner, narrow) = wide.narrower();
    inner.stop();
    assert!(narrow.is_stopped());
    assert!(!wide.is_stopped());

    let (_kept, narrow) = wide.narrower();
    stopper.stop();
    narrow.stopped().await;
}

#[tokio::test]
async fn dropping_the_stopper_says_nothing() {
    let (stopper, stop) = Stop::pair();
    drop(stopper);
    assert!(!stop.is_stopped());
}
