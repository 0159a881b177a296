//! Input events.

use std::sync::Arc;

use pilothouse_base::{Kind, ObjectKey};
use pilothouse_config::Object;
use pilothouse_diag::Origin;

/// One input event.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object is now this.
    Apply {
        /// Its name.
        key: ObjectKey,
        /// Its checked content; of the variant that fits the kind of the key.
        object: Object,
        /// Where it was written, if in a file.
        origin: Option<Arc<Origin>>,
    },
    /// The object is gone.
    Remove {
        /// Its name.
        key: ObjectKey,
    },
}

impl Change {
    /// The name of the object.
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Apply { key, .. } | Self::Remove { key } => key,
        }
    }

    /// Whether proxies must hear of it without waiting for further changes: endpoints and certificates.
    pub fn urgent(&self) -> bool {
        matches!(self.key().kind, Kind::EndpointSlice | Kind::Pod | Kind::WorkloadEntry | Kind::Secret)
    }
}
