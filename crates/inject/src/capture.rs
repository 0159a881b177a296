//! Traffic capture: iptables rules in REDIRECT mode that send a pod's outbound connections to one port of the proxy and
//! its inbound connections to another.
//!
//! Only the table `nat` is touched, all chains of ours begin with `ISTIO_` (other software looks for these names), and
//! rules of others stay where they are. Each family is loaded by one `iptables-restore --noflush`, so it is there
//! completely or not at all.
//!
//! Init containers can run twice in the same network namespace, so the shell first reads `iptables-save` and asks
//! [`Table::compare`]; [`Table::replace`] and [`Table::cleanup`] are made from what is really there.

mod flags;
mod redirect;
mod rule;
mod saved;

pub use flags::{CaptureError, CaptureFlags, Problem, wants_v6};
pub use rule::{Family, Rule, RuleSet, Table};
pub use saved::State;

/// The chains we own.
const CHAINS: [&str; 4] = ["ISTIO_INBOUND", "ISTIO_IN_REDIRECT", "ISTIO_OUTPUT", "ISTIO_REDIRECT"];

/// Arguments of `ip` that make `::6` an address of the pod, so that the proxy can call its application from it. In IPv4
/// the whole of 127.0.0.0/8 is local and nothing is needed. It fails when the address is there already, which is fine.
pub const ADD_V6_SOURCE: [&str; 6] = ["-6", "address", "add", "::6/128", "dev", "lo"];

/// Makes the rules that the flags ask for, or names everything that is wrong with the flags.
pub fn plan(flags: &CaptureFlags) -> Result<RuleSet, CaptureError> {
    let options = flags::check(flags)?;
    let v4 = redirect::table(&options, Family::V4);
    let v6 = options.v6.then(|| redirect::table(&options, Family::V6));
    Ok(RuleSet { v4, v6 })
}

#[cfg(test)]
mod tests;
