use bytes::BytesMut;
use pilothouse_envoy_api::discovery::{DeltaDiscoveryResponse, DiscoveryResponse};

use super::*;

fn item(body: &[u8]) -> Outgoing {
    Outgoing {
        response: Response {
            kind: ResourceType::Secret,
            nonce: "7".to_owned(),
            resources: vec![
                Arc::new(Resource::new("ROOTCA", body.to_vec(), [])),
                Arc::new(Resource::new("default", vec![1; 300], [])),
            ],
            removed: vec![Arc::from("gone"), Arc::from("away")],
            version_info: "42".to_owned(),
        },
        versions: vec![(Arc::from("default"), "leaf1.x".to_owned())],
    }
}

fn encoded(protocol: Protocol, item: &Outgoing) -> BytesMut {
    let mut out = BytesMut::new();
    write(protocol, item, &mut out);
    assert!(out.len() <= encoded_length(protocol, item));
    out
}

#[test]
fn delta_responses_read_back() {
    for length in [0, 1, 127, 128, 20_000] {
        let item = item(&vec![9; length]);
        let message = DeltaDiscoveryResponse::decode(encoded(Protocol::Delta, &item)).unwrap();
        assert_eq!(message.system_version_info, "42");
        assert_eq!(message.nonce, "7");
        assert_eq!(message.type_url, ResourceType::Secret.type_url());
        assert_eq!(message.removed_resources, ["gone", "away"]);
        let [root, leaf] = &message.resources[..] else { panic!("two resources") };
        assert_eq!((root.name.as_str(), leaf.name.as_str()), ("ROOTCA", "default"));
        assert_eq!(root.version, item.response.resources[0].version.to_string());
        assert_eq!(leaf.version, "leaf1.x");
        let any = root.resource.as_ref().unwrap();
        assert_eq!(any.type_url, ResourceType::Secret.type_url());
        assert_eq!(any.value.len(), length);
    }
}

#[test]
fn sotw_responses_read_back() {
    let item = item(&[9; 200]);
    let message = DiscoveryResponse::decode(encoded(Protocol::Sotw, &item)).unwrap();
    assert_eq!((message.version_info.as_str(), message.nonce.as_str()), ("42", "7"));
    assert_eq!(message.type_url, ResourceType::Secret.type_url());
    assert_eq!(message.resources.iter().map(|any| any.value.len()).collect::<Vec<_>>(), [200, 300]);
}

#[test]
fn requests_of_unknown_types_are_kept_apart() {
    let message =
        DeltaDiscoveryRequest { type_url: "type.googleapis.com/a.B".to_owned(), ..Default::default() };
    assert_eq!(delta(message).request, Err("type.googleapis.com/a.B".to_owned()));
}
