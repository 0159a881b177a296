//! Questions that are wanted, their answers, and what was read for them.
//!
//! Each answer has a footprint: keys of the world and other questions. A delta of keys dirties the questions that read
//! them; dirty ones are answered again in the order of layers; an answer that comes out equal ends the propagation. A
//! question that nobody reads and nobody holds is forgotten. Layers are static and a question reads lower ones only, so
//! there are no cycles and one pass is enough.
//!
//! An answer that a bug of ours ends is none: the question is broken, and so is every one that asks it. What was read up to
//! there is its footprint, so it is tried again when that changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pilothouse_base::ObjectKey;
use pilothouse_view::{Answer, Ask, Query, QueryKind, Reader, resolve};
use pilothouse_world::{Key, KeyKind, Record, World};

use crate::bug::{Bug, Stage};
use crate::counts::Counts;
use crate::encode::Encoded;
use crate::guard::{self, Caught};

/// Numbers a question while it is wanted.
pub(crate) type NodeId = u32;

/// Kinds of reads that are not taken down. Only for the test that shows that the property test notices.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forget {
    /// Reads of the world of this kind.
    pub key: Option<KeyKind>,
    /// Questions of this kind.
    pub query: Option<QueryKind>,
}

/// Objects of a batch that are remembered as suspects; in a larger one anything may be it.
const SUSPECTS: usize = 32;

/// An answer, or the bug that stands in its way; maybe that of a question asked for it.
pub(crate) type Outcome = Result<Answer, Arc<Bug>>;

/// A question with its answer.
pub(crate) struct Node {
    pub(crate) query: Arc<Query>,
    pub(crate) answer: Outcome,
    encoded: Encoded,
    reads: Reads,
    /// Questions that read this one.
    readers: BTreeSet<NodeId>,
    /// How often something outside the graph wants it.
    held: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reads {
    keys: BTreeSet<Arc<Key>>,
    nodes: BTreeSet<NodeId>,
}

/// All wanted questions.
#[derive(Default)]
pub(crate) struct Graph {
    ids: HashMap<Arc<Query>, NodeId>,
    nodes: Vec<Option<Node>>,
    free: Vec<NodeId>,
    /// Which questions read a key.
    readers: HashMap<Arc<Key>, BTreeSet<NodeId>>,
    /// Questions that have a bug of their own.
    broken: BTreeSet<NodeId>,
    /// The objects of the last batch, if they are few.
    recent: Vec<ObjectKey>,
    forget: Forget,
}

impl Graph {
    pub(crate) fn forget(&mut self, forget: Forget) {
        self.forget = forget;
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.nodes[id as usize]
            .as_ref()
            .expect("ids are kept only by holders and readers, which keep their nodes")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id as usize]
            .as_mut()
            .expect("ids are kept only by holders and readers, which keep their nodes")
    }

    /// The bugs that stand in the way of answers.
    pub(crate) fn bugs(&self) -> impl Iterator<Item = &Arc<Bug>> {
        self.broken.iter().filter_map(|id| self.node(*id).own_bug())
    }

    /// A batch with these objects is applied next.
    pub(crate) fn suspect(&mut self, mut batch: impl Iterator<Item = ObjectKey>) {
        self.recent = batch.by_ref().take(SUSPECTS).collect();
        if batch.next().is_some() {
            self.recent.clear();
        }
    }

    /// How many questions are wanted.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// How many keys somebody read.
    pub(crate) fn keys(&self) -> usize {
        self.readers.len()
    }

    /// Wants a question from outside until [`Graph::release`].
    pub(crate) fn hold(&mut self, query: Query, world: &World, counts: &mut Counts) -> NodeId {
        let id = self.ensure(query, world, counts);
        self.node_mut(id).held += 1;
        id
    }

    /// Ends a [`Graph::hold`].
    pub(crate) fn release(&mut self, id: NodeId) {
        self.node_mut(id).held -= 1;
        self.drop_unwanted(vec![id]);
    }

    /// Answers again what a delta touched. Returns the questions whose answers changed, lower layers first.
    pub(crate) fn update(
        &mut self,
        delta: &BTreeSet<Key>,
        world: &World,
        counts: &mut Counts,
    ) -> Vec<NodeId> {
        let mut dirty: BTreeMap<u8, BTreeSet<NodeId>> = BTreeMap::new();
        for key in delta {
            for &id in self.readers.get(key).into_iter().flatten() {
                dirty.entry(self.node(id).query.layer()).or_default().insert(id);
            }
        }
        let mut changed = Vec::new();
        let mut unwanted = Vec::new();
        while let Some((_, ids)) = dirty.pop_first() {
            for id in ids {
                // It may have been forgotten meanwhile: whoever read it reads something else now.
                let Some(query) = self.nodes[id as usize].as_ref().map(|node| node.query.clone()) else {
                    continue;
                };
                let (answer, reads) = self.compute(&query, world, counts);
                let same = self.node(id).answer == answer;
                // Bytes that could not be made are tried again, too.
                let unencoded = self.node_mut(id).encoded.bug.take().is_some();
                if !same || unencoded {
                    self.settle(id, answer);
                }
                unwanted.extend(self.set_reads(id, reads));
                if !same {
                    for &reader in &self.node(id).readers {
                        dirty.entry(self.node(reader).query.layer()).or_default().insert(reader);
                    }
                }
                if !same || unencoded {
                    changed.push(id);
                }
            }
        }
        self.drop_unwanted(unwanted);
        changed.retain(|id| self.nodes[*id as usize].is_some());
        changed
    }

    fn ensure(&mut self, query: Query, world: &World, counts: &mut Counts) -> NodeId {
        if let Some(&id) = self.ids.get(&query) {
            return id;
        }
        let query = Arc::new(query);
        let (answer, reads) = self.compute(&query, world, counts);
        let id = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(None);
            NodeId::try_from(self.nodes.len() - 1).expect("a mesh has fewer than four billion questions")
        });
        self.nodes[id as usize] = Some(Node {
            query: query.clone(),
            answer: answer.clone(),
            encoded: Encoded::default(),
            reads: Reads::default(),
            readers: BTreeSet::new(),
            held: 0,
        });
        self.ids.insert(query, id);
        self.settle(id, answer);
        self.set_reads(id, reads);
        id
    }

    fn settle(&mut self, id: NodeId, answer: Outcome) {
        let node = self.node_mut(id);
        node.answer = answer;
        if node.own_bug().is_some() {
            self.broken.insert(id);
        } else {
            self.broken.remove(&id);
        }
    }

    /// Makes something of an answer. A bug in that is the question's, until the answer is another one.
    pub(crate) fn encode<T>(
        &mut self,
        id: NodeId,
        world: &World,
        make: impl FnOnce(&mut Encoded, &Query, &Answer) -> T,
    ) -> Result<T, Arc<Bug>> {
        let node = self.nodes[id as usize].as_mut().expect("the caller holds it");
        let answer = node.answer.clone()?;
        if let Some(bug) = node.own_bug() {
            return Err(bug.clone());
        }
        let Node { query, encoded, reads, .. } = node;
        let caught = match guard::catch(|| {
            #[cfg(test)]
            crate::poison::taste(Stage::Encode, query, &answer);
            make(encoded, query, &answer)
        }) {
            Ok(made) => {
                encoded.bug = None;
                return Ok(made);
            }
            Err(caught) => caught,
        };
        let bug = match caught {
            Caught::Reached(bug) => bug,
            Caught::Panic(panic) => {
                let keys = reads.keys.iter().map(|key| &**key);
                Arc::new(Bug::new(query, Stage::Encode, panic, keys, world, &self.recent))
            }
        };
        encoded.bug = Some((answer, bug.clone()));
        self.broken.insert(id);
        Err(bug)
    }

    fn compute(&mut self, query: &Arc<Query>, world: &World, counts: &mut Counts) -> (Outcome, Reads) {
        counts.answer(query.kind());
        let mut asking = Asking { graph: self, world, counts, layer: query.layer(), seen: Seen::default() };
        let answer = guard::catch(|| {
            let answer = resolve(query, &mut Reader::new(&mut asking));
            #[cfg(test)]
            crate::poison::taste(Stage::Answer, query, &answer);
            answer
        });
        let Seen { keys, nodes } = asking.seen;
        let answer = answer.map_err(|caught| match caught {
            Caught::Reached(bug) => bug,
            Caught::Panic(panic) => {
                Arc::new(Bug::new(query, Stage::Answer, panic, keys.iter(), world, &self.recent))
            }
        });
        let forget = self.forget;
        let nodes = nodes
            .into_iter()
            .filter(|id| forget.query.is_none_or(|kind| self.node(*id).query.kind() != kind))
            .collect();
        let keys = keys
            .into_iter()
            .filter(|key| forget.key != Some(key.kind()))
            .map(|key| match self.readers.get_key_value(&key) {
                Some((known, _)) => known.clone(),
                None => Arc::new(key),
            })
            .collect();
        (answer, Reads { keys, nodes })
    }

    /// Replaces what a question read; returns questions that it does not read any more.
    fn set_reads(&mut self, id: NodeId, new: Reads) -> Vec<NodeId> {
        let old = std::mem::take(&mut self.node_mut(id).reads);
        for key in new.keys.difference(&old.keys) {
            self.readers.entry(key.clone()).or_default().insert(id);
        }
        for key in old.keys.difference(&new.keys) {
            self.unread(key, id);
        }
        for &node in new.nodes.difference(&old.nodes) {
            self.node_mut(node).readers.insert(id);
        }
        let gone: Vec<NodeId> = old.nodes.difference(&new.nodes).copied().collect();
        for &node in &gone {
            self.node_mut(node).readers.remove(&id);
        }
        self.node_mut(id).reads = new;
        gone
    }

    fn unread(&mut self, key: &Arc<Key>, id: NodeId) {
        if let Some(readers) = self.readers.get_mut(key) {
            readers.remove(&id);
            if readers.is_empty() {
                self.readers.remove(key);
            }
        }
    }

    /// Forgets those of the questions that nobody wants, and what only they wanted.
    fn drop_unwanted(&mut self, mut suspects: Vec<NodeId>) {
        while let Some(id) = suspects.pop() {
            let wanted =
                self.nodes[id as usize].as_ref().is_none_or(|node| node.held > 0 || !node.readers.is_empty());
            if wanted {
                continue;
            }
            let Some(node) = self.nodes[id as usize].take() else { continue };
            self.ids.remove(&node.query);
            self.broken.remove(&id);
            self.free.push(id);
            for key in &node.reads.keys {
                self.unread(key, id);
            }
            for read in node.reads.nodes {
                self.node_mut(read).readers.remove(&id);
                suspects.push(read);
            }
        }
    }
}

impl Node {
    /// The bug of this question, rather than of one that it asks.
    fn own_bug(&self) -> Option<&Arc<Bug>> {
        match &self.answer {
            Err(bug) => Some(bug).filter(|bug| bug.query == self.query),
            Ok(answer) => self.encoded.bug.as_ref().filter(|(of, _)| of == answer).map(|(_, bug)| bug),
        }
    }
}

/// What was read for one answer.
#[derive(Default)]
struct Seen {
    keys: BTreeSet<Key>,
    nodes: BTreeSet<NodeId>,
}

impl Record for Seen {
    fn read(&mut self, key: Key) {
        self.keys.insert(key);
    }
}

/// One answer in the making.
struct Asking<'g> {
    graph: &'g mut Graph,
    world: &'g World,
    counts: &'g mut Counts,
    layer: u8,
    seen: Seen,
}

impl Ask for Asking<'_> {
    fn ask(&mut self, query: Query) -> Answer {
        // Without this two questions that ask each other would exhaust the stack, which cannot be caught.
        assert!(query.layer() < self.layer, "a question of kind {:?} is asked from too low", query.kind());
        let id = guard::own(|| self.graph.ensure(query, self.world, self.counts));
        self.seen.nodes.insert(id);
        match &self.graph.node(id).answer {
            Ok(answer) => {
                #[cfg(test)]
                crate::poison::taste(Stage::Answer, &self.graph.node(id).query, &(self.layer, answer));
                answer.clone()
            }
            Err(bug) => guard::give_up(bug.clone()),
        }
    }

    fn world(&mut self) -> pilothouse_world::Reader<'_> {
        pilothouse_world::Reader::new(self.world, &mut self.seen)
    }
}

#[cfg(test)]
mod tests {
    use pilothouse_base::Namespace;

    use super::*;

    #[test]
    fn a_question_that_is_asked_from_too_low_is_not_answered() {
        let (mut graph, mut counts) = (Graph::default(), Counts::default());
        let (world, layer) = (World::default(), Query::Public.layer());
        let mut asking =
            Asking { graph: &mut graph, world: &world, counts: &mut counts, layer, seen: Seen::default() };
        let caught = guard::catch(|| asking.ask(Query::Targets(Namespace::from("a"))));
        assert!(matches!(caught, Err(Caught::Panic(panic)) if panic.message.contains("too low")));
        assert_eq!(graph.len(), 0);
    }
}
