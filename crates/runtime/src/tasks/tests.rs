use super::*;
use std::io;

/// Runs until stop is said.
async fn obedient(stop: Stop) -> Result<(), io::Error> {
    stop.stopped().await;
    Ok(())
}

#[tokio::test]
async fn ends_well_when_stop_is_said_from_outside() {
    let (stopper, stop) = Stop::pair();
    let mut tasks = Tasks::new(&stop);
    tasks.spawn("one", obedient(tasks.stop()));
    tasks.spawn("two", obedient(tasks.stop()));
    stopper.stop();
    tasks.run().await.unwrap();
}

#[tokio::test]
async fn a_task_that_just_returns_stops_the_rest_and_is_named() {
    let (_stopper, stop) = Stop::pair();
    let mut tasks = Tasks::new(&stop);
    let heard = tasks.stop();
    tasks.spawn("steady", obedient(tasks.stop()));
    tasks.spawn("hasty", async { Ok::<(), io::Error>(()) });
    let error = tasks.run().await.unwrap_err();
    assert!(matches!(error, RunError::Ended { task: "hasty" }), "{error}");
    assert!(heard.is_stopped());
    assert!(!stop.is_stopped(), "the caller's other parts are not stopped");
}

#[tokio::test]
async fn a_failure_carries_its_cause() {
    let (_stopper, stop) = Stop::pair();
    let mut tasks = Tasks::new(&stop);
    tasks.spawn("steady", obedient(tasks.stop()));
    tasks.spawn("xds", async { Err(io::Error::other("address in use")) });
    let error = tasks.run().await.unwrap_err();
    assert_eq!(with_causes(&error), "xds failed: address in use");
}

#[tokio::test]
async fn a_panic_is_named_with_its_message() {
    let (_stopper, stop) = Stop::pair();
    let mut tasks = Tasks::new(&stop);
    tasks.spawn("steady", obedient(tasks.stop()));
    tasks.spawn("buggy", async {
        let empty: Vec<u8> = Vec::new();
        assert_eq!(empty.len(), 1, "an endpoint was expected");
        Ok::<(), io::Error>(())
    });
    let error = tasks.run().await.unwrap_err();
    assert!(
        matches!(&error, RunError::Panicked { task: "buggy", message } if message.contains("an endpoint was expected")),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_stop_in_time_is_cut_off_and_named() {
    let (stopper, stop) = Stop::pair();
    let mut tasks = Tasks::new(&stop).with_grace(Duration::from_secs(3));
    tasks.spawn("obedient", obedient(tasks.stop()));
    tasks.spawn("deaf", std::future::pending::<Result<(), io::Error>>());
    tasks.spawn("also deaf", std::future::pending::<Result<(), io::Error>>());
    stopper.stop();
    let before = tokio::time::Instant::now();
    let error = tasks.run().await.unwrap_err();
    assert_eq!(error.to_string(), "did not stop within 3s: also deaf, deaf");
    assert_eq!(before.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn tasks_get_their_grace_to_finish_what_they_do() {
    let (stopper, stop) = Stop::pair();
    let mut tasks = Tasks::new(&stop);
    let heard = tasks.stop();
    tasks.spawn("drains", async move {
        heard.stopped().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok::<(), io::Error>(())
    });
    stopper.stop();
    tasks.run().await.unwrap();
}

#[tokio::test]
async fn the_first_failure_is_the_result_even_when_others_fail_while_stopping() {
    let (_stopper, stop) = Stop::pair();
    let mut tasks = Tasks::new(&stop);
    let heard = tasks.stop();
    tasks.spawn("second", async move {
        heard.stopped().await;
        Err(io::Error::other("late"))
    });
    tasks.spawn("first", async { Err(io::Error::other("early")) });
    assert_eq!(with_causes(&tasks.run().await.unwrap_err()), "first failed: early");
}

#[tokio::test]
async fn a_failure_while_stopping_is_not_lost() {
    let (stopper, stop) = Stop::pair();
    let mut tasks = Tasks::new(&stop);
    let heard = tasks.stop();
    tasks.spawn("store", async move {
        heard.stopped().await;
        Err(io::Error::other("disk full"))
    });
    stopper.stop();
    assert_eq!(with_causes(&tasks.run().await.unwrap_err()), "store failed: disk full");
}

#[tokio::test]
async fn an_empty_set_ends_at_once() {
    let (_stopper, stop) = Stop::pair();
    Tasks::new(&stop).run().await.unwrap();
}
