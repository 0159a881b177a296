//! Header names and values as written.

mod command;

use pilothouse_api as api;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::virtual_service::{HeaderChanges, HeaderEdits};

/// Whether a text is a header name of HTTP (RFC 9110, section 5.1).
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// What is wrong with a header value that Envoy formats; none if nothing is. A percent sign starts a command that must
/// end, `%%` is a plain one.
pub(super) fn flaw_of_value(value: &str) -> Option<&'static str> {
    if value.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
        return Some("it holds a control character");
    }
    if value.len() > 16 * 1024 {
        return Some("it is longer than 16 KiB");
    }
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        let after = &rest[at + 1..];
        if let Some(next) = after.strip_prefix('%') {
            rest = next;
            continue;
        }
        let end = after.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
        let (name, mut tail) = after.split_at(end.unwrap_or(after.len()));
        if name.is_empty() {
            return Some("a percent sign that starts no command is written %%");
        }
        let mut argument = None;
        if let Some(inner) = tail.strip_prefix('(') {
            let Some((inner, after)) = inner.split_once(')') else {
                return Some("a command has no closing bracket");
            };
            (argument, tail) = (Some(inner), after);
        }
        let mut length = false;
        if let Some(digits) = tail.strip_prefix(':') {
            tail = digits.trim_start_matches(|c: char| c.is_ascii_digit());
            // Envoy counts in 64 bits; nobody means more than nine digits.
            if !(1..=9).contains(&(digits.len() - tail.len())) {
                return Some("the length of a command is a number");
            }
            length = true;
        }
        let Some(next) = tail.strip_prefix('%') else { return Some("a command has no closing percent sign") };
        if let Some(flaw) = command::flaw(name, argument, length) {
            return Some(flaw);
        }
        rest = next;
    }
    None
}

/// `headers` of a rule or of a destination. An edit that cannot be understood is left out.
pub(super) fn changes(raw: Option<&api::Headers>, at: &FieldPath, out: &mut Diagnostics) -> HeaderChanges {
    let Some(api::Headers { request, response }) = raw else { return HeaderChanges::default() };
    let mut authority = None;
    let request = request
        .as_ref()
        .map_or_else(HeaderEdits::default, |raw| edits(raw, &at.field("request"), Some(&mut authority), out));
    let response = response
        .as_ref()
        .map_or_else(HeaderEdits::default, |raw| edits(raw, &at.field("response"), None, out));
    HeaderChanges { request, response, authority }
}

fn edits(
    raw: &api::HeaderEdits,
    at: &FieldPath,
    mut authority: Option<&mut Option<Name>>,
    out: &mut Diagnostics,
) -> HeaderEdits {
    let api::HeaderEdits { set, add, remove } = raw;
    let mut checked = HeaderEdits::default();
    for (field, written, into) in [("set", set, &mut checked.set), ("add", add, &mut checked.add)] {
        let at = at.field(field);
        for (key, value) in written.iter() {
            if let Some(flaw) = flaw_of_value(value) {
                out.report(catalogue::INVALID_VALUE, &at.key(key))
                    .value(value)
                    .detail(flaw)
                    .effect("the header is not changed");
                continue;
            }
            let name = key.to_ascii_lowercase();
            if let (":authority" | "host", Some(authority)) = (name.as_str(), authority.as_deref_mut()) {
                if authority.is_some() {
                    out.report(catalogue::CONFLICTING_FIELDS, &at.key(key))
                        .detail("the authority is written more than once")
                        .effect("the first one counts");
                } else {
                    *authority = Some(Name::from(value.as_str()));
                }
                continue;
            }
            if good_name(&name, &at.key(key), key, out) {
                into.insert(Name::from(name), Name::from(value.as_str()));
            }
        }
    }
    let at = at.field("remove");
    for (index, key) in remove.iter().enumerate() {
        let name = key.to_ascii_lowercase();
        if good_name(&name, &at.index(index), key, out) {
            checked.remove.push(Name::from(name));
        }
    }
    checked
}

/// Whether a header may be changed; a finding if not.
fn good_name(name: &str, at: &FieldPath, written: &str, out: &mut Diagnostics) -> bool {
    let flaw = if name.starts_with(':') {
        "names that start with a colon cannot be changed"
    } else if name == "host" {
        "the host cannot be changed here"
    } else if !is_token(name) {
        "it is no header name"
    } else {
        return true;
    };
    out.report(catalogue::INVALID_VALUE, at).value(written).detail(flaw).effect("the header is not changed");
    false
}

/// Names of headers in a list such as `corsPolicy.allowHeaders`; others are left out.
pub(super) fn names(list: &[String], at: &FieldPath, field: &str, out: &mut Diagnostics) -> Vec<Name> {
    let mut found = Vec::with_capacity(list.len());
    for (index, name) in list.iter().enumerate() {
        if name == "*" || is_token(name) {
            found.push(Name::from(name.as_str()));
        } else {
            out.report(catalogue::INVALID_VALUE, &at.field(field).index(index))
                .value(name)
                .detail("it is no header name")
                .effect("the entry is left out");
        }
    }
    found
}

/// Whether a map of header matches has only usable keys is judged one by one with this: the name in lower case, or
/// what is wrong with it.
pub(super) fn match_name(key: &str) -> Result<Name, &'static str> {
    let name = key.to_ascii_lowercase();
    match name.strip_prefix(':') {
        Some("method" | "scheme" | "authority" | "path") => Ok(Name::from(name)),
        Some("status") => Err("a request has no status"),
        Some(_) => Err("there is no such pseudo header"),
        None if is_token(&name) => Ok(Name::from(name)),
        None => Err("it is no header name"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_formatted_by_envoy() {
        for good in
            ["", "plain", "100%%", "%REQ(:path)%", "%DOWNSTREAM_REMOTE_ADDRESS%", "%REQ(x):5%", "a\tb"]
        {
            assert_eq!(flaw_of_value(good), None, "{good}");
        }
        for bad in ["%FOO%", "%REQ(x):%", "100%", "%x", "%REQ(x%", "%REQ%x%", "a\nb", "%REQ(x)"] {
            assert!(flaw_of_value(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_authority_is_taken_out() {
        let raw: api::Headers = serde_json::from_value(json!({
            "request": {"set": {"Host": "a.com", "X-A": "1"}, "add": {":authority": "b.com", ":path": "/"}, "remove": ["host", "x-b"]},
            "response": {"set": {"host": "x"}},
        }))
        .unwrap();
        let mut out = Diagnostics::default();
        let found = changes(Some(&raw), &FieldPath::spec().field("headers"), &mut out);
        assert_eq!(found.authority, Some(Name::from("a.com")));
        assert_eq!(found.request.set, BTreeMap::from([(Name::from("x-a"), Name::from("1"))]));
        assert_eq!(found.request.remove, [Name::from("x-b")]);
        let findings: Vec<_> = out.list().iter().map(|one| (one.code.id, one.field.as_str())).collect();
        assert_eq!(
            findings,
            [
                ("PH0106", "spec.headers.request.add[\":authority\"]"),
                ("PH0102", "spec.headers.request.add[\":path\"]"),
                ("PH0102", "spec.headers.request.remove[0]"),
                ("PH0102", "spec.headers.response.set.host"),
            ]
        );
    }
}
