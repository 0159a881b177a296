//! Values of flags.

use std::time::Duration;

/// Reads a duration such as `30s`, `1h30m` or `200ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let wrong = || format!("{text:?} is not a duration; durations are written like 30s, 1h30m or 200ms");
    let mut rest = text;
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(wrong)?;
        total = number.checked_mul(*factor).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[letters..];
    }
    Ok(Duration::from_millis(total))
}

/// A pod and its namespace, written `POD.NAMESPACE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) pod: String,
    pub(crate) namespace: String,
}

/// Reads `POD.NAMESPACE`. Names of pods may have dots, names of namespaces have none.
pub(crate) fn workload(text: &str) -> Result<Workload, String> {
    match text.rsplit_once('.') {
        Some((pod, namespace)) if !pod.is_empty() && !namespace.is_empty() => {
            Ok(Workload { pod: pod.to_owned(), namespace: namespace.to_owned() })
        }
        _ => Err(format!("{text:?} is not of the form POD.NAMESPACE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (written, millis) in [("30s", 30_000), ("1h30m", 5_400_000), ("200ms", 200), ("0s", 0)] {
            assert_eq!(duration(written), Ok(Duration::from_millis(millis)), "{written}");
        }
        for wrong in
            ["", "5", "s", "5x", "-5s", "1.5h", "99999999999999999999s", "18446744073709551615h", "5 s", "5é"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn workloads() {
        let parts = |text| workload(text).map(|found| (found.pod, found.namespace));
        assert_eq!(parts("web-1.shop"), Ok(("web-1".into(), "shop".into())));
        assert_eq!(parts("web.v2.shop"), Ok(("web.v2".into(), "shop".into())));
        for wrong in ["", "web", ".shop", "web."] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }
}
