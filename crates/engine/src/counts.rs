//! What a commit cost, in counts that do not depend on the machine.

use std::collections::BTreeMap;

use pilothouse_view::QueryKind;
use pilothouse_xds::ResourceType;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions answered, by kind.
    pub answered: BTreeMap<QueryKind, usize>,
    /// Resources that came out different, by type (virtual hosts once for each table).
    pub encoded: BTreeMap<ResourceType, usize>,
    /// Bytes of these.
    pub bytes: usize,
    /// Snapshots made anew.
    pub snapshots: usize,
}

impl Counts {
    pub(crate) fn answer(&mut self, kind: QueryKind) {
        *self.answered.entry(kind).or_default() += 1;
    }

    pub(crate) fn encode(&mut self, kind: ResourceType, bytes: usize) {
        *self.encoded.entry(kind).or_default() += 1;
        self.bytes += bytes;
    }
}
