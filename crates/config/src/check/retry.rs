//! `retries` of a rule and of the mesh.

use pilothouse_api as api;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{duration, fields};
use crate::virtual_service::Retry;

/// The conditions Envoy knows (`x-envoy-retry-on` and `x-envoy-retry-grpc-on`).
const CONDITIONS: [&str; 16] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

/// The condition that makes status codes count.
const STATUS_CODES: &str = "retriable-status-codes";

/// No attempts, also those of a block that says nothing, switch retries off.
pub(super) fn check(raw: &api::Retry, at: &FieldPath, out: &mut Diagnostics) -> Retry {
    const OFF: &str = "requests are not retried";
    let api::Retry {
        attempts,
        per_try_timeout,
        retry_on,
        retry_remote_localities,
        retry_ignore_previous_hosts,
        backoff,
    } = raw;
    let count = attempts
        .and_then(|attempts| fields::number(attempts, 0..=i32::MAX.unsigned_abs(), at, "attempts", OFF, out))
        .unwrap_or(0);
    let per_try_timeout = duration::positive(
        per_try_timeout.as_ref(),
        at,
        "perTryTimeout",
        "the timeout of the rule holds",
        out,
    );
    let backoff = duration::positive(backoff.as_ref(), at, "backoff", "the default of 25ms is used", out);
    let written = fields::text(retry_on.as_ref());
    let extra = per_try_timeout.is_some() || written.is_some() || retry_remote_localities == &Some(true);
    if count == 0 && extra && attempts.is_none_or(|attempts| attempts.0 == 0) {
        out.report(catalogue::CONFLICTING_FIELDS, &at.field("attempts"))
            .detail("it is 0 or missing, which switches retries off, but retries are described")
            .effect(OFF)
            .help("set attempts");
    }
    let (conditions, mut status_codes) =
        written.map_or_else(Default::default, |text| conditions(text, &at.field("retryOn"), out));
    status_codes.sort_unstable();
    status_codes.dedup();
    let understood = written.is_none() || !conditions.is_empty();
    Retry {
        attempts: if understood { count } else { 0 },
        per_try_timeout,
        retry_on: Name::from(conditions.join(",")),
        status_codes,
        remote_localities: retry_remote_localities.unwrap_or(false),
        ignore_previous_hosts: *retry_ignore_previous_hosts,
        backoff,
    }
}

fn conditions<'t>(text: &'t str, at: &FieldPath, out: &mut Diagnostics) -> (Vec<&'t str>, Vec<u32>) {
    let mut conditions: Vec<&str> = Vec::new();
    let mut codes = Vec::new();
    for word in text.split(',').map(str::trim) {
        match word.parse::<u32>() {
            Ok(code) if (100..=599).contains(&code) => codes.push(code),
            _ if CONDITIONS.contains(&word) => {
                if !conditions.contains(&word) {
                    conditions.push(word);
                }
            }
            _ => {
                out.report(catalogue::INVALID_VALUE, at)
                    .value(word)
                    .detail("it is neither a condition nor an HTTP status")
                    .effect("that condition is left out; without any other, requests are not retried")
                    .help_closest(word, CONDITIONS);
            }
        }
    }
    if !codes.is_empty() && !conditions.contains(&STATUS_CODES) {
        conditions.push(STATUS_CODES);
    }
    (conditions, codes)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> (Retry, Vec<&'static str>) {
        let raw: api::Retry = serde_json::from_value(value).unwrap();
        let mut out = Diagnostics::default();
        let found = check(&raw, &FieldPath::spec().field("retries"), &mut out);
        (found, out.list().iter().map(|one| one.code.id).collect())
    }

    #[test]
    fn status_codes_are_moved() {
        let (retry, findings) =
            read(json!({"attempts": 3, "perTryTimeout": "2s", "retryOn": "503, reset,429,503"}));
        assert_eq!((retry.attempts, retry.retry_on.as_str()), (3, "reset,retriable-status-codes"));
        assert_eq!(retry.status_codes, [429, 503]);
        assert!(findings.is_empty());
    }

    #[test]
    fn mistakes_retry_less_not_more() {
        for (value, attempts, codes) in [
            (json!({}), 0, vec![]),
            (json!({"attempts": 0}), 0, vec![]),
            (json!({"attempts": -1}), 0, vec!["PH0103"]),
            (json!({"retryOn": "5xx"}), 0, vec!["PH0106"]),
            (json!({"attempts": 2, "retryOn": "5xxx"}), 0, vec!["PH0102"]),
            (json!({"attempts": 2, "retryOn": "5xx,700"}), 2, vec!["PH0102"]),
            (json!({"attempts": 2, "perTryTimeout": "0s"}), 2, vec!["PH0103"]),
            (json!({"attempts": 2, "backoff": "5"}), 2, vec!["PH0104"]),
        ] {
            let (retry, findings) = read(value.clone());
            assert_eq!((retry.attempts, findings), (attempts, codes), "{value}");
        }
    }
}
