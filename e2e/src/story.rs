//! What the demonstrations print: each promise beside what was seen of it, and how many held.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::mesh::RunningLoad;

/// Promises so far.
#[derive(Debug)]
pub struct Story {
    begun: Instant,
    told: u32,
    missed: u32,
}

impl Story {
    /// A story that began then.
    pub fn since(begun: Instant) -> Self {
        Self { begun, told: 0, missed: 0 }
    }

    /// Prints a promise and what was seen, or why it did not hold.
    pub fn line(&mut self, asked: &str, seen: Result<String>) {
        self.told += 1;
        match seen {
            Ok(seen) => println!("✓ {asked:<62}{seen}"),
            Err(error) => {
                self.missed += 1;
                println!("✗ {asked:<62}{error:#}");
            }
        }
    }

    /// Prints how it ended; fails when a promise did not hold.
    pub fn end(&self) -> Result<()> {
        let Self { begun, told, missed } = self;
        println!("\n  {:.1} s in all.", begun.elapsed().as_secs_f32());
        ensure!(*missed == 0, "{missed} of {told} were not as asked");
        println!("  All {told} as asked.");
        Ok(())
    }
}

/// What became of requests under change; fails when one of them did.
pub fn unharmed(load: RunningLoad) -> Result<String> {
    let report = load.stop_without_failures()?;
    let mut text = format!("{} requests, none failed, slowest {} ms", report.good, report.slowest_ms);
    if report.redialled > 0 {
        write!(text, ", {} connections made anew", report.redialled)?;
    }
    Ok(text)
}
