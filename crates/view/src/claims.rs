//! Claims: the virtual services that clients of a namespace see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::{Hostname, Name, Namespace};
use pilothouse_config::virtual_service::GatewayRef;
use pilothouse_world::VirtualServiceHeader;

use crate::query::stranger;
use crate::reader::Reader;

/// The answer about virtual services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Those that clients of the namespace see; the same list for all namespaces that see nothing but what everybody does.
    pub list: Arc<ClaimList>,
    /// Those that not everybody sees, if everybody is who asks; in order of age.
    hidden: Vec<Arc<VirtualServiceHeader>>,
}

/// The virtual services that clients of a namespace see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimList {
    /// In order of precedence: those that only this namespace sees, those that are exported to it by name, those that
    /// everybody sees; older ones first within each group.
    pub visible: Vec<Arc<VirtualServiceHeader>>,
    /// How many of these not everybody sees: they come first.
    pub(crate) limited: usize,
    /// Names of the labels that they ask of the client.
    pub(crate) asked: BTreeSet<Name>,
    /// Those of the mesh with TCP or TLS rules.
    pub(crate) l4: Vec<Arc<VirtualServiceHeader>>,
    /// Those of the mesh with HTTP rules.
    pub(crate) http: HttpClaims,
}

pub(crate) fn claims(client: &Namespace, read: &mut Reader<'_>) -> Claims {
    let default = read.mesh().virtual_service_export.clone();
    if *client == stranger() {
        let headers = read.virtual_service_headers().into_iter().map(Arc::new);
        let (visible, hidden) = headers
            .partition::<Vec<_>, _>(|header| header.export_to.allows(header.namespace(), client, &default));
        return Claims { list: Arc::new(ClaimList::new(visible, 0)), hidden };
    }
    let shared = read.answer_about_claims(&stranger());
    let limited = shared.hidden.iter();
    let mut visible: Vec<_> = limited
        .filter(|header| header.export_to.allows(header.namespace(), client, &default))
        .cloned()
        .collect();
    let limited = visible.len();
    if limited == 0 {
        return Claims { list: shared.list.clone(), hidden: Vec::new() };
    }
    visible.sort_by_key(|header| header.namespace() != client);
    visible.extend(shared.list.visible.iter().cloned());
    Claims { list: Arc::new(ClaimList::new(visible, limited)), hidden: Vec::new() }
}

impl ClaimList {
    fn new(visible: Vec<Arc<VirtualServiceHeader>>, limited: usize) -> Self {
        let mesh = || visible.iter().filter(|header| header.gateways.contains(&GatewayRef::Mesh));
        Self {
            asked: visible.iter().flat_map(|header| header.source_labels.iter().cloned()).collect(),
            l4: mesh().filter(|header| header.l4).cloned().collect(),
            http: HttpClaims::new(mesh().filter(|header| header.http).cloned()),
            visible,
            limited,
        }
    }

    /// Those that not everybody sees.
    pub(crate) fn limited(&self) -> &[Arc<VirtualServiceHeader>] {
        &self.visible[..self.limited]
    }
}

/// The virtual services of the mesh with HTTP rules, by the hosts they name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HttpClaims {
    /// In order of precedence.
    pub(crate) all: Vec<Arc<VirtualServiceHeader>>,
    /// Which of them name a host, in order.
    exact: BTreeMap<Hostname, Vec<usize>>,
    /// Wildcards with the one that names them: the most specific first, equals in order of precedence.
    wide: Vec<(Hostname, usize)>,
    /// Which of them send to a host.
    to: BTreeMap<Hostname, Vec<usize>>,
    /// Which of them ask something of the client.
    pub(crate) asking: Vec<usize>,
}

impl HttpClaims {
    fn new(all: impl Iterator<Item = Arc<VirtualServiceHeader>>) -> Self {
        let mut made = Self { all: all.collect(), ..Self::default() };
        for (at, header) in made.all.iter().enumerate() {
            for host in &header.hosts {
                made.exact.entry(host.clone()).or_default().push(at);
                if host.is_wildcard() {
                    made.wide.push((host.clone(), at));
                }
            }
            for host in &header.destinations {
                made.to.entry(host.clone()).or_default().push(at);
            }
            if header.asks_client {
                made.asking.push(at);
            }
        }
        made.wide.sort_by_key(|(host, _)| host.specificity());
        made
    }

    /// The ones that may route a host, up to one that does so for every client: those that name it, then those whose wildcard
    /// covers it. The flag tells whether the last one does.
    pub(crate) fn of(&self, host: &Hostname) -> (Vec<&VirtualServiceHeader>, bool) {
        let covering = self.wide.iter().filter(|(wide, _)| wide.covers(host)).map(|(_, at)| *at);
        let mut found: Vec<&VirtualServiceHeader> = Vec::new();
        for at in self.naming(host.as_str()).iter().copied().chain(covering) {
            let header = &*self.all[at];
            if found.iter().any(|known| known.meta.key == header.meta.key) {
                continue;
            }
            found.push(header);
            if header.http_for_all {
                return (found, true);
            }
        }
        (found, false)
    }

    /// The places in `all` of those that name a host itself.
    pub(crate) fn naming(&self, host: &str) -> &[usize] {
        self.exact.get(host).map_or(&[], Vec::as_slice)
    }

    /// The places in `all` of those that send to a host.
    pub(crate) fn sending_to(&self, host: &Hostname) -> &[usize] {
        self.to.get(host).map_or(&[], Vec::as_slice)
    }

    /// Whether a wildcard of theirs covers a host.
    pub(crate) fn is_covered(&self, host: &Hostname) -> bool {
        self.wide.iter().any(|(wide, _)| wide.covers(host))
    }
}
