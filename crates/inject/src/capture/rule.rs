//! One rule, and the text in which `iptables-restore` reads it.
//!
//! Rules are written in the order and spelling of `iptables-save`, so a person can lay both side by side.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::TPROXY_MARK;

/// A family of addresses; each has its own tables in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// For `iptables-restore`.
    V4,
    /// For `ip6tables-restore`.
    V6,
}

impl Family {
    /// The address from which the proxy calls its application.
    pub(super) fn proxy_source(self) -> Cidr {
        match self {
            Self::V4 => Cidr { address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6)), prefix: 32 },
            Self::V6 => Cidr { address: IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6)), prefix: 128 },
        }
    }

    /// The loopback address.
    pub(super) fn loopback(self) -> Cidr {
        match self {
            Self::V4 => Cidr { address: IpAddr::V4(Ipv4Addr::LOCALHOST), prefix: 32 },
            Self::V6 => Cidr { address: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
        }
    }
}

/// A range of addresses, with all bits behind the prefix zero, as the kernel keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads `10.0.0.0/8`, or a single address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let prefix: u8 = match prefix {
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => prefix.parse().ok()?,
            Some(_) => return None,
            None if address.is_ipv4() => 32,
            None => 128,
        };
        let address = match address {
            IpAddr::V4(v4) if prefix <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) if prefix <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
            _ => return None,
        };
        Some(Self { address, prefix })
    }

    pub(super) fn family(self) -> Family {
        if self.address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    pub(super) fn is_loopback(self) -> bool {
        self.address.is_loopback()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
    }
}

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Uid(u32),
    Gid(u32),
}

/// A match that can be turned around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is<T> {
    Equal(T),
    Not(T),
}

/// What happens to a connection that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Leave it alone, as far as this chain is concerned.
    Return,
    /// Go on in a chain of ours.
    Chain(&'static str),
    /// Send it to a local port.
    Redirect(u16),
    /// Hand it to a local port with both its addresses as they are.
    Tproxy(u16),
    /// Let it through, whatever comes after.
    Accept,
    /// Take it away without an answer.
    Drop,
    /// Mark the packet.
    Mark(u32),
    /// Give the packet's mark to its connection.
    SaveMark,
    /// Give the connection's mark to its packet.
    RestoreMark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    chain: &'static str,
    /// Put in front of all others, those of other software included.
    first: bool,
    source: Option<Cidr>,
    destination: Option<Is<Cidr>>,
    incoming: Option<String>,
    outgoing: Option<String>,
    protocol: Option<Protocol>,
    port: Option<Is<u16>>,
    owners: Vec<Is<Owner>>,
    mark: Option<Is<u32>>,
    connection_mark: Option<u32>,
    /// What the packet is to the connections there are.
    state: Option<&'static str>,
    target: Target,
}

impl Rule {
    pub(super) fn new(chain: &'static str, target: Target) -> Self {
        Self {
            chain,
            first: false,
            source: None,
            destination: None,
            incoming: None,
            outgoing: None,
            protocol: None,
            port: None,
            owners: Vec::new(),
            mark: None,
            connection_mark: None,
            state: None,
            target,
        }
    }

    pub(super) fn first(self) -> Self {
        Self { first: true, ..self }
    }

    pub(super) fn from(self, source: Cidr) -> Self {
        Self { source: Some(source), ..self }
    }

    /// A range of length zero is everything and is left out, as the kernel does.
    pub(super) fn to(self, destination: Cidr) -> Self {
        Self { destination: (destination.prefix > 0).then_some(Is::Equal(destination)), ..self }
    }

    pub(super) fn not_to(self, destination: Cidr) -> Self {
        Self { destination: Some(Is::Not(destination)), ..self }
    }

    pub(super) fn incoming(self, interface: &str) -> Self {
        Self { incoming: Some(interface.to_owned()), ..self }
    }

    pub(super) fn outgoing(self, interface: &str) -> Self {
        Self { outgoing: Some(interface.to_owned()), ..self }
    }

    pub(super) fn protocol(self, protocol: Protocol) -> Self {
        Self { protocol: Some(protocol), ..self }
    }

    pub(super) fn tcp(self) -> Self {
        self.protocol(Protocol::Tcp)
    }

    pub(super) fn port(self, port: Is<u16>) -> Self {
        Self { port: Some(port), ..self }
    }

    pub(super) fn owner(mut self, owner: Is<Owner>) -> Self {
        self.owners.push(owner);
        self
    }

    pub(super) fn mark(self, mark: Is<u32>) -> Self {
        Self { mark: Some(mark), ..self }
    }

    pub(super) fn connection_mark(self, mark: u32) -> Self {
        Self { connection_mark: Some(mark), ..self }
    }

    /// Packets of connections that exist already.
    pub(super) fn established(self) -> Self {
        Self { state: Some("RELATED,ESTABLISHED"), ..self }
    }

    /// Packets that belong to no connection and begin none.
    pub(super) fn invalid(self) -> Self {
        Self { state: Some("INVALID"), ..self }
    }

    pub(super) fn chain(&self) -> &'static str {
        self.chain
    }

    pub(super) fn is_first(&self) -> bool {
        self.first
    }

    /// What comes after the name of the chain.
    pub(super) fn body(&self, family: Family) -> String {
        const ALL: &str = "--nfmask 0xffffffff --ctmask 0xffffffff";
        let Self {
            chain: _,
            first: _,
            source,
            destination,
            incoming,
            outgoing,
            protocol,
            port,
            owners,
            mark,
            connection_mark,
            state,
            target,
        } = self;
        let mut out = String::new();
        let mut put = |part: fmt::Arguments<'_>| {
            if !out.is_empty() {
                out.push(' ');
            }
            out.write_fmt(part).expect("a string takes all");
        };
        if let Some(source) = source {
            put(format_args!("-s {source}"));
        }
        match destination {
            Some(Is::Equal(range)) => put(format_args!("-d {range}")),
            Some(Is::Not(range)) => put(format_args!("! -d {range}")),
            None => {}
        }
        if let Some(interface) = incoming {
            put(format_args!("-i {interface}"));
        }
        if let Some(interface) = outgoing {
            put(format_args!("-o {interface}"));
        }
        let protocol = match protocol {
            Some(Protocol::Tcp) => Some("tcp"),
            Some(Protocol::Udp) => Some("udp"),
            None => None,
        };
        if let Some(protocol) = protocol {
            put(format_args!("-p {protocol}"));
            match port {
                Some(Is::Equal(port)) => put(format_args!("-m {protocol} --dport {port}")),
                Some(Is::Not(port)) => put(format_args!("-m {protocol} ! --dport {port}")),
                None => {}
            }
        }
        for owner in owners {
            match owner {
                Is::Equal(Owner::Uid(id)) => put(format_args!("-m owner --uid-owner {id}")),
                Is::Not(Owner::Uid(id)) => put(format_args!("-m owner ! --uid-owner {id}")),
                Is::Equal(Owner::Gid(id)) => put(format_args!("-m owner --gid-owner {id}")),
                Is::Not(Owner::Gid(id)) => put(format_args!("-m owner ! --gid-owner {id}")),
            }
        }
        match mark {
            Some(Is::Equal(mark)) => put(format_args!("-m mark --mark {mark:#x}")),
            Some(Is::Not(mark)) => put(format_args!("-m mark ! --mark {mark:#x}")),
            None => {}
        }
        if let Some(mark) = connection_mark {
            put(format_args!("-m connmark --mark {mark:#x}"));
        }
        if let Some(state) = state {
            put(format_args!("-m conntrack --ctstate {state}"));
        }
        match target {
            Target::Return => put(format_args!("-j RETURN")),
            Target::Chain(chain) => put(format_args!("-j {chain}")),
            Target::Redirect(port) => put(format_args!("-j REDIRECT --to-ports {port}")),
            Target::Tproxy(port) => {
                let any = match family {
                    Family::V4 => "0.0.0.0",
                    Family::V6 => "::",
                };
                put(format_args!(
                    "-j TPROXY --on-port {port} --on-ip {any} --tproxy-mark {TPROXY_MARK:#x}/0xffffffff"
                ));
            }
            Target::Accept => put(format_args!("-j ACCEPT")),
            Target::Drop => put(format_args!("-j DROP")),
            Target::Mark(mark) => put(format_args!("-j MARK --set-xmark {mark:#x}/0xffffffff")),
            Target::SaveMark => put(format_args!("-j CONNMARK --save-mark {ALL}")),
            Target::RestoreMark => put(format_args!("-j CONNMARK --restore-mark {ALL}")),
        }
        out
    }
}

/// The rules of one family in one table of the kernel, in the order in which they are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub(super) name: &'static str,
    pub(super) family: Family,
    /// The chains of ours in it.
    pub(super) chains: &'static [&'static str],
    pub(super) rules: Vec<Rule>,
}

impl Table {
    /// `nat` or `mangle`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How many rules it has.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules as lines of `iptables-restore`, in the order in which they are loaded.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.rules.iter().map(|rule| {
            let body = rule.body(self.family);
            if rule.first {
                format!("-I {} 1 {body}", rule.chain)
            } else {
                format!("-A {} {body}", rule.chain)
            }
        })
    }

    /// Input for `iptables-restore --noflush` (or `ip6tables-restore`) where nothing of ours is loaded yet.
    pub fn restore(&self) -> String {
        self.text(&[])
    }

    /// Input with some commands in front, in the same transaction. Declaring a chain empties it if it exists, which
    /// `--noflush` does not prevent for chains that are named in the input.
    pub(super) fn text(&self, before: &[String]) -> String {
        let mut out = format!("*{}\n", self.name);
        for chain in self.chains {
            writeln!(out, ":{chain} - [0:0]").expect("a string takes all");
        }
        for line in before.iter().cloned().chain(self.lines()) {
            out.push_str(&line);
            out.push('\n');
        }
        out.push_str("COMMIT\n");
        out
    }
}

/// The rules of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    /// For IPv4.
    pub v4: Tables,
    /// For IPv6, if the pod has it.
    pub v6: Option<Tables>,
}

/// The tables of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// What redirects.
    pub nat: Table,
    /// What hands over inbound connections with both addresses as they are, and what drops packets of no connection.
    pub mangle: Option<Table>,
    /// Whether connections are handed over, which needs routes of its own.
    pub hands_over: bool,
}

impl Tables {
    /// In the order in which they are loaded.
    pub fn all(&self) -> impl Iterator<Item = &Table> {
        std::iter::once(&self.nat).chain(&self.mangle)
    }
}

impl RuleSet {
    /// What would be loaded, for a person to read and for a shell to run.
    pub fn dry_run(&self) -> String {
        let mut out = String::new();
        let mut put = |text: fmt::Arguments<'_>| out.write_fmt(text).expect("a string takes all");
        for (tables, ip, restore) in
            [(Some(&self.v4), "ip -4", "iptables-restore"), (self.v6.as_ref(), "ip -6", "ip6tables-restore")]
        {
            let Some(tables) = tables else { continue };
            if tables.nat.family == Family::V6 {
                put(format_args!("# ip {}\n", super::ADD_V6_SOURCE.join(" ")));
            }
            if tables.hands_over {
                for command in super::TPROXY_ROUTING {
                    put(format_args!("# {ip} {}\n", command.join(" ")));
                }
            }
            for table in tables.all() {
                put(format_args!("# {restore} --noflush\n{}", table.restore()));
            }
        }
        out
    }
}
