//! How many leaves may be issued: per pod, and in total.
//!
//! Each pod has a bucket, and there is one for everybody. A first leaf unblocks a proxy that cannot open its listeners
//! without it, while a renewal has half a life to wait; so renewals may not touch the last part of the common bucket.
//!
//! A bucket is kept as one number, the moment at which it would be full again (the "generic cell rate algorithm"). A
//! bucket that is full equals one that was never used and is forgotten, which bounds the memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// A bucket's size and how fast it refills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many may be issued at once. Zero is taken as one.
    pub burst: u32,
    /// After how long one more may be issued.
    pub every: Duration,
}

impl Rate {
    /// How far ahead of now the moment of being full may lie before one more is issued.
    fn slack(self, keep: u32) -> Duration {
        self.every.saturating_mul(self.burst.max(1).saturating_sub(1).saturating_sub(keep))
    }
}

/// The limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// For each pod.
    pub per_pod: Rate,
    /// For all pods together.
    pub total: Rate,
    /// How much of the common bucket is kept for first leaves.
    pub kept_for_first: u32,
    /// How many pods are remembered. When there are more, the one nearest to a full bucket is forgotten.
    pub max_pods: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            per_pod: Rate { burst: 3, every: Duration::from_mins(1) },
            total: Rate { burst: 1000, every: Duration::from_millis(2) },
            kept_for_first: 200,
            max_pods: 100_000,
        }
    }
}

/// What a leaf is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The proxy has none and waits.
    First,
    /// The proxy holds one that still works.
    Renewal,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Issue it. It has been counted.
    Granted,
    /// Ask again after this long. Nothing has been counted.
    Wait(Duration),
}

/// Counts what was issued.
#[derive(Debug)]
pub struct IssueLimiter {
    settings: LimitSettings,
    total_full_at: Duration,
    full_at: HashMap<Arc<str>, Duration>,
    by_time: BTreeSet<(Duration, Arc<str>)>,
}

impl IssueLimiter {
    /// A limiter with full buckets.
    pub fn new(settings: LimitSettings) -> Self {
        Self { settings, total_full_at: Duration::ZERO, full_at: HashMap::new(), by_time: BTreeSet::new() }
    }

    /// Asks to issue one leaf to a pod. `now` is the time since any fixed moment on a clock that does not jump.
    pub fn ask(&mut self, pod_uid: &str, purpose: Purpose, now: Duration) -> Decision {
        self.forget_full(now);
        let LimitSettings { per_pod, total, kept_for_first, max_pods: _ } = self.settings;
        let keep = match purpose {
            Purpose::First => 0,
            Purpose::Renewal => kept_for_first.min(total.burst.max(1) - 1),
        };
        let pod_full_at = self.full_at.get(pod_uid).copied().unwrap_or(now);
        let wait = pod_full_at
            .saturating_sub(now.saturating_add(per_pod.slack(0)))
            .max(self.total_full_at.saturating_sub(now.saturating_add(total.slack(keep))));
        if !wait.is_zero() {
            return Decision::Wait(wait);
        }
        self.total_full_at = self.total_full_at.max(now).saturating_add(total.every);
        self.remember(pod_uid, pod_full_at.max(now).saturating_add(per_pod.every));
        Decision::Granted
    }

    /// How many pods are remembered.
    pub fn remembered(&self) -> usize {
        self.full_at.len()
    }

    fn remember(&mut self, pod_uid: &str, full_at: Duration) {
        let uid: Arc<str> = match self.full_at.remove_entry(pod_uid) {
            Some((uid, before)) => {
                self.by_time.remove(&(before, uid.clone()));
                uid
            }
            None => Arc::from(pod_uid),
        };
        while self.full_at.len() >= self.settings.max_pods.max(1) {
            let Some((_, oldest)) = self.by_time.pop_first() else { break };
            self.full_at.remove(&oldest);
        }
        self.full_at.insert(uid.clone(), full_at);
        self.by_time.insert((full_at, uid));
    }

    fn forget_full(&mut self, now: Duration) {
        while self.by_time.first().is_some_and(|(full_at, _)| *full_at <= now) {
            if let Some((_, uid)) = self.by_time.pop_first() {
                self.full_at.remove(&uid);
            }
        }
    }
}

#[cfg(test)]
mod tests;
