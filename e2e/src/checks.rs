//! Several things shown on one world: each is tried, all failures are told.

use anyhow::{Result, bail, ensure};

/// What was shown and what was not.
#[derive(Debug, Default)]
pub struct Checks {
    shown: Vec<String>,
    failed: Vec<String>,
}

impl Checks {
    /// Notes whether `what` holds.
    pub fn show(&mut self, what: &str, result: Result<()>) {
        match result {
            Ok(()) => self.shown.push(what.to_owned()),
            Err(error) => self.failed.push(format!("{what}: {error:#}")),
        }
    }

    /// Fails with everything that did not hold.
    pub fn finish(self) -> Result<()> {
        if self.failed.is_empty() {
            return Ok(());
        }
        bail!(
            "{} of {} do not hold:\n- {}",
            self.failed.len(),
            self.failed.len() + self.shown.len(),
            self.failed.join("\n- ")
        )
    }
}

/// Fails unless two values are the same, naming both.
#[expect(clippy::needless_pass_by_value, reason = "reads better at the many places it is used")]
pub fn same<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
    what: &str,
    got: T,
    want: U,
) -> Result<()> {
    ensure!(got == want, "{what} is {got:?}, should be {want:?}");
    Ok(())
}
