//! Which of our crates may depend on which, and what may not be below the line at all.

use std::collections::BTreeSet;

/// What one crate may depend on.
pub(super) struct Rule {
    /// The package.
    pub(super) package: &'static str,
    /// Our packages it may be built with; [`EVERYTHING`] for programs that wire parts together.
    pub(super) may_use: &'static [&'static str],
    /// Below the line: nothing in it waits, reads a clock, opens a file, logs, or draws randomness it was not handed.
    pub(super) pure: bool,
    /// Names from [`WAITS`] that this pure crate may use all the same.
    pub(super) except: &'static [&'static str],
}

/// Stands for all our crates but the test kit.
const EVERYTHING: &str = "anything but testkit";
/// Stands for all our crates.
const EVEN_TESTKIT: &str = "anything";

impl Rule {
    const fn pure(package: &'static str, may_use: &'static [&'static str]) -> Self {
        Self { package, may_use, pure: true, except: &[] }
    }

    const fn pure_except(
        package: &'static str,
        may_use: &'static [&'static str],
        except: &'static [&'static str],
    ) -> Self {
        Self { package, may_use, pure: true, except }
    }

    const fn shell(package: &'static str, may_use: &'static [&'static str]) -> Self {
        Self { package, may_use, pure: false, except: &[] }
    }

    /// Whether this crate may be built with one of our packages.
    pub(super) fn allows(&self, on: &str) -> bool {
        self.may_use.iter().any(|may| match *may {
            EVERYTHING => on != "pilothouse-testkit",
            EVEN_TESTKIT => true,
            name => name == on,
        })
    }
}

/// The crates in reading order. An arrow not in this table does not exist.
#[rustfmt::skip]
pub(super) const TABLE: &[Rule] = &[
    Rule::pure("pilothouse-base", &[]),
    Rule::pure("pilothouse-diag", &["pilothouse-base"]),
    Rule::pure("pilothouse-api", &["pilothouse-base"]),
    Rule::pure("pilothouse-envoy-api", &[]),
    Rule::pure("pilothouse-config", &["pilothouse-api", "pilothouse-diag", "pilothouse-base"]),
    Rule::pure("pilothouse-world", &["pilothouse-config", "pilothouse-diag", "pilothouse-base"]),
    Rule::pure("pilothouse-view", &["pilothouse-world", "pilothouse-config", "pilothouse-diag", "pilothouse-base"]),
    Rule::pure("pilothouse-translate", &["pilothouse-view", "pilothouse-config", "pilothouse-envoy-api", "pilothouse-base"]),
    Rule::pure("pilothouse-xds", &["pilothouse-base"]),
    // Spans at stage borders are the one form of logging below the line.
    Rule::pure_except("pilothouse-engine", &["pilothouse-translate", "pilothouse-view", "pilothouse-world", "pilothouse-xds",
        "pilothouse-config", "pilothouse-envoy-api", "pilothouse-diag", "pilothouse-base"], &["tracing"]),
    Rule::pure("pilothouse-ca", &["pilothouse-base", "pilothouse-diag"]),
    Rule::pure("pilothouse-inject", &["pilothouse-config", "pilothouse-diag", "pilothouse-base"]),
    Rule::pure("pilothouse-simulate", &["pilothouse-envoy-api", "pilothouse-base"]),

    Rule::shell("pilothouse-runtime", &["pilothouse-base"]),
    Rule::shell("pilothouse-sources", &["pilothouse-api", "pilothouse-config", "pilothouse-world", "pilothouse-runtime",
        "pilothouse-diag", "pilothouse-base"]),
    Rule::shell("pilothouse-controllers", &["pilothouse-api", "pilothouse-config", "pilothouse-world", "pilothouse-engine",
        "pilothouse-ca", "pilothouse-runtime", "pilothouse-diag", "pilothouse-base"]),
    Rule::shell("pilothouse-serve", &["pilothouse-engine", "pilothouse-xds", "pilothouse-ca", "pilothouse-inject",
        "pilothouse-config", "pilothouse-envoy-api", "pilothouse-runtime", "pilothouse-diag", "pilothouse-base"]),
    Rule::shell("pilothouse", &[EVERYTHING]),

    // For tests only, so it sees every pure crate and no part of the shell. Real programs get what they are to judge in files.
    Rule::pure_except("pilothouse-testkit", &["pilothouse-base", "pilothouse-diag", "pilothouse-api", "pilothouse-envoy-api",
        "pilothouse-config", "pilothouse-world", "pilothouse-view", "pilothouse-translate", "pilothouse-xds", "pilothouse-engine",
        "pilothouse-ca", "pilothouse-inject", "pilothouse-simulate"], &["tempfile"]),
    // Speaks to servers that are not ours as well, so it shares nothing with them but Envoy's messages.
    Rule::shell("pilothouse-adsload", &["pilothouse-envoy-api", "pilothouse-runtime"]),
    Rule::shell("pilothouse-e2e", &[EVEN_TESTKIT]),
    Rule::shell("xtask", &[EVERYTHING]),
];

/// Packages that wait, send, log, read clocks or draw randomness, and what a pure crate does instead.
pub(super) const WAITS: &[(&str, &str)] = &[
    ("tokio*", "return what to do and let the shell wait"),
    ("futures*", "return what to do and let the shell wait"),
    ("async-*", "return what to do and let the shell wait"),
    ("tonic*", "sockets live in serve; messages come from envoy-api"),
    ("tower*", "sockets live in serve"),
    ("hyper*", "sockets live in serve"),
    ("h2", "sockets live in serve"),
    ("axum*", "sockets live in serve"),
    ("reqwest", "sockets live in serve"),
    ("rustls", "TLS lives in serve; certificates are values here"),
    ("tokio-rustls", "TLS lives in serve"),
    ("kube*", "cluster access lives in sources and controllers"),
    ("notify*", "watching files lives in sources"),
    ("walkdir", "reading files lives in sources"),
    ("tempfile", "reading files lives in the shell"),
    ("nix", "the operating system is the shell's business"),
    ("libc", "the operating system is the shell's business"),
    ("getrandom", "take bytes of randomness as an argument"),
    ("chrono", "take `now` as an argument"),
    ("tracing*", "return diagnostics; the shell logs"),
    ("log", "return diagnostics; the shell logs"),
    ("prometheus*", "return what happened; the shell counts"),
    ("pilothouse-runtime", "the clock, the tasks and the files live above the line"),
];

/// Names from [`WAITS`] that tests of a pure crate may use: to hand what they made to a real program.
pub(super) const FINE_IN_TESTS: &[&str] = &["tempfile", "walkdir"];

/// Arrows that point up all the same, in tests alone: scenarios are files, and only the reader of files knows the lines that
/// diagnostics name.
pub(super) const UP_IN_TESTS: &[(&str, &str)] = &[("pilothouse-engine", "pilothouse-sources")];

/// Our packages a crate could reach through the table, itself among them.
pub(super) fn reach(rule: &Rule) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::from([rule.package]);
    let mut next: Vec<&'static str> = rule.may_use.to_vec();
    while let Some(name) = next.pop() {
        if seen.insert(name)
            && let Some(below) = TABLE.iter().find(|rule| rule.package == name)
        {
            next.extend(below.may_use);
        }
    }
    seen
}
