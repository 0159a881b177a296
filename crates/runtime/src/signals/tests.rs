use super::*;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

#[tokio::test]
async fn a_request_to_terminate_says_stop() {
    let (stopper, stop) = Stop::pair();
    let mut listening = pin!(stop_on_signals(stopper, stop.clone()));
    // The first poll starts listening; only then is it safe to send ourselves a signal.
    poll_fn(|context| {
        assert!(listening.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    let sent = tokio::process::Command::new("kill")
        .args(["-TERM", &std::process::id().to_string()])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
    listening.await.unwrap();
    assert!(stop.is_stopped());
}

#[tokio::test]
async fn it_ends_when_others_say_stop() {
    let (stopper, stop) = Stop::pair();
    stopper.clone().stop();
    stop_on_signals(stopper, stop).await.unwrap();
}
