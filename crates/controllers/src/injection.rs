//! What the cluster says about injection: the mesh settings and the objects of the kind `ProxyConfig`, now and from now on.
//!
//! They are handed on as they are written. While the API server is away, what was heard last holds.

use std::collections::BTreeMap;
use std::convert::Infallible;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use pilothouse_runtime::{Group, Stop};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::bundles::REVISION;
use crate::mirror::{Event, Which, mirror};

/// The key of the settings in their ConfigMap.
const MESH: &str = "mesh";
/// Events that may wait.
const WAITING: usize = 64;

/// Who is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhichSettings {
    /// The namespace of the control plane.
    pub namespace: String,
    /// The ConfigMaps with mesh settings, the one that counts most last.
    pub maps: Vec<String>,
    /// The name of this control plane: objects labelled for another one do not count.
    pub revision: String,
}

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// The texts of the mesh settings there are, the one that counts most last.
    pub mesh: Vec<String>,
    /// Objects of the kind `ProxyConfig`, by namespace and name.
    pub proxy_configs: Vec<Value>,
}

/// Tells what is heard, until stop is said. Nothing is told before both were heard once, but that there are no `ProxyConfig` as
/// long as their definition is missing.
pub async fn follow(
    client: Client,
    which: WhichSettings,
    heard: watch::Sender<Option<Heard>>,
    stop: Stop,
) -> Result<(), Infallible> {
    let (maps_in, mut maps) = mpsc::channel(WAITING);
    let (objects_in, mut objects) = mpsc::channel(WAITING);
    let group = Group::new("injection");
    let home: Api<ConfigMap> = Api::namespaced(client.clone(), &which.namespace);
    group.spawn("maps", mirror("mesh settings", home, Which::default(), maps_in, stop.clone()));
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("networking.istio.io", "v1beta1", "ProxyConfig"));
    let all: Api<DynamicObject> = Api::all_with(client, &kind);
    group.spawn("objects", mirror("proxy configs", all, Which::default(), objects_in, stop.clone()));
    let mut texts: Option<BTreeMap<String, String>> = None;
    let mut configs: BTreeMap<(String, String), Value> = BTreeMap::new();
    loop {
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            Some(event) = maps.recv() => {
                let texts = texts.get_or_insert_default();
                match event {
                    Event::All(all) => *texts = all.into_iter().filter_map(text).collect(),
                    Event::Applied(one) => {
                        texts.remove(&one.name_any());
                        texts.extend(text(one));
                    }
                    Event::Deleted(one) => drop(texts.remove(&one.name_any())),
                }
            }
            Some(event) = objects.recv() => match event {
                Event::All(all) => {
                    configs = all.into_iter().filter_map(|one| entry(one, &which.revision)).collect();
                }
                Event::Applied(one) => {
                    configs.remove(&key(&one));
                    configs.extend(entry(one, &which.revision));
                }
                Event::Deleted(one) => drop(configs.remove(&key(&one))),
            },
        }
        let Some(texts) = &texts else { continue };
        let mesh = which.maps.iter().filter_map(|name| texts.get(name)).cloned().collect();
        let now = Some(Heard { mesh, proxy_configs: configs.values().cloned().collect() });
        heard.send_if_modified(|before| {
            let differs = *before != now;
            if differs {
                *before = now;
            }
            differs
        });
    }
}

/// The name of a ConfigMap and its mesh settings, if it holds any.
fn text(map: ConfigMap) -> Option<(String, String)> {
    let name = map.name_any();
    Some((name, map.data?.remove(MESH)?))
}

fn key(object: &DynamicObject) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// An object that is meant for this control plane.
fn entry(object: DynamicObject, revision: &str) -> Option<((String, String), Value)> {
    if object.labels().get(REVISION).is_some_and(|label| label != revision) {
        return None;
    }
    let key = key(&object);
    Some((key, serde_json::to_value(object).ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn objects_for_another_control_plane_do_not_count() {
        let object = |labels: Value| -> DynamicObject {
            from_value(json!({
                "apiVersion": "networking.istio.io/v1beta1", "kind": "ProxyConfig",
                "metadata": {"name": "a", "namespace": "b", "labels": labels}, "spec": {"concurrency": 2},
            }))
            .unwrap()
        };
        let found = entry(object(json!({})), "default").unwrap();
        assert_eq!(found.0, ("b".to_owned(), "a".to_owned()));
        assert_eq!(found.1["spec"]["concurrency"], 2);
        assert!(entry(object(json!({REVISION: "default"})), "default").is_some());
        assert!(entry(object(json!({REVISION: "canary"})), "default").is_none());
    }

    #[test]
    fn a_map_without_settings_says_nothing() {
        let map = |data: Value| -> ConfigMap {
            from_value(json!({"metadata": {"name": "istio"}, "data": data})).unwrap()
        };
        assert_eq!(text(map(json!({"mesh": "a: 1"}))), Some(("istio".to_owned(), "a: 1".to_owned())));
        assert_eq!(text(map(json!({"other": "a: 1"}))), None);
    }
}
