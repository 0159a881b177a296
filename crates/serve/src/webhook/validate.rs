//! Whether an object may be stored: the one judge, asked by the API server.
//!
//! What the judge calls an error is refused, everything else it says comes as a warning, which `kubectl` shows. An object
//! that is being deleted, or whose own part did not change, is let through whatever it says: refusing it would keep
//! somebody from cleaning up.

use pilothouse_config::{CheckSettings, Outcome, judge};
use pilothouse_diag::{Diagnostic, Severity};
use pilothouse_inject::review::{LONGEST, NoReview};
use serde_json::{Value, json};

/// Warnings beyond this are counted only; the API server cuts them off at 4096 letters in all.
const MOST: usize = 16;

/// Annotations that nobody but a control plane may write: they would lend an object the rights of another.
const INTERNAL: [&str; 2] = ["internal.istio.io/parents", "internal.istio.io/parent-namespace"];
/// Makes any object be refused, to prove that questions arrive here.
const ALWAYS: &str = "internal.istio.io/webhook-always-reject";
const DRY_RUN: &str = "istio.io/dry-run";

/// What an object of the API has at its top.
const TOP: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

/// Answers a review about an object of the mesh; the second value is whether the object may be stored.
///
/// # Errors
///
/// The body is no review at all.
pub fn validate_review(body: &[u8], settings: &CheckSettings) -> Result<(Value, bool), NoReview> {
    if body.is_empty() {
        return Err(NoReview::Empty);
    }
    if body.len() > LONGEST {
        return Err(NoReview::TooLong);
    }
    // Deeper than 128 levels is refused while reading.
    let review: Value = match serde_json::from_slice(body) {
        Ok(review) => review,
        Err(error) => return Ok(refused("", &format!("the review cannot be read: {error}"))),
    };
    let request = &review["request"];
    let uid = request["uid"].as_str().unwrap_or_default();
    if !request.is_object() {
        return Ok(refused(uid, "the review holds no request"));
    }
    if !matches!(request["operation"].as_str(), Some("CREATE" | "UPDATE")) {
        return Ok(allowed(uid, &[]));
    }
    let (object, before) = (&request["object"], &request["oldObject"]);
    let metadata = &object["metadata"];
    let mut wrong = around(object);
    let judgement = judge(object, settings);
    if matches!(judgement.outcome, Outcome::Foreign) && !judgement.diagnostics.has_errors() {
        let kind = object["kind"].as_str().unwrap_or_default();
        return Ok(if wrong.is_empty() {
            allowed(uid, &[format!("Pilothouse does not read objects of kind {kind}; it has no effect")])
        } else {
            refused(uid, &wrong.join("\n"))
        });
    }
    let findings = judgement.diagnostics.finish(None);
    let (errors, rest): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
        findings.iter().partition(|finding| finding.severity() == Severity::Error);
    wrong.extend(errors.into_iter().map(line));
    let mut warnings: Vec<String> =
        rest.into_iter().filter(|finding| finding.severity() == Severity::Warning).map(line).collect();
    let unchanged = before.is_object()
        && before["spec"] == object["spec"]
        && before["metadata"]["annotations"] == metadata["annotations"];
    if wrong.is_empty() {
        return Ok(allowed(uid, &warnings));
    }
    if metadata.get("deletionTimestamp").is_some_and(|at| !at.is_null()) || unchanged {
        warnings.splice(0..0, wrong);
        return Ok(allowed(uid, &warnings));
    }
    Ok(refused(uid, &wrong.join("\n")))
}

/// What is wrong outside of what the judge reads.
fn around(object: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let annotations = &object["metadata"]["annotations"];
    if annotations.get(ALWAYS).is_some() {
        wrong.push(format!("metadata.annotations[{ALWAYS:?}]: the object asks to be refused"));
    }
    for key in INTERNAL.into_iter().filter(|key| annotations.get(*key).is_some()) {
        wrong.push(format!("metadata.annotations[{key:?}]: only a control plane may write it; remove it"));
    }
    if let Some(dry_run) = annotations.get(DRY_RUN) {
        let at = format!("metadata.annotations[{DRY_RUN:?}]");
        let booleans = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
        if object["kind"] != "AuthorizationPolicy" {
            wrong.push(format!("{at}: it has a meaning for AuthorizationPolicy only; remove it"));
        } else if !dry_run.as_str().is_some_and(|text| booleans.contains(&text)) {
            wrong.push(format!("{at}: {dry_run} must be \"true\" or \"false\""));
        } else if matches!(object["spec"]["action"].as_str(), Some("AUDIT" | "CUSTOM")) {
            wrong.push(format!("{at}: it cannot be had with the action {}", object["spec"]["action"]));
        }
    }
    let is_ours = object["apiVersion"].as_str().is_some_and(|version| version.contains(".istio.io/"));
    let fields = object.as_object().into_iter().flatten();
    for (field, _) in fields.filter(|(field, _)| is_ours && !TOP.contains(&field.as_str())) {
        wrong.push(format!("{field}: there is no such field beside spec"));
    }
    wrong
}

/// A finding in one line: where, what, and what to do.
fn line(one: &Diagnostic) -> String {
    let field = one.field.as_str();
    let at = if field.is_empty() { String::new() } else { format!("{field}: ") };
    let value = one.value.as_ref().map_or(String::new(), |value| format!("{value:?}: "));
    let detail = one.detail.as_ref().map_or(String::new(), |detail| format!(": {detail}"));
    let effect = one.effect.as_ref().map_or(String::new(), |effect| format!("; effect: {effect}"));
    let help = one.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
    format!("{at}{value}{}{detail}{effect}{help} [{}]", one.code.title, one.code.id)
}

fn allowed(uid: &str, warnings: &[String]) -> (Value, bool) {
    let mut response = json!({"uid": uid, "allowed": true});
    if !warnings.is_empty() {
        let mut said = warnings.iter().take(MOST).cloned().collect::<Vec<_>>();
        if warnings.len() > MOST {
            said.push(format!("and {} more; pilothouse validate shows all", warnings.len() - MOST));
        }
        response["warnings"] = json!(said);
    }
    (review(&response), true)
}

fn refused(uid: &str, message: &str) -> (Value, bool) {
    let response = json!({
        "uid": uid,
        "allowed": false,
        "status": {"status": "Failure", "reason": "Invalid", "code": 422, "message": message},
    });
    (review(&response), false)
}

fn review(response: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}
