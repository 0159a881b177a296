use super::*;

#[tokio::test(start_paused = true)]
async fn a_test_clock_moves_with_paused_time() {
    let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
    let before = clock.monotonic();
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(clock.unix_seconds(), 1_030);
    assert_eq!(clock.monotonic() - before, Duration::from_secs(30));
}

#[test]
fn the_machines_clock_is_past_the_day_this_was_written() {
    assert!(Clock::system().unix_seconds() > 1_790_000_000);
}

#[tokio::test]
async fn a_clock_before_1970_counts_as_1970() {
    let clock = Clock::starting_at(SystemTime::UNIX_EPOCH - Duration::from_mins(1));
    assert_eq!(clock.unix_seconds(), 0);
}
