//! The types of resources a sidecar asks for.

use pilothouse_envoy_api::type_url;

/// A type of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// CDS.
    Cluster,
    /// EDS.
    Endpoints,
    /// LDS.
    Listener,
    /// RDS.
    Routes,
    /// VHDS.
    VirtualHost,
    /// SDS.
    Secret,
}

impl Kind {
    /// All of them, in the order in which an Envoy comes to ask for them.
    pub const ALL: [Self; 6] =
        [Self::Cluster, Self::Endpoints, Self::Listener, Self::Routes, Self::VirtualHost, Self::Secret];

    /// The name on the wire.
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => type_url::CLUSTER,
            Self::Endpoints => type_url::ENDPOINTS,
            Self::Listener => type_url::LISTENER,
            Self::Routes => type_url::ROUTES,
            Self::VirtualHost => type_url::VIRTUAL_HOST,
            Self::Secret => type_url::SECRET,
        }
    }

    /// The type with that name on the wire.
    pub fn of(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// What people call it.
    pub fn short(self) -> &'static str {
        match self {
            Self::Cluster => "CDS",
            Self::Endpoints => "EDS",
            Self::Listener => "LDS",
            Self::Routes => "RDS",
            Self::VirtualHost => "VHDS",
            Self::Secret => "SDS",
        }
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Cluster => 0,
            Self::Endpoints => 1,
            Self::Listener => 2,
            Self::Routes => 3,
            Self::VirtualHost => 4,
            Self::Secret => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_type() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!((Kind::of(kind.type_url()), kind.index()), (Some(kind), index));
        }
        assert_eq!(Kind::of("type.googleapis.com/a.B"), None);
    }
}
