//! What a client sees, and how far it matters who it is.

use pilothouse_config::service::Resolution;
use pilothouse_world::VirtualServiceHeader;

use crate::claims::ClaimList;
use crate::query::Client;
use crate::targets::{Target, View};

/// What a client sees.
pub(super) struct Seen<'a> {
    pub(super) client: &'a Client,
    pub(super) view: &'a View,
    pub(super) claims: &'a ClaimList,
    /// The domain of Kubernetes services.
    pub(super) domain: &'a str,
}

impl Seen<'_> {
    /// Whom routes of these virtual services are made for: nobody in particular, if they come out the same for everybody.
    pub(super) fn asking<'h>(&self, headers: impl IntoIterator<Item = &'h VirtualServiceHeader>) -> Client {
        if headers.into_iter().any(|header| self.depends(header)) {
            self.client.clone()
        } else {
            Client::stranger(self.client.v6)
        }
    }

    /// Whether the routes of a virtual service may come out different for this client than for a stranger.
    pub(super) fn depends(&self, header: &VirtualServiceHeader) -> bool {
        header.asks_client || header.destinations.iter().any(|host| self.differs(host.as_str()))
    }

    /// Whether a host, or what it is another name of, means something else to this client.
    fn differs(&self, host: &str) -> bool {
        let hosts = &self.view.own.hosts;
        hosts.contains_key(host)
            || match self.view.public.by_host.get(host).map(|target| &target.service.resolution) {
                Some(Resolution::Alias(real)) => hosts.contains_key(real),
                _ => false,
            }
    }

    /// What a host means to this client, and what to everybody.
    pub(super) fn meanings(&self, host: &str) -> impl Iterator<Item = &Target> {
        let own = self.view.own.hosts.get(host).map(|differs| &*differs.own);
        own.into_iter().chain(self.view.public.by_host.get(host).map(|target| &**target))
    }

    /// Whether the listeners are certainly those of everybody.
    pub(super) fn listens_like_everybody(&self) -> bool {
        let same = self.view.own.hosts.values().all(|differs| {
            let own = &differs.own.service;
            differs.shared.as_ref().is_some_and(|shared| shared.service == *own)
                && own.ports.iter().all(|port| port.protocol.is_http())
        });
        same && !self.claims.limited().iter().any(|header| header.l4)
            && !self.claims.l4.iter().any(|header| self.depends(header))
    }
}
