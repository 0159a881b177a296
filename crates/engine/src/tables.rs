//! The route tables of a collection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::Name;
use pilothouse_view::plan::RouteTablePlan;
use pilothouse_view::query::TableKey;
use pilothouse_xds::{Composite, Headers, NameMap, Resource, ResourceMap};

use crate::encode;
use crate::overlay::Overlay;

/// Route tables, over those of another collection or over nothing. A table of the other one is shared as it is, unless there
/// are own hosts for it or some are hidden.
#[derive(Default)]
pub(crate) struct Tables {
    own: BTreeMap<Name, Table>,
    /// Names of virtual hosts of the base that are not to be seen, by table.
    hidden_hosts: BTreeMap<Name, BTreeSet<Name>>,
    /// Tables whose composite is out of date.
    stale: BTreeSet<Name>,
    made: Overlay<Composite>,
    base: NameMap<Composite>,
}

/// What a table is apart from its hosts.
pub(crate) struct Head {
    plan: RouteTablePlan,
    /// None if they are those that the table has.
    headers: Option<Headers>,
}

/// A route table on its way to a composite.
struct Table {
    plan: RouteTablePlan,
    headers: Headers,
    hosts: Overlay<Resource>,
}

impl Tables {
    /// What comes of it.
    pub(crate) fn map(&self) -> &NameMap<Composite> {
        self.made.map()
    }

    /// The base is now this.
    pub(crate) fn follow(&mut self, base: &NameMap<Composite>) {
        self.base = base.clone();
        self.made.follow(base);
        for (name, table) in &mut self.own {
            let hosts = shared_hosts(base, name);
            if table.hosts.follow(&hosts) {
                self.stale.insert(name.clone());
            }
        }
    }

    /// Hides these tables of the base and these hosts of others, and nothing else. Goes before [`Tables::set`].
    pub(crate) fn hide(&mut self, tables: &BTreeSet<Name>, hosts: &BTreeMap<Name, BTreeSet<Name>>) {
        self.made.hide(tables);
        self.hidden_hosts.clone_from(hosts);
    }

    /// The heads of tables; none for those that stay as they are.
    pub(crate) fn heads(&self, tables: &[TableKey]) -> Vec<Head> {
        let plans = tables.iter().map(TableKey::plan);
        let known = |plan: &RouteTablePlan| self.own.get(&plan.name).is_some_and(|known| known.plan == *plan);
        plans.map(|plan| Head { headers: (!known(&plan)).then(|| encode::headers(&plan)), plan }).collect()
    }

    /// Puts tables in place without touching the hosts of those that stay.
    pub(crate) fn set(&mut self, heads: Vec<Head>) {
        let mut old = std::mem::take(&mut self.own);
        for Head { plan, headers } in heads {
            let name = plan.name.clone();
            let mut table = match (old.remove(&name), headers) {
                (Some(known), None) => known,
                (known, headers) => {
                    self.stale.insert(name.clone());
                    let hosts = known.map_or_else(
                        || {
                            let mut hosts = Overlay::default();
                            hosts.follow(&shared_hosts(&self.base, &name));
                            hosts
                        },
                        |known| known.hosts,
                    );
                    Table { headers: headers.unwrap_or_else(|| encode::headers(&plan)), plan, hosts }
                }
            };
            let hidden = self.hidden_hosts.get(&name).into_iter().flatten();
            if table.hosts.hide(&hidden.map(|host| format!("{name}/{host}")).collect()) {
                self.stale.insert(name.clone());
            }
            self.own.insert(name, table);
        }
        for name in old.keys() {
            self.made.take(name.as_str());
        }
    }

    /// Has a host of its own in one of its tables.
    pub(crate) fn put(&mut self, table: &Name, host: Arc<Resource>) {
        if let Some(known) = self.own.get_mut(table) {
            known.hosts.put(host);
            self.stale.insert(table.clone());
        }
    }

    /// Has a host of its own no longer.
    pub(crate) fn take(&mut self, table: &Name, host: &str) {
        if let Some(known) = self.own.get_mut(table) {
            known.hosts.take(host);
            self.stale.insert(table.clone());
        }
    }

    /// Makes the composites of tables whose head or hosts changed.
    pub(crate) fn rebuild(&mut self) {
        for name in std::mem::take(&mut self.stale) {
            if let Some(Table { headers, hosts, .. }) = self.own.get(&name) {
                let made = Composite::new(name.as_str(), headers.clone(), hosts.map().clone(), []);
                self.made.put(Arc::new(made));
            }
        }
    }
}

fn shared_hosts(base: &NameMap<Composite>, table: &Name) -> ResourceMap {
    base.get(table.as_str()).map(|shared| shared.parts().clone()).unwrap_or_default()
}
