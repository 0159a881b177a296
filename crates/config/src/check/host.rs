//! Host names, DNS labels and addresses as written.

use std::net::IpAddr;

/// Whether a text is a DNS label: letters, digits and inner dashes, at most 63 of them.
pub(super) fn is_label(text: &str) -> bool {
    let alphanumeric = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// Whether a text is a DNS name: labels between dots, a dot at the end allowed, the last label no number.
pub(super) fn is_name(text: &str) -> bool {
    let bare = text.strip_suffix('.').unwrap_or(text);
    text.len() <= 255
        && bare.split('.').all(is_label)
        && bare.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()))
}

/// What is wrong with a host that may be a wildcard; none if nothing is.
pub(super) fn flaw_of_wildcard(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text == "*" {
        return None;
    }
    if let Some(rest) = text.strip_prefix("*.") {
        return (!is_name(rest)).then_some("what follows the wildcard is no DNS name");
    }
    if text.contains('*') {
        return Some("a wildcard may only be the whole first label");
    }
    if text.contains("://") {
        return Some("it is a URL; a host has no scheme");
    }
    if text.contains(':') {
        return Some("a host has no port");
    }
    (!is_name(text)).then_some("it is no DNS name")
}

/// Whether a text is an IPv4 or IPv6 address.
pub(super) fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_wildcards() {
        for (text, good) in [
            ("a", true),
            ("a.b.c.", true),
            ("Cart.Shop", true),
            ("*", true),
            ("*.b", true),
            ("a_b.com", false),
            ("-a.com", false),
            ("a..b", false),
            ("*a.com", false),
            ("a.*.com", false),
            ("*.", false),
            ("http://a.com", false),
            ("a.com:80", false),
            ("10.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(flaw_of_wildcard(text).is_none(), good, "{text}");
        }
        assert!(!is_name(&"a".repeat(64)));
        assert!(!is_name(&vec!["a"; 200].join(".")));
    }
}
