//! What tests of all kinds share, and that nothing panics.

use serde_json::Value;

use super::*;

/// Settings whose mesh text is JSON.
pub(crate) fn settings() -> CheckSettings {
    CheckSettings {
        domain: Name::from("cluster.local"),
        parse_yaml: |text| serde_json::from_str(text).map_err(|error| error.to_string()),
    }
}

/// The checked object.
pub(crate) fn checked(value: &Value) -> Option<Object> {
    match judge(value, &settings()).outcome {
        Outcome::Object(key, object) => {
            assert!(object.fits(key.kind), "{key}");
            Some(object)
        }
        _ => None,
    }
}

/// Code, field and effect of each finding, in order of the object.
pub(crate) fn findings(value: &Value) -> Vec<(&'static str, String, String)> {
    let list = judge(value, &settings()).diagnostics.finish(None);
    list.into_iter()
        .map(|one| (one.code.id, one.field.as_str().to_owned(), one.effect.unwrap_or_default()))
        .collect()
}

mod robust;
