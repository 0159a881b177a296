//! Route tables of a delta stream, and the virtual hosts that travel by themselves.
//!
//! Rules of VHDS, tried on Envoy 1.37 and 1.40: there is one subscription, without names, for the hosts of all
//! tables, so the server follows the route subscriptions. Hosts that arrive before their table are thrown away
//! but claimed to be held ever after. A table's listener waits for the first answer that names the table, which
//! for a table without hosts is the removal of `<table>/-`. Hosts of a table that is not subscribed any more
//! must be removed, or they too are claimed for ever. The hosts of one table in one response are taken or refused
//! together.
//!
//! A table that a client holds split stays split until it is given up, whatever becomes of it. When its header no
//! longer asks for hosts, Envoy 1.37 forgets to end what receives them; once the table itself is gone, the next host
//! of that name that comes or goes ends the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::ObjectKey;

use crate::composite::Composite;
use crate::map::{Named, ResourceMap};
use crate::options::{Defaults, RouteDelivery};
use crate::resource::{Resource, Version};
use crate::subscriber::track::Track;

/// All tables of a stream.
#[derive(Debug)]
pub(super) struct Tables {
    delivery: RouteDelivery,
    defaults: Defaults,
    /// The subscribed ones.
    subscribed: BTreeMap<Arc<str>, Table>,
    /// The form of each table that was subscribed, true for split; it stays while the stream lives.
    forms: BTreeMap<Arc<str>, bool>,
    /// Tables whose hosts the client reported to hold, before it subscribed them.
    claimed: BTreeSet<Arc<str>>,
    /// Whether a table returned to the snapshot that the client kept while it was away.
    returned: bool,
    /// Hosts of tables that are not subscribed any more, to be removed, by table.
    orphans: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
}

/// A subscribed table.
#[derive(Debug)]
pub(super) struct Table {
    /// Whether it is delivered split.
    split: bool,
    /// The content that the client holds or is due to get. Stays when the table leaves the snapshot: an Envoy
    /// drains listeners for minutes that still route by it.
    held: Option<Arc<Composite>>,
    /// The content of an assembled table that the client took last.
    taken: Option<Arc<Composite>>,
    /// Whether the client holds the split header, so that hosts may follow.
    announced: bool,
    /// Whether all hosts are due once it does.
    all_due: bool,
    /// Hosts due, as [`Track::due`].
    due: BTreeMap<Arc<str>, Option<Version>>,
    /// Hosts to remove.
    gone: BTreeSet<Arc<str>>,
    /// Whether the listener must be told that there are no hosts.
    greet: bool,
    /// Whether the table left the snapshot.
    left: bool,
}

impl Table {
    fn parts(&self) -> Option<&ResourceMap> {
        self.held.as_ref().filter(|_| self.split).map(|held| held.parts())
    }

    /// The header or the assembled table; none if the snapshot had none.
    pub(super) fn resource(&self) -> Option<&Arc<Resource>> {
        self.held.as_ref().map(|held| held.form(self.split))
    }

    fn has_work(&self) -> bool {
        !self.gone.is_empty() || self.announced && (self.greet || !self.due.is_empty())
    }
}

/// What to say about the hosts of one table.
#[derive(Debug)]
pub(super) struct HostWork {
    pub(super) resources: Vec<Arc<Resource>>,
    pub(super) removed: Vec<Arc<str>>,
}

/// The table that a host belongs to: all before the last slash.
pub(super) fn table_of(host: &str) -> &str {
    host.rsplit_once('/').map_or("", |(table, _)| table)
}

impl Tables {
    /// No table is subscribed yet. `delivery` is how those travel that the client does not hold.
    pub(super) fn new(delivery: RouteDelivery, defaults: Defaults) -> Self {
        Self {
            delivery,
            defaults,
            subscribed: BTreeMap::new(),
            forms: BTreeMap::new(),
            claimed: BTreeSet::new(),
            returned: false,
            orphans: BTreeMap::new(),
        }
    }

    /// A subscribed table.
    pub(super) fn get(&self, name: &str) -> Option<&Table> {
        self.subscribed.get(name)
    }

    /// The content of a host of a subscribed table.
    pub(super) fn host(&self, name: &str) -> Option<&Arc<Resource>> {
        self.subscribed.get(table_of(name))?.parts()?.get(name)
    }

    /// The client subscribes a table, perhaps again: its listener may have left and returned. `reported` is the
    /// version that it claims to hold.
    pub(super) fn subscribe(
        &mut self,
        name: &Arc<str>,
        content: Option<&Arc<Composite>>,
        reported: Option<Version>,
        routes: &mut Track,
        hosts_known: bool,
    ) {
        let left = content.is_none();
        let split = self.form(name, content, reported);
        let empty = (left && split).then(|| self.empty(name));
        let content = content.or(empty.as_ref());
        let mut gone = self.orphans.remove(name).unwrap_or_default();
        if let Some(old) = self.subscribed.remove(name) {
            gone.extend(held_hosts(old));
        }
        let wanted = content.map(|table| table.form_version(split));
        // Any header that asks for hosts lets them follow, even if its successor were refused.
        let announced = split && content.is_some() && reported.is_some_and(Version::is_split);
        // What the client claims of the hosts can be believed only together with its claim of the table, and
        // only if those claims are still to come.
        let believed = announced && !hosts_known;
        if reported.is_none() || reported != wanted {
            routes.due.insert(Arc::clone(name), None);
        }
        let mut table = Table {
            split,
            held: content.cloned(),
            taken: content.filter(|_| !split && reported.is_some() && reported == wanted).cloned(),
            announced,
            all_due: !believed,
            due: BTreeMap::new(),
            gone,
            greet: false,
            left,
        };
        if announced && table.all_due {
            make_all_due(&mut table);
        }
        if let Some(parts) = table.held.as_ref().filter(|_| split).map(|held| held.parts()) {
            table.gone.retain(|host| parts.get(host).is_none());
        }
        self.subscribed.insert(Arc::clone(name), table);
    }

    /// The client does not want a table any more.
    pub(super) fn unsubscribe(&mut self, name: &str) {
        if let Some((name, table)) = self.subscribed.remove_entry(name) {
            let hosts = held_hosts(table);
            if !hosts.is_empty() {
                self.orphans.entry(name).or_default().extend(hosts);
            }
        }
    }

    /// The client forgets all it was told; a state-of-the-world client does when it starts over.
    pub(super) fn clear(&mut self) {
        self.subscribed.clear();
        self.orphans.clear();
    }

    /// The form of a table: what the stream had before, else what the client holds, else by its size.
    fn form(&mut self, name: &Arc<str>, content: Option<&Arc<Composite>>, reported: Option<Version>) -> bool {
        if let Some(split) = self.forms.get(name) {
            return *split;
        }
        let split = match (reported, self.delivery, content) {
            _ if self.claimed.contains(name) => true,
            (Some(reported), ..) => reported.is_split(),
            (None, RouteDelivery::Rds, _) => false,
            (None, RouteDelivery::Auto { over }, Some(content)) => content.parts().len() > over,
            // The answer is empty and in one piece; the form is chosen when there is a table.
            (None, RouteDelivery::Auto { .. }, None) => return false,
        };
        if self.forms.len() > 2 * self.subscribed.len() + 64 {
            // Names of tables come and go with the mesh while a stream lives for weeks.
            self.forms.retain(|name, _| self.subscribed.contains_key(name));
        }
        self.forms.insert(Arc::clone(name), split);
        split
    }

    /// What a client that holds a table split is told when there is none.
    fn empty(&self, name: &Arc<str>) -> Arc<Composite> {
        let Defaults { empty_assignment: _, empty_route, empty_split_route } = self.defaults;
        Arc::new(Composite::empty(Arc::clone(name), empty_route(name), empty_split_route(name)))
    }

    /// Whether listeners must wait for tables: what the client kept of one may name clusters that are gone.
    pub(super) fn go_before_listeners(&self) -> bool {
        self.returned
    }

    /// All tables are as they should be.
    pub(super) fn settled(&mut self) {
        self.returned = false;
    }

    /// A table left the snapshot. The client keeps it as it is.
    pub(super) fn left(&mut self, name: &str) {
        if let Some(table) = self.subscribed.get_mut(name) {
            table.left = true;
        }
    }

    /// A table got other content.
    pub(super) fn changed(&mut self, name: &Arc<str>, content: &Arc<Composite>, routes: &mut Track) {
        if !self.subscribed.contains_key(name) {
            return;
        }
        let split = self.form(name, Some(content), None);
        let Some(table) = self.subscribed.get_mut(name) else { return };
        let old = table.held.replace(Arc::clone(content));
        table.split = split;
        self.returned |= std::mem::take(&mut table.left);
        let Some(old) = old else {
            // The client has been given an empty table.
            routes.due.insert(Arc::clone(name), None);
            (table.announced, table.all_due) = (false, true);
            return;
        };
        let held = old.form_version(split);
        if held != content.form_version(split) {
            routes.due.entry(Arc::clone(name)).or_insert(Some(held));
        }
        if !split {
            return;
        }
        ResourceMap::diff(old.parts(), content.parts(), &mut |before, after| {
            if let Some(after) = after {
                let removed = table.gone.remove(after.name());
                if !table.all_due {
                    let held = before.filter(|_| !removed).map(|before| before.version);
                    table.due.entry(Arc::clone(&after.name)).or_insert(held);
                }
            } else if let Some(before) = before {
                table.due.remove(before.name());
                table.gone.insert(Arc::clone(&before.name));
            }
        });
    }

    /// The client accepted a route configuration.
    pub(super) fn accepted(&mut self, route: &Resource, rejected_hosts: &Track) {
        let Some(table) = self.subscribed.get_mut(&route.name) else { return };
        if !table.split
            && let Some(held) = table.held.as_ref().filter(|held| held.form_version(false) == route.version)
        {
            table.taken = Some(Arc::clone(held));
        }
        if !table.split || table.held.is_none() || !route.version.is_split() {
            return;
        }
        table.announced = true;
        if std::mem::take(&mut table.all_due) {
            make_all_due(table);
        }
        // A refused header makes Envoys before 1.40 refuse good hosts too, until a better header comes.
        let start: Arc<str> = format!("{}/", route.name).into();
        let refused = rejected_hosts.rejected.range(Arc::clone(&start)..).map(|(host, _)| host);
        for host in refused.take_while(|host| host.starts_with(&*start)) {
            if table.parts().is_some_and(|parts| parts.get(host).is_some()) {
                table.due.insert(Arc::clone(host), None);
            }
        }
    }

    /// The objects behind what a client refused of an assembled table: those of the hosts that are not as it took them last. None
    /// if that is not known, or the table has moved on.
    pub(super) fn suspects(&self, refused: &Resource) -> Option<BTreeSet<ObjectKey>> {
        let table = self.subscribed.get(&refused.name).filter(|table| !table.split)?;
        let held = table.held.as_ref().filter(|held| held.form_version(false) == refused.version)?;
        let mut suspects = BTreeSet::new();
        ResourceMap::diff(table.taken.as_ref()?.parts(), held.parts(), &mut |_, new| {
            suspects.extend(new.into_iter().flat_map(|host| host.origins.iter().cloned()));
        });
        (!suspects.is_empty()).then_some(suspects)
    }

    /// The client subscribes the hosts of all tables and reports what it holds of them.
    pub(super) fn subscribe_hosts(&mut self, mut reported: BTreeMap<Arc<str>, Option<Version>>) {
        for table in self.subscribed.values_mut() {
            let Some(parts) =
                table.held.as_ref().filter(|_| table.split && !table.all_due).map(|held| held.parts())
            else {
                continue;
            };
            table.due.clear();
            table.gone.clear();
            for part in parts.iter() {
                if reported.remove(&part.name) != Some(Some(part.version)) {
                    table.due.insert(Arc::clone(&part.name), None);
                }
            }
            table.greet = parts.is_empty();
        }
        for (host, _) in reported {
            let name = table_of(&host);
            if let Some(table) = self.subscribed.get_mut(name) {
                table.gone.insert(host);
            } else {
                let name: Arc<str> = name.into();
                self.claimed.insert(Arc::clone(&name));
                self.orphans.entry(name).or_default().insert(host);
            }
        }
    }

    /// Whether there is something to say about hosts.
    pub(super) fn has_work(&self) -> bool {
        !self.orphans.is_empty() || self.subscribed.values().any(Table::has_work)
    }

    /// Takes what to say about the hosts of the next table that is not in `waiting`: tables whose header is on its
    /// way go first. Only one table's hosts go into a response, to keep rejections apart.
    pub(super) fn next_work(
        &mut self,
        hosts: &mut Track,
        waiting: impl Fn(&str) -> bool,
    ) -> Option<HostWork> {
        if let Some(group) = hosts.trial.next() {
            let found: Vec<_> = group.iter().filter_map(|host| self.host(host).cloned()).collect();
            let Some(first) = found.first() else {
                return Some(HostWork { resources: Vec::new(), removed: Vec::new() });
            };
            let table = self.subscribed.get_mut(table_of(&first.name)).expect("its host was found in it");
            for host in &group {
                table.due.remove(host);
                table.gone.remove(host);
            }
            let removed = std::mem::take(&mut table.gone).into_iter().collect();
            return Some(HostWork { resources: found, removed });
        }
        if let Some((_, gone)) = self.orphans.pop_first() {
            return Some(HostWork { resources: Vec::new(), removed: gone.into_iter().collect() });
        }
        let (_, table) =
            self.subscribed.iter_mut().find(|(name, table)| table.has_work() && !waiting(name))?;
        let mut removed = Vec::new();
        let mut resources: Vec<Arc<Resource>> = Vec::new();
        if table.announced {
            let (greet, due) = (std::mem::take(&mut table.greet), &mut table.due);
            let picked = super::track::pick(due, &hosts.rejected);
            if let Some(held) = &table.held {
                let parts = held.parts();
                resources = picked
                    .into_iter()
                    .filter_map(|(host, known)| {
                        parts.get(&host).filter(|part| known != Some(part.version)).cloned()
                    })
                    .collect();
                if greet && parts.is_empty() {
                    removed.push(format!("{}/-", held.name()).into());
                }
            }
            for resource in &resources {
                table.gone.remove(&resource.name);
            }
        }
        removed.extend(std::mem::take(&mut table.gone));
        removed.sort_unstable();
        Some(HostWork { resources, removed })
    }

    /// A response was refused as a whole, so its removals were not applied either.
    pub(super) fn removals_refused(&mut self, removed: &[Arc<str>]) {
        for host in removed {
            let name = table_of(host);
            match self.subscribed.get_mut(name) {
                Some(table) if host.ends_with("/-") => table.greet = true,
                Some(table) if table.parts().is_none_or(|parts| parts.get(host).is_none()) => {
                    table.gone.insert(Arc::clone(host));
                }
                Some(_) => {}
                None => {
                    self.orphans.entry(name.into()).or_default().insert(Arc::clone(host));
                }
            }
        }
    }
}

/// All that the client may hold of a table's hosts.
fn held_hosts(table: Table) -> BTreeSet<Arc<str>> {
    let mut hosts = table.gone;
    if table.split && (table.announced || !table.all_due) {
        hosts.extend(
            table.held.iter().flat_map(|held| held.parts().iter()).map(|part| Arc::clone(&part.name)),
        );
    }
    hosts
}

fn make_all_due(table: &mut Table) {
    table.all_due = false;
    let Some(held) = &table.held else { return };
    table.due = held.parts().iter().map(|part| (Arc::clone(&part.name), None)).collect();
    table.greet = held.parts().is_empty();
}
