//! Links between our pages lead somewhere.

use super::Finding;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Checks the relative links of one page against the files and folders that exist, given relative to the root.
pub(super) fn check(page: &str, content: &str, exists: &BTreeSet<PathBuf>) -> Vec<Finding> {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    let mut in_code = false;
    for (number, line) in content.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            let path = target.split('#').next().unwrap_or_default();
            let leads = path.is_empty()
                || path.contains("://")
                || path.starts_with("mailto:")
                || exists.contains(&plain(&folder.join(path)));
            if !leads {
                findings.push(Finding::new(
                    format!("{page}:{}", number + 1),
                    format!("the link to {path} leads nowhere"),
                ));
            }
        }
    }
    findings
}

/// Every file and every folder above one.
pub(super) fn with_folders(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    files.iter().flat_map(|file| file.ancestors()).map(Path::to_owned).collect()
}

/// What stands in the round brackets of `[words](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::Normal(name) => plain.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_folders_and_places_are_followed() {
        let exists = with_folders(&[PathBuf::from("docs/decisions/one.md"), PathBuf::from("README.md")]);
        let good = "[a](decisions/one.md) [b](../README.md#top) [c](https://example.com/x) [d](#here) [e](decisions/)\n";
        assert_eq!(check("docs/guide.md", good, &exists), []);
        let findings = check("docs/guide.md", "\n[a](decisions/two.md)\n", &exists);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].place, "docs/guide.md:2");
    }

    #[test]
    fn code_is_not_read_for_links() {
        assert_eq!(check("README.md", "```\nlist[0](nowhere)\n```\n", &BTreeSet::new()), []);
    }
}
