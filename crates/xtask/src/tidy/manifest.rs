//! Manifests of our crates: one table of versions, one table of lints, nothing published by accident.

use super::Finding;

/// What every manifest says, word for word.
const SAYS: &[&str] = &[
    "[lints]\nworkspace = true",
    "publish.workspace = true",
    "edition.workspace = true",
    "license.workspace = true",
    "description = \"",
];

/// Checks one `Cargo.toml` of a member.
pub(super) fn check(path: &str, content: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = SAYS
        .iter()
        .filter(|line| !content.contains(*line))
        .map(|line| Finding::new(path, format!("lacks `{}`", line.replace('\n', " "))))
        .collect();
    let mut in_dependencies = false;
    for (number, line) in content.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies && !line.is_empty() && !line.contains("workspace = true") {
            findings.push(Finding::new(
                format!("{path}:{}", number + 1),
                "names a dependency outside the one table in the root manifest; write `NAME.workspace = true`",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\ndescription = \"x\"\nedition.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\n\
                        [lints]\nworkspace = true\n\n[dependencies]\nserde.workspace = true # to read\n";

    #[test]
    fn a_manifest_of_the_house_is_accepted() {
        assert_eq!(check("crates/x/Cargo.toml", GOOD), []);
        let with_features = format!("{GOOD}tokio = {{ workspace = true, features = [\"fs\"] }}\n");
        assert_eq!(check("crates/x/Cargo.toml", &with_features), []);
    }

    #[test]
    fn a_version_of_its_own_is_found_with_its_line() {
        let bad = format!("{GOOD}\n[dev-dependencies]\nregex = \"1\"\n");
        let findings = check("crates/x/Cargo.toml", &bad);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].place, "crates/x/Cargo.toml:14");
    }

    #[test]
    fn a_crate_that_opts_out_of_the_lints_is_found() {
        let bad = GOOD.replace("[lints]\nworkspace = true\n", "");
        assert_eq!(check("crates/x/Cargo.toml", &bad).len(), 1);
    }
}
