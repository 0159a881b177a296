//! Answers to questions.

use std::sync::Arc;

use pilothouse_config::TrafficDistribution;
use pilothouse_diag::Diagnostic;

use crate::accounts::Accounts;
use crate::assignment::Assignments;
use crate::audience::Audience;
use crate::claims::Claims;
use crate::cluster::Clusters;
use crate::gateway::GatewayLayout;
use crate::inbound::Inbound;
use crate::outbound::Outbound;
use crate::place::Placed;
use crate::plan::{AssignmentPlan, ClusterPlan, ListenerPlan, SecretPlan, VirtualHostPlan};
use crate::query::Query;
use crate::reader::Reader;
use crate::targets::{Public, Target, Targets};

/// The answer to a [`Query`], of the variant with the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::Public`].
    Public(Arc<Public>),
    /// To [`Query::Targets`].
    Targets(Arc<Targets>),
    /// To [`Query::Target`]; none if no visible service has the host.
    Target(Option<Arc<Target>>),
    /// To [`Query::Claims`].
    Claims(Arc<Claims>),
    /// To [`Query::Accounts`].
    Accounts(Arc<Accounts>),
    /// To [`Query::Audience`].
    Audience(Arc<Audience>),
    /// To [`Query::Clusters`].
    Clusters(Arc<Clusters>),
    /// To [`Query::Distribution`]; none if the namespace does not say.
    Distribution(Option<TrafficDistribution>),
    /// To [`Query::FailsOver`].
    FailsOver(bool),
    /// To [`Query::Placed`].
    Placed(Arc<Placed>),
    /// To [`Query::Assignments`].
    Assignments(Arc<Assignments>),
    /// To [`Query::Near`].
    Near(Arc<Assignments>),
    /// To [`Query::Outbound`].
    Outbound(Arc<Outbound>),
    /// To [`Query::Gateway`].
    Gateway(Arc<GatewayLayout>),
    /// To [`Query::Cluster`]; none if there is nothing to send (a DNS cluster without a name to resolve).
    Cluster(Option<Arc<ClusterPlan>>),
    /// To [`Query::Assignment`].
    Assignment(Arc<AssignmentPlan>),
    /// To [`Query::Listener`].
    Listener(Arc<ListenerPlan>),
    /// To [`Query::Host`].
    Host(Arc<VirtualHostPlan>),
    /// To [`Query::Inbound`].
    Inbound(Arc<Inbound>),
    /// To [`Query::Fixed`].
    Fixed(Arc<Vec<ClusterPlan>>),
    /// To [`Query::Secret`]; none if it does not exist.
    Secret(Option<Arc<SecretPlan>>),
    /// To [`Query::Findings`].
    Findings(Arc<Vec<Diagnostic>>),
}

/// Answers a question.
pub fn resolve(query: &Query, read: &mut Reader<'_>) -> Answer {
    match query {
        Query::Public => Answer::Public(Arc::new(crate::targets::public(read))),
        Query::Targets(namespace) => Answer::Targets(Arc::new(crate::targets::targets(namespace, read))),
        Query::Target(namespace, host) => Answer::Target(crate::targets::target(namespace, host, read)),
        Query::Claims(namespace) => Answer::Claims(Arc::new(crate::claims::claims(namespace, read))),
        Query::Accounts(service) => Answer::Accounts(Arc::new(crate::accounts::accounts(service, read))),
        Query::Audience(workload) => Answer::Audience(Arc::new(crate::audience::audience(workload, read))),
        Query::Clusters(namespace, role) => {
            Answer::Clusters(Arc::new(crate::cluster::clusters(namespace, *role, read)))
        }
        Query::Distribution(namespace) => Answer::Distribution(crate::place::distribution(namespace, read)),
        Query::FailsOver(cluster) => Answer::FailsOver(crate::assignment::fails_over(cluster, read)),
        Query::Placed(namespace, role) => {
            Answer::Placed(Arc::new(crate::place::placed(namespace, *role, read)))
        }
        Query::Assignments(namespace, role) => {
            Answer::Assignments(Arc::new(crate::place::everywhere(namespace, *role, read)))
        }
        Query::Near(namespace, role, place) => {
            Answer::Near(Arc::new(crate::place::near(namespace, *role, place, read)))
        }
        Query::Outbound(client) => Answer::Outbound(Arc::new(crate::outbound::outbound(client, read))),
        Query::Gateway(key) => Answer::Gateway(Arc::new(crate::gateway::gateway(key, read))),
        Query::Cluster(key) => Answer::Cluster(crate::cluster::cluster(key, read).map(Arc::new)),
        Query::Assignment(key) => Answer::Assignment(Arc::new(crate::assignment::assignment(key, read))),
        Query::Listener(key) => Answer::Listener(Arc::new(crate::listener::listener(key, read))),
        Query::Host(key) => Answer::Host(Arc::new(crate::virtual_host::virtual_host(key, read))),
        Query::Inbound(key) => Answer::Inbound(Arc::new(crate::inbound::inbound(key, read))),
        Query::Fixed(role) => Answer::Fixed(Arc::new(crate::cluster::fixed(*role, &read.mesh()))),
        Query::Secret(key) => Answer::Secret(crate::secret::secret(key, read).map(Arc::new)),
        Query::Findings(object) => Answer::Findings(Arc::new(crate::findings::findings(object, read))),
    }
}
