//! What was received, by type.

use std::ops::{Add, AddAssign, Sub};

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::kind::Kind;

/// What was received of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Received {
    /// Responses.
    pub messages: u64,
    /// Resources in them.
    pub resources: u64,
    /// Names of resources that are gone.
    pub removed: u64,
    /// Bytes of the responses, before HTTP/2 and TLS.
    pub bytes: u64,
}

/// What was received of each type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([Received; Kind::ALL.len()]);

impl Counts {
    /// What was received of a type.
    pub fn of(&self, kind: Kind) -> Received {
        self.0[kind.index()]
    }

    /// What was received in all.
    pub fn total(&self) -> Received {
        self.0.iter().fold(Received::default(), |sum, one| sum + *one)
    }

    pub(crate) fn add(&mut self, kind: Kind, received: Received) {
        self.0[kind.index()] += received;
    }
}

impl Add for Received {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let Self { messages, resources, removed, bytes } = other;
        Self {
            messages: self.messages + messages,
            resources: self.resources + resources,
            removed: self.removed + removed,
            bytes: self.bytes + bytes,
        }
    }
}

impl AddAssign for Received {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        for kind in Kind::ALL {
            self.add(kind, other.of(kind));
        }
    }
}

/// What came since. Counts only grow.
impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self(Kind::ALL.map(|kind| {
            let (now, Received { messages, resources, removed, bytes }) = (self.of(kind), before.of(kind));
            Received {
                messages: now.messages - messages,
                resources: now.resources - resources,
                removed: now.removed - removed,
                bytes: now.bytes - bytes,
            }
        }))
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(Kind::ALL.len()))?;
        for kind in Kind::ALL {
            map.serialize_entry(kind.short(), &self.of(kind))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_since_is_the_difference() {
        let one = Received { messages: 1, resources: 2, removed: 3, bytes: 4 };
        let mut before = Counts::default();
        before.add(Kind::Cluster, one);
        let mut now = before;
        now.add(Kind::Cluster, one);
        now.add(Kind::Secret, one);
        let since = now - before;
        assert_eq!((since.of(Kind::Cluster), since.of(Kind::Secret)), (one, one));
        assert_eq!(since.total(), one + one);
        assert_eq!(serde_json::to_value(since).unwrap()["SDS"]["bytes"], 4);
    }
}
