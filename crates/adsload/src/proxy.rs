//! Who a simulated proxy says it is.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use pilothouse_envoy_api::core::{self, BuildVersion, node::UserAgentVersionType};
use pilothouse_envoy_api::types::SemanticVersion;
use pilothouse_envoy_api::{Struct, Value, value};
use serde::Deserialize;

/// The Envoy it says it is.
const ENVOY: SemanticVersion = SemanticVersion { major_number: 1, minor_number: 40, patch: 0 };
/// The agent that would have started it.
const ISTIO: &str = "1.30.0";

/// The sidecar of a pod.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxy {
    /// The name of the pod.
    pub pod: String,
    /// Its namespace.
    pub namespace: String,
    /// Its address.
    pub address: IpAddr,
    /// Its account.
    #[serde(default)]
    pub service_account: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What proves it, where the server wants a proof.
    #[serde(default)]
    pub token: Option<Token>,
}

/// A bearer token. Its text appears in no log.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// A token with that text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(..)")
    }
}

impl Proxy {
    /// The sidecar number `number` of made-up pods `PREFIX-0`, `PREFIX-1` and so on of one workload.
    pub fn numbered(namespace: &str, prefix: &str, number: u32) -> Self {
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 200, 0, 1)).wrapping_add(number));
        Self {
            pod: format!("{prefix}-{number}"),
            namespace: namespace.to_owned(),
            address: address.into(),
            service_account: "default".to_owned(),
            labels: BTreeMap::from([("app".to_owned(), prefix.to_owned())]),
            token: None,
        }
    }

    /// What Istio's agent has an Envoy say about itself, as far as servers look at it.
    pub fn node(&self) -> core::Node {
        let Self { pod, namespace, address, service_account, labels, token: _ } = self;
        let app = labels.get("app").map_or(pod.as_str(), String::as_str);
        let labels = labels.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        let metadata = [
            ("CLUSTER_ID", text("Kubernetes")),
            ("INSTANCE_IPS", text(&address.to_string())),
            ("INTERCEPTION_MODE", text("REDIRECT")),
            ("ISTIO_VERSION", text(ISTIO)),
            ("LABELS", Value { kind: Some(value::Kind::StructValue(Struct { fields: labels })) }),
            ("MESH_ID", text("cluster.local")),
            ("NAME", text(pod)),
            ("NAMESPACE", text(namespace)),
            ("SERVICE_ACCOUNT", text(service_account)),
            ("WORKLOAD_NAME", text(app)),
        ];
        core::Node {
            id: format!("sidecar~{address}~{pod}.{namespace}~{namespace}.svc.cluster.local"),
            cluster: format!("{app}.{namespace}"),
            metadata: Some(Struct {
                fields: metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            }),
            user_agent_name: "envoy".to_owned(),
            user_agent_version_type: Some(UserAgentVersionType::UserAgentBuildVersion(BuildVersion {
                version: Some(ENVOY),
                metadata: None,
            })),
            ..core::Node::default()
        }
    }
}

fn text(text: &str) -> Value {
    Value { kind: Some(value::Kind::StringValue(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_introduces_itself_as_a_sidecar() {
        let node = Proxy::numbered("shop", "web", 300).node();
        assert_eq!(node.id, "sidecar~10.200.1.45~web-300.shop~shop.svc.cluster.local");
        assert_eq!(node.cluster, "web.shop");
    }

    #[test]
    fn a_token_is_read_and_not_shown() {
        let json = r#"[{"pod": "a", "namespace": "b", "address": "10.0.0.1", "token": "secret"}]"#;
        let proxies: Vec<Proxy> = serde_json::from_str(json).unwrap();
        assert_eq!(proxies[0].token.as_ref().unwrap().expose(), "secret");
        assert!(!format!("{proxies:?}").contains("secret"));
        assert!(serde_json::from_str::<Proxy>(r#"{"pod": "a", "namespaces": "b"}"#).is_err());
    }
}
