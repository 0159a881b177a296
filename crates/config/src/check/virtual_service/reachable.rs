//! Rules that can never be reached, because rules before them take all their requests.

use std::collections::{BTreeMap, HashMap};

use pilothouse_base::{Labels, Name, Namespace};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::virtual_service::{GatewayRef, HttpMatch, HttpRule, StringMatch, ValueMatch};

/// The conditions of a match, without what only names it.
#[derive(PartialEq, Eq, Hash)]
struct Conditions<'m> {
    uri: Option<&'m StringMatch>,
    ignore_uri_case: bool,
    scheme: Option<&'m StringMatch>,
    method: Option<&'m StringMatch>,
    authority: Option<&'m StringMatch>,
    headers: &'m BTreeMap<Name, ValueMatch>,
    without_headers: &'m BTreeMap<Name, ValueMatch>,
    query: &'m BTreeMap<Name, ValueMatch>,
    port: Option<u16>,
    source_labels: &'m Labels,
    source_namespace: Option<&'m Namespace>,
    gateways: Option<&'m [GatewayRef]>,
}

impl<'m> Conditions<'m> {
    fn of(one: &'m HttpMatch) -> Self {
        let HttpMatch {
            index: _,
            name: _,
            uri,
            ignore_uri_case,
            scheme,
            method,
            authority,
            headers,
            without_headers,
            query,
            port,
            source_labels,
            source_namespace,
            gateways,
            stat_prefix: _,
        } = one;
        Self {
            uri: uri.as_ref(),
            ignore_uri_case: *ignore_uri_case,
            scheme: scheme.as_ref(),
            method: method.as_ref(),
            authority: authority.as_ref(),
            headers,
            without_headers,
            query,
            port: *port,
            source_labels,
            source_namespace: source_namespace.as_ref(),
            gateways: gateways.as_deref(),
        }
    }
}

/// What the rules so far take, by the position of the rule. Looked up, never iterated.
#[derive(Default)]
struct Earlier<'m> {
    same: HashMap<Conditions<'m>, usize>,
    prefixes: HashMap<&'m str, usize>,
}

impl<'m> Earlier<'m> {
    /// The earlier rule that takes everything a match would; at most one lookup for each character of its path.
    fn taker(&self, wanted: &Conditions<'m>) -> Option<usize> {
        if let Some(rule) = self.prefixes.get("").or_else(|| self.same.get(wanted)) {
            return Some(*rule);
        }
        let path = match wanted.uri {
            Some(StringMatch::Exact(path) | StringMatch::Prefix(path)) if !wanted.ignore_uri_case => {
                path.as_str()
            }
            _ => return None,
        };
        let mut ends = path.char_indices().map(|(at, c)| at + c.len_utf8());
        ends.find_map(|end| self.prefixes.get(&path[..end])).copied()
    }

    fn add(&mut self, one: &'m HttpMatch, rule: usize) {
        if let Some(prefix) = one.only_prefix().filter(|_| one.is_for_every_client()) {
            self.prefixes.entry(prefix).or_insert(rule);
        }
        self.same.entry(Conditions::of(one)).or_insert(rule);
    }
}

/// Names each rule of which no match can be reached.
pub(super) fn report(rules: &[HttpRule], at: &FieldPath, out: &mut Diagnostics) {
    let everything = HttpMatch::default();
    let mut earlier = Earlier::default();
    for rule in rules {
        let matches =
            if rule.matches.is_empty() { std::slice::from_ref(&everything) } else { &rule.matches[..] };
        let takers: Option<Vec<usize>> =
            matches.iter().map(|one| earlier.taker(&Conditions::of(one))).collect();
        if let Some(first) = takers.as_ref().and_then(|takers| takers.iter().max()) {
            out.report(catalogue::UNREACHABLE_RULE, &at.index(rule.index))
                .detail(format_args!("rule {first} and those before it take all its requests"))
                .effect("the rule has no effect")
                .help("move it before the more general rule");
        }
        for one in matches {
            earlier.add(one, rule.index);
        }
    }
}
