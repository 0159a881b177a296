//! Names: what may stand at the top of the tree, and how no file is called.

use super::Finding;

/// The whole top level. A new name here is a change of the house.
const TOP: &[&str] = &[
    ".ci",
    ".clippy.toml",
    ".config",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "crates",
    "crds",
    "deny.toml",
    "docs",
    "e2e",
    "hack",
    "manifests",
    "rust-toolchain.toml",
];

/// Names under which anything can hide.
const NAMELESS: &[&str] = &["common", "helper", "helpers", "misc", "types", "util", "utils"];

/// Finds what does not belong at the top of the tree.
pub(super) fn check_top_level(names: &[String]) -> Vec<Finding> {
    names
        .iter()
        .filter(|name| !TOP.contains(&name.as_str()))
        .map(|name| {
            Finding::new(
                name.as_str(),
                "does not belong at the top of the tree; see crates/xtask/src/tidy/tree.rs for what does",
            )
        })
        .collect()
}

/// Finds source files and folders whose name says nothing.
pub(super) fn check_name(path: &str) -> Vec<Finding> {
    if !super::text::is_rust(path) {
        return Vec::new();
    }
    path.trim_end_matches(".rs")
        .split('/')
        .filter(|part| NAMELESS.contains(part))
        .map(|part| Finding::new(path, format!("`{part}` is no name; call it after the one idea it holds")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_at_the_top_are_found() {
        let names = ["Cargo.toml", "crates", "notes.txt", "scripts"].map(str::to_owned);
        let places: Vec<_> = check_top_level(&names).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["notes.txt", "scripts"]);
    }

    #[test]
    fn catch_all_names_are_found_in_files_and_folders() {
        assert_eq!(check_name("crates/view/src/utils.rs").len(), 1);
        assert_eq!(check_name("crates/view/src/common/route.rs").len(), 1);
        assert_eq!(check_name("crates/view/src/route.rs"), []);
        assert_eq!(check_name("docs/types.md"), []);
    }
}
