use pilothouse_envoy_api::core::BuildVersion;
use pilothouse_envoy_api::types::SemanticVersion;

use super::*;

#[test]
fn reads_ids() {
    let id = NodeId::parse("sidecar~10.0.0.7~cart-v1.2.shop~shop.svc.cluster.local").unwrap();
    assert_eq!(id.role, NodeRole::Sidecar);
    assert_eq!(id.address, Some("10.0.0.7".parse().unwrap()));
    assert_eq!((id.pod.as_str(), id.namespace.as_str()), ("cart-v1.2", "shop"));
    let id = NodeId::parse("router~fd00::1~gw.edge~edge.svc.cluster.local").unwrap();
    assert_eq!(id.role, NodeRole::Router);
}

#[test]
fn refuses_other_texts() {
    assert_eq!(NodeId::parse(""), Err(NodeError::Missing));
    assert_eq!(NodeId::parse("waypoint~1.1.1.1~a.b~c"), Err(NodeError::Role("waypoint".to_owned())));
    let long = format!("sidecar~1.1.1.1~{}.b~c", "a".repeat(2000));
    for bad in [
        "a.b",
        "sidecar~1.1.1.1~a.b",
        "sidecar~1.1.1.1~a.b~c~d",
        "sidecar~nine~a.b~c",
        "sidecar~1.1.1.1~ab~c",
        "sidecar~1.1.1.1~.b~c",
        "sidecar~1.1.1.1~a.~c",
        "sidecar~1.1.1.1~a/x.b~c",
        &long,
    ] {
        assert_eq!(NodeId::parse(bad), Err(NodeError::Form), "{bad}");
    }
}

fn with_version(major: u32, minor: u32) -> core::Node {
    let version = SemanticVersion { major_number: major, minor_number: minor, patch: 1 };
    let build = BuildVersion { version: Some(version), metadata: None };
    core::Node {
        user_agent_version_type: Some(UserAgentVersionType::UserAgentBuildVersion(build)),
        ..core::Node::default()
    }
}

#[test]
fn old_envoys_hear_why() {
    let error = version(&with_version(1, 36)).unwrap_err();
    assert_eq!(error.to_string(), "Envoy 1.36.1 is too old: this control plane serves 1.37.0 and newer");
    assert!(version(&with_version(1, 37)).is_ok());
    assert!(version(&with_version(2, 0)).is_ok());
    assert_eq!(version(&core::Node::default()), Ok(None));
}
