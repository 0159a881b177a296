//! Fixtures, builders and property helpers for the tests of other crates; never a dependency of shipped code.
//!
//! What it is: objects as users write them, small universes of colliding names for property tests, and the named meshes
//! that benchmarks and counts are measured on; plans that translation starts from, and the real Envoys that judge what comes out.
//!
//! What it is not: a second implementation of anything. Objects are plain JSON and go through the judge like a user's.
//!
//! Main parts: [`objects`] (one function per kind), [`script`] (random sequences of changes) with [`inputs`], [`meshes`] (*shop*,
//! *office*, *city*, *gateway*), [`plans`] (one of each), [`envoy`] (both ends of the supported range).
//!
//! Where to start: `objects.rs`.

pub mod envoy;
pub mod inputs;
pub mod meshes;
pub mod objects;
pub mod plans;
pub mod script;

use pilothouse_base::Name;
use pilothouse_config::{CheckSettings, Outcome, judge};
use pilothouse_world::Change;
use serde_json::Value;

/// The cast of the scenarios: a small web shop, as YAML.
pub const SHOP: &str = include_str!("../fixtures/shop.yaml");

/// What the judge is told in tests: the usual domain; mesh settings are written as JSON, which is YAML too.
pub fn settings() -> CheckSettings {
    CheckSettings {
        domain: Name::from("cluster.local"),
        parse_yaml: |text| serde_json::from_str(text).map_err(|error| error.to_string()),
    }
}

/// The change that an object is.
///
/// # Panics
/// If the judge lets nothing of it through: a fixture must have an effect.
pub fn change(object: &Value) -> Change {
    let judgement = judge(object, &settings());
    match judgement.outcome {
        Outcome::Object(key, object) => Change::Apply { key, object, origin: None },
        other => panic!("{other:?}: {:?}\n{object:#}", judgement.diagnostics.list()),
    }
}

/// The changes that objects are.
pub fn changes<'v>(objects: impl IntoIterator<Item = &'v Value>) -> Vec<Change> {
    objects.into_iter().map(change).collect()
}
