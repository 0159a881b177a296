//! The options as users write them, named like those of `istio-iptables`, and their check.

use std::fmt;
use std::net::IpAddr;

use super::rule::{Cidr, Owner};

/// Entries in one list beyond which we suspect a mistake: each one is a rule that packets walk along.
const MAX_ENTRIES: usize = 1024;
/// Groups to include stand in one rule, and `iptables-restore` reads at most 255 words of it, five for each group.
const MAX_GROUPS: usize = 48;
/// Interface names have at most 15 characters in Linux.
const MAX_INTERFACE: usize = 15;

/// Options of `capture`. Lists are separated by commas, `*` stands for everything, the empty text for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureFlags {
    /// `-p`, `--envoy-port`: where outbound connections go.
    pub envoy_port: String,
    /// `-z`, `--inbound-capture-port`: where inbound connections go.
    pub inbound_capture_port: String,
    /// `-e`, `--inbound-tunnel-port`: a port of the proxy that is never captured.
    pub inbound_tunnel_port: String,
    /// `-u`, `--proxy-uid`: users whose connections are the proxy's own.
    pub proxy_uid: String,
    /// `-g`, `--proxy-gid`: groups whose connections are the proxy's own; empty for the same numbers as the users.
    pub proxy_gid: String,
    /// `-m`, `--istio-inbound-interception-mode`: `REDIRECT`, or `TPROXY` for inbound connections that keep the address of
    /// their caller.
    pub inbound_interception_mode: String,
    /// `-b`, `--istio-inbound-ports`: inbound ports to capture.
    pub inbound_ports: String,
    /// `-d`, `--istio-local-exclude-ports`: inbound ports not to capture. Has a meaning with `*` above only.
    pub local_exclude_ports: String,
    /// `-i`, `--istio-service-cidr`: destinations whose outbound connections are captured.
    pub service_cidr: String,
    /// `-x`, `--istio-service-exclude-cidr`: destinations that are left alone.
    pub service_exclude_cidr: String,
    /// `-q`, `--istio-outbound-ports`: destination ports captured whatever the address.
    pub outbound_ports: String,
    /// `-o`, `--istio-local-outbound-ports-exclude`: destination ports that are left alone.
    pub local_outbound_ports_exclude: String,
    /// `-k`, `--kube-virt-interfaces`: interfaces of guests, whose traffic is treated as outbound.
    pub virtual_interfaces: String,
    /// `-c`, `--exclude-interfaces`: interfaces that are left alone.
    pub exclude_interfaces: String,
    /// `ISTIO_OUTBOUND_OWNER_GROUPS`: groups whose outbound connections are captured.
    pub outbound_owner_groups: String,
    /// `ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE`: groups whose outbound connections are not.
    pub outbound_owner_groups_exclude: String,
    /// `--redirect-dns`.
    pub redirect_dns: bool,
    /// `--drop-invalid`: packets that belong to no connection are dropped. The kernel would answer them with a reset, which ends the
    /// connection of a peer whose packet came late.
    pub drop_invalid: bool,
    /// Rules for IPv6 as well; see [`wants_v6`].
    pub v6: bool,
}

impl Default for CaptureFlags {
    /// Capture everything but the ports of the proxy itself.
    fn default() -> Self {
        Self {
            envoy_port: "15001".to_owned(),
            inbound_capture_port: "15006".to_owned(),
            inbound_tunnel_port: "15008".to_owned(),
            proxy_uid: "1337".to_owned(),
            proxy_gid: String::new(),
            inbound_interception_mode: "REDIRECT".to_owned(),
            inbound_ports: "*".to_owned(),
            local_exclude_ports: "15020,15021,15090".to_owned(),
            service_cidr: "*".to_owned(),
            service_exclude_cidr: String::new(),
            outbound_ports: String::new(),
            local_outbound_ports_exclude: String::new(),
            virtual_interfaces: String::new(),
            exclude_interfaces: String::new(),
            outbound_owner_groups: "*".to_owned(),
            outbound_owner_groups_exclude: String::new(),
            redirect_dns: false,
            drop_invalid: false,
            v6: false,
        }
    }
}

/// One thing that is wrong with the flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The flag.
    pub flag: &'static str,
    /// The part of its value that is wrong.
    pub value: String,
    /// What is expected instead.
    pub reason: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flag, value, reason } = self;
        write!(out, "{flag}: {value:?} {reason}")
    }
}

/// Why there are no rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// Some flags are wrong; all of them are named.
    #[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid {
        /// What is wrong, in the order of the flags.
        problems: Vec<Problem>,
    },
    /// A way of capturing that we do not have yet. It is refused, because a pod that is captured in another way than
    /// was asked for is worse than one that does not start.
    #[error("{flag} is not supported yet{hint}")]
    Unsupported {
        /// What was asked for.
        flag: &'static str,
        /// What to do instead, with its leading punctuation.
        hint: &'static str,
    },
}

/// True if rules for IPv6 are needed: the pod's first address that is neither loopback nor link-local is of that
/// family, or any such address is and the pod is to be dual-stack.
pub fn wants_v6(addresses: &[IpAddr], dual_stack: bool) -> bool {
    let mut usable = addresses.iter().filter(|address| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    });
    if dual_stack { usable.any(IpAddr::is_ipv6) } else { usable.next().is_some_and(IpAddr::is_ipv6) }
}

/// A choice that is everything, or a list.
#[derive(Debug)]
pub(super) enum Choice<T> {
    All,
    Only(Vec<T>),
}

/// Which groups' outbound connections are captured.
#[derive(Debug)]
pub(super) enum OwnerGroups {
    AllBut(Vec<u32>),
    Only(Vec<u32>),
}

/// Flags after checking.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) outbound_port: u16,
    pub(super) inbound_port: u16,
    pub(super) tunnel_port: u16,
    pub(super) owners: Vec<Owner>,
    pub(super) inbound_include: Choice<u16>,
    pub(super) inbound_exclude: Vec<u16>,
    pub(super) outbound_include: Choice<Cidr>,
    pub(super) outbound_exclude: Vec<Cidr>,
    pub(super) outbound_ports_include: Vec<u16>,
    pub(super) outbound_ports_exclude: Vec<u16>,
    pub(super) virtual_interfaces: Vec<String>,
    pub(super) excluded_interfaces: Vec<String>,
    pub(super) owner_groups: OwnerGroups,
    /// Inbound connections are handed over in `mangle`.
    pub(super) tproxy: bool,
    /// Packets of no connection are dropped in `mangle`.
    pub(super) drop_invalid: bool,
    pub(super) v6: bool,
}

/// Reads all flags, or reports all problems.
pub(super) fn check(flags: &CaptureFlags) -> Result<Options, CaptureError> {
    let CaptureFlags {
        envoy_port,
        inbound_capture_port,
        inbound_tunnel_port,
        proxy_uid,
        proxy_gid,
        inbound_interception_mode,
        inbound_ports,
        local_exclude_ports,
        service_cidr,
        service_exclude_cidr,
        outbound_ports,
        local_outbound_ports_exclude,
        virtual_interfaces,
        exclude_interfaces,
        outbound_owner_groups,
        outbound_owner_groups_exclude,
        redirect_dns,
        drop_invalid,
        v6,
    } = flags;
    let mut check = Check { problems: Vec::new() };

    let outbound_port = check.one("--envoy-port", envoy_port, port, A_PORT);
    let inbound_port = check.one("--inbound-capture-port", inbound_capture_port, port, A_PORT);
    let tunnel_port = check.one("--inbound-tunnel-port", inbound_tunnel_port, port, A_PORT);
    if outbound_port == inbound_port {
        check.problem(
            "--inbound-capture-port",
            inbound_capture_port,
            "is the port of --envoy-port as well; inbound and outbound connections need different ones",
        );
    }
    let uids = check.list("--proxy-uid", proxy_uid, id, AN_ID);
    if uids.is_empty() && proxy_uid.trim().is_empty() {
        check.problem("--proxy-uid", proxy_uid, "names nobody; without it the proxy captures itself");
    }
    let gids = if proxy_gid.trim().is_empty() {
        uids.clone()
    } else {
        check.list("--proxy-gid", proxy_gid, id, AN_ID)
    };
    let owners = uids.into_iter().map(Owner::Uid).chain(gids.into_iter().map(Owner::Gid)).collect();
    if !matches!(inbound_interception_mode.as_str(), "REDIRECT" | "TPROXY" | "NONE") {
        check.problem(
            "--istio-inbound-interception-mode",
            inbound_interception_mode,
            "is not a mode; write REDIRECT or TPROXY",
        );
    }
    let inbound_include = check.choice("--istio-inbound-ports", inbound_ports, port, A_PORT);
    let inbound_exclude = check.list("--istio-local-exclude-ports", local_exclude_ports, port, A_PORT);
    let outbound_include = check.choice("--istio-service-cidr", service_cidr, Cidr::parse, A_RANGE);
    let outbound_exclude = match service_exclude_cidr.trim() {
        "*" => {
            check.problem(
                "--istio-service-exclude-cidr",
                service_exclude_cidr,
                "excludes everything; leave --istio-service-cidr empty instead",
            );
            Vec::new()
        }
        list => check.list("--istio-service-exclude-cidr", list, Cidr::parse, A_RANGE),
    };
    let outbound_ports_include = check.list("--istio-outbound-ports", outbound_ports, port, A_PORT);
    let outbound_ports_exclude =
        check.list("--istio-local-outbound-ports-exclude", local_outbound_ports_exclude, port, A_PORT);
    let virtual_interfaces =
        check.list("--kube-virt-interfaces", virtual_interfaces, interface, AN_INTERFACE);
    let excluded_interfaces = check.list("--exclude-interfaces", exclude_interfaces, interface, AN_INTERFACE);
    let groups = check.choice("ISTIO_OUTBOUND_OWNER_GROUPS", outbound_owner_groups, id, AN_ID);
    let groups_exclude =
        check.list("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", outbound_owner_groups_exclude, id, AN_ID);
    let owner_groups = match groups {
        Choice::All => OwnerGroups::AllBut(groups_exclude),
        Choice::Only(groups) => {
            if !groups_exclude.is_empty() {
                check.problem(
                    "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",
                    outbound_owner_groups_exclude,
                    "has no meaning beside a list of groups to include",
                );
            }
            if groups.len() > MAX_GROUPS {
                check.problem(
                    "ISTIO_OUTBOUND_OWNER_GROUPS",
                    outbound_owner_groups,
                    "names more than 48 groups, which do not fit into one rule",
                );
            }
            OwnerGroups::Only(groups)
        }
    };

    if !check.problems.is_empty() {
        return Err(CaptureError::Invalid { problems: check.problems });
    }
    let unsupported = |flag, hint| Err(CaptureError::Unsupported { flag, hint });
    if inbound_interception_mode == "NONE" {
        return unsupported("interception mode NONE", ": leave out the capture step instead");
    }
    if *redirect_dns {
        return unsupported("--redirect-dns", ": names are looked up as without the mesh");
    }
    Ok(Options {
        outbound_port,
        inbound_port,
        tunnel_port,
        owners,
        inbound_include,
        inbound_exclude,
        outbound_include,
        outbound_exclude,
        outbound_ports_include,
        outbound_ports_exclude,
        virtual_interfaces,
        excluded_interfaces,
        owner_groups,
        tproxy: inbound_interception_mode == "TPROXY",
        drop_invalid: *drop_invalid,
        v6: *v6,
    })
}

const A_PORT: &str = "is not a port; write a number from 1 to 65535";
const AN_ID: &str = "is not a numeric id; names are not looked up";
const A_RANGE: &str = "is not an address range; write it like 10.0.0.0/8 or fd00::/8";
const AN_INTERFACE: &str = "is not the name of an interface";

/// Collects problems while reading.
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn problem(&mut self, flag: &'static str, value: &str, reason: &'static str) {
        self.problems.push(Problem { flag, value: value.to_owned(), reason });
    }

    fn one<T: Default>(
        &mut self,
        flag: &'static str,
        text: &str,
        read: impl Fn(&str) -> Option<T>,
        reason: &'static str,
    ) -> T {
        read(text.trim()).unwrap_or_else(|| {
            self.problem(flag, text, reason);
            T::default()
        })
    }

    /// Reads a list. Repeated entries are dropped: they would only be repeated rules.
    fn list<T: PartialEq>(
        &mut self,
        flag: &'static str,
        text: &str,
        read: impl Fn(&str) -> Option<T>,
        reason: &'static str,
    ) -> Vec<T> {
        let mut entries = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match read(part) {
                Some(entry) if entries.contains(&entry) => {}
                Some(_) if entries.len() == MAX_ENTRIES => {
                    self.problem(flag, part, "is one entry too many; 1024 are allowed");
                    break;
                }
                Some(entry) => entries.push(entry),
                None => self.problem(flag, part, reason),
            }
        }
        entries
    }

    fn choice<T: PartialEq>(
        &mut self,
        flag: &'static str,
        text: &str,
        read: impl Fn(&str) -> Option<T>,
        reason: &'static str,
    ) -> Choice<T> {
        if text.trim() == "*" {
            return Choice::All;
        }
        if text.split(',').any(|part| part.trim() == "*") {
            self.problem(flag, text, "mixes * with other entries; write * alone, or the list");
            return Choice::All;
        }
        Choice::Only(self.list(flag, text, read, reason))
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An interface, perhaps ending in `+` for all that begin so.
fn interface(text: &str) -> Option<String> {
    let fits = text.len() <= MAX_INTERFACE
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/!\"'\\".contains(&byte));
    fits.then(|| text.to_owned())
}
