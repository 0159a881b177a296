use super::*;

#[test]
fn says_what_is_missing_in_order() {
    let all = Readiness::new();
    assert!(all.is_ready());
    let sockets = all.condition("sockets are bound");
    let key = all.condition("the CA has a key");
    assert_eq!(all.missing(), ["sockets are bound", "the CA has a key"]);
    sockets.ready();
    assert_eq!(all.missing(), ["the CA has a key"]);
    key.ready();
    assert!(all.is_ready());
    sockets.lost();
    assert_eq!(all.missing(), ["sockets are bound"]);
}

#[test]
fn a_condition_whose_part_died_stays_missing() {
    let all = Readiness::new();
    drop(all.condition("the folder was read once"));
    assert_eq!(all.missing(), ["the folder was read once"]);
}

#[test]
fn a_condition_may_have_others_beside_it() {
    let all = Readiness::new();
    let read = all.condition("the site is read");
    let may = read.beside("we may read pods");
    read.ready();
    assert_eq!(all.missing(), ["we may read pods"]);
    may.ready();
    assert!(all.is_ready());
}

#[test]
fn closing_wins_over_every_condition() {
    let all = Readiness::new();
    let one = all.condition("one");
    one.ready();
    all.close("stopping");
    one.ready();
    assert_eq!(all.missing(), ["stopping"]);
    assert!(!all.is_ready());
}

#[tokio::test]
async fn waits_for_the_last_condition() {
    let all = Readiness::new();
    let (one, two) = (all.condition("one"), all.condition("two"));
    let waits = all.clone();
    let ready = async move { waits.ready().await };
    tokio::pin!(ready);
    one.ready();
    assert!(tokio::time::timeout(std::time::Duration::from_millis(1), &mut ready).await.is_err());
    two.ready();
    ready.await;
}
