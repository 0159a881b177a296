//! The mesh settings of a site, from one ConfigMap or two.

use serde_json::{Map, Value, json};

use crate::objects;

/// The key of the settings.
const MESH: &str = "mesh";

/// The ConfigMaps that hold mesh settings.
#[derive(Debug, Default)]
pub(super) struct MeshMaps {
    /// The own one.
    pub(super) own: Option<Value>,
    /// The one that several control planes share.
    pub(super) shared: Option<Value>,
}

impl MeshMaps {
    /// One ConfigMap that says the same: what the own one sets holds, and what it does not say is looked up in the shared one,
    /// field by field. None if there is none. One that cannot be read is handed on alone, so that the judge says so.
    pub(super) fn merged(&self) -> Option<Value> {
        let (own, shared) = match (&self.own, &self.shared) {
            (Some(own), Some(shared)) => (own, shared),
            (Some(one), None) | (None, Some(one)) => return Some(one.clone()),
            (None, None) => return None,
        };
        let parse = |map: &Value| objects::parse(text(map, MESH).unwrap_or_default());
        let Ok(upper) = parse(own) else { return Some(own.clone()) };
        let Ok(lower) = parse(shared) else { return Some(shared.clone()) };
        let mut data = Map::from_iter([(MESH.to_owned(), json!(over(lower, upper).to_string()))]);
        if let Some(networks) = text(own, "meshNetworks").or_else(|| text(shared, "meshNetworks")) {
            data.insert("meshNetworks".to_owned(), networks.into());
        }
        let mut merged = own.clone();
        if let Some(map) = merged.as_object_mut() {
            map.insert("data".to_owned(), Value::Object(data));
        }
        Some(merged)
    }
}

fn text<'v>(map: &'v Value, key: &str) -> Option<&'v str> {
    map.get("data")?.get(key)?.as_str()
}

/// The upper value, with fields of the lower one where it has none.
fn over(lower: Value, upper: Value) -> Value {
    match (lower, upper) {
        (Value::Object(mut lower), Value::Object(upper)) => {
            for (field, value) in upper {
                let value = match lower.remove(&field) {
                    Some(below) => over(below, value),
                    None => value,
                };
                lower.insert(field, value);
            }
            Value::Object(lower)
        }
        (lower, Value::Null) => lower,
        (_, upper) => upper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &str, mesh: &str) -> Value {
        json!({"metadata": {"name": name}, "data": {"mesh": mesh}})
    }

    #[test]
    fn the_own_settings_lie_over_the_shared_ones() {
        let shared = map(
            "shared",
            "trustDomain: a.example\nconnectTimeout: 1s\noutboundTrafficPolicy: { mode: ALLOW_ANY }\n",
        );
        let own = map("istio", "connectTimeout: 2s\n");
        let merged = MeshMaps { own: Some(own.clone()), shared: Some(shared.clone()) }.merged().unwrap();
        assert_eq!(merged["metadata"]["name"], "istio");
        let settings: Value = serde_json::from_str(merged["data"]["mesh"].as_str().unwrap()).unwrap();
        let expected = json!({"trustDomain": "a.example", "connectTimeout": "2s", "outboundTrafficPolicy": {"mode": "ALLOW_ANY"}});
        assert_eq!(settings, expected);
        assert_eq!(MeshMaps { own: Some(own.clone()), shared: None }.merged(), Some(own));
        assert_eq!(MeshMaps { own: None, shared: Some(shared.clone()) }.merged(), Some(shared));
        assert_eq!(MeshMaps::default().merged(), None);
    }

    #[test]
    fn settings_that_cannot_be_read_are_handed_on() {
        let (broken, good) = (map("a", "x: [\n"), map("b", "connectTimeout: 2s\n"));
        assert_eq!(
            MeshMaps { own: Some(broken.clone()), shared: Some(good.clone()) }.merged(),
            Some(broken.clone())
        );
        assert_eq!(MeshMaps { own: Some(good), shared: Some(broken.clone()) }.merged(), Some(broken));
    }
}
