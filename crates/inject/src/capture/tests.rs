use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn rules(flags: &CaptureFlags, family: Family) -> Vec<String> {
    let set = plan(flags).unwrap();
    let tables = match family {
        Family::V4 => set.v4,
        Family::V6 => set.v6.unwrap(),
    };
    tables.nat.lines().collect()
}

fn flags(change: impl FnOnce(&mut CaptureFlags)) -> CaptureFlags {
    let mut flags = CaptureFlags::default();
    change(&mut flags);
    flags
}

/// The rules that the flags add to and take from those without flags.
fn difference(change: impl FnOnce(&mut CaptureFlags)) -> (Vec<String>, Vec<String>) {
    let (plain, changed) = (rules(&flags(|_| ()), Family::V4), rules(&flags(change), Family::V4));
    let without = |left: &[String], right: &[String]| -> Vec<String> {
        left.iter().filter(|rule| !right.contains(rule)).cloned().collect()
    };
    (without(&changed, &plain), without(&plain, &changed))
}

#[test]
fn defaults_capture_everything_but_the_proxy() {
    assert_eq!(
        rules(&CaptureFlags::default(), Family::V4),
        [
            "-A ISTIO_INBOUND -p tcp -m tcp --dport 15008 -j RETURN",
            "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001",
            "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006",
            "-A PREROUTING -p tcp -j ISTIO_INBOUND",
            "-A ISTIO_INBOUND -p tcp -m tcp --dport 15020 -j RETURN",
            "-A ISTIO_INBOUND -p tcp -m tcp --dport 15021 -j RETURN",
            "-A ISTIO_INBOUND -p tcp -m tcp --dport 15090 -j RETURN",
            "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT",
            "-A OUTPUT -j ISTIO_OUTPUT",
            "-A ISTIO_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN",
            "-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT",
            "-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN",
            "-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN",
            "-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT",
            "-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 1337 -j RETURN",
            "-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN",
            "-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN",
            "-A ISTIO_OUTPUT -j ISTIO_REDIRECT",
        ]
    );
}

#[test]
fn version_six_has_its_own_addresses_and_ranges() {
    let flags = flags(|flags| {
        flags.v6 = true;
        flags.service_cidr = "10.0.0.0/8,fd00::/8".to_owned();
        flags.service_exclude_cidr = "10.9.0.0/16,fd09::1".to_owned();
    });
    let v6 = rules(&flags, Family::V6);
    assert_eq!(
        v6[9..],
        [
            "-A ISTIO_OUTPUT -s ::6/128 -o lo -j RETURN",
            "-A ISTIO_OUTPUT ! -d ::1/128 -o lo -p tcp -m tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT",
            "-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN",
            "-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN",
            "-A ISTIO_OUTPUT ! -d ::1/128 -o lo -p tcp -m tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT",
            "-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 1337 -j RETURN",
            "-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN",
            "-A ISTIO_OUTPUT -d ::1/128 -j RETURN",
            "-A ISTIO_OUTPUT -d fd09::1/128 -j RETURN",
            "-A ISTIO_OUTPUT -d fd00::/8 -j ISTIO_REDIRECT",
        ]
    );
    let v4 = rules(&flags, Family::V4);
    assert_eq!(
        v4[16..],
        [
            "-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN",
            "-A ISTIO_OUTPUT -d 10.9.0.0/16 -j RETURN",
            "-A ISTIO_OUTPUT -d 10.0.0.0/8 -j ISTIO_REDIRECT",
        ]
    );
    assert_eq!(plan(&CaptureFlags::default()).unwrap().v6, None);
}

#[test]
fn each_flag_changes_its_rules() {
    type Change = fn(&mut CaptureFlags);
    let table: Vec<(&str, Change, Vec<&str>, Vec<&str>)> = vec![
        (
            "a list of inbound ports ignores the excluded ones",
            |flags| flags.inbound_ports = "80, 443".to_owned(),
            vec![
                "-A ISTIO_INBOUND -p tcp -m tcp --dport 80 -j ISTIO_IN_REDIRECT",
                "-A ISTIO_INBOUND -p tcp -m tcp --dport 443 -j ISTIO_IN_REDIRECT",
            ],
            vec![
                "-A ISTIO_INBOUND -p tcp -m tcp --dport 15020 -j RETURN",
                "-A ISTIO_INBOUND -p tcp -m tcp --dport 15021 -j RETURN",
                "-A ISTIO_INBOUND -p tcp -m tcp --dport 15090 -j RETURN",
                "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT",
            ],
        ),
        (
            "no inbound ports",
            |flags| flags.inbound_ports = String::new(),
            vec![],
            vec![
                "-A PREROUTING -p tcp -j ISTIO_INBOUND",
                "-A ISTIO_INBOUND -p tcp -m tcp --dport 15020 -j RETURN",
                "-A ISTIO_INBOUND -p tcp -m tcp --dport 15021 -j RETURN",
                "-A ISTIO_INBOUND -p tcp -m tcp --dport 15090 -j RETURN",
                "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT",
            ],
        ),
        (
            "excluded outbound ports, both protocols",
            |flags| flags.local_outbound_ports_exclude = "3306".to_owned(),
            vec![
                "-A ISTIO_OUTPUT -p tcp -m tcp --dport 3306 -j RETURN",
                "-A ISTIO_OUTPUT -p udp -m udp --dport 3306 -j RETURN",
            ],
            vec![],
        ),
        (
            "no outbound ranges, but ports",
            |flags| {
                flags.service_cidr = String::new();
                flags.outbound_ports = "9000,9001".to_owned();
            },
            vec![
                "-A ISTIO_OUTPUT -p tcp -m tcp --dport 9000 -j ISTIO_REDIRECT",
                "-A ISTIO_OUTPUT -p tcp -m tcp --dport 9001 -j ISTIO_REDIRECT",
            ],
            vec!["-A ISTIO_OUTPUT -j ISTIO_REDIRECT"],
        ),
        (
            "ranges are cut to their prefix, and everything has no range",
            |flags| flags.service_cidr = "10.1.2.3/16,0.0.0.0/0".to_owned(),
            vec!["-A ISTIO_OUTPUT -d 10.1.0.0/16 -j ISTIO_REDIRECT"],
            vec![],
        ),
        (
            "loopback asked for by name",
            |flags| flags.service_cidr = "127.0.0.0/8".to_owned(),
            vec!["-A ISTIO_OUTPUT -d 127.0.0.0/8 -j ISTIO_REDIRECT"],
            vec![
                "-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN",
                "-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 1337 -j RETURN",
                "-A ISTIO_OUTPUT -j ISTIO_REDIRECT",
            ],
        ),
        (
            "interfaces",
            |flags| {
                flags.exclude_interfaces = "eth1,net+".to_owned();
                flags.virtual_interfaces = "docker0".to_owned();
            },
            vec![
                "-A PREROUTING -i eth1 -j RETURN",
                "-A OUTPUT -o eth1 -j RETURN",
                "-A PREROUTING -i net+ -j RETURN",
                "-A OUTPUT -o net+ -j RETURN",
                "-I PREROUTING 1 -i docker0 -j RETURN",
                "-I PREROUTING 1 -i docker0 -j ISTIO_REDIRECT",
            ],
            vec![],
        ),
        (
            "guests and a list of ranges",
            |flags| {
                flags.service_cidr = "10.0.0.0/8".to_owned();
                flags.virtual_interfaces = "docker0".to_owned();
            },
            vec![
                "-I PREROUTING 1 -i docker0 -j RETURN",
                "-I PREROUTING 1 -d 10.0.0.0/8 -i docker0 -j ISTIO_REDIRECT",
                "-A ISTIO_OUTPUT -d 10.0.0.0/8 -j ISTIO_REDIRECT",
            ],
            vec!["-A ISTIO_OUTPUT -j ISTIO_REDIRECT"],
        ),
        (
            "other groups than users",
            |flags| flags.proxy_gid = "7".to_owned(),
            vec![
                "-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 15008 -m owner --gid-owner 7 -j ISTIO_IN_REDIRECT",
                "-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 7 -j RETURN",
                "-A ISTIO_OUTPUT -m owner --gid-owner 7 -j RETURN",
            ],
            vec![
                "-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT",
                "-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 1337 -j RETURN",
                "-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN",
            ],
        ),
        (
            "groups excluded from capture",
            |flags| flags.outbound_owner_groups_exclude = "5,6".to_owned(),
            vec![
                "-A ISTIO_OUTPUT -m owner --gid-owner 5 -j RETURN",
                "-A ISTIO_OUTPUT -m owner --gid-owner 6 -j RETURN",
            ],
            vec![],
        ),
        (
            "only some groups captured",
            |flags| flags.outbound_owner_groups = "5,6".to_owned(),
            vec!["-A ISTIO_OUTPUT -m owner ! --gid-owner 5 -m owner ! --gid-owner 6 -j RETURN"],
            vec![],
        ),
        (
            "no group captured",
            |flags| flags.outbound_owner_groups = String::new(),
            vec!["-A ISTIO_OUTPUT -j RETURN"],
            vec![],
        ),
    ];
    for (what, change, added, removed) in table {
        let (really_added, really_removed) = difference(change);
        assert_eq!(really_added, added, "{what}: added");
        assert_eq!(really_removed, removed, "{what}: removed");
    }
}

#[test]
fn tproxy_hands_over_what_comes_in() {
    let set = plan(&flags(|flags| {
        flags.inbound_interception_mode = "TPROXY".to_owned();
        flags.exclude_interfaces = "eth1".to_owned();
        flags.v6 = true;
    }))
    .unwrap();
    let mangle: Vec<String> = set.v4.mangle.as_ref().unwrap().lines().collect();
    assert_eq!(
        mangle,
        [
            "-A PREROUTING -i eth1 -j RETURN",
            "-A OUTPUT -o eth1 -j RETURN",
            "-A ISTIO_DIVERT -j MARK --set-xmark 0x539/0xffffffff",
            "-A ISTIO_DIVERT -j ACCEPT",
            "-A ISTIO_TPROXY ! -d 127.0.0.1/32 -p tcp -j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark 0x539/0xffffffff",
            "-A PREROUTING -p tcp -j ISTIO_INBOUND",
            "-A ISTIO_INBOUND -p tcp -m mark --mark 0x539 -j RETURN",
            "-A ISTIO_INBOUND -s 127.0.0.6/32 -i lo -p tcp -j RETURN",
            "-A ISTIO_INBOUND -i lo -p tcp -m mark ! --mark 0x53a -j RETURN",
            "-A ISTIO_INBOUND -p tcp -m tcp --dport 15008 -j RETURN",
            "-A ISTIO_INBOUND -p tcp -m tcp --dport 15020 -j RETURN",
            "-A ISTIO_INBOUND -p tcp -m tcp --dport 15021 -j RETURN",
            "-A ISTIO_INBOUND -p tcp -m tcp --dport 15090 -j RETURN",
            "-A ISTIO_INBOUND -p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT",
            "-A ISTIO_INBOUND -p tcp -j ISTIO_TPROXY",
            "-A PREROUTING -p tcp -m mark --mark 0x539 -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
            "-A OUTPUT -o lo -p tcp -m mark --mark 0x539 -j RETURN",
            "-A OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m owner --uid-owner 1337 -j MARK --set-xmark 0x53a/0xffffffff",
            "-A OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m owner --gid-owner 1337 -j MARK --set-xmark 0x53a/0xffffffff",
            "-A OUTPUT -p tcp -m connmark --mark 0x539 -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
        ]
    );
    let v6: Vec<String> = set.v6.as_ref().unwrap().mangle.as_ref().unwrap().lines().collect();
    assert!(
        v6.iter().any(|rule| rule.contains("! -d ::1/128 -p tcp -j TPROXY --on-port 15006 --on-ip ::")),
        "{v6:?}"
    );
    assert!(
        set.v4.nat.lines().all(|rule| !rule.contains("PREROUTING -p tcp")),
        "nat leaves inbound connections alone"
    );
    let shown = set.dry_run();
    assert!(shown.contains("# ip -4 rule add pref 133 fwmark 1337 lookup 133\n"), "{shown}");
    assert!(shown.contains("# ip -6 route replace local default dev lo table 133\n"), "{shown}");

    // Only some ports.
    let some = plan(&flags(|flags| {
        flags.inbound_interception_mode = "TPROXY".to_owned();
        flags.inbound_ports = "80".to_owned();
    }));
    let some: Vec<String> = some.unwrap().v4.mangle.unwrap().lines().collect();
    assert!(
        some.contains(&"-A ISTIO_INBOUND -p tcp -m tcp --dport 80 -j ISTIO_TPROXY".to_owned()),
        "{some:?}"
    );
    assert!(!some.iter().any(|rule| rule.contains("15021")), "{some:?}");
}

#[test]
fn packets_of_no_connection_are_dropped_if_asked_for() {
    let wanted = |mode: &str| {
        plan(&flags(|flags| {
            flags.inbound_interception_mode = mode.to_owned();
            flags.drop_invalid = true;
        }))
        .unwrap()
    };
    let plain = wanted("REDIRECT");
    let mangle = plain.v4.mangle.as_ref().unwrap();
    let lines: Vec<String> = mangle.lines().collect();
    let expected = ["-A PREROUTING -m conntrack --ctstate INVALID -j ISTIO_DROP", "-A ISTIO_DROP -j DROP"]
        .map(str::to_owned);
    assert_eq!(lines, expected);
    assert!(!plain.v4.hands_over && !plain.dry_run().contains("fwmark"));
    assert_eq!(mangle.compare(&mangle.restore()), State::Same);
    let tproxy = wanted("TPROXY").v4.mangle.unwrap();
    assert_eq!(tproxy.lines().take(2).collect::<Vec<_>>(), expected);
    assert_eq!(tproxy.compare(&mangle.restore()), State::Different);
    assert!(tproxy.len() > 15);
}

#[test]
fn rules_of_tproxy_are_found_again() {
    let wanted = |change: fn(&mut CaptureFlags)| {
        let flags = flags(|flags| {
            flags.inbound_interception_mode = "TPROXY".to_owned();
            change(flags);
        });
        plan(&flags).unwrap().v4.mangle.unwrap()
    };
    let (plain, other) = (wanted(|_| ()), wanted(|flags| flags.proxy_uid = "7".to_owned()));
    let saved = plain.restore();
    assert_eq!(plain.compare(&saved), State::Same);
    assert_eq!(plain.compare("*nat\nCOMMIT\n"), State::Absent);
    assert_eq!(other.compare(&saved), State::Different);
    let replaced = other.replace(&saved);
    for rule in plain.lines().filter_map(|line| line.strip_prefix("-A OUTPUT").map(str::to_owned)) {
        assert!(replaced.contains(&format!("-D OUTPUT{rule}\n")), "{rule} in {replaced}");
    }
    let cleaned = other.cleanup(&saved).unwrap();
    assert!(cleaned.starts_with("*mangle\n") && cleaned.contains("-X ISTIO_TPROXY\n"), "{cleaned}");
}

#[test]
fn order_where_it_matters() {
    let rules = rules(
        &flags(|flags| {
            flags.local_outbound_ports_exclude = "3306".to_owned();
            flags.service_exclude_cidr = "10.9.0.0/16".to_owned();
            flags.outbound_ports = "9000".to_owned();
            flags.outbound_owner_groups_exclude = "5".to_owned();
        }),
        Family::V4,
    );
    let output: Vec<&str> = rules.iter().filter_map(|rule| rule.strip_prefix("-A ISTIO_OUTPUT ")).collect();
    let order = [
        "-p tcp -m tcp --dport 3306 -j RETURN",
        "-s 127.0.0.6/32 -o lo -j RETURN",
        "-o lo -m owner ! --uid-owner 1337 -j RETURN",
        "-m owner --uid-owner 1337 -j RETURN",
        "-m owner --gid-owner 1337 -j RETURN",
        "-m owner --gid-owner 5 -j RETURN",
        "-d 127.0.0.1/32 -j RETURN",
        "-d 10.9.0.0/16 -j RETURN",
        "-p tcp -m tcp --dport 9000 -j ISTIO_REDIRECT",
        "-j ISTIO_REDIRECT",
    ];
    let places: Vec<_> =
        order.iter().map(|rule| output.iter().position(|other| other == rule).expect(rule)).collect();
    assert!(places.is_sorted(), "{places:?} in {output:#?}");
}

#[test]
fn all_problems_at_once() {
    let flags = flags(|flags| {
        flags.envoy_port = "0".to_owned();
        flags.inbound_capture_port = "x".to_owned();
        flags.inbound_tunnel_port = "+15008".to_owned();
        flags.proxy_uid = "root,1".to_owned();
        flags.inbound_interception_mode = "redirect".to_owned();
        flags.inbound_ports = "80,*".to_owned();
        flags.local_exclude_ports = "15020,70000,-1".to_owned();
        flags.service_cidr = "10.0.0.0/33,fd00::/8,somewhere".to_owned();
        flags.service_exclude_cidr = "*".to_owned();
        flags.virtual_interfaces = "a name,averyveryverylongname,ok".to_owned();
        flags.exclude_interfaces = "eth0\n-A OUTPUT,-j".to_owned();
        flags.outbound_owner_groups = "5".to_owned();
        flags.outbound_owner_groups_exclude = "6".to_owned();
        flags.redirect_dns = true;
    });
    let error = plan(&flags).unwrap_err();
    let said: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        said,
        [
            "--envoy-port: \"0\" is not a port; write a number from 1 to 65535",
            "--inbound-capture-port: \"x\" is not a port; write a number from 1 to 65535",
            "--inbound-tunnel-port: \"+15008\" is not a port; write a number from 1 to 65535",
            "--inbound-capture-port: \"x\" is the port of --envoy-port as well; inbound and outbound connections need different ones",
            "--proxy-uid: \"root\" is not a numeric id; names are not looked up",
            "--istio-inbound-interception-mode: \"redirect\" is not a mode; write REDIRECT or TPROXY",
            "--istio-inbound-ports: \"80,*\" mixes * with other entries; write * alone, or the list",
            "--istio-local-exclude-ports: \"70000\" is not a port; write a number from 1 to 65535",
            "--istio-local-exclude-ports: \"-1\" is not a port; write a number from 1 to 65535",
            "--istio-service-cidr: \"10.0.0.0/33\" is not an address range; write it like 10.0.0.0/8 or fd00::/8",
            "--istio-service-cidr: \"somewhere\" is not an address range; write it like 10.0.0.0/8 or fd00::/8",
            "--istio-service-exclude-cidr: \"*\" excludes everything; leave --istio-service-cidr empty instead",
            "--kube-virt-interfaces: \"a name\" is not the name of an interface",
            "--kube-virt-interfaces: \"averyveryverylongname\" is not the name of an interface",
            "--exclude-interfaces: \"eth0\\n-A OUTPUT\" is not the name of an interface",
            "--exclude-interfaces: \"-j\" is not the name of an interface",
            "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE: \"6\" has no meaning beside a list of groups to include",
        ]
    );
}

#[test]
fn what_is_not_supported_says_so() {
    type Change = fn(&mut CaptureFlags);
    let table: [(Change, &str); 2] = [
        (
            |flags| flags.inbound_interception_mode = "NONE".to_owned(),
            "interception mode NONE is not supported yet: leave out the capture step instead",
        ),
        (
            |flags| flags.redirect_dns = true,
            "--redirect-dns is not supported yet: names are looked up as without the mesh",
        ),
    ];
    for (change, said) in table {
        let error = plan(&flags(change)).unwrap_err();
        assert!(matches!(error, CaptureError::Unsupported { .. }), "{error:?}");
        assert_eq!(error.to_string(), said);
    }
    let groups = (1..=49).map(|group| group.to_string()).collect::<Vec<_>>().join(",");
    let error = plan(&flags(|flags| flags.outbound_owner_groups = groups)).unwrap_err();
    assert!(
        error.to_string().ends_with("names more than 48 groups, which do not fit into one rule"),
        "{error}"
    );
    let long = (1..=1025).map(|port| port.to_string()).collect::<Vec<_>>().join(",");
    let error = plan(&flags(|flags| flags.outbound_ports = long)).unwrap_err();
    assert_eq!(error.to_string(), "--istio-outbound-ports: \"1025\" is one entry too many; 1024 are allowed");
}

#[test]
fn the_first_usable_address_tells_the_family() {
    let table: [(&[&str], bool, bool); 7] = [
        (&["10.0.0.1"], false, false),
        (&["127.0.0.1", "::1", "fe80::1", "fd00::1"], false, true),
        (&["10.0.0.1", "fd00::1"], false, false),
        (&["10.0.0.1", "fd00::1"], true, true),
        (&["fd00::1", "10.0.0.1"], false, true),
        (&["10.0.0.1", "fe80::1"], true, false),
        (&[], true, false),
    ];
    for (addresses, dual_stack, expected) in table {
        let parsed: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        assert_eq!(wants_v6(&parsed, dual_stack), expected, "{addresses:?} {dual_stack}");
    }
}

/// What `iptables-save` prints after loading the rules of [`with_guests`] next to rules of other software.
const SAVED: &str = include_str!("tests/saved.txt");

fn with_guests() -> Table {
    plan(&flags(|flags| {
        flags.virtual_interfaces = "docker0".to_owned();
        flags.exclude_interfaces = "eth1".to_owned();
    }))
    .unwrap()
    .v4
    .nat
}

#[test]
fn loaded_rules_are_recognised() {
    let wanted = with_guests();
    let foreign = "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n-A PREROUTING -j DOCKER\nCOMMIT\n";
    let counted: String = SAVED
        .lines()
        .map(|line| if line.starts_with("-A") { format!("[12:345] {line}\n") } else { format!("{line}\n") })
        .collect();
    let other_letters =
        SAVED.replace("-s 127.0.0.6/32 -o lo", "-o lo -s 127.0.0.6/32").replace("-m tcp ", "");
    let swapped = SAVED
        .replace("--dport 15020", "--dport X")
        .replace("--dport 15021", "--dport 15020")
        .replace("--dport X", "--dport 15021");
    let twice = SAVED
        .replace("-A OUTPUT -j ISTIO_OUTPUT\n", "-A OUTPUT -j ISTIO_OUTPUT\n-A OUTPUT -j ISTIO_OUTPUT\n");
    let table = [
        ("as saved", SAVED.to_owned(), State::Same),
        ("with counters", counted, State::Same),
        ("in the order of another version", other_letters, State::Same),
        ("nothing at all", String::new(), State::Absent),
        ("only other software", foreign.to_owned(), State::Absent),
        ("ours in another table only", SAVED.replace("*nat", "*mangle"), State::Absent),
        ("another order", swapped, State::Different),
        ("a jump twice", twice, State::Different),
        ("no jump", SAVED.replace("-A OUTPUT -j ISTIO_OUTPUT\n", ""), State::Different),
        (
            "an unknown chain of ours",
            SAVED.replace(":ISTIO_INBOUND", ":ISTIO_TPROXY - [0:0]\n:ISTIO_INBOUND"),
            State::Different,
        ),
        ("negation lost", SAVED.replacen("! --uid-owner", "--uid-owner", 1), State::Different),
        ("cut short", SAVED[..SAVED.len() / 2].to_owned(), State::Different),
        ("noise", "[ -A ISTIO_X\n:\n*\n*nat\n-A\n-A ISTIO_INBOUND\n".to_owned(), State::Absent),
    ];
    for (what, saved, expected) in table {
        assert_eq!(wanted.compare(&saved), expected, "{what}");
    }
    assert_eq!(plan(&CaptureFlags::default()).unwrap().v4.nat.compare(SAVED), State::Different);
}

#[test]
fn cleanup_removes_ours_and_leaves_the_rest() {
    let wanted = with_guests();
    assert_eq!(wanted.cleanup(""), None);
    assert_eq!(
        wanted.cleanup(SAVED).unwrap(),
        "*nat\n\
         -D OUTPUT -o eth1 -j RETURN\n\
         -D OUTPUT -j ISTIO_OUTPUT\n\
         -D PREROUTING -i docker0 -j ISTIO_REDIRECT\n\
         -D PREROUTING -i docker0 -j RETURN\n\
         -D PREROUTING -i eth1 -j RETURN\n\
         -D PREROUTING -p tcp -j ISTIO_INBOUND\n\
         -F ISTIO_INBOUND\n-F ISTIO_IN_REDIRECT\n-F ISTIO_OUTPUT\n-F ISTIO_REDIRECT\n\
         -X ISTIO_INBOUND\n-X ISTIO_IN_REDIRECT\n-X ISTIO_OUTPUT\n-X ISTIO_REDIRECT\n\
         COMMIT\n"
    );
    let replaced = wanted.replace(SAVED);
    let first_of_new = replaced.find("-A PREROUTING").unwrap();
    assert!(replaced.find("-D PREROUTING -p tcp").unwrap() < first_of_new);
    assert_eq!(wanted.replace(""), wanted.restore());
}

#[test]
fn rules_of_other_flags_do_not_stay_behind() {
    let plain = plan(&CaptureFlags::default()).unwrap().v4.nat;
    let without_chains = "*nat\n-A PREROUTING -i eth1 -j RETURN\nCOMMIT\n";
    for text in [plain.replace(SAVED), plain.cleanup(SAVED).unwrap()] {
        for rule in ["PREROUTING -i eth1", "PREROUTING -i docker0", "OUTPUT -o eth1"] {
            assert!(text.contains(&format!("-D {rule} -j RETURN\n")), "{rule} in {text}");
        }
        assert!(!text.contains("DOCKER") && !text.contains("MASQUERADE"), "{text}");
    }
    let left_behind = SAVED.lines().filter(|line| !line.contains("docker0 -j ISTIO"));
    let left_behind = left_behind.collect::<Vec<_>>().join("\n");
    assert_eq!(plain.compare(&left_behind), State::Different);
    assert_eq!(plain.cleanup(without_chains), None, "a rule like ours, but nothing of ours around it");
}

#[test]
fn a_dry_run_shows_both_families() {
    let text = plan(&flags(|flags| flags.v6 = true)).unwrap().dry_run();
    assert!(text.starts_with("# iptables-restore --noflush\n*nat\n:ISTIO_INBOUND - [0:0]\n"), "{text}");
    assert!(
        text.contains("COMMIT\n# ip -6 address add ::6/128 dev lo\n# ip6tables-restore --noflush\n*nat\n")
    );
    assert!(text.ends_with("COMMIT\n"));
}

proptest! {
    /// Whatever the flags, no line of the output is anything but a rule: nothing can be smuggled in.
    #[test]
    fn no_flag_can_add_a_line(text in "[0-9a-z,.:/*+ \\n!-]{0,30}", which in 0..8_u8) {
        let flags = flags(|flags| {
            flags.v6 = true;
            flags.inbound_interception_mode = if which % 2 == 0 { "TPROXY" } else { "REDIRECT" }.to_owned();
            let field = match which {
                0 => &mut flags.envoy_port,
                1 => &mut flags.proxy_uid,
                2 => &mut flags.inbound_ports,
                3 => &mut flags.service_cidr,
                4 => &mut flags.service_exclude_cidr,
                5 => &mut flags.virtual_interfaces,
                6 => &mut flags.exclude_interfaces,
                _ => &mut flags.outbound_owner_groups,
            };
            *field = text;
        });
        if let Ok(set) = plan(&flags) {
            for table in [Some(&set.v4), set.v6.as_ref()].into_iter().flatten().flat_map(Tables::all) {
                let text = table.restore();
                prop_assert_eq!(text.lines().count(), 1 + table.chains.len() + table.len() + 1);
                prop_assert_eq!(table.compare(&text.replace("-I PREROUTING 1", "-A PREROUTING")) != State::Absent, true);
            }
        }
    }

    #[test]
    fn any_saved_text_is_read_without_panic(text in "(\\*nat\n)?[-A-Z_\\[\\]:* \n!a-z]{0,200}") {
        let table = with_guests();
        table.compare(&text);
        table.replace(&text);
        table.cleanup(&text);
    }
}
