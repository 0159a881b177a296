//! PeerAuthentication.

use std::collections::BTreeMap;

use pilothouse_api as api;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::labels;
use crate::{Meta, MtlsMode, PeerAuthentication};

/// What a mode that nobody understands means.
const STRICT: &str = "it is read as STRICT: plain text is refused";

/// Always a policy: a part that cannot be understood refuses plain text.
pub(super) fn check(raw: &api::PeerAuthentication, meta: Meta, out: &mut Diagnostics) -> PeerAuthentication {
    let at = FieldPath::spec();
    let api::PeerAuthentication { selector, mtls, port_level_mtls } = raw;
    let mode = mtls.as_ref().and_then(|raw| mode(raw, &at.field("mtls"), out));
    let selector = selector.as_ref().filter(|selector| {
        let api::LabelSelector { match_labels } = selector;
        !match_labels.is_empty()
    });
    let selector = selector.map(|selector| {
        let at = at.field("selector").field("matchLabels");
        let effect = "the policy selects no workload";
        // A pair that no workload carries selects nothing by itself; it stays, so that nothing else is selected.
        let _ = labels::selector(&selector.match_labels, &at, effect, out);
        pilothouse_base::Selector::new(
            selector.match_labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        )
    });
    let mut ports = BTreeMap::new();
    if let Some(written) = port_level_mtls {
        let at = at.field("portLevelMtls");
        if written.is_empty() {
            out.report(catalogue::REQUIRED, &at)
                .detail("no port is named")
                .effect("the mode of the policy holds");
        }
        for (key, raw) in written.iter() {
            let mode = self::mode(raw, &at.key(key), out);
            let Some(port) = key.parse::<u16>().ok().filter(|port| *port > 0) else {
                out.report(catalogue::OUT_OF_RANGE, &at.key(key))
                    .value(key)
                    .detail("it must be a port number from 1 to 65535")
                    .effect("the mode of the policy holds for every port");
                continue;
            };
            ports.insert(port, mode);
        }
        if selector.is_none() && !ports.is_empty() {
            // What loosens a port is dropped; what closes one is kept.
            ports.retain(|_, mode| *mode == Some(MtlsMode::Strict));
            out.report(catalogue::BAD_SECURITY_RULE, &at)
                .detail("modes by port need a selector")
                .effect("only the ports that are STRICT count; the mode of the policy holds for the others")
                .help("add spec.selector.matchLabels");
        }
    }
    PeerAuthentication { meta, selector, mode, ports }
}

fn mode(raw: &api::MutualTls, at: &FieldPath, out: &mut Diagnostics) -> Option<MtlsMode> {
    let api::MutualTls { mode } = raw;
    match mode.as_deref() {
        None | Some("UNSET") => None,
        Some("DISABLE") => Some(MtlsMode::Disable),
        Some("PERMISSIVE") => Some(MtlsMode::Permissive),
        Some("STRICT") => Some(MtlsMode::Strict),
        Some(written) => {
            let words = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"];
            let report = out.report(catalogue::BAD_SECURITY_RULE, &at.field("mode"));
            report
                .value(written)
                .detail(format_args!("it must be one of {}", words.join(", ")))
                .effect(STRICT);
            match words.iter().find(|word| word.eq_ignore_ascii_case(written)) {
                Some(word) => report.help(format_args!("did you mean \"{word}\"?")),
                None => report.help_closest(written, words),
            };
            Some(MtlsMode::Strict)
        }
    }
}

#[cfg(test)]
mod tests;
