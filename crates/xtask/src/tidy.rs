//! House rules that no compiler checks.
//!
//! The checks are functions from what is there to findings; only [`run`] reads files and asks cargo. A finding says where, what is
//! wrong, and what to do instead.

mod graph;
mod links;
mod manifest;
mod text;
mod tree;

use crate::{cargo, files};
use anyhow::Result;
use std::fmt;
use std::path::Path;

/// One thing that breaks a house rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// A file, a file with a line, or a crate.
    place: String,
    /// What is wrong and what to do instead.
    says: String,
}

impl Finding {
    fn new(place: impl Into<String>, says: impl Into<String>) -> Self {
        Self { place: place.into(), says: says.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.says)
    }
}

/// Runs all checks over the repository and prints what they find.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut findings = graph::check(&graph::read(&cargo::workspace(root)?)?);
    findings.extend(tree::check_top_level(&files::top_level(root)?));
    let paths = files::all(root)?;
    let exists = links::with_folders(&paths);
    for path in &paths {
        let name = path.to_string_lossy().into_owned();
        findings.extend(tree::check_name(&name));
        if text::is_read(&name) {
            let content = files::read(&root.join(path))?;
            findings.extend(text::check(&name, &content));
            if path.extension().is_some_and(|extension| extension == "md") {
                findings.extend(links::check(&name, &content, &exists));
            }
            if name.ends_with("/Cargo.toml") {
                findings.extend(manifest::check(&name, &content));
            }
        }
    }
    findings.sort();
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    if findings.is_empty() {
        crate::say(&format!("tidy: {} files keep the house rules", paths.len()));
    }
    crate::found(findings.len(), "findings of tidy")
}
