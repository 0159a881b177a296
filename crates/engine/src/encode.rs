//! Plans become bytes once, however many audiences see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use pilothouse_base::{Name, ObjectKey};
use pilothouse_envoy_api as envoy;
use pilothouse_translate as translate;
use pilothouse_view::Answer;
use pilothouse_view::plan::{ClusterPlan, ListenerPlan, RouteTablePlan, VirtualHostPlan};
use pilothouse_xds::{Composite, Defaults, Headers, Resource, ResourceType};

use crate::bug::Bug;
use crate::counts::Counts;

/// The number of `RouteConfiguration.virtual_hosts`.
const VIRTUAL_HOSTS: u32 = 2;

/// The bytes of a plan, as far as somebody asked for them.
#[derive(Default)]
pub(crate) struct Encoded {
    /// The resource, with the answer it was made from.
    resource: Option<(Answer, Option<Arc<Resource>>)>,
    /// A virtual host, for each table it is in.
    parts: BTreeMap<Name, (Answer, Arc<Resource>)>,
    /// What stands in the way of bytes, with the answer they were to be made from.
    pub(crate) bug: Option<(Answer, Arc<Bug>)>,
}

impl Encoded {
    /// The resource of an answer; none if there is nothing to send. Bytes that come out equal keep the resource they were.
    pub(crate) fn resource(
        &mut self,
        answer: &Answer,
        origins: impl FnOnce() -> Arc<[ObjectKey]>,
        counts: &mut Counts,
    ) -> Option<Arc<Resource>> {
        if let Some((of, known)) = &self.resource
            && of == answer
        {
            return known.clone();
        }
        let made = encode(answer).map(|(kind, name, body)| {
            let made = Resource::new(name.as_str(), body, origins());
            match self.resource.take() {
                Some((_, Some(known))) if known.version == made.version && known.name == made.name => known,
                _ => {
                    counts.encode(kind, made.body.len());
                    Arc::new(made)
                }
            }
        });
        self.resource = Some((answer.clone(), made.clone()));
        made
    }

    /// The virtual host of an answer as part of a table.
    pub(crate) fn part(
        &mut self,
        answer: &Answer,
        table: &Name,
        origins: impl FnOnce() -> Arc<[ObjectKey]>,
        counts: &mut Counts,
    ) -> Option<Arc<Resource>> {
        let Answer::Host(plan) = answer else { return None };
        let known = self.parts.get(table);
        if let Some((of, known)) = known
            && of == answer
        {
            return Some(known.clone());
        }
        let made = Composite::part(table.as_str(), plan.name.as_str(), &host_fields(plan), origins());
        let made = match known {
            Some((_, known)) if known.version == made.version => known.clone(),
            _ => {
                counts.encode(ResourceType::VirtualHost, made.body.len());
                made
            }
        };
        self.parts.insert(table.clone(), (answer.clone(), made.clone()));
        Some(made)
    }
}

fn encode(answer: &Answer) -> Option<(ResourceType, Name, Vec<u8>)> {
    match answer {
        Answer::Cluster(Some(plan)) => {
            Some((ResourceType::Cluster, plan.name.clone(), envoy::encode(&translate::cluster(plan))))
        }
        Answer::Assignment(plan) => {
            Some((ResourceType::Endpoint, plan.cluster.clone(), envoy::encode(&translate::assignment(plan))))
        }
        Answer::Listener(plan) => {
            Some((ResourceType::Listener, plan.name.clone(), envoy::encode(&translate::listener(plan))))
        }
        Answer::Secret(Some(plan)) => {
            Some((ResourceType::Secret, plan.name.clone(), envoy::encode(&translate::secret(plan))))
        }
        _ => None,
    }
}

/// A cluster that is not a question of its own.
pub(crate) fn cluster(plan: &ClusterPlan, origins: Arc<[ObjectKey]>) -> Arc<Resource> {
    Arc::new(Resource::new(plan.name.as_str(), envoy::encode(&translate::cluster(plan)), origins))
}

/// A listener that is not a question of its own.
pub(crate) fn listener(plan: &ListenerPlan, origins: Arc<[ObjectKey]>) -> Arc<Resource> {
    Arc::new(Resource::new(plan.name.as_str(), envoy::encode(&translate::listener(plan)), origins))
}

/// The two forms of a table's head.
pub(crate) fn headers(plan: &RouteTablePlan) -> Headers {
    let head = |delivery| Bytes::from(envoy::encode(&translate::route_table(plan, delivery)));
    Headers {
        whole: head(translate::Delivery::Whole),
        split: head(translate::Delivery::Split),
        part_field: VIRTUAL_HOSTS,
    }
}

/// The fields of a virtual host without its name, which differs between the two forms of a table.
fn host_fields(plan: &VirtualHostPlan) -> Vec<u8> {
    let mut host = translate::virtual_host(plan);
    host.name.clear();
    envoy::encode(&host)
}

/// Answers for names that stand for nothing.
pub fn defaults() -> Defaults {
    Defaults {
        empty_assignment: |name| envoy::encode(&translate::empty_assignment(&Name::from(name))).into(),
        empty_route: |name| empty_route(name, translate::Delivery::Whole),
        empty_split_route: |name| empty_route(name, translate::Delivery::Split),
    }
}

fn empty_route(name: &str, delivery: translate::Delivery) -> Bytes {
    envoy::encode(&translate::empty_route_table(&Name::from(name), delivery)).into()
}
