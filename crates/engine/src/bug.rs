//! A bug of ours that an answer ran into, as far as the engine can tell what it was about.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use pilothouse_base::{Kind, Namespace, ObjectKey};
use pilothouse_diag::{Diagnostic, FieldPath, catalogue};
use pilothouse_view::Query;
use pilothouse_view::query::stranger;
use pilothouse_world::{Key, World};

use crate::guard::Panic;
use crate::origins;

/// Objects that a bug is told with.
const OBJECTS: usize = 8;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Answering the question.
    Answer,
    /// Encoding the answer.
    Encode,
}

/// A panic while a question was answered, or the answer encoded. It happens again until something that was read changes.
#[derive(Clone, Debug)]
pub struct Bug {
    pub(crate) query: Arc<Query>,
    stage: Stage,
    message: String,
    place: Option<String>,
    objects: Vec<ObjectKey>,
}

/// Whom a bug harms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// Connected proxies that keep their last good state.
    pub keeping: usize,
    /// Connected proxies that have nothing yet.
    pub waiting: usize,
}

impl Bug {
    /// A panic. Of the objects that were read, those of the last batch come first: one of them brought it about.
    pub(crate) fn new<'k>(
        query: &Arc<Query>,
        stage: Stage,
        panic: Panic,
        read: impl Iterator<Item = &'k Key>,
        world: &World,
        recent: &[ObjectKey],
    ) -> Self {
        let Panic { mut message, place } = panic;
        let mut objects = origins::of(query, world).to_vec();
        for key in read {
            if key.kind() == pilothouse_world::KeyKind::Secret {
                // It may quote what must not be seen.
                "its message is withheld, because a secret was read".clone_into(&mut message);
            }
            objects.extend(object(key, world).filter(|one| !objects.contains(one)));
        }
        if objects.is_empty() {
            objects.extend_from_slice(recent);
        }
        objects.sort_by_key(|one| !recent.contains(one));
        objects.truncate(OBJECTS);
        Self { query: query.clone(), stage, message, place, objects }
    }

    /// The objects that were read one by one, the most suspicious first. At most eight, none if only whole lists were read.
    pub fn objects(&self) -> &[ObjectKey] {
        &self.objects
    }

    pub(crate) fn diagnostic(&self, harm: Harm, world: &World) -> Diagnostic {
        let (first, others) = match self.objects.split_first() {
            Some((first, others)) => (Some(first), others),
            None => (None, &[][..]),
        };
        let mut made = Diagnostic::new(catalogue::BUG, first.cloned(), FieldPath::root());
        made.place = first.and_then(|key| world.origin(key)).and_then(|origin| origin.place(&made.field));
        let mut detail = self.to_string();
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(ToString::to_string).collect();
            detail.push_str("; it may be about ");
            detail.push_str(&others.join(", "));
            detail.push_str(" as well");
        }
        made.detail(detail).help(
            "please report this with the objects; the last change of one of them brought it about, and taking it back ends it",
        );
        let Harm { keeping, waiting } = harm;
        if matches!(*self.query, Query::Findings(_)) {
            made.effect("traffic is not touched; other findings about the object are missing");
        } else if keeping + waiting == 0 {
            made.effect("no connected proxy needs it");
        } else {
            made.effect(format_args!(
                "{keeping} connected proxies keep their last good state and {waiting} have nothing yet; everybody else goes on"
            ));
        }
        made
    }

    /// What tells one bug from another. Which objects are suspected does not.
    fn identity(&self) -> (&Query, Stage, &str, Option<&str>) {
        (&self.query, self.stage, &self.message, self.place.as_deref())
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.stage {
            Stage::Answer => "working out",
            Stage::Encode => "encoding",
        };
        write!(out, "{verb} {} failed: {}", What(&self.query), self.message)?;
        self.place.as_ref().map_or(Ok(()), |place| write!(out, " ({place})"))
    }
}

impl PartialEq for Bug {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Bug {}

impl PartialOrd for Bug {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bug {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

/// The object whose content a key stands for.
fn object(key: &Key, world: &World) -> Option<ObjectKey> {
    match key {
        Key::Service(service) | Key::Endpoints(service) => world.definition(service).cloned(),
        Key::Pod(namespace, name) => Some(ObjectKey::new(Kind::Pod, namespace.clone(), name.clone())),
        Key::VirtualService(namespace, name) => {
            Some(ObjectKey::new(Kind::VirtualService, namespace.clone(), name.clone()))
        }
        Key::Rule(namespace, name) => {
            Some(ObjectKey::new(Kind::DestinationRule, namespace.clone(), name.clone()))
        }
        Key::Secret(namespace, name) => Some(ObjectKey::new(Kind::Secret, namespace.clone(), name.clone())),
        Key::Mesh
        | Key::Namespace(_)
        | Key::Services
        | Key::ServicesIn(_)
        | Key::VirtualServiceHeaders
        | Key::RuleHeaders(_)
        | Key::Gateways
        | Key::PeerAuthentications(_) => None,
    }
}

/// A question in words.
struct What<'q>(&'q Query);

impl fmt::Display for What<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |namespace: &Namespace| {
            if *namespace == stranger() { "everybody".to_owned() } else { format!("namespace {namespace}") }
        };
        match self.0 {
            Query::Public => write!(out, "the hosts of everybody"),
            Query::Targets(namespace) => write!(out, "the hosts of {}", of(namespace)),
            Query::Target(namespace, host) => write!(out, "the meaning of {host} for {}", of(namespace)),
            Query::Claims(namespace) => write!(out, "the virtual services of {}", of(namespace)),
            Query::Accounts(service) => write!(out, "the identities behind {}", service.host),
            Query::Audience(workload) => {
                write!(out, "what proxy {}.{} is", workload.name, workload.namespace)
            }
            Query::Clusters(namespace, _) => write!(out, "the list of clusters of {}", of(namespace)),
            Query::Distribution(namespace) => write!(out, "the traffic distribution of {}", of(namespace)),
            Query::FailsOver(cluster) => write!(out, "the failover of {}", cluster.name()),
            Query::Placed(namespace, _) => {
                write!(out, "the clusters with near endpoints of {}", of(namespace))
            }
            Query::Assignments(namespace, ..) => write!(out, "the list of assignments of {}", of(namespace)),
            Query::Near(namespace, ..) => write!(out, "the list of near assignments of {}", of(namespace)),
            Query::Outbound(client) => write!(out, "the outbound listeners of {}", of(&client.namespace)),
            Query::Gateway(key) => write!(out, "the gateways of {}", of(&key.client.namespace)),
            Query::Cluster(key) => write!(out, "cluster {}", key.name()),
            Query::Assignment(key) => write!(out, "the assignment of {}", key.cluster.name()),
            Query::Listener(key) => write!(out, "listener {}", key.name()),
            Query::Host(key) => write!(out, "virtual host {}", key.name),
            Query::Inbound(_) => write!(out, "the inbound listener of a workload"),
            Query::Fixed(_) => write!(out, "the clusters that every proxy has"),
            Query::Secret(key) => write!(out, "secret {}", key.resource),
            Query::Findings(object) => write!(out, "the findings about {object}"),
        }
    }
}
