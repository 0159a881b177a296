//! A map that lies over another one: it has some entries of its own, hides some of the other, and shares the rest.

use std::collections::BTreeSet;
use std::sync::Arc;

use pilothouse_xds::{NameMap, Named};

/// A map over another one, or over nothing.
pub(crate) struct Overlay<V> {
    /// What it was last made from.
    base: NameMap<V>,
    own: NameMap<V>,
    /// Names of the base that are not to be seen.
    hidden: BTreeSet<Arc<str>>,
    /// What comes of it.
    map: NameMap<V>,
}

impl<V> Default for Overlay<V> {
    fn default() -> Self {
        Self {
            base: NameMap::default(),
            own: NameMap::default(),
            hidden: BTreeSet::new(),
            map: NameMap::default(),
        }
    }
}

impl<V: Named> Overlay<V> {
    /// What comes of it.
    pub(crate) fn map(&self) -> &NameMap<V> {
        &self.map
    }

    /// The base is now this. Returns whether something came of it.
    pub(crate) fn follow(&mut self, base: &NameMap<V>) -> bool {
        let Self { own, hidden, .. } = self;
        let before = self.map.digest();
        self.map.rebase(&self.base, base, &|name| own.get(name).is_some() || hidden.contains(name));
        self.base = base.clone();
        self.map.digest() != before
    }

    /// Hides these names of the base, and no others. Returns whether that is something new.
    pub(crate) fn hide<N: AsRef<str>>(&mut self, names: &BTreeSet<N>) -> bool {
        let hidden: BTreeSet<Arc<str>> = names.iter().map(|name| Arc::from(name.as_ref())).collect();
        let new = hidden != self.hidden;
        if new {
            self.hidden = hidden;
            self.lay();
        }
        new
    }

    /// Its own entries are now these.
    pub(crate) fn set(&mut self, own: impl IntoIterator<Item = Arc<V>>) {
        self.own = own.into_iter().collect();
        self.lay();
    }

    /// Has an own entry.
    pub(crate) fn put(&mut self, value: Arc<V>) {
        self.map.insert(Arc::clone(&value));
        self.own.insert(value);
    }

    /// Has an own entry no longer.
    pub(crate) fn take(&mut self, name: &str) {
        self.own.remove(name);
        match self.base.get(name).filter(|_| !self.hidden.contains(name)) {
            Some(shared) => self.map.insert(Arc::clone(shared)),
            None => self.map.remove(name),
        };
    }

    /// Starts from the base again, so that what is not its own any more is shared.
    fn lay(&mut self) {
        self.map = self.base.clone();
        for name in &self.hidden {
            self.map.remove(name);
        }
        self.map.extend(self.own.iter().cloned());
    }
}
