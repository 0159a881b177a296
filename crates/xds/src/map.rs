//! A persistent map from name to shared value.
//!
//! The snapshots of consecutive revisions share almost everything. A clone costs one reference; an insertion
//! copies the path to one bucket; a comparison of two maps skips what they share by pointer and so costs what
//! changed, not what is there.
//!
//! The shape is a radix tree over the hash of the name, four bits per level. A subtree of at most
//! [`BUCKET`] entries is one sorted bucket, a bigger one is a branch. The shape therefore depends on the content
//! alone, not on the order of changes, and so does the order of iteration.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::resource::{Resource, Version};

/// Most entries of a bucket.
const BUCKET: usize = 16;
/// Children of a branch: one for each value of four bits.
const FANOUT: usize = 16;
/// Bits of the hash that a level consumes.
const BITS: u32 = 4;
/// Levels until the hash is used up; a bucket there holds whatever shares all 64 bits.
const DEPTH: u32 = 64 / BITS;

/// A value that knows its name and the version of its content.
pub trait Named {
    /// The key.
    fn name(&self) -> &Arc<str>;
    /// Equal for equal content.
    fn version(&self) -> Version;
}

impl Named for Resource {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn version(&self) -> Version {
        self.version
    }
}

/// Resources by name.
pub type ResourceMap = NameMap<Resource>;

/// A persistent map from name to `Arc<V>`.
pub struct NameMap<V> {
    root: Node<V>,
    /// The sum of the hashes of (name, version) of all entries: equal for equal content.
    digest: u128,
}

enum Node<V> {
    Empty,
    Bucket(Arc<Vec<Arc<V>>>),
    Branch(Arc<Branch<V>>),
}

struct Branch<V> {
    len: usize,
    children: [Node<V>; FANOUT],
}

impl<V> Clone for NameMap<V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), digest: self.digest }
    }
}

impl<V> Clone for Node<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Bucket(bucket) => Self::Bucket(Arc::clone(bucket)),
            Self::Branch(branch) => Self::Branch(Arc::clone(branch)),
        }
    }
}

impl<V> Clone for Branch<V> {
    fn clone(&self) -> Self {
        Self { len: self.len, children: self.children.clone() }
    }
}

impl<V> Default for NameMap<V> {
    fn default() -> Self {
        Self { root: Node::Empty, digest: 0 }
    }
}

impl<V: Named> NameMap<V> {
    /// A map without entries; allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.root.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        matches!(self.root, Node::Empty)
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<V>> {
        self.root.get(xxh3_64(name.as_bytes()), name)
    }

    /// Puts a value under its name and returns the one it replaces.
    pub fn insert(&mut self, value: Arc<V>) -> Option<Arc<V>> {
        let hash = xxh3_64(value.name().as_bytes());
        self.digest = self.digest.wrapping_add(fingerprint(&*value));
        let old = self.root.insert(hash, 0, value);
        if let Some(old) = &old {
            self.digest = self.digest.wrapping_sub(fingerprint(&**old));
        }
        old
    }

    /// Takes a name out and returns what it stood for.
    pub fn remove(&mut self, name: &str) -> Option<Arc<V>> {
        let old = self.root.remove_if_there(xxh3_64(name.as_bytes()), name);
        if let Some(old) = &old {
            self.digest = self.digest.wrapping_sub(fingerprint(&**old));
        }
        old
    }

    /// Every value, in an order that depends on the content alone.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<V>> {
        let mut stack = vec![&self.root];
        let mut bucket: std::slice::Iter<'_, Arc<V>> = [].iter();
        std::iter::from_fn(move || {
            loop {
                if let Some(value) = bucket.next() {
                    return Some(value);
                }
                match stack.pop()? {
                    Node::Empty => {}
                    Node::Bucket(next) => bucket = next.iter(),
                    Node::Branch(branch) => stack.extend(branch.children.iter().rev()),
                }
            }
        })
    }

    /// Every value in order of names. Costs a sort.
    pub fn sorted_iter(&self) -> impl Iterator<Item = &Arc<V>> {
        let mut values: Vec<_> = self.iter().collect();
        values.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        values.into_iter()
    }

    /// Equal for maps of equal names and versions, different otherwise.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// Calls `report` with the values of each name whose version differs, in no particular order. Costs what
    /// differs: shared parts are skipped by pointer.
    pub fn diff<'a>(
        old: &'a Self,
        new: &'a Self,
        report: &mut dyn FnMut(Option<&'a Arc<V>>, Option<&'a Arc<V>>),
    ) {
        Node::diff(&old.root, &new.root, report);
    }

    /// Lets a map that was made from `old` follow it to `new`, names apart that it keeps for itself: these stay as they are,
    /// be they there or not. All other names must be as in `old`. Costs what differs between the two, and shares with
    /// `new` whatever holds no name that is kept.
    pub fn rebase(&mut self, old: &Self, new: &Self, keeps: &dyn Fn(&str) -> bool) {
        let mut digest = self.digest.wrapping_sub(old.digest).wrapping_add(new.digest);
        let mut kept = Vec::new();
        Self::diff(old, new, &mut |before, after| {
            let name = before.or(after).expect("a difference has a side").name();
            if keeps(name) {
                digest = digest
                    .wrapping_add(before.map_or(0, |value| fingerprint(&**value)))
                    .wrapping_sub(after.map_or(0, |value| fingerprint(&**value)));
                kept.push((Arc::clone(name), self.get(name).cloned()));
            }
        });
        self.root = Node::rebased(&self.root, &old.root, &new.root, 0, keeps);
        // A part without a name that is kept follows as a whole, and one may have come with that.
        for (name, value) in kept {
            let hash = xxh3_64(name.as_bytes());
            match value {
                Some(value) => self.root.insert(hash, 0, value),
                None => self.root.remove_if_there(hash, &name),
            };
        }
        self.digest = digest;
    }

    /// Whether both are the same tree in memory, which tells nothing if they are not.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        self.root.ptr_eq(&other.root)
    }
}

impl<V: Named> PartialEq for NameMap<V> {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.len() == other.len()
    }
}

impl<V: Named> Eq for NameMap<V> {}

impl<V: Named + fmt::Debug> fmt::Debug for NameMap<V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.sorted_iter()).finish()
    }
}

impl<V: Named> FromIterator<Arc<V>> for NameMap<V> {
    fn from_iter<I: IntoIterator<Item = Arc<V>>>(values: I) -> Self {
        let mut map = Self::new();
        map.extend(values);
        map
    }
}

impl<V: Named> Extend<Arc<V>> for NameMap<V> {
    fn extend<I: IntoIterator<Item = Arc<V>>>(&mut self, values: I) {
        for value in values {
            self.insert(value);
        }
    }
}

impl<V> Node<V> {
    fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Bucket(bucket) => bucket.len(),
            Self::Branch(branch) => branch.len,
        }
    }

    fn ptr_eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Empty, Self::Empty) => true,
            (Self::Bucket(a), Self::Bucket(b)) => Arc::ptr_eq(a, b),
            (Self::Branch(a), Self::Branch(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl<V: Named> Node<V> {
    fn get(&self, mut hash: u64, name: &str) -> Option<&Arc<V>> {
        let mut node = self;
        loop {
            match node {
                Self::Empty => return None,
                Self::Bucket(bucket) => return search(bucket, name).ok().map(|at| &bucket[at]),
                Self::Branch(branch) => {
                    node = &branch.children[slot(hash)];
                    hash >>= BITS;
                }
            }
        }
    }

    /// `hash` is what is left of it at this level.
    fn insert(&mut self, hash: u64, depth: u32, value: Arc<V>) -> Option<Arc<V>> {
        match self {
            Self::Empty => {
                *self = Self::Bucket(Arc::new(vec![value]));
                None
            }
            Self::Bucket(bucket) => match search(bucket, value.name()) {
                Ok(at) => Some(std::mem::replace(&mut Arc::make_mut(bucket)[at], value)),
                Err(at) if bucket.len() < BUCKET || depth == DEPTH => {
                    Arc::make_mut(bucket).insert(at, value);
                    None
                }
                Err(_) => {
                    let mut branch = Branch { len: bucket.len(), children: [const { Self::Empty }; FANOUT] };
                    for old in bucket.iter() {
                        let hash = xxh3_64(old.name().as_bytes()) >> (BITS * depth);
                        branch.children[slot(hash)].insert(hash >> BITS, depth + 1, Arc::clone(old));
                    }
                    branch.len += 1;
                    branch.children[slot(hash)].insert(hash >> BITS, depth + 1, value);
                    *self = Self::Branch(Arc::new(branch));
                    None
                }
            },
            Self::Branch(branch) => {
                let branch = Arc::make_mut(branch);
                let old = branch.children[slot(hash)].insert(hash >> BITS, depth + 1, value);
                branch.len += usize::from(old.is_none());
                old
            }
        }
    }

    /// Asks first, because going down to remove copies the path.
    fn remove_if_there(&mut self, hash: u64, name: &str) -> Option<Arc<V>> {
        self.get(hash, name)?;
        self.remove(hash, name)
    }

    fn remove(&mut self, hash: u64, name: &str) -> Option<Arc<V>> {
        let old = match self {
            Self::Empty => return None,
            Self::Bucket(bucket) => {
                let at = search(bucket, name).ok()?;
                Arc::make_mut(bucket).remove(at)
            }
            Self::Branch(branch) => {
                let branch = Arc::make_mut(branch);
                let old = branch.children[slot(hash)].remove(hash >> BITS, name)?;
                branch.len -= 1;
                old
            }
        };
        *self = std::mem::replace(self, Self::Empty).settled();
        Some(old)
    }

    /// `mine`, which was made from `old`, made from `new` instead.
    fn rebased(mine: &Self, old: &Self, new: &Self, depth: u32, keeps: &dyn Fn(&str) -> bool) -> Self {
        if old.ptr_eq(new) {
            return mine.clone();
        }
        if mine.ptr_eq(old) {
            return new.clone();
        }
        if let (Self::Branch(mine), Self::Branch(old), Self::Branch(new)) = (mine, old, new) {
            let children: [Self; FANOUT] = std::array::from_fn(|at| {
                let (mine, old, new) = (&mine.children[at], &old.children[at], &new.children[at]);
                Self::rebased(mine, old, new, depth + 1, keeps)
            });
            let len = children.iter().map(Self::len).sum();
            return Self::Branch(Arc::new(Branch { len, children })).settled();
        }
        // The shape depends on what is there, so the new one is taken and what is kept laid over it.
        let mut made = new.clone();
        let hash = |value: &Arc<V>| xxh3_64(value.name().as_bytes()) >> (BITS * depth);
        for value in new.sorted() {
            if keeps(value.name()) {
                made.remove(hash(value), value.name());
            }
        }
        for value in mine.sorted() {
            if keeps(value.name()) {
                made.insert(hash(value), depth, Arc::clone(value));
            }
        }
        made
    }

    /// The shape that fits how many entries there are.
    fn settled(self) -> Self {
        match self.len() {
            0 => Self::Empty,
            1..=BUCKET if matches!(self, Self::Branch(_)) => {
                Self::Bucket(Arc::new(self.sorted().into_iter().cloned().collect()))
            }
            _ => self,
        }
    }

    fn sorted(&self) -> Vec<&Arc<V>> {
        let mut all = Vec::with_capacity(self.len());
        self.collect(&mut all);
        all.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        all
    }

    fn collect<'a>(&'a self, into: &mut Vec<&'a Arc<V>>) {
        match self {
            Self::Empty => {}
            Self::Bucket(bucket) => into.extend(bucket.iter()),
            Self::Branch(branch) => branch.children.iter().for_each(|child| child.collect(into)),
        }
    }

    fn diff<'a>(
        old: &'a Self,
        new: &'a Self,
        report: &mut dyn FnMut(Option<&'a Arc<V>>, Option<&'a Arc<V>>),
    ) {
        if old.ptr_eq(new) {
            return;
        }
        if let (Self::Branch(old), Self::Branch(new)) = (old, new) {
            for (old, new) in old.children.iter().zip(&new.children) {
                Self::diff(old, new, report);
            }
            return;
        }
        // One side is at most a bucket, so whatever more the other has is a difference itself.
        let (old, new) = (old.sorted(), new.sorted());
        let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(a), Some(b)) => a.name().cmp(b.name()),
            };
            let (before, after) = match order {
                std::cmp::Ordering::Less => (old.next(), None),
                std::cmp::Ordering::Greater => (None, new.next()),
                std::cmp::Ordering::Equal => (old.next(), new.next()),
            };
            if before.map(|value| value.version()) != after.map(|value| value.version()) {
                report(before, after);
            }
        }
    }
}

fn slot(hash: u64) -> usize {
    (hash & (FANOUT as u64 - 1)) as usize
}

fn search<V: Named>(bucket: &[Arc<V>], name: &str) -> Result<usize, usize> {
    bucket.binary_search_by(|value| (**value.name()).cmp(name))
}

fn fingerprint<V: Named>(value: &V) -> u128 {
    let mut both = [0; 32];
    both[..16].copy_from_slice(&xxh3_128(value.name().as_bytes()).to_le_bytes());
    both[16..].copy_from_slice(&value.version().hash().to_le_bytes());
    xxh3_128(&both)
}

#[cfg(test)]
mod tests;
