//! `fault`: injected delays and aborts. One that cannot be understood is not injected.

use pilothouse_api as api;
use pilothouse_base::Percent;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::check::{duration, fields};
use crate::virtual_service::{Abort, Fault};

/// The names of gRPC status codes, in order of their numbers.
const GRPC: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

pub(super) fn check(raw: Option<&api::Fault>, at: &FieldPath, out: &mut Diagnostics) -> Fault {
    let Some(api::Fault { delay, abort }) = raw else { return Fault::default() };
    if delay.is_none() && abort.is_none() {
        out.report(catalogue::REQUIRED, at)
            .detail("neither delay nor abort is set")
            .effect("no fault is injected");
    }
    Fault {
        delay: delay.as_ref().and_then(|raw| self::delay(raw, &at.field("delay"), out)),
        abort: abort.as_ref().and_then(|raw| self::abort(raw, &at.field("abort"), out)),
    }
}

fn delay(
    raw: &api::FaultDelay,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<(Percent, std::time::Duration)> {
    const LOST: &str = "no request is delayed";
    let api::FaultDelay { fixed_delay, percentage, percent } = raw;
    let share = if let (None, Some(percent)) = (percentage, percent) {
        out.report(catalogue::DEPRECATED, &at.field("percent")).help("write percentage.value");
        let whole = fields::number(*percent, 0..=100, at, "percent", LOST, out)?;
        Percent::from_percent(f64::from(whole))?
    } else {
        share(percentage.as_ref(), at, LOST, out)?
    };
    if fixed_delay.is_none() {
        out.report(catalogue::REQUIRED, &at.field("fixedDelay")).effect(LOST);
    }
    let delay = duration::positive(fixed_delay.as_ref(), at, "fixedDelay", LOST, out)?;
    Some((share, delay))
}

fn abort(raw: &api::FaultAbort, at: &FieldPath, out: &mut Diagnostics) -> Option<(Percent, Abort)> {
    const LOST: &str = "no request is aborted";
    let api::FaultAbort { http_status, grpc_status, percentage } = raw;
    let share = share(percentage.as_ref(), at, LOST, out)?;
    let abort = match (http_status, grpc_status) {
        (Some(status), None) => {
            let status = fields::number(*status, 200..=599, at, "httpStatus", LOST, out)?;
            Abort::Http(u16::try_from(status).ok()?)
        }
        (None, Some(name)) => {
            let words: Vec<(&str, u32)> = GRPC.into_iter().zip(0..).collect();
            Abort::Grpc(fields::word(name, &words, at, "grpcStatus", LOST, out)?)
        }
        (Some(_), Some(_)) => {
            out.report(catalogue::CONFLICTING_FIELDS, at)
                .detail("httpStatus and grpcStatus are both set")
                .effect(LOST);
            return None;
        }
        (None, None) => {
            out.report(catalogue::RISKY_VALUE, at)
                .detail("neither httpStatus nor grpcStatus is set")
                .effect(LOST);
            return None;
        }
    };
    Some((share, abort))
}

/// `percentage` of a fault. Nothing written means no request at all, which is rarely what is meant.
fn share(
    raw: Option<&api::PercentValue>,
    at: &FieldPath,
    lost: &str,
    out: &mut Diagnostics,
) -> Option<Percent> {
    let at = at.field("percentage");
    let Some(value) = raw.and_then(|api::PercentValue { value }| *value) else {
        out.report(catalogue::RISKY_VALUE, &at)
            .detail("nothing written means no request")
            .effect(lost)
            .help("write percentage.value: 100 for every request");
        return None;
    };
    let found = Percent::from_percent(value).filter(|share| value == 0.0 || *share > Percent::NONE);
    if found.is_none() {
        out.report(catalogue::OUT_OF_RANGE, &at.field("value"))
            .value(value)
            .detail("it must be 0, or from 0.0001 to 100")
            .effect(lost);
    }
    found.filter(|share| *share > Percent::NONE)
}
