//! The rules in the table `mangle`, in their order: those of TPROXY mode, and the one that drops what belongs to no connection.
//!
//! A packet from outside is handed to the proxy with both its addresses as they are, and marked, so that routing keeps it in
//! the pod. The proxy calls its application from the address of the caller; the answers to that come out of the application
//! with that address too, and must find back to the proxy: the mark is kept with the connection and put on them again.

use super::TPROXY_MARK;
use super::flags::{Choice, Options};
use super::rule::{Family, Is, Rule, Table, Target};

const DIVERT: &str = "ISTIO_DIVERT";
const INBOUND: &str = "ISTIO_INBOUND";
const TPROXY: &str = "ISTIO_TPROXY";
const DROP: &str = "ISTIO_DROP";
const CHAINS: [&str; 3] = [DIVERT, INBOUND, TPROXY];
const CHAINS_WITH_DROP: [&str; 4] = [DIVERT, DROP, INBOUND, TPROXY];
/// The mark of calls that the proxy makes to this very pod.
const SELF_MARK: u32 = 1338;

/// The rules of one family; none if nothing asks for this table.
pub(super) fn table(options: &Options, family: Family) -> Option<Table> {
    let mut rules = Vec::new();
    if options.drop_invalid {
        rules.push(Rule::new("PREROUTING", Target::Chain(DROP)).invalid());
        rules.push(Rule::new(DROP, Target::Drop));
    }
    let chains: &[&str] = match (options.tproxy, options.drop_invalid) {
        (false, false) => return None,
        (false, true) => &[DROP],
        (true, false) => &CHAINS,
        (true, true) => &CHAINS_WITH_DROP,
    };
    if options.tproxy {
        hand_over(options, family, &mut rules);
    }
    Some(Table { name: "mangle", family, chains, rules })
}

fn hand_over(options: &Options, family: Family, rules: &mut Vec<Rule>) {
    for interface in &options.excluded_interfaces {
        rules.push(Rule::new("PREROUTING", Target::Return).incoming(interface));
        rules.push(Rule::new("OUTPUT", Target::Return).outgoing(interface));
    }
    rules.push(Rule::new(DIVERT, Target::Mark(TPROXY_MARK)));
    rules.push(Rule::new(DIVERT, Target::Accept));
    rules.push(Rule::new(TPROXY, Target::Tproxy(options.inbound_port)).not_to(family.loopback()).tcp());
    inbound(options, family, rules);
    rules.push(Rule::new("PREROUTING", Target::SaveMark).tcp().mark(Is::Equal(TPROXY_MARK)));
    // What was marked on its way in and goes on over loopback has been handed over already.
    rules.push(Rule::new("OUTPUT", Target::Return).outgoing("lo").tcp().mark(Is::Equal(TPROXY_MARK)));
    for owner in &options.owners {
        rules.push(
            Rule::new("OUTPUT", Target::Mark(SELF_MARK))
                .not_to(family.loopback())
                .outgoing("lo")
                .tcp()
                .owner(Is::Equal(*owner)),
        );
    }
    rules.push(Rule::new("OUTPUT", Target::RestoreMark).tcp().connection_mark(TPROXY_MARK));
}

fn inbound(options: &Options, family: Family, rules: &mut Vec<Rule>) {
    if matches!(&options.inbound_include, Choice::Only(ports) if ports.is_empty()) {
        return;
    }
    let inbound = |target| Rule::new(INBOUND, target).tcp();
    rules.push(Rule::new("PREROUTING", Target::Chain(INBOUND)).tcp());
    // The proxy's own calls: to the application from the caller's address, or from its own.
    rules.push(inbound(Target::Return).mark(Is::Equal(TPROXY_MARK)));
    rules.push(inbound(Target::Return).from(family.proxy_source()).incoming("lo"));
    // The application calls itself, unless the proxy is in between.
    rules.push(inbound(Target::Return).incoming("lo").mark(Is::Not(SELF_MARK)));
    rules.push(inbound(Target::Return).port(Is::Equal(options.tunnel_port)));
    match &options.inbound_include {
        Choice::All => {
            for port in &options.inbound_exclude {
                rules.push(inbound(Target::Return).port(Is::Equal(*port)));
            }
            rules.push(inbound(Target::Chain(DIVERT)).established());
            rules.push(inbound(Target::Chain(TPROXY)));
        }
        Choice::Only(ports) => {
            for port in ports {
                rules.push(inbound(Target::Chain(DIVERT)).port(Is::Equal(*port)).established());
                rules.push(inbound(Target::Chain(TPROXY)).port(Is::Equal(*port)));
            }
        }
    }
}
