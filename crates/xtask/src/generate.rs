//! The generated files that are checked in, and how each is made.
//!
//! Adding one is a line in [`GENERATORS`]. A generator is a function of the repository; it writes its file, or with `check` says
//! whether the file is what it would write. Output has no dates and no machine in it, so two runs anywhere give the same bytes.

use crate::{crds, descriptors, diagnostics, files};
use anyhow::{Result, bail};
use std::path::Path;

/// One generated file, or a few that are made together.
struct Generator {
    /// What it makes, for the progress line.
    makes: &'static str,
    /// Makes it below the root; with `true` only compares.
    run: fn(&Path, bool) -> Result<()>,
}

#[rustfmt::skip]
const GENERATORS: &[Generator] = &[
    Generator { makes: "descriptor set and table of maps of envoy-api", run: descriptors::generate },
    Generator { makes: "docs/reference/diagnostics.md", run: diagnostics::generate },
    Generator { makes: "docs/reference/support.md", run: support },
    Generator { makes: "crds/", run: crds::generate },
];

fn support(root: &Path, check: bool) -> Result<()> {
    text(root, "docs/reference/support.md", &pilothouse_api::support::page(), check)
}

/// Runs every generator; with `check`, fails after the last one if any file is out of date.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let mut stale = 0;
    for Generator { makes, run } in GENERATORS {
        match run(root, check) {
            Ok(()) => {
                crate::say(&format!("gen: {makes} {}", if check { "is up to date" } else { "written" }));
            }
            Err(error) => {
                eprintln!("gen: {makes}: {error:#}");
                stale += 1;
            }
        }
    }
    crate::found(stale, "generated files failed or are out of date; `make gen` writes them again")
}

/// Writes a generated text file, or compares it.
pub(crate) fn text(root: &Path, path: &str, content: &str, check: bool) -> Result<()> {
    let path = root.join(path);
    if !check {
        return files::write(&path, content);
    }
    match files::read(&path) {
        Ok(present) if present == content => Ok(()),
        Ok(_) => bail!("{} differs from what its sources give", path.display()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_written_and_then_checked_without_being_written() {
        let root = tempfile::tempdir().unwrap();
        let path = "docs/reference/page.md";
        assert!(text(root.path(), path, "one\n", true).is_err(), "a missing page is out of date");
        text(root.path(), path, "one\n", false).unwrap();
        text(root.path(), path, "one\n", true).unwrap();
        assert!(text(root.path(), path, "two\n", true).is_err());
        assert_eq!(files::read(&root.path().join(path)).unwrap(), "one\n");
    }
}
