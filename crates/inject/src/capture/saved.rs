//! What is loaded already, read from the text of `iptables-save`.
//!
//! A rule is compared by its parts and not by its letters: versions of the tools order the parts differently, and write
//! or leave out the names of modules that the other parts imply.

use std::collections::BTreeMap;

use super::rule::Table;

/// How what is loaded compares with what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The same rules in the same order. Nothing is to be done.
    Same,
    /// Nothing of ours is loaded.
    Absent,
    /// Something of ours is loaded, but not this.
    Different,
}

/// Our part of a saved table.
#[derive(Debug, Default)]
struct Saved<'a> {
    /// The rules of each chain of ours.
    ours: BTreeMap<&'a str, Vec<&'a str>>,
    /// The rules of the kernel's own chains, those of other software included.
    builtin: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Saved<'a> {
    fn read(text: &'a str, name: &str) -> Self {
        let mut saved = Self::default();
        let mut in_table = false;
        for line in text.lines().map(str::trim) {
            if let Some(table) = line.strip_prefix('*') {
                in_table = table == name;
            }
            if !in_table {
                continue;
            }
            if let Some(chain) = line.strip_prefix(':').and_then(|rest| rest.split_whitespace().next()) {
                if is_ours(chain) {
                    saved.ours.entry(chain).or_default();
                }
                continue;
            }
            // With counters (`iptables-save -c`) a rule begins with them.
            let line = match line.strip_prefix('[') {
                Some(rest) => rest.split_once(']').map_or("", |(_, rest)| rest.trim_start()),
                None => line,
            };
            let Some((chain, body)) = line.strip_prefix("-A ").and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            let chains = if is_ours(chain) { &mut saved.ours } else { &mut saved.builtin };
            chains.entry(chain).or_default().push(body);
        }
        saved
    }

    /// The rules in chains that are not ours which belong to us: those that lead to chains of ours, those we would
    /// load, and, where chains of ours are loaded, those that other flags may have put beside them.
    fn around(&self, table: &Table) -> Vec<(&'a str, &'a str)> {
        let wanted: Vec<(&str, Parts)> =
            table.rules.iter().map(|rule| (rule.chain(), parts(&rule.body(table.family)))).collect();
        let rules = self.builtin.iter().flat_map(|(chain, rules)| rules.iter().map(|rule| (*chain, *rule)));
        rules
            .filter(|(chain, rule)| {
                let parts = parts(rule);
                leads_to_ours(&parts)
                    || (!self.ours.is_empty() && (excludes_interface(chain, &parts) || has_our_mark(&parts)))
                    || wanted.iter().any(|(wanted, body)| wanted == chain && *body == parts)
            })
            .collect()
    }
}

impl Table {
    /// Compares with the output of `iptables-save` (or `ip6tables-save`), with or without counters.
    pub fn compare(&self, saved: &str) -> State {
        let saved = Saved::read(saved, self.name);
        let around: Vec<(&str, Parts)> =
            saved.around(self).into_iter().map(|(chain, rule)| (chain, parts(rule))).collect();
        if saved.ours.is_empty() && !around.iter().any(|(_, parts)| leads_to_ours(parts)) {
            return State::Absent;
        }
        let wanted = self.loaded();
        let mut found: BTreeMap<&str, Vec<Parts>> = saved
            .ours
            .iter()
            .map(|(chain, rules)| (*chain, rules.iter().map(|rule| parts(rule)).collect()))
            .collect();
        for (chain, parts) in around {
            found.entry(chain).or_default().push(parts);
        }
        if found == wanted { State::Same } else { State::Different }
    }

    /// Input for `iptables-restore --noflush` that puts these rules in the place of what is loaded, in one transaction:
    /// no connection slips by in between.
    pub fn replace(&self, saved: &str) -> String {
        let saved = Saved::read(saved, self.name);
        let mut before = self.removals(&saved);
        // Chains of ours that we no longer fill; the others are emptied by being declared.
        for chain in saved.ours.keys().filter(|chain| !self.chains.contains(chain)) {
            before.push(format!("-F {chain}"));
        }
        self.text(&before)
    }

    /// Input for `iptables-restore --noflush` that removes these rules, and everything else that leads to chains of ours.
    /// `None` if nothing of ours is loaded.
    pub fn cleanup(&self, saved: &str) -> Option<String> {
        let saved = Saved::read(saved, self.name);
        let mut lines = self.removals(&saved);
        if lines.is_empty() && saved.ours.is_empty() {
            return None;
        }
        // A chain can be deleted when nothing leads to it, so all are emptied first.
        lines.extend(saved.ours.keys().map(|chain| format!("-F {chain}")));
        lines.extend(saved.ours.keys().map(|chain| format!("-X {chain}")));
        Some(format!("*{}\n{}\nCOMMIT\n", self.name, lines.join("\n")))
    }

    fn removals(&self, saved: &Saved<'_>) -> Vec<String> {
        saved.around(self).into_iter().map(|(chain, rule)| format!("-D {chain} {rule}")).collect()
    }

    /// The rules of each chain after loading into an empty table.
    fn loaded(&self) -> BTreeMap<&str, Vec<Parts>> {
        let mut chains: BTreeMap<&str, Vec<Parts>> =
            self.chains.iter().map(|chain| (*chain, Vec::new())).collect();
        for rule in &self.rules {
            let chain = chains.entry(rule.chain()).or_default();
            let place = if rule.is_first() { 0 } else { chain.len() };
            chain.insert(place, parts(&rule.body(self.family)));
        }
        chains
    }
}

fn is_ours(chain: &str) -> bool {
    chain.starts_with("ISTIO_")
}

/// A rule as the set of its parts, each with a flag, its values, and perhaps a `!` in front.
type Parts = Vec<Vec<String>>;

fn parts(rule: &str) -> Parts {
    let mut parts: Parts = Vec::new();
    let mut negated = false;
    for word in rule.split_whitespace() {
        if word == "!" {
            negated = true;
        } else if word.starts_with('-') {
            let mut part = vec![word.to_owned()];
            if std::mem::take(&mut negated) {
                part.insert(0, "!".to_owned());
            }
            parts.push(part);
        } else if let Some(part) = parts.last_mut() {
            part.push(word.to_owned());
        }
    }
    // `-m tcp` follows from `--dport` behind `-p tcp`, and `-m owner` from `--uid-owner`.
    parts.retain(|part| part.first().is_none_or(|flag| flag != "-m"));
    parts.sort_unstable();
    parts
}

fn leads_to_ours(parts: &Parts) -> bool {
    parts.iter().any(
        |part| matches!(&part[..], [flag, chain, ..] if (flag == "-j" || flag == "-g") && is_ours(chain)),
    )
}

/// Rules about the marks of TPROXY, in the kernel's own chains.
fn has_our_mark(parts: &Parts) -> bool {
    let ours = |value: &String| ["0x539", "0x53a"].iter().any(|mark| value.split('/').next() == Some(mark));
    parts.iter().any(|part| part.iter().any(|word| word.contains("mark")) && part.iter().any(ours))
}

/// The shape of the rules for excluded and virtual interfaces. They carry no name of ours, but nobody else has a reason
/// to end the kernel's own chain of this table for an interface.
fn excludes_interface(chain: &str, parts: &Parts) -> bool {
    let flag = match chain {
        "PREROUTING" => "-i",
        "OUTPUT" => "-o",
        _ => return false,
    };
    parts.len() == 2
        && parts.iter().any(|part| part[..] == ["-j", "RETURN"])
        && parts.iter().any(|part| part.len() == 2 && part[0] == flag)
}
