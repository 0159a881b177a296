//! What a stream tells about itself.

use pilothouse_engine::Role;

use super::Stream;
use crate::discovery::streams::Question;
use crate::status::{self, Certificate, ProxyStatus, seconds};

impl Stream<'_> {
    pub(super) fn answer(&self, question: Question) {
        // Whoever asked may have gone meanwhile.
        match question {
            Question::Status(reply) => drop(reply.send(self.report())),
            Question::Snapshot(reply) => drop(reply.send(self.snapshots.borrow().clone())),
        }
    }

    pub(super) fn report(&self) -> ProxyStatus {
        let status = self.subscriber.status();
        let arrived = |revision| {
            let first = self.arrivals.iter().find(|(arrival, _)| *arrival >= revision);
            first.map(|(_, at)| seconds(*at))
        };
        ProxyStatus {
            proxy: self.session.proxy(),
            role: match self.session.role {
                Role::Sidecar => "sidecar".to_owned(),
                Role::Gateway => "gateway".to_owned(),
            },
            protocol: status::protocol_name(self.protocol),
            envoy: self.session.envoy.clone(),
            identity: self.identity().to_string(),
            authenticated: self.session.token.is_some(),
            peer: self.peer.address.to_string(),
            stream: self.id,
            connected: seconds(self.connected),
            revision: status.revision,
            acknowledged: status.acknowledged,
            types: status::types(&status, arrived),
            certificate: self.leaf.held.as_ref().map(|leaf| Certificate {
                serial: leaf.serial.clone(),
                not_after: seconds(leaf.version.lifetime.not_after),
                renews: seconds(leaf.renew_at),
            }),
        }
    }
}
