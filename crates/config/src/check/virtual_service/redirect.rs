//! `redirect`.

use pilothouse_api as api;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::action::BROKEN;
use crate::check::fields;
use crate::virtual_service::{Redirect, RedirectPort};

/// None if a part cannot be understood: to send clients to the wrong place is worse than to fail.
pub(super) fn check(raw: &api::Redirect, at: &FieldPath, out: &mut Diagnostics) -> Option<Redirect> {
    let api::Redirect { uri, prefix_rewrite, authority, port, derive_port, scheme, redirect_code } = raw;
    if prefix_rewrite.is_some() {
        out.report(catalogue::UNSUPPORTED_FIELD, &at.field("prefixRewrite")).effect(BROKEN);
        return None;
    }
    let path = fields::text(uri.as_ref()).map(Name::from);
    let authority = fields::text(authority.as_ref()).map(Name::from);
    let scheme = fields::text(scheme.as_ref());
    let scheme = match scheme {
        None => None,
        Some(text) => {
            let words = [("http", ()), ("https", ())];
            fields::word(text, &words, at, "scheme", BROKEN, out)?;
            Some(Name::from(text))
        }
    };
    let explicit = port.filter(|port| port.0 != 0);
    let port = match (explicit, derive_port) {
        (Some(_), Some(_)) => {
            out.report(catalogue::CONFLICTING_FIELDS, at)
                .detail("port and derivePort are both set")
                .effect(BROKEN);
            return None;
        }
        (Some(number), None) => RedirectPort::Number(fields::port(number, at, "port", BROKEN, out)?),
        (None, Some(word)) => {
            let words = [
                ("FROM_PROTOCOL_DEFAULT", RedirectPort::Default),
                ("FROM_REQUEST_PORT", RedirectPort::OfListener),
            ];
            fields::word(word, &words, at, "derivePort", BROKEN, out)?
        }
        (None, None) => RedirectPort::Default,
    };
    let says_nothing = path.is_none()
        && authority.is_none()
        && scheme.is_none()
        && explicit.is_none()
        && derive_port.is_none();
    if says_nothing {
        out.report(catalogue::REQUIRED, at)
            .detail("one of uri, authority, scheme, port and derivePort is needed")
            .effect(BROKEN);
        return None;
    }
    let code = match redirect_code.filter(|code| code.0 != 0) {
        None => 301,
        Some(code) if [301, 302, 303, 307, 308].contains(&code.0) => u16::try_from(code.0).ok()?,
        Some(code) => {
            out.report(catalogue::OUT_OF_RANGE, &at.field("redirectCode"))
                .value(code)
                .detail("it must be one of 301, 302, 303, 307, 308")
                .effect(BROKEN);
            return None;
        }
    };
    Some(Redirect { path, authority, scheme, port, code })
}
