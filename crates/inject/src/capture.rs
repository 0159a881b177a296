//! Traffic capture: iptables rules that send a pod's outbound connections to one port of the proxy and its inbound
//! connections to another.
//!
//! Outbound connections are redirected in the table `nat`. Inbound ones are too, or with TPROXY they are handed over in the
//! table `mangle`, so that the application sees the address of its caller. All chains of ours begin with `ISTIO_` (other
//! software looks for these names), and rules of others stay where they are. Each table of each family is loaded by one
//! `iptables-restore --noflush`, so it is there completely or not at all.
//!
//! Init containers can run twice in the same network namespace, so the shell first reads `iptables-save` and asks
//! [`Table::compare`]; [`Table::replace`] and [`Table::cleanup`] are made from what is really there.

mod flags;
mod redirect;
mod rule;
mod saved;
mod tproxy;

pub use flags::{CaptureError, CaptureFlags, Problem, wants_v6};
pub use rule::{Family, RuleSet, Table, Tables};
pub use saved::State;

/// The chains we own in the table `nat`.
const CHAINS: [&str; 4] = ["ISTIO_INBOUND", "ISTIO_IN_REDIRECT", "ISTIO_OUTPUT", "ISTIO_REDIRECT"];

/// Arguments of `ip` that make `::6` an address of the pod, so that the proxy can call its application from it. In IPv4
/// the whole of 127.0.0.0/8 is local and nothing is needed. It fails when the address is there already, which is fine.
pub const ADD_V6_SOURCE: [&str; 6] = ["-6", "address", "add", "::6/128", "dev", "lo"];

/// The mark of packets that are handed over.
const TPROXY_MARK: u32 = 1337;

/// Arguments of `ip -4` and `ip -6` that keep marked packets in the pod. The first fails when the rule is there already.
pub const TPROXY_ROUTING: [&[&str]; 2] = [
    &["rule", "add", "pref", "133", "fwmark", "1337", "lookup", "133"],
    &["route", "replace", "local", "default", "dev", "lo", "table", "133"],
];

/// Takes [`TPROXY_ROUTING`] back.
pub const TPROXY_ROUTING_UNDONE: [&[&str]; 2] =
    [&["rule", "del", "fwmark", "1337", "lookup", "133"], &["route", "flush", "table", "133"]];

/// Makes the rules that the flags ask for, or names everything that is wrong with the flags.
pub fn plan(flags: &CaptureFlags) -> Result<RuleSet, CaptureError> {
    let options = flags::check(flags)?;
    let tables = |family| Tables {
        nat: redirect::table(&options, family),
        mangle: tproxy::table(&options, family),
        hands_over: options.tproxy,
    };
    Ok(RuleSet { v4: tables(Family::V4), v6: options.v6.then(|| tables(Family::V6)) })
}

#[cfg(test)]
mod tests;
