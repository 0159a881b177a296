use std::time::UNIX_EPOCH;

use pilothouse_runtime::Metrics;

use super::*;

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn streams(most: usize) -> Streams {
    Streams::new(most, 2, DiscoveryMetrics::new(&Metrics::new()))
}

fn questions() -> mpsc::Sender<Question> {
    mpsc::channel(1).0
}

#[test]
fn a_place_is_given_back() {
    let streams = streams(2);
    let (first, second) = (streams.open().unwrap(), streams.open().unwrap());
    assert!(second.id > first.id);
    assert_eq!(streams.open().unwrap_err(), Refusal::TooManyStreams);
    drop(first);
    streams.open().unwrap();
}

#[test]
fn workloads_are_counted_apart() {
    let streams = streams(10);
    let (a, b): (Arc<str>, Arc<str>) = (Arc::from("a"), Arc::from("b"));
    let mut places: Vec<_> = (0..4).map(|_| streams.open().unwrap()).collect();
    places[0].admit(&a, "x.y".to_owned(), LOCAL, questions()).unwrap();
    places[1].admit(&a, "x.y".to_owned(), LOCAL, questions()).unwrap();
    assert_eq!(places[2].admit(&a, "x.y".to_owned(), LOCAL, questions()), Err(Refusal::TooManyOfWorkload));
    places[2].admit(&b, "x.y".to_owned(), LOCAL, questions()).unwrap();
    places.remove(0);
    places[2].admit(&a, "x.y".to_owned(), LOCAL, questions()).unwrap();
    drop(places);
    assert!(streams.state().of_workload.is_empty());
    assert!(streams.state().admitted.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_answer_is_left_out() {
    let streams = streams(2);
    let mut place = streams.open().unwrap();
    let (questions, asked) = mpsc::channel(1);
    place.admit(&Arc::from("a"), "x.y".to_owned(), LOCAL, questions).unwrap();
    assert!(streams.status().await.is_empty());
    drop(asked);
}

#[test]
fn a_refusal_is_said_again_after_a_while_only() {
    let said = Said::default();
    let at = |minutes| UNIX_EPOCH + Duration::from_mins(minutes);
    assert!(said.first("a", at(100)));
    assert!(!said.first("a", at(105)));
    assert!(said.first("b", at(105)));
    assert!(said.first("a", at(111)));
    for other in 0..2 * SAID {
        said.first(&other.to_string(), at(111));
    }
    assert_eq!(said.0.lock().unwrap().len(), SAID);
}

#[test]
fn a_second_address_of_a_workload_is_noticed() {
    let streams = streams(10);
    let a: Arc<str> = Arc::from("a");
    let far: IpAddr = "10.0.0.9".parse().unwrap();
    let mut places: Vec<_> = (0..2).map(|_| streams.open().unwrap()).collect();
    assert_eq!(places[0].admit(&a, "x.y".to_owned(), LOCAL, questions()), Ok(None));
    assert_eq!(places[1].admit(&a, "x.y".to_owned(), far, questions()), Ok(Some(LOCAL)));
}

fn went(proxy: &str) -> Gone {
    let last = ProxyStatus {
        proxy: proxy.to_owned(),
        role: "sidecar".to_owned(),
        protocol: "delta".to_owned(),
        envoy: None,
        identity: String::new(),
        authenticated: true,
        peer: String::new(),
        stream: 1,
        connected: 0,
        revision: 0,
        acknowledged: 0,
        types: BTreeMap::new(),
        certificate: None,
    };
    Gone { last, since: 0, reason: "over".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn those_that_went_are_bounded_in_number_and_age() {
    let streams = streams(10);
    for one in 0..SHOWN_GONE + 5 {
        streams.open().unwrap().gone(went(&format!("x-{one:05}.y")));
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let shown = streams.gone();
    assert_eq!(shown.len(), SHOWN_GONE);
    assert_eq!(shown[0].last.proxy, "x-00005.y");
    tokio::time::advance(SHOW_GONE).await;
    assert_eq!(streams.gone(), []);
}

#[tokio::test]
async fn a_proxy_with_another_stream_has_not_gone() {
    let streams = streams(10);
    let a: Arc<str> = Arc::from("a");
    let mut places: Vec<_> = (0..2).map(|_| streams.open().unwrap()).collect();
    for place in &mut places {
        place.admit(&a, "x.y".to_owned(), LOCAL, questions()).unwrap();
    }
    places[0].gone(went("x.y"));
    assert_eq!(streams.gone(), []);
    places.remove(0);
    places[0].gone(went("x.y"));
    assert_eq!(streams.gone().len(), 1);
    places.remove(0);
    let mut back = streams.open().unwrap();
    back.admit(&a, "x.y".to_owned(), LOCAL, questions()).unwrap();
    assert_eq!(streams.gone(), []);
}
