//! Retries.

use pilothouse_config::virtual_service::Retry;
use pilothouse_envoy_api as envoy;

use crate::time;

/// What is tried again if the user does not say. Failures of the request itself are not among them.
const CONDITIONS: &str = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
/// The condition without which status codes are not looked at.
const BY_STATUS: &str = "retriable-status-codes";
/// How often another endpoint is drawn before a failed one is taken again.
const DRAWS: i64 = 5;
/// After how many attempts endpoints of further localities are used.
const ATTEMPTS_PER_PRIORITY: i32 = 2;

/// The policy of a plan; none if nothing is tried again.
pub(super) fn policy(plan: &Retry, avoid_previous_hosts: bool) -> Option<envoy::route::RetryPolicy> {
    let Retry {
        attempts,
        per_try_timeout,
        retry_on,
        status_codes,
        remote_localities,
        // Decided together with the hash policy, in `avoid_previous_hosts`.
        ignore_previous_hosts: _,
        backoff,
    } = plan;
    if *attempts == 0 {
        return None;
    }
    let mut conditions = if retry_on.as_str().is_empty() && status_codes.is_empty() {
        CONDITIONS.into()
    } else {
        retry_on.to_string()
    };
    if !status_codes.is_empty() && !conditions.split(',').any(|condition| condition == BY_STATUS) {
        let comma = if conditions.is_empty() { "" } else { "," };
        conditions = format!("{conditions}{comma}{BY_STATUS}");
    }
    Some(envoy::route::RetryPolicy {
        retry_on: conditions,
        num_retries: Some(envoy::uint32(*attempts)),
        per_try_timeout: per_try_timeout.and_then(time::positive),
        retriable_status_codes: status_codes.clone(),
        retry_priority: remote_localities.then(|| envoy::route::retry_policy::RetryPriority {
            name: "envoy.retry_priorities.previous_priorities".into(),
            config_type: Some(envoy::route::retry_policy::retry_priority::ConfigType::TypedConfig(
                envoy::pack(&envoy::previous_priorities::PreviousPrioritiesConfig {
                    update_frequency: ATTEMPTS_PER_PRIORITY,
                }),
            )),
        }),
        retry_host_predicate: if avoid_previous_hosts { vec![other_hosts()] } else { vec![] },
        host_selection_retry_max_attempts: if avoid_previous_hosts { DRAWS } else { 0 },
        retry_back_off: backoff.and_then(time::positive).map(|base| {
            envoy::route::retry_policy::RetryBackOff { base_interval: Some(base), max_interval: None }
        }),
        ..Default::default()
    })
}

fn other_hosts() -> envoy::route::retry_policy::RetryHostPredicate {
    envoy::route::retry_policy::RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".into(),
        config_type: Some(envoy::route::retry_policy::retry_host_predicate::ConfigType::TypedConfig(
            envoy::pack(&envoy::previous_hosts::PreviousHostsPredicate {}),
        )),
    }
}
