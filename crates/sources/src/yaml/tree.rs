//! From the parser's events to a tree per document.
//!
//! An alias shares what its anchor names instead of repeating it, so a tree is never larger than its text.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag, options};
use serde_json::Value;

use super::{Position, YamlError, scalar};

/// How deep lists and maps may lie in each other while reading. Objects have a lower bound of their own.
const DEEPEST: usize = 100;
/// How many entries merge keys (`<<`) may copy within one file.
const MOST_MERGED: usize = 100_000;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) content: Rc<Content>,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Content {
    Scalar(Value),
    /// A text written as a block (`|`), line by line: what is in it has places of its own.
    Block(String),
    List(Vec<Node>),
    Map(Map),
}

/// A map in the order in which it was written.
#[derive(Debug, Default)]
pub(crate) struct Map {
    pub(crate) entries: Vec<Entry>,
    /// Keys that were written again, and where. The last value counts.
    pub(crate) repeated: Vec<(Rc<str>, Position)>,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Rc<str>,
    pub(crate) key_at: Position,
    pub(crate) value: Node,
}

impl Node {
    fn new(at: Position, content: Content) -> Self {
        Self { at, content: Rc::new(content) }
    }

    /// The value of a key, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let Content::Map(map) = &*self.content else { return None };
        map.entries.iter().find(|entry| &*entry.key == key).map(|entry| &entry.value)
    }

    /// The text, if this is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &*self.content {
            Content::Scalar(Value::String(text)) | Content::Block(text) => Some(text),
            _ => None,
        }
    }
}

/// The documents of a text that hold anything.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        builder.take(event, (&span.start).into())?;
    }
    Ok(builder.documents)
}

fn unreadable(error: &ScanError) -> YamlError {
    YamlError::new(error.marker().into(), error.info())
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    /// Finished nodes with an anchor.
    anchors: HashMap<usize, Node>,
    merged: usize,
}

/// A list or map that is being read.
struct Open {
    at: Position,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map {
        map: Map,
        /// Where each key is in the map.
        index: BTreeMap<Rc<str>, usize>,
        /// A key that waits for its value; none is the merge key.
        key: Option<(Option<Rc<str>>, Position)>,
        /// What the merge key names.
        merges: Vec<Node>,
    },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), at),
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id) else {
                    return Err(YamlError::new(at, "the alias stands inside of what it names"));
                };
                let node = Node { at, content: Rc::clone(&node.content) };
                if self.wants_key() {
                    let Content::Scalar(value) = &*node.content else { return Err(no_key(at)) };
                    let key = key_text(value).ok_or_else(|| no_key(at))?;
                    self.key(Some(key), at);
                    return Ok(());
                }
                self.value(node)
            }
            Event::SequenceStart(_, anchor, _) => self.start(at, anchor, Inside::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let inside = Inside::Map {
                    map: Map::default(),
                    index: BTreeMap::new(),
                    key: None,
                    merges: Vec::new(),
                };
                self.start(at, anchor, inside)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Position,
    ) -> Result<(), YamlError> {
        let is_key = self.wants_key();
        if is_key && text == "<<" && style == ScalarStyle::Plain && tag.is_none() {
            self.key(None, at);
            return Ok(());
        }
        let value = scalar::resolve(text, style, tag).map_err(|message| YamlError::new(at, message))?;
        let key = is_key.then(|| key_text(&value).ok_or_else(|| no_key(at))).transpose()?;
        let content = match value {
            Value::String(text) if style == ScalarStyle::Literal => Content::Block(text),
            value => Content::Scalar(value),
        };
        let node = Node::new(at, content);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        if is_key {
            self.key(key, at);
            return Ok(());
        }
        self.value(node)
    }

    /// Whether what comes next is the key of a map.
    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { inside: Inside::Map { key: None, .. }, .. }))
    }

    fn key(&mut self, text: Option<Rc<str>>, at: Position) {
        if let Some(Open { inside: Inside::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some((text, at));
        }
    }

    fn start(&mut self, at: Position, anchor: usize, inside: Inside) -> Result<(), YamlError> {
        if self.wants_key() {
            return Err(no_key(at));
        }
        self.open.push(Open { at, anchor, inside });
        Ok(())
    }

    fn end(&mut self) -> Result<(), YamlError> {
        let Open { at, anchor, inside } = self.open.pop().expect("the parser ends only what it began");
        let content = match inside {
            Inside::List(items) => Content::List(items),
            Inside::Map { mut map, mut index, merges, .. } => {
                for from in &merges {
                    self.merge(from, &mut map, &mut index)?;
                }
                Content::Map(map)
            }
        };
        let node = Node::new(at, content);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.value(node)
    }

    fn value(&mut self, node: Node) -> Result<(), YamlError> {
        let Some(Open { inside, .. }) = self.open.last_mut() else {
            if !matches!(&*node.content, Content::Scalar(Value::Null)) {
                self.documents.push(node);
            }
            return Ok(());
        };
        match inside {
            Inside::List(items) => items.push(node),
            Inside::Map { map, index, key, merges } => match key.take() {
                Some((Some(key), key_at)) => {
                    let entry = Entry { key: Rc::clone(&key), key_at, value: node };
                    if let Some(&before) = index.get(&key) {
                        map.repeated.push((key, key_at));
                        map.entries[before] = entry;
                    } else {
                        index.insert(key, map.entries.len());
                        map.entries.push(entry);
                    }
                }
                Some((None, at)) => match &*node.content {
                    Content::Map(_) => merges.push(node),
                    Content::List(items)
                        if items.iter().all(|item| matches!(&*item.content, Content::Map(_))) =>
                    {
                        merges.extend(items.iter().cloned());
                    }
                    _ => return Err(YamlError::new(at, "a merge key (<<) takes a map or a list of maps")),
                },
                // A value without a key does not happen: what stands in its place was taken for the key.
                None => {}
            },
        }
        Ok(())
    }

    /// Copies what the map does not say itself; an earlier merge wins over a later one.
    fn merge(
        &mut self,
        from: &Node,
        map: &mut Map,
        index: &mut BTreeMap<Rc<str>, usize>,
    ) -> Result<(), YamlError> {
        let Content::Map(other) = &*from.content else { return Ok(()) };
        self.merged += other.entries.len();
        if self.merged > MOST_MERGED {
            return Err(YamlError::new(from.at, format!("merge keys copy more than {MOST_MERGED} entries")));
        }
        for entry in &other.entries {
            if !index.contains_key(&entry.key) {
                index.insert(Rc::clone(&entry.key), map.entries.len());
                map.entries.push(entry.clone());
            }
        }
        Ok(())
    }
}

/// Keys are text to Kubernetes; numbers and booleans become so.
fn key_text(value: &Value) -> Option<Rc<str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn no_key(at: Position) -> YamlError {
    YamlError::new(at, "a key must be a text")
}
