//! What an API server asks when a pod is made, and the answer: an `AdmissionReview` in, an `AdmissionReview` out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::patch::diff;
use crate::pod::{Injected, Outcome, Request, Settings, Skip, Texts, inject};

/// The longest body that is read. An object of the API has at most three megabytes with its former self beside it.
pub const LONGEST: usize = 8 << 20;

/// Warnings that are sent; the API server cuts them off at 4096 letters in all.
const MOST_WARNINGS: usize = 16;

/// The body cannot be a review. Nothing can be answered but a status of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReview {
    /// 400.
    #[error("the body is empty; an AdmissionReview is expected")]
    Empty,
    /// 413.
    #[error("the body is longer than {LONGEST} bytes")]
    TooLong,
}

/// An answer with what it says, for who counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The review to send back.
    pub review: Value,
    /// What became of the pod.
    pub verdict: Verdict,
}

/// What became of the pod of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is patched.
    Injected,
    /// It is let in as it is.
    Skipped(Skip),
    /// It is let in, because the question was not about the creation of a pod.
    NotAsked,
    /// It is refused.
    Refused,
}

/// Answers a review. `path` is that of the request: it may carry variables, such as `/inject/cluster/east/net/blue`.
pub fn answer(body: &[u8], path: &str, settings: &Settings, drain: Option<&str>) -> Result<Answer, NoReview> {
    if body.is_empty() {
        return Err(NoReview::Empty);
    }
    if body.len() > LONGEST {
        return Err(NoReview::TooLong);
    }
    // Deeper than 128 levels is refused while reading.
    let review: Value = match serde_json::from_slice(body) {
        Ok(review) => review,
        Err(error) => return Ok(refuse("", &format!("the review cannot be read: {error}"))),
    };
    let Some(request) = review["request"].as_object() else {
        return Ok(refuse("", "the review holds no request"));
    };
    let text = |field: &str| request.get(field).and_then(Value::as_str).unwrap_or_default();
    let uid = text("uid");
    let asked = review["request"]["kind"]["kind"] == "Pod"
        && review["request"]["kind"]["group"].as_str().unwrap_or_default().is_empty()
        && text("operation") == "CREATE";
    if !asked {
        return Ok(Answer { review: response(uid, json!({"allowed": true})), verdict: Verdict::NotAsked });
    }
    let pod = request.get("object").unwrap_or(&Value::Null);
    let namespace = pod["metadata"]["namespace"].as_str().filter(|text| !text.is_empty());
    let environment = environment(path);
    let adapted;
    let settings = if environment.is_empty() {
        settings
    } else {
        adapted = Settings { environment, ..settings.clone() };
        &adapted
    };
    let request =
        Request { pod, namespace: namespace.unwrap_or_else(|| text("namespace")), workload: None, drain };
    Ok(match inject(&request, settings) {
        Ok(Outcome::Skipped(skip)) => {
            Answer { review: response(uid, json!({"allowed": true})), verdict: Verdict::Skipped(skip) }
        }
        Ok(Outcome::Injected(injected)) => {
            let Injected { pod: new, mut warnings } = *injected;
            let patch = Value::Array(diff(pod, &new)).to_string();
            let mut fields = json!({
                "allowed": true,
                "patchType": "JSONPatch",
                "patch": STANDARD.encode(patch),
            });
            if !warnings.is_empty() {
                if warnings.len() > MOST_WARNINGS {
                    let more = warnings.len() - MOST_WARNINGS;
                    warnings.truncate(MOST_WARNINGS);
                    warnings.push(format!("and {more} more"));
                }
                fields["warnings"] = json!(warnings);
            }
            Answer { review: response(uid, fields), verdict: Verdict::Injected }
        }
        Err(refused) => refuse(uid, &format!("no sidecar can be injected:\n{refused}")),
    })
}

fn refuse(uid: &str, message: &str) -> Answer {
    let fields = json!({
        "allowed": false,
        "status": {"status": "Failure", "reason": "Invalid", "code": 422, "message": message},
    });
    Answer { review: response(uid, fields), verdict: Verdict::Refused }
}

fn response(uid: &str, mut fields: Value) -> Value {
    fields["uid"] = json!(uid);
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": fields})
}

/// Variables in the path of a request, by which one injector serves several clusters and networks: `/inject/key/value…`,
/// where `cluster` and `net` stand for their variables and `--slash--` for a slash, or the older `/inject:ENV:key=value…`.
pub fn environment(path: &str) -> Texts {
    let mut found = BTreeMap::new();
    let Some(rest) = path.strip_prefix("/inject") else { return found };
    if rest.starts_with(":ENV:") {
        for pair in rest.split(":ENV:").filter(|pair| !pair.is_empty()) {
            if let Some((key, value)) = pair.split_once('=') {
                put(&mut found, key, value);
            }
        }
        return found;
    }
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    for pair in parts.chunks_exact(2) {
        put(&mut found, pair[0], &pair[1].replace("--slash--", "/"));
    }
    found
}

fn put(found: &mut Texts, key: &str, value: &str) {
    let key = match key {
        "cluster" => "ISTIO_META_CLUSTER_ID".to_owned(),
        "net" => "ISTIO_META_NETWORK".to_owned(),
        other => other.to_uppercase(),
    };
    // What is no name of a variable would be refused by the API server with the whole pod.
    let name = !key.starts_with(|letter: char| letter.is_ascii_digit())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if name && !key.is_empty() {
        found.insert(key, value.to_owned());
    }
}

#[cfg(test)]
mod tests;
