//! Rules for Rust files. They read lines, not syntax: comments are left out, and everything from the first test module on counts
//! as test code.

use super::super::Finding;

/// Shortest crate documentation that can say what the crate is, what it is not, and where to start reading.
const LEAST_DOC: usize = 240;

/// A queue that pushes nobody back. Some are bounded by what sends into them; a comment then says by what.
const UNBOUNDED: &str = concat!("unbounded_", "channel(");

/// Never written anywhere.
const NEVER: &[(&str, &str)] = &[
    (concat!("todo", "!("), "write it or leave it out"),
    (concat!("unimplemented", "!("), "write it or leave it out"),
    (concat!("#[", "ignore"), "a test that does not run reads as one that passes; assert what is true today"),
    (concat!("std::sync::mpsc", "::channel("), "unbounded; take `sync_channel` or a bounded tokio channel"),
    (
        UNBOUNDED,
        "a queue without a bound grows without one; take a bounded channel, or say in a comment right above what bounds it",
    ),
    (concat!("lazy_", "static!"), "use `std::sync::LazyLock`"),
];

/// Never written in crates, but for tests of the real thing.
const NEVER_IN_CRATES: &[(&str, &str)] =
    &[(concat!("thread::", "sleep("), "wait for a condition, or take the instant as an argument")];

/// Never written below the line.
const NEVER_BELOW: &[(&str, &str)] = &[
    (concat!("std::", "fs"), "reading files is the shell's work"),
    (concat!("std::", "env"), "settings are parsed in the binary"),
    (concat!("std::", "process"), "the operating system is the shell's business"),
    (concat!("std::", "thread"), "the shell owns threads"),
    (concat!("Mutex", "<"), "one owner per piece of state; no locks below the line"),
    (concat!("RwLock", "<"), "one owner per piece of state; no locks below the line"),
    (concat!("SystemTime::", "now"), "take `now` as an argument"),
    (concat!("Instant::", "now"), "take `now` as an argument"),
    (concat!("Utc::", "now"), "take `now` as an argument"),
    (concat!("Timestamp::", "now"), "take `now` as an argument"),
    (concat!("now_", "utc("), "take `now` as an argument"),
    (concat!("thread_", "rng"), "take bytes of randomness as an argument"),
    (concat!("rand::", "rng()"), "take bytes of randomness as an argument"),
    (concat!("from_os_", "rng"), "take bytes of randomness as an argument"),
    (concat!("Os", "Rng"), "take bytes of randomness as an argument"),
    (concat!("async ", "fn"), "nothing below the line waits"),
    (concat!("eprint", "ln!"), "return diagnostics; the shell prints"),
];

/// The crates below the line whose sources are held to [`NEVER_BELOW`]; their dependencies are the graph's business.
const BELOW: &[&str] = &[
    "base",
    "diag",
    "api",
    "envoy-api",
    "config",
    "world",
    "view",
    "translate",
    "xds",
    "engine",
    "ca",
    "inject",
    "simulate",
];

/// May resolve many views at once on plain threads.
const THREADS: &str = "crates/engine/";

/// Checks one Rust file.
pub(super) fn check(path: &str, content: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if path.ends_with("src/lib.rs") {
        findings.extend(door(path, content));
    }
    let production = is_production(path);
    let below = production && BELOW.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")));
    let mut in_tests = false;
    let mut after_cfg_test = false;
    let mut above = "";
    for (number, line) in content.lines().enumerate() {
        let code = line.trim();
        if code.starts_with("//") {
            above = code;
            continue;
        }
        let bound_is_said = std::mem::take(&mut above).to_lowercase().contains("bound");
        in_tests |= after_cfg_test && code.starts_with("mod ") && code.ends_with('{');
        after_cfg_test = code == "#[cfg(test)]";
        let mut rules: Vec<&(&str, &str)> = NEVER.iter().collect();
        if path.starts_with("crates/") {
            rules.extend(NEVER_IN_CRATES);
        }
        if below && !in_tests {
            rules.extend(NEVER_BELOW);
        }
        for (banned, instead) in rules {
            let threads = *banned == concat!("std::", "thread") && path.starts_with(THREADS);
            let bounded = *banned == UNBOUNDED && bound_is_said;
            if code.contains(banned) && !threads && !bounded {
                findings
                    .push(Finding::new(format!("{path}:{}", number + 1), format!("`{banned}`: {instead}")));
            }
        }
    }
    findings
}

/// A crate's first lines are its door: what it is, what it is not, the main types, where to start reading.
fn door(path: &str, content: &str) -> Option<Finding> {
    let doc: String = content.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let length = doc.trim().len();
    (length < LEAST_DOC).then(|| {
        Finding::new(path, format!("its crate documentation has {length} letters; say in {LEAST_DOC} or more what it is, what it is not, and where to start reading"))
    })
}

fn is_production(path: &str) -> bool {
    !path.ends_with("/tests.rs") && !path.contains("/tests/") && !path.contains("/benches/")
}
