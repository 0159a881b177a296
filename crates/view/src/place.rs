//! Where proxies run, as far as anybody asks for it.
//!
//! Most assignments are the same for clients everywhere, and all share them. Those whose endpoints are picked or ordered by where
//! the client runs are lists of their own, for each place that some service tells apart from others.

use std::collections::BTreeSet;

use pilothouse_base::{Locality, Name, Namespace};
use pilothouse_config::{Service, TrafficDistribution};

use crate::assignment::Assignments;
use crate::backends::Reached;
use crate::query::{AssignmentKey, ClusterKey, Near, Place, Role};
use crate::reader::Reader;

/// How endpoints of a cluster are picked by where they and the client run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Preference {
    /// Not at all.
    #[default]
    Anywhere,
    /// The nearest first, down to the sub-zone.
    SubZone,
    /// Those of the zone first, then those of the region.
    Zone,
    /// Those of the node first, then the nearest.
    Node,
    /// Those of the node and no others.
    OnlyNode,
}

impl Preference {
    /// What a service asks for.
    pub(crate) fn of(service: &Service, namespace: Option<TrafficDistribution>) -> Self {
        if service.node_local {
            return Self::OnlyNode;
        }
        match service.distribution.or(namespace) {
            None | Some(TrafficDistribution::Any) => Self::Anywhere,
            Some(TrafficDistribution::SameZone) => Self::Zone,
            Some(TrafficDistribution::SameNode) => Self::Node,
        }
    }

    /// What that means for clients of a place. Nothing is near to a client of which nobody knows where it is.
    fn near(self, place: &Place) -> Near {
        let Place { locality, node } = place;
        match self {
            Self::OnlyNode => Near::OnlyNode(node.clone()),
            Self::Node if !node.as_str().is_empty() => {
                Near::Node { node: node.clone(), locality: locality.clone() }
            }
            Self::Anywhere => Near::Anywhere,
            _ if locality.is_empty() => Near::Anywhere,
            Self::Zone => Near::Zone { region: locality.region.clone(), zone: locality.zone.clone() },
            Self::SubZone | Self::Node => Near::SubZone(locality.clone()),
        }
    }
}

impl Near {
    /// Which place in line an endpoint has, 0 first; none if it is not for these clients.
    pub(crate) fn rank(&self, one: &Reached) -> Option<u32> {
        let distance = |region: &Name, zone: &Name, sub_zone: &Name| {
            if *region != one.locality.region {
                3
            } else if *zone != one.locality.zone {
                2
            } else {
                u32::from(*sub_zone != one.locality.sub_zone)
            }
        };
        match self {
            Self::Anywhere => Some(0),
            Self::SubZone(Locality { region, zone, sub_zone }) => Some(distance(region, zone, sub_zone)),
            Self::Zone { region, zone } => Some(distance(region, zone, &one.locality.sub_zone)),
            Self::Node { node, locality: Locality { region, zone, sub_zone } } => {
                let distance = distance(region, zone, sub_zone);
                Some(if distance == 0 && *node == one.node { 0 } else { distance + 1 })
            }
            Self::OnlyNode(node) => (*node == one.node).then_some(0),
        }
    }
}

/// The clusters whose endpoints depend on where the client runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// In the order of the clusters.
    entries: Vec<(ClusterKey, Preference)>,
    pub(crate) asks: Asks,
}

/// What is asked of the place of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks {
    zone: bool,
    sub_zone: bool,
    node: bool,
}

impl Asks {
    fn of(preference: Preference) -> Self {
        let (zone, sub_zone, node) = match preference {
            Preference::Anywhere => (false, false, false),
            Preference::Zone => (true, false, false),
            Preference::SubZone => (true, true, false),
            Preference::Node => (true, true, true),
            Preference::OnlyNode => (false, false, true),
        };
        Self { zone, sub_zone, node }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            zone: self.zone || other.zone,
            sub_zone: self.sub_zone || other.sub_zone,
            node: self.node || other.node,
        }
    }

    /// What matters of a place; none if nothing is asked.
    pub(crate) fn place(self, locality: &Locality, node: &Name) -> Option<Place> {
        let Self { zone, sub_zone, node: by_node } = self;
        let kept = |part: &Name, is_asked: bool| if is_asked { part.clone() } else { Name::default() };
        (zone || by_node).then(|| Place {
            locality: Locality {
                region: kept(&locality.region, zone),
                zone: kept(&locality.zone, zone),
                sub_zone: kept(&locality.sub_zone, sub_zone),
            },
            node: kept(node, by_node),
        })
    }
}

/// Which endpoints clients of the services of a namespace prefer, where a service does not say.
pub(crate) fn distribution(namespace: &Namespace, read: &mut Reader<'_>) -> Option<TrafficDistribution> {
    read.namespace(namespace)?.distribution
}

/// The clusters whose endpoints depend on where the client runs.
pub(crate) fn placed(namespace: &Namespace, role: Role, read: &mut Reader<'_>) -> Placed {
    let clusters = read.clusters(namespace, role);
    let mut placed = Placed::default();
    for entry in clusters.entries.iter().filter(|entry| entry.listed) {
        let preference = match entry.preference {
            // Without it Envoy would hardly ever leave the first group.
            Preference::Anywhere if read.fails_over(&entry.key) => Preference::SubZone,
            preference => preference,
        };
        if preference != Preference::Anywhere {
            placed.asks = placed.asks.and(Asks::of(preference));
            placed.entries.push((entry.key.clone(), preference));
        }
    }
    placed
}

/// The assignments that are the same for clients everywhere.
pub(crate) fn everywhere(namespace: &Namespace, role: Role, read: &mut Reader<'_>) -> Assignments {
    let clusters = read.clusters(namespace, role);
    let placed = read.placed(namespace, role);
    let placed: BTreeSet<&ClusterKey> = placed.entries.iter().map(|(key, _)| key).collect();
    let listed = clusters.entries.iter().filter(|entry| entry.listed && !placed.contains(&entry.key));
    let key = |cluster: &ClusterKey| AssignmentKey { cluster: cluster.clone(), near: Near::Anywhere };
    Assignments { keys: listed.map(|entry| key(&entry.key)).collect(), hidden: clusters.hidden.clone() }
}

/// The other assignments, for clients of a place.
pub(crate) fn near(namespace: &Namespace, role: Role, place: &Place, read: &mut Reader<'_>) -> Assignments {
    let hidden = read.clusters(namespace, role).hidden.clone();
    let placed = read.placed(namespace, role);
    let entries = placed.entries.iter();
    let keys = entries.map(|(cluster, preference)| AssignmentKey {
        cluster: cluster.clone(),
        near: preference.near(place),
    });
    Assignments { keys: keys.collect(), hidden }
}

#[cfg(test)]
mod tests;
