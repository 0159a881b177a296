//! The rules in the table `nat`, in their order. With TPROXY inbound connections are the business of `tproxy.rs`.
//!
//! The order within a chain is the meaning. In particular: ports excluded from outbound capture come before everything
//! about loopback; a call of the application to itself through its own service is brought to the inbound side before
//! the proxy's traffic is let go; and the proxy's traffic is let go before anything is captured.

use super::CHAINS;
use super::flags::{Choice, Options, OwnerGroups};
use super::rule::{Cidr, Family, Is, Owner, Protocol, Rule, Table, Target};

const INBOUND: &str = "ISTIO_INBOUND";
const IN_REDIRECT: &str = "ISTIO_IN_REDIRECT";
const OUTPUT: &str = "ISTIO_OUTPUT";
const REDIRECT: &str = "ISTIO_REDIRECT";

/// The rules of one family.
pub(super) fn table(options: &Options, family: Family) -> Table {
    let mut rules = Vec::new();
    interfaces(options, &mut rules);
    // The tunnel port is a listener of the proxy.
    rules.push(Rule::new(INBOUND, Target::Return).tcp().port(Is::Equal(options.tunnel_port)));
    rules.push(Rule::new(REDIRECT, Target::Redirect(options.outbound_port)).tcp());
    rules.push(Rule::new(IN_REDIRECT, Target::Redirect(options.inbound_port)).tcp());
    if !options.tproxy {
        inbound(options, &mut rules);
    }
    rules.push(Rule::new("OUTPUT", Target::Chain(OUTPUT)));
    for port in &options.outbound_ports_exclude {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            rules.push(Rule::new(OUTPUT, Target::Return).protocol(protocol).port(Is::Equal(*port)));
        }
    }
    // The proxy hands an inbound connection to its application: it must not come back to the proxy.
    rules.push(Rule::new(OUTPUT, Target::Return).from(family.proxy_source()).outgoing("lo"));
    for owner in &options.owners {
        proxy(options, *owner, family, &mut rules);
    }
    owner_groups(&options.owner_groups, &mut rules);
    // Who names the loopback address means it.
    rules.push(Rule::new(OUTPUT, Target::Return).to(family.loopback()));
    for range in of_family(&options.outbound_exclude, family) {
        rules.push(Rule::new(OUTPUT, Target::Return).to(range));
    }
    outbound(options, family, &mut rules);
    Table { name: "nat", family, chains: &CHAINS, rules }
}

fn interfaces(options: &Options, rules: &mut Vec<Rule>) {
    for interface in &options.excluded_interfaces {
        rules.push(Rule::new("PREROUTING", Target::Return).incoming(interface));
        rules.push(Rule::new("OUTPUT", Target::Return).outgoing(interface));
    }
    for interface in &options.virtual_interfaces {
        rules.push(Rule::new("PREROUTING", Target::Return).incoming(interface).first());
    }
}

fn inbound(options: &Options, rules: &mut Vec<Rule>) {
    let capture = || Rule::new(INBOUND, Target::Chain(IN_REDIRECT)).tcp();
    match &options.inbound_include {
        Choice::Only(ports) if ports.is_empty() => {}
        Choice::Only(ports) => {
            rules.push(Rule::new("PREROUTING", Target::Chain(INBOUND)).tcp());
            rules.extend(ports.iter().map(|port| capture().port(Is::Equal(*port))));
        }
        Choice::All => {
            rules.push(Rule::new("PREROUTING", Target::Chain(INBOUND)).tcp());
            for port in &options.inbound_exclude {
                rules.push(Rule::new(INBOUND, Target::Return).tcp().port(Is::Equal(*port)));
            }
            rules.push(capture());
        }
    }
}

/// What is different for connections that the proxy opens.
fn proxy(options: &Options, owner: Owner, family: Family, rules: &mut Vec<Rule>) {
    // The application called its own service and the proxy chose this very pod: the connection goes through the
    // inbound side, so that mutual TLS and policy hold here as well.
    rules.push(
        Rule::new(OUTPUT, Target::Chain(IN_REDIRECT))
            .not_to(family.loopback())
            .outgoing("lo")
            .tcp()
            .port(Is::Not(options.tunnel_port))
            .owner(Is::Equal(owner)),
    );
    // The application calls its own address: nobody stands in between, unless loopback was asked for by name.
    if !asks_for_loopback(options) {
        rules.push(Rule::new(OUTPUT, Target::Return).outgoing("lo").owner(Is::Not(owner)));
    }
    // What the proxy sends out is not captured again, of whatever protocol.
    rules.push(Rule::new(OUTPUT, Target::Return).owner(Is::Equal(owner)));
}

fn asks_for_loopback(options: &Options) -> bool {
    match &options.outbound_include {
        Choice::All => false,
        Choice::Only(ranges) => ranges.iter().any(|range| range.is_loopback()),
    }
}

fn owner_groups(groups: &OwnerGroups, rules: &mut Vec<Rule>) {
    match groups {
        OwnerGroups::AllBut(groups) => {
            for group in groups {
                rules.push(Rule::new(OUTPUT, Target::Return).owner(Is::Equal(Owner::Gid(*group))));
            }
        }
        // One rule with all groups: a packet that belongs to none of them.
        OwnerGroups::Only(groups) => {
            rules.push(groups.iter().fold(Rule::new(OUTPUT, Target::Return), |rule, group| {
                rule.owner(Is::Not(Owner::Gid(*group)))
            }));
        }
    }
}

fn outbound(options: &Options, family: Family, rules: &mut Vec<Rule>) {
    let capture = || Rule::new(OUTPUT, Target::Chain(REDIRECT));
    // Traffic of guests arrives like inbound traffic and is captured like outbound traffic.
    let guests = || {
        options
            .virtual_interfaces
            .iter()
            .map(|name| Rule::new("PREROUTING", Target::Chain(REDIRECT)).incoming(name).first())
    };
    for port in &options.outbound_ports_include {
        rules.push(capture().tcp().port(Is::Equal(*port)));
    }
    match &options.outbound_include {
        Choice::All => {
            rules.push(capture());
            rules.extend(guests());
        }
        Choice::Only(ranges) => {
            for range in of_family(ranges, family) {
                rules.extend(guests().map(|rule| rule.to(range)));
                rules.push(capture().to(range));
            }
        }
    }
}

fn of_family(ranges: &[Cidr], family: Family) -> impl Iterator<Item = Cidr> {
    ranges.iter().copied().filter(move |range| range.family() == family)
}
