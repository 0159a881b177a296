use bytes::Bytes;
use pilothouse_envoy_api as envoy;
use pilothouse_envoy_api::cluster::{Cluster, cluster};
use pilothouse_envoy_api::core::{
    AggregatedConfigSource, ConfigSource, config_source::ConfigSourceSpecifier,
};
use pilothouse_envoy_api::hcm::{HttpConnectionManager, Rds, http_connection_manager::RouteSpecifier};
use pilothouse_envoy_api::listener::{Filter, FilterChain, Listener, filter};
use pilothouse_envoy_api::route::RouteConfiguration;

use super::*;
use crate::proxy::Proxy;

fn client(protocol: Protocol) -> Client {
    Client::new(protocol, Proxy::numbered("shop", "web", 0).node(), Arc::default())
}

fn resource(name: &str, message: &impl prost::Name) -> Resource {
    Resource { name: name.into(), body: envoy::encode(message).into() }
}

fn cluster(name: &str) -> Resource {
    let kind = cluster::ClusterDiscoveryType::Type(cluster::DiscoveryType::Eds as i32);
    let message = Cluster { name: name.into(), cluster_discovery_type: Some(kind), ..Default::default() };
    resource(name, &message)
}

fn listener(name: &str, table: &str) -> Resource {
    let specifier = ConfigSourceSpecifier::Ads(AggregatedConfigSource::default());
    let source = ConfigSource { config_source_specifier: Some(specifier), ..Default::default() };
    let rds = Rds { config_source: Some(source), route_config_name: table.into() };
    let manager =
        HttpConnectionManager { route_specifier: Some(RouteSpecifier::Rds(rds)), ..Default::default() };
    let config = Some(filter::ConfigType::TypedConfig(envoy::pack(&manager)));
    let filters = vec![Filter { name: "http".into(), config_type: config }];
    let chain = FilterChain { filters, ..Default::default() };
    resource(name, &Listener { name: name.into(), filter_chains: vec![chain], ..Default::default() })
}

fn table(name: &str, split: bool) -> Resource {
    let vhds = split.then(Default::default);
    resource(name, &RouteConfiguration { name: name.into(), vhds, ..Default::default() })
}

fn response(kind: Kind, nonce: &str, resources: Vec<Resource>) -> Response {
    let (type_url, nonce) = (kind.type_url().to_owned(), nonce.to_owned());
    Response { type_url, nonce, version: "v".into(), resources, removed: Vec::new() }
}

/// `TYPE +subscribed -unsubscribed =acknowledged !refused`.
fn said(requests: &[Request]) -> Vec<String> {
    let short = |url: &str| Kind::of(url).map_or_else(|| url.to_owned(), |kind| kind.short().to_owned());
    let one = |request: &Request| match request {
        Request::Delta(request) => {
            let mut text = short(&request.type_url);
            request.resource_names_subscribe.iter().for_each(|name| text.extend([" +", name]));
            request.resource_names_unsubscribe.iter().for_each(|name| text.extend([" -", name]));
            if !request.response_nonce.is_empty() {
                text.extend([" =", &request.response_nonce]);
            }
            text + if request.error_detail.is_some() { " !" } else { "" }
        }
        Request::Sotw(request) => {
            let names = request.resource_names.join(",");
            format!(
                "{} {names} v{} ={}",
                short(&request.type_url),
                request.version_info,
                request.response_nonce
            )
        }
    };
    requests.iter().map(one).collect()
}

#[test]
fn it_asks_for_one_thing_after_the_other_and_is_configured_at_the_end() {
    let mut client = client(Protocol::Delta);
    let Request::Delta(first) = client.open() else { panic!("the dialect was given") };
    assert!(first.node.is_some());
    assert_eq!(said(&[Request::Delta(first)]), ["CDS"]);

    let mut take = |kind, nonce, resources| {
        let requests = said(&client.receive(&response(kind, nonce, resources)));
        (requests, client.is_configured())
    };
    let (requests, _) = take(Kind::Cluster, "1", vec![cluster("a"), cluster("b")]);
    assert_eq!(requests, ["CDS =1", "EDS +a +b"]);
    let (requests, _) = take(Kind::Endpoints, "2", vec![resource("a", &Cluster::default())]);
    assert_eq!(requests, ["EDS =2"], "the other cluster still waits");
    let (requests, _) = take(Kind::Endpoints, "3", vec![resource("b", &Cluster::default())]);
    assert_eq!(requests, ["EDS =3", "LDS"]);
    let (requests, done) = take(Kind::Listener, "4", vec![listener("x", "80"), listener("y", "81")]);
    assert_eq!((requests, done), (vec!["LDS =4".into(), "RDS +80 +81".into()], false));
    let (requests, done) = take(Kind::Routes, "5", vec![table("80", true), table("81", false)]);
    assert_eq!((requests, done), (vec!["RDS =5".into(), "VHDS".into()], false));
    let host = Resource { name: "80/a.shop".into(), body: Bytes::new() };
    assert_eq!(take(Kind::VirtualHost, "6", vec![host]), (vec!["VHDS =6".into()], true));
    // The table again: its hosts are known.
    assert_eq!(take(Kind::Routes, "7", vec![table("80", true)]), (vec!["RDS =7".into()], true));
}

#[test]
fn it_follows_what_comes_and_goes() {
    let mut client = client(Protocol::Delta);
    client.open();
    client.receive(&response(Kind::Cluster, "1", vec![cluster("a"), cluster("b")]));
    let mut gone = response(Kind::Cluster, "2", vec![cluster("c")]);
    gone.removed = vec!["a".into()];
    assert_eq!(said(&client.receive(&gone)), ["CDS =2", "EDS +c -a"]);
    // That an assignment does not exist is an answer too.
    let mut missing = response(Kind::Endpoints, "3", vec![resource("b", &Cluster::default())]);
    missing.removed = vec!["c".into()];
    assert_eq!(said(&client.receive(&missing)), ["EDS =3", "LDS"]);
}

#[test]
fn in_the_state_of_the_world_it_names_everything_each_time() {
    let mut client = client(Protocol::Sotw);
    assert_eq!(said(&[client.open()]), ["CDS  v ="]);
    let requests = client.receive(&response(Kind::Cluster, "1", vec![cluster("a"), cluster("b")]));
    assert_eq!(said(&requests), ["CDS  vv =1", "EDS a,b v ="]);
    let both = vec![resource("a", &Cluster::default()), resource("b", &Cluster::default())];
    assert_eq!(said(&client.receive(&response(Kind::Endpoints, "2", both))), ["EDS a,b vv =2", "LDS  v ="]);
    let requests = client.receive(&response(Kind::Cluster, "3", vec![cluster("b")]));
    assert_eq!(said(&requests), ["CDS  vv =3", "EDS b vv =2"], "what is not named is gone");
}

#[test]
fn what_it_cannot_read_it_refuses() {
    let mut client = client(Protocol::Delta);
    client.open();
    let broken = Resource { name: "a".into(), body: Bytes::from_static(&[0xff]) };
    let requests = client.receive(&response(Kind::Cluster, "1", vec![broken, cluster("b")]));
    assert_eq!(said(&requests), ["CDS =1 !", "EDS +b"]);
}

#[test]
fn a_type_nobody_asked_for_is_acknowledged() {
    let mut client = client(Protocol::Delta);
    client.open();
    let strange = Response { type_url: "x".into(), nonce: "9".into(), ..Response::default() };
    assert_eq!(said(&client.receive(&strange)), ["x =9"]);
}
