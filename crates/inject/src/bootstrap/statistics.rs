//! Which statistics Envoy keeps, and how.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What is asked for beyond Envoy's own settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Answers of the metrics listener are compressed for those who can read it.
    pub compressed: bool,
    /// Between two flushes, as a protobuf duration such as `5s`.
    pub flush_interval: Option<String>,
    /// After how long statistics that nobody touched are dropped, as a protobuf duration; a multiple of the flush interval.
    pub eviction_interval: Option<String>,
    /// Buckets of histograms by prefix of their name, as JSON numbers.
    pub buckets: BTreeMap<String, Vec<serde_json::Number>>,
}

/// Adds them to a bootstrap.
pub(super) fn add(statistics: &Statistics, bootstrap: &mut Value) {
    let Statistics { compressed: _, flush_interval, eviction_interval, buckets } = statistics;
    if let Some(interval) = flush_interval {
        bootstrap["stats_flush_interval"] = json!(interval);
    }
    if let Some(interval) = eviction_interval {
        bootstrap["stats_eviction_interval"] = json!(interval);
    }
    if !buckets.is_empty() {
        let settings: Vec<Value> = buckets
            .iter()
            .map(|(prefix, buckets)| json!({"match": {"prefix": prefix}, "buckets": buckets}))
            .collect();
        bootstrap["stats_config"] = json!({"histogram_bucket_settings": settings});
    }
}

/// A value of the runtime: numbers and booleans as such, all else as text.
pub(super) fn scalar(text: &str) -> Value {
    match text.parse::<f64>() {
        Ok(_) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Err(_) if text == "true" || text == "false" => json!(text == "true"),
        Err(_) => json!(text),
    }
}
