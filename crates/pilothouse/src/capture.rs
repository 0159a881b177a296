//! `capture`: rules that bring a pod's traffic to its proxy.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};
use pilothouse_inject::capture::{
    ADD_V6_SOURCE, CaptureFlags, RuleSet, State, TPROXY_ROUTING, TPROXY_ROUTING_UNDONE, Table, Tables, plan,
    wants_v6,
};

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Redirects the traffic of this network namespace to the proxy.
///
/// Meant for an init container or the owner of a network namespace; needs the right to change iptables. The rules are loaded
/// by one iptables-restore for IPv4 and one for IPv6. Running it again changes nothing when the rules are in place, and replaces
/// them in one step when they differ. Flags mean what they mean for istio-iptables; lists are separated by commas.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse capture\n  pilothouse capture --dry-run -o 15012 -x 10.0.0.0/8\n  \
    pilothouse capture --cleanup"
)]
pub(crate) struct Arguments {
    /// Only print what would be loaded
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Remove the rules again
    #[arg(long)]
    cleanup: bool,
    /// Whether to write rules for IPv6 as well; auto looks at the addresses of this network namespace
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    ipv6: Ipv6,
    /// With auto: also when IPv6 is not the primary family
    #[arg(long)]
    dual_stack: bool,
    #[command(flatten)]
    ports: PortArguments,
    #[command(flatten)]
    inbound: InboundArguments,
    #[command(flatten)]
    outbound: OutboundArguments,
}

/// When there are rules for IPv6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Ipv6 {
    /// If an address asks for it.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "The proxy")]
struct PortArguments {
    /// Where outbound connections go
    #[arg(long, short = 'p', default_value = "15001", value_name = "PORT")]
    envoy_port: String,
    /// Where inbound connections go
    #[arg(long, short = 'z', default_value = "15006", value_name = "PORT")]
    inbound_capture_port: String,
    /// A port of the proxy that is never captured
    #[arg(long, short = 'e', default_value = "15008", value_name = "PORT")]
    inbound_tunnel_port: String,
    /// Users whose connections are the proxy's own
    #[arg(long, short = 'u', default_value = "1337", value_name = "UIDS")]
    proxy_uid: String,
    /// Groups whose connections are the proxy's own [default: as the users]
    #[arg(long, short = 'g', default_value = "", hide_default_value = true, value_name = "GIDS")]
    proxy_gid: String,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Inbound")]
#[expect(clippy::struct_field_names, reason = "the names of the flags of istio-iptables")]
struct InboundArguments {
    /// REDIRECT, or TPROXY, which keeps the address of the caller; with --cleanup as it was loaded
    #[arg(long, short = 'm', default_value = "REDIRECT", value_name = "MODE")]
    istio_inbound_interception_mode: String,
    /// Ports to capture; * for all, empty for none
    #[arg(long, short = 'b', default_value = "*", value_name = "PORTS")]
    istio_inbound_ports: String,
    /// Ports not to capture, where all are
    #[arg(long, short = 'd', default_value = "15020,15021,15090", value_name = "PORTS")]
    istio_local_exclude_ports: String,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Outbound")]
struct OutboundArguments {
    /// Destinations to capture; * for all, empty for none
    #[arg(long, short = 'i', default_value = "*", value_name = "RANGES")]
    istio_service_cidr: String,
    /// Destinations to leave alone
    #[arg(long, short = 'x', default_value = "", hide_default_value = true, value_name = "RANGES")]
    istio_service_exclude_cidr: String,
    /// Destination ports to capture whatever the address
    #[arg(long, short = 'q', default_value = "", hide_default_value = true, value_name = "PORTS")]
    istio_outbound_ports: String,
    /// Destination ports to leave alone
    #[arg(long, short = 'o', default_value = "", hide_default_value = true, value_name = "PORTS")]
    istio_local_outbound_ports_exclude: String,
    /// Interfaces of guests, whose traffic is treated as outbound
    #[arg(long, short = 'k', default_value = "", hide_default_value = true, value_name = "INTERFACES")]
    kube_virt_interfaces: String,
    /// Interfaces to leave alone
    #[arg(long, short = 'c', default_value = "", hide_default_value = true, value_name = "INTERFACES")]
    exclude_interfaces: String,
    /// Not supported yet
    #[arg(long, hide = true)]
    redirect_dns: bool,
    /// Drop packets that belong to no connection, which would be answered with a reset (INVALID_DROP=true as well)
    #[arg(long)]
    drop_invalid: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    environment: &BTreeMap<String, String>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let v6 = match arguments.ipv6 {
        Ipv6::On => true,
        Ipv6::Off => false,
        Ipv6::Auto => wants_v6(&addresses()?, arguments.dual_stack),
    };
    let rules = plan(&flags(arguments, environment, v6)).map_err(Failure::usage)?;
    if arguments.dry_run {
        output.answer(&rules.dry_run());
        return Ok(Exit::Fine);
    }
    let RuleSet { v4, v6 } = rules;
    for (family, tables) in [(&V4, Some(v4)), (&V6, v6)] {
        let Some(tables) = tables else { continue };
        if !arguments.cleanup {
            family.prepare(&tables)?;
        }
        for table in tables.all() {
            let done = if arguments.cleanup { family.clean(table)? } else { family.load(table)? };
            output.remark(&format!("{}, {}: {done}\n", family.name, table.name()));
        }
        if arguments.cleanup && tables.hands_over {
            family.forget_routing();
        }
    }
    Ok(Exit::Fine)
}

fn flags(arguments: &Arguments, environment: &BTreeMap<String, String>, v6: bool) -> CaptureFlags {
    let Arguments { dry_run: _, cleanup: _, ipv6: _, dual_stack: _, ports, inbound, outbound } = arguments;
    let PortArguments { envoy_port, inbound_capture_port, inbound_tunnel_port, proxy_uid, proxy_gid } = ports;
    let InboundArguments { istio_inbound_interception_mode, istio_inbound_ports, istio_local_exclude_ports } =
        inbound;
    let OutboundArguments {
        istio_service_cidr,
        istio_service_exclude_cidr,
        istio_outbound_ports,
        istio_local_outbound_ports_exclude,
        kube_virt_interfaces,
        exclude_interfaces,
        redirect_dns,
        drop_invalid,
    } = outbound;
    // These two have no flag in istio-iptables either.
    let groups = |name: &str, otherwise: String| environment.get(name).cloned().unwrap_or(otherwise);
    let usual = CaptureFlags::default();
    CaptureFlags {
        envoy_port: envoy_port.clone(),
        inbound_capture_port: inbound_capture_port.clone(),
        inbound_tunnel_port: inbound_tunnel_port.clone(),
        proxy_uid: proxy_uid.clone(),
        proxy_gid: proxy_gid.clone(),
        inbound_interception_mode: istio_inbound_interception_mode.clone(),
        inbound_ports: istio_inbound_ports.clone(),
        local_exclude_ports: istio_local_exclude_ports.clone(),
        service_cidr: istio_service_cidr.clone(),
        service_exclude_cidr: istio_service_exclude_cidr.clone(),
        outbound_ports: istio_outbound_ports.clone(),
        local_outbound_ports_exclude: istio_local_outbound_ports_exclude.clone(),
        virtual_interfaces: kube_virt_interfaces.clone(),
        exclude_interfaces: exclude_interfaces.clone(),
        outbound_owner_groups: groups("ISTIO_OUTBOUND_OWNER_GROUPS", usual.outbound_owner_groups),
        outbound_owner_groups_exclude: groups(
            "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",
            usual.outbound_owner_groups_exclude,
        ),
        redirect_dns: *redirect_dns,
        drop_invalid: *drop_invalid || environment.get("INVALID_DROP").is_some_and(|word| word == "true"),
        v6,
    }
}

/// The addresses of this network namespace, in the order of its interfaces.
fn addresses() -> Result<Vec<IpAddr>, Failure> {
    let interfaces = nix::ifaddrs::getifaddrs().map_err(|error| {
        Failure::unavailable(format_args!("cannot look at the network interfaces: {error}"))
    })?;
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    });
    Ok(addresses.collect())
}

/// The programs of one family.
struct Family {
    name: &'static str,
    save: &'static str,
    restore: &'static str,
    v6: bool,
}

const V4: Family = Family { name: "IPv4", save: "iptables-save", restore: "iptables-restore", v6: false };
const V6: Family = Family { name: "IPv6", save: "ip6tables-save", restore: "ip6tables-restore", v6: true };

impl Family {
    /// What the rules need of addresses and routes. It comes first: rules that lead nowhere would be worse than none.
    fn prepare(&self, tables: &Tables) -> Result<(), Failure> {
        if self.v6 {
            // It fails when the address is there already, and then all is well.
            let _there_already = Command::new("ip").args(ADD_V6_SOURCE).stderr(Stdio::null()).status();
        }
        if !tables.hands_over {
            return Ok(());
        }
        for words in TPROXY_ROUTING {
            match run_program("ip", &self.with_family(words), "") {
                // The same rule from an earlier run.
                Err(failure) if !failure.message.contains("File exists") => return Err(failure),
                _ => {}
            }
        }
        Ok(())
    }

    /// Fails only when there is nothing to forget.
    fn forget_routing(&self) {
        for words in TPROXY_ROUTING_UNDONE {
            let _not_there = Command::new("ip").args(self.with_family(words)).stderr(Stdio::null()).status();
        }
    }

    fn with_family<'w>(&self, words: &[&'w str]) -> Vec<&'w str> {
        std::iter::once(if self.v6 { "-6" } else { "-4" }).chain(words.iter().copied()).collect()
    }

    fn load(&self, table: &Table) -> Result<&'static str, Failure> {
        let saved = self.saved(table)?;
        match table.compare(&saved) {
            State::Same => Ok("the rules are in place already"),
            State::Absent => self.restore(&table.restore()).map(|()| "loaded the rules"),
            State::Different => self.restore(&table.replace(&saved)).map(|()| "replaced other rules"),
        }
    }

    fn clean(&self, table: &Table) -> Result<&'static str, Failure> {
        match table.cleanup(&self.saved(table)?) {
            Some(input) => self.restore(&input).map(|()| "removed the rules"),
            None => Ok("there are no rules to remove"),
        }
    }

    fn saved(&self, table: &Table) -> Result<String, Failure> {
        run_program(self.save, &["-t", table.name()], "")
    }

    fn restore(&self, input: &str) -> Result<(), Failure> {
        run_program(self.restore, &["--noflush", "--wait=30"], input).map(drop)
    }
}

/// Runs a program with an input and returns what it prints.
fn run_program(program: &str, arguments: &[&str], input: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        let hint = if error.kind() == std::io::ErrorKind::NotFound {
            "; install it with: apt-get install iptables"
        } else {
            ""
        };
        Failure::unavailable(format_args!("cannot run {program}: {error}{hint}"))
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // The input is far smaller than the buffer of a pipe or is read before anything is written. Dropping it is its end.
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let done = child.wait_with_output().map_err(failed)?;
    let remarks = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        let refused = ["Permission denied", "you must be root", "Operation not permitted"];
        let hint = if refused.iter().any(|words| remarks.contains(words)) {
            "; it needs root, or CAP_NET_ADMIN and CAP_NET_RAW"
        } else {
            ""
        };
        return Err(Failure::unavailable(format_args!("{program} failed: {}{hint}", remarks.trim())));
    }
    if let Some(Err(error)) = written {
        return Err(failed(error));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
