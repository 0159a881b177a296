//! Takes from a descriptor set what JSON does not need: options, services, extensions, and then the files that
//! nothing refers to any more.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumOptions, EnumValueDescriptorProto, FieldDescriptorProto,
    FieldOptions, FileDescriptorProto, FileDescriptorSet, MessageOptions, OneofDescriptorProto,
};

/// Files below these folders are kept though nothing refers to them.
const ROOTS: [&str; 2] = ["envoy/", "xds/"];
/// Definitions of options; their only use is in what is taken away.
const OPTIONS: [&str; 2] = ["envoy/annotations/", "xds/annotations/"];

/// The smaller set, its files sorted by name.
pub(super) fn slim(set: FileDescriptorSet) -> FileDescriptorSet {
    let mut files: BTreeMap<String, FileDescriptorProto> =
        set.file.into_iter().map(|file| (file.name().to_owned(), bare_file(file))).collect();
    let owners: BTreeMap<String, String> = files
        .values()
        .flat_map(|file| types_of(file).into_iter().map(|name| (name, file.name().to_owned())))
        .collect();
    for file in files.values_mut() {
        let own = file.name().to_owned();
        let needed: BTreeSet<String> =
            references(&file.message_type).iter().filter_map(|name| owners.get(name)).cloned().collect();
        file.dependency = needed.into_iter().filter(|name| *name != own).collect();
    }

    let mut kept = BTreeSet::new();
    let mut open: Vec<String> = files
        .keys()
        .filter(|name| ROOTS.iter().any(|root| name.starts_with(root)))
        .filter(|name| !OPTIONS.iter().any(|folder| name.starts_with(folder)))
        .cloned()
        .collect();
    while let Some(name) = open.pop() {
        if let Some(file) = files.get(&name)
            && kept.insert(name)
        {
            open.extend(file.dependency.iter().cloned());
        }
    }
    files.retain(|name, file| {
        kept.contains(name) && (!file.message_type.is_empty() || !file.enum_type.is_empty())
    });
    FileDescriptorSet { file: files.into_values().collect() }
}

fn bare_file(file: FileDescriptorProto) -> FileDescriptorProto {
    FileDescriptorProto {
        name: file.name,
        package: file.package,
        message_type: file.message_type.into_iter().map(bare_message).collect(),
        enum_type: file.enum_type.into_iter().map(bare_enum).collect(),
        syntax: file.syntax,
        ..Default::default()
    }
}

fn bare_message(message: DescriptorProto) -> DescriptorProto {
    let map_entry = message.options.as_ref().and_then(|options| options.map_entry);
    DescriptorProto {
        name: message.name,
        field: message.field.into_iter().map(bare_field).collect(),
        nested_type: message.nested_type.into_iter().map(bare_message).collect(),
        enum_type: message.enum_type.into_iter().map(bare_enum).collect(),
        oneof_decl: message
            .oneof_decl
            .into_iter()
            .map(|oneof| OneofDescriptorProto { name: oneof.name, options: None })
            .collect(),
        options: map_entry
            .map(|map_entry| MessageOptions { map_entry: Some(map_entry), ..Default::default() }),
        ..Default::default()
    }
}

fn bare_field(mut field: FieldDescriptorProto) -> FieldDescriptorProto {
    let packed = field.options.as_ref().and_then(|options| options.packed);
    field.options = packed.map(|packed| FieldOptions { packed: Some(packed), ..Default::default() });
    // A reader derives the usual name itself.
    if field.json_name.as_deref() == Some(camel_case(field.name()).as_str()) {
        field.json_name = None;
    }
    field
}

fn bare_enum(declared: EnumDescriptorProto) -> EnumDescriptorProto {
    let alias = declared.options.as_ref().and_then(|options| options.allow_alias);
    EnumDescriptorProto {
        name: declared.name,
        value: declared
            .value
            .into_iter()
            .map(|value| EnumValueDescriptorProto { options: None, ..value })
            .collect(),
        options: alias.map(|alias| EnumOptions { allow_alias: Some(alias), ..Default::default() }),
        ..Default::default()
    }
}

/// The JSON name protobuf derives: underscores go, and the letter after one is a capital.
fn camel_case(name: &str) -> String {
    let mut upper = false;
    let mut camel = String::new();
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else {
            camel.push(if upper { letter.to_ascii_uppercase() } else { letter });
            upper = false;
        }
    }
    camel
}

/// Full names, with the leading dot, of the messages and enums a file defines.
fn types_of(file: &FileDescriptorProto) -> Vec<String> {
    fn walk(scope: &str, message: &DescriptorProto, names: &mut Vec<String>) {
        let name = format!("{scope}.{}", message.name());
        names.extend(message.enum_type.iter().map(|declared| format!("{name}.{}", declared.name())));
        for nested in &message.nested_type {
            walk(&name, nested, names);
        }
        names.push(name);
    }
    let scope = if file.package().is_empty() { String::new() } else { format!(".{}", file.package()) };
    let mut names: Vec<String> =
        file.enum_type.iter().map(|declared| format!("{scope}.{}", declared.name())).collect();
    for message in &file.message_type {
        walk(&scope, message, &mut names);
    }
    names
}

/// Full names of the types that the fields of these messages have.
fn references(messages: &[DescriptorProto]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for message in messages {
        names.extend(message.field.iter().filter_map(|field| field.type_name.clone()));
        names.extend(references(&message.nested_type));
    }
    names
}
