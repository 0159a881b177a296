//! From a tree to one JSON value and the places of its fields.

use std::fmt::Write as _;

use pilothouse_api::MAXIMUM_DEPTH;
use pilothouse_diag::Places;
use serde_json::{Map as JsonMap, Value};

use super::tree::{Content, Entry, Map, Node, documents};
use super::{Position, YamlError};

/// What aliases may repeat within one file, in pieces of sixteen bytes, beyond what is written there.
const MOST_REPEATED: usize = 250_000;
/// Pieces that a byte of a file may become. A value costs one and its path and text some; without aliases, what
/// people and programs write stays far below.
const PER_BYTE: usize = 8;

/// The field whose text is a document itself: the mesh settings in their `ConfigMap`.
const EMBEDDED: &str = "data.mesh";

/// What may still be made of one file.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    /// For a file of so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Self(bytes.saturating_mul(PER_BYTE).saturating_add(MOST_REPEATED))
    }

    fn spend(&mut self, bytes: usize, at: Position) -> Result<(), YamlError> {
        match self.0.checked_sub(1 + bytes / 16) {
            Some(left) => self.0 = left,
            None => return Err(YamlError::new(at, "what aliases repeat here is too large")),
        }
        Ok(())
    }
}

/// A value and what is known of its writing.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) value: Value,
    pub(crate) places: Places,
    /// Keys that were written more than once: the path of the entry, and where it was written again.
    pub(crate) repeated: Vec<(String, Position)>,
}

impl Node {
    /// The value of this node, with places relative to it.
    pub(crate) fn read(&self, budget: &mut Budget) -> Result<Read, YamlError> {
        let mut walk = Walk { path: String::new(), places: Vec::new(), repeated: Vec::new(), budget };
        let value = walk.value(self, self.at, 0)?;
        let Walk { places, repeated, .. } = walk;
        Ok(Read { value, places: Places::new(places), repeated })
    }
}

struct Walk<'b> {
    path: String,
    places: Vec<(String, u32, u32)>,
    repeated: Vec<(String, Position)>,
    budget: &'b mut Budget,
}

impl Walk<'_> {
    fn value(&mut self, node: &Node, at: Position, depth: usize) -> Result<Value, YamlError> {
        // One more than an object may have: that one is then refused as an object, with its name.
        if depth > MAXIMUM_DEPTH + 1 {
            return Err(YamlError::new(node.at, format!("values nest deeper than {MAXIMUM_DEPTH} levels")));
        }
        self.budget.spend(self.path.len() + node.text().map_or(0, str::len), node.at)?;
        self.places.push((self.path.clone(), at.line, at.column));
        match &*node.content {
            Content::Scalar(value) => Ok(value.clone()),
            Content::Block(text) => {
                if self.path == EMBEDDED {
                    self.look_inside(text, node.at, depth);
                }
                Ok(Value::String(text.clone()))
            }
            Content::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let back = self.path.len();
                    let _ = write!(self.path, "[{index}]");
                    list.push(self.value(item, item.at, depth + 1)?);
                    self.path.truncate(back);
                }
                Ok(Value::Array(list))
            }
            Content::Map(Map { entries, repeated }) => {
                let mut map = JsonMap::new();
                for Entry { key, key_at, value } in entries {
                    let back = self.path.len();
                    push_key(&mut self.path, key);
                    let at = match &*value.content {
                        Content::Scalar(inner) if !inner.is_null() => value.at,
                        Content::Block(_) => value.at,
                        _ => *key_at,
                    };
                    let inner = self.value(value, at, depth + 1)?;
                    map.insert(key.to_string(), inner);
                    self.path.truncate(back);
                }
                for (key, at) in repeated {
                    let back = self.path.len();
                    push_key(&mut self.path, key);
                    self.budget.spend(self.path.len(), *at)?;
                    self.repeated.push((self.path.clone(), *at));
                    self.path.truncate(back);
                }
                Ok(Value::Object(map))
            }
        }
    }
}

impl Walk<'_> {
    /// Adds the places of the fields that are written inside of a block. What cannot be read there is judged elsewhere.
    fn look_inside(&mut self, text: &str, block: Position, depth: usize) {
        let Ok(documents) = documents(text) else { return };
        let Some(first) = documents.first() else { return };
        let (places, repeated) = (self.places.len(), self.repeated.len());
        let read = self.value(first, first.at, depth).is_ok();
        for (_, line, column) in &mut self.places[places..] {
            *line = line.saturating_add(block.line - 1);
            *column = column.saturating_add(block.column - 1);
        }
        for (_, at) in &mut self.repeated[repeated..] {
            at.line = at.line.saturating_add(block.line - 1);
            at.column = at.column.saturating_add(block.column - 1);
        }
        if read {
            // The block itself keeps its own place, which comes first.
            self.places.remove(places);
        } else {
            self.places.truncate(places);
            self.repeated.truncate(repeated);
        }
    }
}

/// Adds a step to a path in the notation of findings; a key that is no plain word is quoted.
fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain {
        let _ = write!(path, "[{key:?}]");
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}
