//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Tries `attempt` until it succeeds; after `limit` fails with what was awaited and the last reason it was not so.
pub fn until<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(reason) if started.elapsed() >= limit => {
                bail!("waited {:.1} s for {what}; still: {reason:#}", limit.as_secs_f32());
            }
            Err(_) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
