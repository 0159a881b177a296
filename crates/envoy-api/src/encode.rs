//! Bytes of a message, the same for equal messages.
//!
//! `envoy-types` keeps maps in hash maps, so prost writes their entries in an order that changes from run to run.
//! Resources are named by a hash of their bytes and must not change with it. [`encode`] puts the entries of every map,
//! at any depth, in the order of their keys. It works on the bytes: an entry keeps its length wherever it stands, so the
//! entries are only swapped in place, and no message without maps is looked into.

use std::ops::Range;

use prost::Name;

#[rustfmt::skip]
mod table;
#[cfg(test)]
mod tests;

/// A message that holds a map, or holds such a message.
struct Holder {
    /// Full name.
    name: &'static str,
    /// Its fields that are maps or holders, by number.
    fields: &'static [Field],
}

/// A field to look into.
struct Field {
    number: u64,
    /// Whether it is a map; else it is a holder.
    map: bool,
    /// The holder in the field or in the values of the map, as an index into the table.
    inside: Option<usize>,
}

impl Holder {
    const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        Self { name, fields }
    }
}

impl Field {
    const fn map(number: u64) -> Self {
        Self { number, map: true, inside: None }
    }

    const fn map_of(number: u64, value: usize) -> Self {
        Self { number, map: true, inside: Some(value) }
    }

    const fn holder(number: u64, holder: usize) -> Self {
        Self { number, map: false, inside: Some(holder) }
    }
}

/// Encodes a message; equal messages give equal bytes, in every run. Use it wherever bytes are kept, hashed or sent in
/// place of [`prost::Message::encode_to_vec`].
#[must_use]
pub fn encode<M: Name>(message: &M) -> Vec<u8> {
    let mut bytes = message.encode_to_vec();
    arrange(&M::full_name(), &mut bytes);
    bytes
}

/// Puts the maps inside an encoded message in order.
pub(crate) fn arrange(name: &str, bytes: &mut [u8]) {
    if let Ok(index) = table::HOLDERS.binary_search_by(|holder| holder.name.cmp(name)) {
        // Only bytes that are no message at all stop early, and those keep what order they have.
        let _ = arrange_holder(index, bytes);
    }
}

fn arrange_holder(index: usize, bytes: &mut [u8]) -> Option<()> {
    let fields = table::HOLDERS.get(index)?.fields;
    let mut run = Run::default();
    let mut at = 0;
    while at < bytes.len() {
        let record = Record::read(bytes, at)?;
        if record.number != run.number {
            run.finish(bytes);
            run.number = record.number;
        }
        at = record.payload.end;
        let Some(field) = fields.iter().find(|field| field.number == record.number) else { continue };
        if field.map {
            let key = arrange_entry(field.inside, &mut bytes[record.payload.clone()])?;
            let from = record.payload.start;
            run.entries.push(Entry { key: from + key.start..from + key.end, whole: record.start..at });
        } else if let Some(inside) = field.inside {
            arrange_holder(inside, &mut bytes[record.payload])?;
        }
    }
    run.finish(bytes);
    Some(())
}

/// Puts the value of a map entry in order and returns where its key is; a default key is left out by the encoder and
/// has an empty range.
fn arrange_entry(value: Option<usize>, bytes: &mut [u8]) -> Option<Range<usize>> {
    let mut key = 0..0;
    let mut at = 0;
    while at < bytes.len() {
        let record = Record::read(bytes, at)?;
        at = record.payload.end;
        match (record.number, value) {
            (1, _) => key = record.payload,
            (2, Some(value)) => arrange_holder(value, &mut bytes[record.payload])?,
            _ => {}
        }
    }
    Some(key)
}

/// Entries of one map, which follow each other in the bytes.
#[derive(Default)]
struct Run {
    number: u64,
    entries: Vec<Entry>,
}

struct Entry {
    key: Range<usize>,
    whole: Range<usize>,
}

impl Run {
    fn finish(&mut self, bytes: &mut [u8]) {
        let mut entries = std::mem::take(&mut self.entries);
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let span = first.whole.start..last.whole.end;
        if entries.is_sorted_by(|a, b| bytes[a.key.clone()] <= bytes[b.key.clone()]) {
            return;
        }
        entries.sort_by(|a, b| bytes[a.key.clone()].cmp(&bytes[b.key.clone()]));
        let sorted: Vec<u8> = entries.iter().flat_map(|entry| &bytes[entry.whole.clone()]).copied().collect();
        bytes[span].copy_from_slice(&sorted);
    }
}

/// One field of an encoded message.
struct Record {
    /// Field number.
    number: u64,
    /// Where the tag begins.
    start: usize,
    /// The value without tag and length.
    payload: Range<usize>,
}

impl Record {
    fn read(bytes: &[u8], start: usize) -> Option<Self> {
        let (tag, from) = varint(bytes, start)?;
        let payload = match tag & 7 {
            0 => from..varint(bytes, from)?.1,
            1 => from..from.checked_add(8)?,
            2 => {
                let (length, from) = varint(bytes, from)?;
                from..from.checked_add(usize::try_from(length).ok()?)?
            }
            5 => from..from.checked_add(4)?,
            _ => return None,
        };
        (payload.end <= bytes.len()).then_some(Self { number: tag >> 3, start, payload })
    }
}

/// A variable-length integer and where the bytes after it begin.
fn varint(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.get(start..)?.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, start + index + 1));
        }
    }
    None
}
