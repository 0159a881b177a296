//! What a folder of manifests means, as its files come and go.
//!
//! The pure half of the directory source: contents of files go in, changes to the world come out. It remembers which file holds
//! which object, so that a file that cannot be read keeps its objects, a deleted one takes them away, and of two files that define
//! the same object the first by name counts, in whatever order they are seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_api::WorkloadTemplate;
use pilothouse_base::{Kind, Name, ObjectKey};
use pilothouse_config::{CheckSettings, Outcome};
use pilothouse_diag::{Diagnostic, Diagnostics, FieldPath, Origin, catalogue};
use pilothouse_world::Change;
use xxhash_rust::xxh3::xxh3_128;

use crate::in_force::{InForce, Wanted};
use crate::objects::{self, Entry, Identity};

mod stand_ins;
#[cfg(test)]
mod tests;

/// What was seen of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Its content.
    Content(Vec<u8>),
    /// It is gone.
    Gone,
    /// It is there and cannot be read; why.
    Unreadable(String),
}

/// The objects of all files of a folder.
#[derive(Debug)]
pub struct Folder {
    settings: CheckSettings,
    files: BTreeMap<Arc<str>, File>,
    /// Who defines an object, in order of precedence.
    holders: BTreeMap<Identity, BTreeSet<Holder>>,
    /// The objects that count.
    in_force: InForce,
    /// Which of these are pods that stand for workloads.
    stand_ins: BTreeSet<ObjectKey>,
}

#[derive(Debug, Default)]
struct File {
    /// Of the content that `entries` or `trouble` was made from.
    hash: Option<u128>,
    entries: Vec<Entry>,
    /// Why the newest content could not be read.
    trouble: Option<Diagnostic>,
}

/// A file and a place in its list of entries.
type Holder = (Arc<str>, usize);

impl Folder {
    /// An empty one. `domain` is the DNS domain of services, `cluster.local` normally.
    pub fn new(domain: &str) -> Self {
        Self {
            settings: CheckSettings { domain: Name::from(domain), parse_yaml: objects::parse },
            files: BTreeMap::new(),
            holders: BTreeMap::new(),
            in_force: InForce::default(),
            stand_ins: BTreeSet::new(),
        }
    }

    /// Takes in what was seen of files, by the names that users read, and says what changed. Costs what was seen.
    pub fn update(&mut self, seen: impl IntoIterator<Item = (Arc<str>, Seen)>) -> Vec<Change> {
        let mut touched = BTreeSet::new();
        for (name, seen) in seen {
            match seen {
                Seen::Content(bytes) => self.content(&name, &bytes, &mut touched),
                Seen::Gone => {
                    if let Some(file) = self.files.remove(&name) {
                        self.release(&name, &file.entries, &mut touched);
                    }
                }
                Seen::Unreadable(why) => {
                    let file = self.files.entry(Arc::clone(&name)).or_default();
                    file.hash = None;
                    file.trouble = Some(objects::unreadable(&name, None, &why));
                }
            }
        }
        self.changes(&touched)
    }

    /// Everything there is to say about the files and their objects now, in a stable order.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all = Diagnostics::default();
        for (name, file) in &self.files {
            all.extend(file.trouble.clone());
            for (index, entry) in file.entries.iter().enumerate() {
                all.extend(entry.findings.iter().cloned());
                all.extend(self.duplicate(name, index, entry));
            }
        }
        all.finish(None)
    }

    /// The names of the files that are known.
    pub fn files(&self) -> impl Iterator<Item = &Arc<str>> {
        self.files.keys()
    }

    /// How many objects are in force.
    pub fn objects(&self) -> usize {
        self.in_force.len()
    }

    fn content(&mut self, name: &Arc<str>, bytes: &[u8], touched: &mut BTreeSet<Identity>) {
        let hash = xxh3_128(bytes);
        let file = self.files.entry(Arc::clone(name)).or_default();
        if file.hash == Some(hash) {
            return;
        }
        file.hash = Some(hash);
        match objects::read(name, bytes, &self.settings) {
            Err(trouble) => file.trouble = Some(*trouble),
            Ok(entries) => {
                file.trouble = None;
                let before = std::mem::take(&mut file.entries);
                self.release(name, &before, touched);
                for (index, entry) in entries.iter().enumerate() {
                    if let Some(identity) = entry.identity() {
                        self.holders.entry(identity.clone()).or_default().insert((Arc::clone(name), index));
                        touched.insert(identity);
                    }
                }
                self.files.entry(Arc::clone(name)).or_default().entries = entries;
            }
        }
    }

    /// Forgets that a file holds these.
    fn release(&mut self, name: &Arc<str>, entries: &[Entry], touched: &mut BTreeSet<Identity>) {
        for (index, entry) in entries.iter().enumerate() {
            let Some(identity) = entry.identity() else { continue };
            if let Some(holders) = self.holders.get_mut(&identity) {
                holders.remove(&(Arc::clone(name), index));
                if holders.is_empty() {
                    self.holders.remove(&identity);
                }
            }
            touched.insert(identity);
        }
    }

    /// The entry of an identity that counts.
    fn first(&self, identity: &Identity) -> Option<&Entry> {
        let (file, index) = self.holders.get(identity)?.first()?;
        self.files.get(file)?.entries.get(*index)
    }

    fn changes(&mut self, touched: &BTreeSet<Identity>) -> Vec<Change> {
        let mut wanted = Wanted::new();
        for identity in touched.iter().filter(|identity| identity.workload.is_none()) {
            let key = &identity.key;
            let now = match self.first(identity) {
                Some(Entry { outcome: Outcome::Object(_, object), origin, .. }) => {
                    Some((object.clone(), Some(Arc::clone(origin))))
                }
                // The last good version stays, whichever file it came from.
                Some(Entry { outcome: Outcome::Undecodable(_), .. }) => continue,
                _ => None,
            };
            wanted.insert(key.clone(), now);
        }
        if touched.iter().any(|identity| identity.key.kind == Kind::Pod) {
            self.add_stand_ins(&mut wanted);
        }
        self.in_force.update(wanted)
    }

    /// The finding about an entry that another one comes before.
    fn duplicate(&self, name: &Arc<str>, index: usize, entry: &Entry) -> Option<Diagnostic> {
        let identity = entry.identity()?;
        let (first, place) = self.holders.get(&identity)?.first()?;
        if (first, *place) == (name, index) {
            return None;
        }
        let root = FieldPath::root();
        let mut finding = Diagnostic::new(catalogue::DUPLICATE_OBJECT, Some(identity.key), root.clone());
        finding.place = entry.origin.place(&root);
        let other = self.files.get(first)?.entries.get(*place)?.origin.place(&root)?;
        finding.detail(format_args!("the one at {other} counts")).effect("this one has no effect");
        Some(finding)
    }

    /// The workloads that count, with where they were written.
    fn workloads(&self) -> impl Iterator<Item = (&WorkloadTemplate, &Arc<Origin>)> {
        self.holders.keys().filter(|identity| identity.workload.is_some()).filter_map(|identity| {
            match self.first(identity)? {
                Entry { outcome: Outcome::Workload(template), origin, .. } => Some((&**template, origin)),
                _ => None,
            }
        })
    }
}
