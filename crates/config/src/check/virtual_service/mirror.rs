//! `mirror` and `mirrors`. A copy that cannot be understood is not sent.

use pilothouse_api as api;
use pilothouse_base::Percent;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{Scope, destination};
use crate::check::fields;
use crate::virtual_service::Mirror;

/// What a flaw costs.
const LOST: &str = "the traffic is not mirrored there";

pub(super) fn check(
    single: Option<&api::Destination>,
    several: &[api::Mirror],
    percent: Option<api::Int>,
    percentage: Option<&api::PercentValue>,
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Vec<Mirror> {
    if single.is_some() && !several.is_empty() {
        out.report(catalogue::CONFLICTING_FIELDS, &at.field("mirror"))
            .detail("mirrors is set too")
            .effect("only mirrors counts");
    }
    if percent.is_some() {
        out.report(catalogue::DEPRECATED, &at.field("mirrorPercent")).help("write mirrorPercentage.value");
    }
    if !several.is_empty() {
        return several
            .iter()
            .enumerate()
            .filter_map(|(index, raw)| {
                one_of_several(raw, index, &at.field("mirrors").index(index), scope, out)
            })
            .filter(|mirror| mirror.share > Percent::NONE)
            .collect();
    }
    let share = match (percentage, percent) {
        (Some(raw), _) => share(Some(raw), &at.field("mirrorPercentage"), out),
        (None, Some(percent)) => fields::number(percent, 0..=100, at, "mirrorPercent", LOST, out)
            .and_then(|percent| Percent::from_percent(f64::from(percent))),
        (None, None) => Some(Percent::ALL),
    };
    let Some(raw) = single else { return Vec::new() };
    let destination = destination::destination(raw, &at.field("mirror"), LOST, scope, out);
    match (destination, share) {
        (Some(destination), Some(share)) if share > Percent::NONE => {
            vec![Mirror { index: None, destination, share }]
        }
        _ => Vec::new(),
    }
}

fn one_of_several(
    raw: &api::Mirror,
    index: usize,
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<Mirror> {
    let api::Mirror { destination: raw, percentage } = raw;
    let share = share(percentage.as_ref(), &at.field("percentage"), out);
    let at = at.field("destination");
    let Some(raw) = raw else {
        out.report(catalogue::REQUIRED, &at).effect(LOST);
        return None;
    };
    let destination = destination::destination(raw, &at, LOST, scope, out)?;
    Some(Mirror { index: Some(index), destination, share: share? })
}

fn share(raw: Option<&api::PercentValue>, at: &FieldPath, out: &mut Diagnostics) -> Option<Percent> {
    let Some(value) = raw.and_then(|api::PercentValue { value }| *value) else {
        return Some(if raw.is_some() { Percent::NONE } else { Percent::ALL });
    };
    let found = Percent::from_percent(value);
    if found.is_none() {
        out.report(catalogue::OUT_OF_RANGE, &at.field("value"))
            .value(value)
            .detail("it must be from 0 to 100")
            .effect(LOST);
    }
    found
}
