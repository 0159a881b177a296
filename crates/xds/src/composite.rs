//! A route table: a header and virtual hosts, delivered in one piece or host by host.
//!
//! The virtual host is the unit that is built, hashed, shared and blamed. A table delivered *split* is a route
//! configuration that asks for its hosts by VHDS; *assembled* it is one message with the hosts inside. Both
//! start from the same parts. In protobuf, fields may come in any order and repeated fields just follow each
//! other, so assembling is concatenation.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use pilothouse_base::ObjectKey;

use crate::map::{Named, ResourceMap};
use crate::resource::{Resource, Version};

/// Field 1 with a length: `VirtualHost.name`.
const NAME_TAG: u8 = 1 << 3 | 2;

/// The encoded route configuration without the hosts that are parts. Both forms already hold the catch-all
/// host, if the table has one: a domain must not be in a header and in a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// What the assembled table starts with.
    pub whole: Bytes,
    /// The same with the VHDS configuration: what is sent when the hosts go by themselves.
    pub split: Bytes,
    /// The number of the repeated field that holds the hosts (`RouteConfiguration.virtual_hosts` is 2).
    pub part_field: u32,
}

/// A route table whose hosts are resources of their own.
pub struct Composite {
    name: Arc<str>,
    whole: Bytes,
    part_field: u32,
    split: Arc<Resource>,
    parts: ResourceMap,
    version: Version,
    assembled: OnceLock<Arc<Resource>>,
}

impl Composite {
    /// Puts a table together. `parts` are made by [`Composite::part`] for the same table; `origins` are the
    /// objects behind the header. Costs nothing per part.
    pub fn new(
        name: impl Into<Arc<str>>,
        headers: Headers,
        parts: ResourceMap,
        origins: impl Into<Arc<[ObjectKey]>>,
    ) -> Self {
        let name = name.into();
        let Headers { whole, split, part_field } = headers;
        let mut content = [0; 36];
        content[..16].copy_from_slice(&Version::of(&whole).hash().to_le_bytes());
        content[16..32].copy_from_slice(&parts.digest().to_le_bytes());
        content[32..].copy_from_slice(&part_field.to_le_bytes());
        let split = Resource {
            name: Arc::clone(&name),
            version: Version::of(&split).marked(true),
            body: split,
            origins: origins.into(),
        };
        Self {
            name,
            whole,
            part_field,
            split: Arc::new(split),
            parts,
            version: Version::of(&content).marked(false),
            assembled: OnceLock::new(),
        }
    }

    /// A table that is not there, as far as its headers go.
    pub(crate) fn empty(name: impl Into<Arc<str>>, whole: Bytes, split: Bytes) -> Self {
        // Without parts, the number of their field is of no account.
        Self::new(name, Headers { whole, split, part_field: 0 }, ResourceMap::default(), [])
    }

    /// A virtual host of a table. `fields` is the encoded `VirtualHost` without its name, which differs between
    /// the two ways: `<table>/<host>` by VHDS, as the name of a resource must be found again inside, and
    /// `<host>` in an assembled table. `host` has no slash.
    pub fn part(
        table: &str,
        host: &str,
        fields: &[u8],
        origins: impl Into<Arc<[ObjectKey]>>,
    ) -> Arc<Resource> {
        let name = format!("{table}/{host}");
        let mut body = Vec::with_capacity(name.len() + fields.len() + 8);
        put_name(&name, &mut body);
        body.extend_from_slice(fields);
        Arc::new(Resource::new(name, body, origins))
    }

    /// The name of the table.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The hosts, named `<table>/<host>`.
    pub fn parts(&self) -> &ResourceMap {
        &self.parts
    }

    /// The route configuration that asks for its hosts.
    pub fn split(&self) -> &Arc<Resource> {
        &self.split
    }

    /// The route configuration with all hosts inside, in order of their names. Encoded when first asked for,
    /// and then shared by all streams. Its origins are those of the header and of all hosts.
    pub fn assembled(&self) -> &Arc<Resource> {
        self.assembled.get_or_init(|| {
            let size: usize = self.parts.iter().map(|part| part.body.len() + 8).sum();
            let mut body = Vec::with_capacity(self.whole.len() + size);
            body.extend_from_slice(&self.whole);
            let mut origins = self.split.origins.to_vec();
            for part in self.parts.sorted_iter() {
                put_inline(part, self.part_field, &mut body);
                origins.extend_from_slice(&part.origins);
            }
            origins.sort_unstable();
            origins.dedup();
            Arc::new(Resource {
                name: Arc::clone(&self.name),
                version: self.version,
                body: body.into(),
                origins: origins.into(),
            })
        })
    }

    /// The form in which a stream gets it.
    pub(crate) fn form(&self, split: bool) -> &Arc<Resource> {
        if split { self.split() } else { self.assembled() }
    }

    /// The version of the form in which a stream gets it, without encoding it.
    pub(crate) fn form_version(&self, split: bool) -> Version {
        if split { self.split.version } else { self.version }
    }
}

/// The version covers header and hosts.
impl Named for Composite {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn version(&self) -> Version {
        // The split header is normally the whole one and a constant; hashing both costs nothing and asks for
        // no such promise.
        Version::from_hash(self.version.hash().wrapping_mul(31).wrapping_add(self.split.version.hash()))
    }
}

impl fmt::Debug for Composite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}@{} {:?}", self.name, self.version, self.parts)
    }
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_name(name: &str, out: &mut Vec<u8>) {
    out.push(NAME_TAG);
    put_varint(name.len() as u64, out);
    out.extend_from_slice(name.as_bytes());
}

/// Writes a host as a field of its table, with the short name in place of the long one.
fn put_inline(part: &Resource, field: u32, out: &mut Vec<u8>) {
    let host = part.name.rsplit_once('/').map_or(&*part.name, |(_, host)| host);
    let mut long = Vec::with_capacity(part.name.len() + 4);
    put_name(&part.name, &mut long);
    put_varint(u64::from(field) << 3 | 2, out);
    // A body that does not start with the long name was not made by `part`; it goes as it is.
    if let Some(fields) = part.body.strip_prefix(&*long) {
        let mut short = Vec::with_capacity(host.len() + 4);
        put_name(host, &mut short);
        put_varint((short.len() + fields.len()) as u64, out);
        out.extend_from_slice(&short);
        out.extend_from_slice(fields);
    } else {
        put_varint(part.body.len() as u64, out);
        out.extend_from_slice(&part.body);
    }
}

#[cfg(test)]
mod tests;
