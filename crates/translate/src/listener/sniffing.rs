//! What is looked at before a filter chain is chosen.

use std::collections::BTreeSet;

use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{Inspected, Sniffing};

/// What the TLS inspector reads at once, in bytes: most hellos fit, and an idle connection costs no more.
const HELLO: u32 = 512;

/// Restores the address that was dialled before capture.
pub(super) fn original_destination() -> envoy::listener::ListenerFilter {
    filter(
        "envoy.filters.listener.original_dst",
        envoy::pack(&envoy::original_dst::OriginalDst {}),
        &Inspected::Everywhere,
    )
}

/// The inspectors of a plan. TLS goes first, as what it finds is not HTTP in the clear.
pub(super) fn inspectors(plan: &Sniffing) -> impl Iterator<Item = envoy::listener::ListenerFilter> {
    let Sniffing { tls, http, timeout: _ } = plan;
    let tls = tls.as_ref().map(|ports| {
        let inspector = envoy::tls_inspector::TlsInspector {
            initial_read_buffer_size: Some(envoy::uint32(HELLO)),
            ..Default::default()
        };
        filter("envoy.filters.listener.tls_inspector", envoy::pack(&inspector), ports)
    });
    let http = http.as_ref().map(|ports| {
        let inspector = envoy::http_inspector::HttpInspector {};
        filter("envoy.filters.listener.http_inspector", envoy::pack(&inspector), ports)
    });
    tls.into_iter().chain(http)
}

/// A listener filter that runs for some dialled ports.
fn filter(name: &str, config: envoy::Any, ports: &Inspected) -> envoy::listener::ListenerFilter {
    envoy::listener::ListenerFilter {
        name: name.into(),
        filter_disabled: disabled(ports),
        config_type: Some(envoy::listener::listener_filter::ConfigType::TypedConfig(config)),
    }
}

/// Envoy can only be told where a filter does *not* run.
fn disabled(ports: &Inspected) -> Option<envoy::listener::ListenerFilterChainMatchPredicate> {
    use envoy::listener::listener_filter_chain_match_predicate::{MatchSet, Rule};
    let (ports, only) = match ports {
        Inspected::Everywhere => return None,
        Inspected::Only(ports) => (ports, true),
        Inspected::Except(ports) => (ports, false),
    };
    let ports: BTreeSet<u16> = ports.iter().copied().collect();
    let mut rules: Vec<_> = ports
        .into_iter()
        .map(|port| {
            let start = i32::from(port);
            predicate(Rule::DestinationPortRange(envoy::types::Int32Range { start, end: start + 1 }))
        })
        .collect();
    let named = match rules.len() {
        0 => return None,
        // Envoy refuses a set of one.
        1 => rules.remove(0),
        _ => predicate(Rule::OrMatch(MatchSet { rules })),
    };
    Some(if only { predicate(Rule::NotMatch(Box::new(named))) } else { named })
}

fn predicate(
    rule: envoy::listener::listener_filter_chain_match_predicate::Rule,
) -> envoy::listener::ListenerFilterChainMatchPredicate {
    envoy::listener::ListenerFilterChainMatchPredicate { rule: Some(rule) }
}

#[cfg(test)]
mod tests {
    use envoy::listener::listener_filter_chain_match_predicate::Rule;

    use super::*;

    #[test]
    fn ports_are_turned_into_where_a_filter_does_not_run() {
        assert_eq!(disabled(&Inspected::Everywhere), None);
        assert_eq!(disabled(&Inspected::Except(vec![])), None);
        let Some(Rule::NotMatch(one)) = disabled(&Inspected::Only(vec![8080])).unwrap().rule else {
            panic!()
        };
        assert!(
            matches!(one.rule, Some(Rule::DestinationPortRange(range)) if (range.start, range.end) == (8080, 8081))
        );
        let Some(Rule::NotMatch(two)) = disabled(&Inspected::Only(vec![9, 8, 9])).unwrap().rule else {
            panic!()
        };
        let Some(Rule::OrMatch(set)) = two.rule else { panic!() };
        assert_eq!(set.rules.len(), 2, "repeated ports count once, in order");
        let Some(Rule::DestinationPortRange(range)) = disabled(&Inspected::Except(vec![80])).unwrap().rule
        else {
            panic!()
        };
        assert_eq!((range.start, range.end), (80, 81));
    }

    #[test]
    fn tls_goes_before_http() {
        let both = Sniffing {
            tls: Some(Inspected::Everywhere),
            http: Some(Inspected::Only(vec![80])),
            timeout: None,
        };
        let names: Vec<_> = inspectors(&both).map(|filter| filter.name).collect();
        assert_eq!(names, ["envoy.filters.listener.tls_inspector", "envoy.filters.listener.http_inspector"]);
        assert_eq!(inspectors(&Sniffing::default()).count(), 0);
    }
}
