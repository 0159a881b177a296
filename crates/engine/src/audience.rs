//! Audiences: which collections a proxy's snapshot is put together from.

use std::sync::Arc;

use pilothouse_view::Audience;
use pilothouse_xds::Snapshot;

use crate::collection::{CollectionKey, Collections};

/// The collections of an audience: clusters, assignments, then everything else. What many share comes first.
pub(crate) fn collections(audience: &Audience) -> Vec<CollectionKey> {
    let Audience { client, locality, inbound, gateway } = audience;
    let (namespace, role) = (client.namespace.clone(), client.role);
    let mut keys = vec![
        CollectionKey::Fixed(role),
        CollectionKey::Clusters(namespace.clone(), role),
        CollectionKey::Assignments(namespace, role, locality.clone()),
    ];
    if let Some(inbound) = inbound {
        keys.push(CollectionKey::Outbound(client.clone()));
        keys.push(CollectionKey::Inbound(inbound.clone()));
    }
    if let Some(gateway) = gateway {
        keys.push(CollectionKey::Gateway(gateway.clone()));
    }
    keys
}

/// Puts the snapshot of an audience together; costs a few references per collection.
pub(crate) fn snapshot(revision: u64, keys: &[CollectionKey], collections: &Collections) -> Arc<Snapshot> {
    let contents: Vec<_> = keys.iter().map(|key| collections.content(key)).collect();
    Arc::new(Snapshot {
        revision,
        clusters: contents.iter().map(|content| content.clusters.clone()).collect::<Vec<_>>().into(),
        endpoints: contents.iter().map(|content| content.endpoints.clone()).collect::<Vec<_>>().into(),
        listeners: contents.iter().map(|content| content.listeners.clone()).collect::<Vec<_>>().into(),
        routes: contents.iter().map(|content| content.routes.clone()).collect::<Vec<_>>().into(),
        secrets: contents.iter().map(|content| content.secrets.clone()).collect::<Vec<_>>().into(),
    })
}
