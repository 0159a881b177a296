//! Injected faults.

use pilothouse_base::Percent;
use pilothouse_config::virtual_service::{Abort, Fault};
use pilothouse_envoy_api as envoy;

use super::action::fraction;
use crate::time;

/// The filter that injects them, and the key of its settings on routes.
pub(crate) const FILTER: &str = "envoy.filters.http.fault";

/// The setting of a route, if it injects anything.
pub(super) fn settings(plan: &Fault) -> Option<envoy::Any> {
    let Fault { delay, abort } = plan;
    let delay =
        delay.filter(|(share, time)| *share > Percent::NONE && !time.is_zero()).map(|(share, time)| {
            envoy::fault_common::FaultDelay {
                percentage: Some(fraction(share)),
                fault_delay_secifier: Some(envoy::fault_common::fault_delay::FaultDelaySecifier::FixedDelay(
                    time::duration(time),
                )),
            }
        });
    let abort = abort.filter(|(share, _)| *share > Percent::NONE).map(|(share, how)| {
        use envoy::fault::fault_abort::ErrorType;
        envoy::fault::FaultAbort {
            percentage: Some(fraction(share)),
            error_type: Some(match how {
                Abort::Http(status) => ErrorType::HttpStatus(u32::from(status)),
                Abort::Grpc(status) => ErrorType::GrpcStatus(status),
            }),
            ..Default::default()
        }
    });
    (delay.is_some() || abort.is_some())
        .then(|| envoy::pack(&envoy::fault::HttpFault { delay, abort, ..Default::default() }))
}
