//! The catalogue of published fields: what exists, whether or not we act on it.
//!
//! It is read from `data/config-fields.tsv` once and kept as a tree by kind, to tell a misspelled field from one that
//! exists and to suggest the field that was meant.

mod kubernetes;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::path::Step;
use crate::unsupported::{LISTS, Reason};

/// The data, one field on each line.
const TEXT: &str = include_str!("../data/config-fields.tsv");

/// One published field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// `kind:`, `MeshConfig` or `annotation`.
    pub kind: &'static str,
    /// Its path; `[]` follows a list, `{}` a map. For annotations the name.
    pub path: &'static str,
    /// What it may hold.
    pub shape: &'static str,
    /// How common it is: 1 everyday, 2 advanced, 3 rare.
    pub tier: u8,
}

impl Field {
    /// The name of an annotation.
    fn annotation(&self) -> &'static str {
        self.path.trim_end_matches(" (annotation)")
    }

    /// Why it has no effect; none if it has one.
    pub fn reason(&self) -> Option<Reason> {
        if self.kind == "annotation" {
            return annotation(self.annotation());
        }
        let mut node = TREES.get(self.kind)?;
        let mut reason = node.reason;
        for part in parts(self.path) {
            node = node.children.get(part)?;
            reason = reason.or(node.reason);
        }
        reason
    }
}

/// Every published field of the kinds we read, in the order of the data.
pub fn fields() -> impl Iterator<Item = Field> {
    TEXT.lines().skip(1).filter_map(|line| {
        let mut columns = line.split('\t');
        let (kind, path, shape) = (columns.next()?, columns.next()?, columns.next()?);
        let tier = columns.nth(3)?.parse().ok()?;
        Some(Field { kind, path, shape, tier })
    })
}

/// A node of the tree of one kind. Below a list the only child is `[]`, below a map `{}`.
#[derive(Debug, Default)]
struct Node {
    children: BTreeMap<&'static str, Node>,
    reason: Option<Reason>,
}

impl Node {
    fn insert(&mut self, path: impl IntoIterator<Item = &'static str>) {
        let mut node = self;
        for part in path {
            node = node.children.entry(part).or_default();
        }
    }
}

static TREES: LazyLock<BTreeMap<&'static str, Node>> = LazyLock::new(|| {
    let mut trees: BTreeMap<&'static str, Node> = BTreeMap::new();
    for field in fields().filter(|field| field.kind != "annotation") {
        trees.entry(field.kind).or_default().insert(parts(field.path));
    }
    for (kind, paths) in kubernetes::KINDS {
        let tree = trees.entry(kind).or_default();
        for path in *paths {
            tree.insert(parts(path));
        }
    }
    for (kind, below) in kubernetes::TEMPLATES {
        let tree = trees.entry(kind).or_default();
        for path in kubernetes::POD {
            tree.insert(parts(below).chain(parts(path)));
        }
    }
    for (kind, tree) in &mut trees {
        if *kind != "MeshConfig" {
            for name in ["apiVersion", "kind", "spec"] {
                tree.insert([name]);
            }
            for name in kubernetes::METADATA {
                tree.insert(["metadata", name]);
            }
        }
    }
    for list in LISTS.iter().filter(|list| list.kind != "annotation") {
        let tree = trees.entry(list.kind).or_default();
        for (below, path) in
            list.below.iter().flat_map(|below| list.paths.iter().map(move |path| (below, path)))
        {
            let mut node = &mut *tree;
            for part in parts(below).chain(parts(path)) {
                node = node.children.entry(part).or_default();
            }
            node.reason = Some(list.reason);
        }
    }
    trees
});

static ANNOTATIONS: LazyLock<BTreeMap<&'static str, Reason>> = LazyLock::new(|| {
    let lists = LISTS.iter().filter(|list| list.kind == "annotation");
    lists
        .flat_map(|list| list.paths.iter().map(|path| (path.trim_end_matches(" (annotation)"), list.reason)))
        .collect()
});

/// The parts of a path: `http[]` is `http` and then `[]`.
fn parts(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('.').filter(|part| !part.is_empty()).flat_map(|part| {
        let (name, rest) = part.split_at(part.find(['[', '{']).unwrap_or(part.len()));
        [name, rest].into_iter().filter(|one| !one.is_empty())
    })
}

/// What the catalogue says of a path that no struct reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is published; the reason is none if the lists forgot it.
    Published(Option<Reason>),
    /// It is not published; what may stand there is.
    Unknown(Vec<&'static str>),
}

/// Looks a path up.
pub(crate) fn find(kind: &str, steps: &[Step]) -> Finding {
    let Some(mut node) = TREES.get(kind) else { return Finding::Unknown(Vec::new()) };
    let mut reason = None;
    for step in steps {
        let next = match step {
            Step::Index(_) => node.children.get("[]"),
            Step::Key(key) => node.children.get(key.as_str()).or_else(|| node.children.get("{}")),
        };
        match next {
            Some(next) => node = next,
            None => return Finding::Unknown(node.children.keys().copied().collect()),
        }
        reason = reason.or(node.reason);
    }
    Finding::Published(reason)
}

/// Why a published annotation has no effect; none if it has one or is not published.
pub(crate) fn annotation(name: &str) -> Option<Reason> {
    ANNOTATIONS.get(name).copied()
}

#[cfg(test)]
mod tests;
