//! The table by which `envoy-api` finds the maps inside an encoded message.
//!
//! Only messages that hold a map, or hold a message that does, have an entry; everything else is opaque bytes to
//! the encoder. `Any` has none: its bytes were put in order when they were packed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use prost_types::{DescriptorProto, FileDescriptorSet, field_descriptor_proto::Type};

struct Shape {
    map_entry: bool,
    /// Field number and, of message fields, the name of the message.
    fields: BTreeMap<i32, String>,
}

/// Renders the table as Rust.
pub(super) fn render(set: &FileDescriptorSet) -> String {
    let mut shapes = BTreeMap::new();
    for file in &set.file {
        for message in &file.message_type {
            walk(file.package(), message, &mut shapes);
        }
    }
    let mut listed: BTreeSet<&str> =
        shapes.iter().filter(|(_, shape)| shape.map_entry).map(|(name, _)| name.as_str()).collect();
    loop {
        let before = listed.len();
        for (name, shape) in &shapes {
            if shape.fields.values().any(|inner| listed.contains(inner.as_str())) {
                listed.insert(name);
            }
        }
        if listed.len() == before {
            break;
        }
    }

    // Entries of maps are not messages of their own in the table, only their value is.
    let index: BTreeMap<&str, usize> = listed
        .iter()
        .filter(|name| !shapes[**name].map_entry)
        .enumerate()
        .map(|(index, name)| (*name, index))
        .collect();
    let mut out = String::from(
        "// Made by `make gen` from the protos of envoy-types. Do not edit.\n\
         //! Messages that hold maps, sorted by name.\n\n\
         use super::{Field, Holder};\n\n\
         pub(super) static HOLDERS: &[Holder] = &[\n",
    );
    for name in index.keys() {
        let _ = write!(out, "    Holder::new(\"{name}\", &[");
        let mut first = true;
        for (number, inner) in &shapes[*name].fields {
            let field = if let Some(entry) = shapes.get(inner).filter(|shape| shape.map_entry) {
                match entry.fields.get(&2).and_then(|value| index.get(value.as_str())) {
                    Some(value) => format!("Field::map_of({number}, {value})"),
                    None => format!("Field::map({number})"),
                }
            } else if let Some(inner) = index.get(inner.as_str()) {
                format!("Field::holder({number}, {inner})")
            } else {
                continue;
            };
            let _ = write!(out, "{}{field}", if first { "" } else { ", " });
            first = false;
        }
        out.push_str("]),\n");
    }
    out.push_str("];\n");
    out
}

fn walk(scope: &str, message: &DescriptorProto, shapes: &mut BTreeMap<String, Shape>) {
    let name = format!("{scope}.{}", message.name());
    for nested in &message.nested_type {
        walk(&name, nested, shapes);
    }
    let fields = message
        .field
        .iter()
        .filter(|field| field.r#type() == Type::Message)
        .map(|field| (field.number(), field.type_name().trim_start_matches('.').to_owned()))
        .collect();
    let map_entry = message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry);
    shapes.insert(name, Shape { map_entry, fields });
}
