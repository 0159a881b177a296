//! JSON to messages.

use std::collections::{BTreeSet, HashMap};

use base64::{Engine, prelude::BASE64_STANDARD};
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value as Field,
};
use serde_json::{Map, Value};

use super::{DEEPEST, Form, JsonError, bytes, path::Path, pool};
use crate::type_url;

/// The message that a JSON value describes.
pub(super) fn message(
    descriptor: &MessageDescriptor,
    value: &Value,
    at: &Path<'_>,
) -> Result<DynamicMessage, JsonError> {
    at.check_depth()?;
    match Form::of(descriptor) {
        Form::Fields => fields(descriptor, as_object(value, at)?, at),
        Form::Any => any(descriptor, as_object(value, at)?, at),
        Form::Free | Form::Wrapper | Form::Special => well_known(descriptor, value, at),
    }
}

fn fields(
    descriptor: &MessageDescriptor,
    values: &Map<String, Value>,
    at: &Path<'_>,
) -> Result<DynamicMessage, JsonError> {
    let mut message = DynamicMessage::new(descriptor.clone());
    let mut given = BTreeSet::new();
    for (name, value) in values {
        let at = at.field(name);
        let field = descriptor
            .get_field_by_name(name)
            .or_else(|| descriptor.get_field_by_json_name(name))
            .ok_or_else(|| at.wrong(format_args!("unknown field of {}", descriptor.full_name())))?;
        if value.is_null() && !takes_null(&field.kind()) {
            continue;
        }
        if !given.insert(field.number()) {
            return Err(at.wrong("given twice, in two spellings"));
        }
        if let Some(choice) = field.containing_oneof()
            && let Some(other) =
                choice.fields().find(|other| *other != field && given.contains(&other.number()))
        {
            return Err(at.wrong(format_args!("cannot stand beside {}", other.name())));
        }
        let value = one_field(&field, value, &at)?;
        message.try_set_field(&field, value).map_err(|error| at.wrong(error))?;
    }
    Ok(message)
}

/// Everywhere else `null` means that the field is absent.
fn takes_null(kind: &Kind) -> bool {
    match kind {
        Kind::Message(descriptor) => descriptor.full_name() == "google.protobuf.Value",
        Kind::Enum(descriptor) => descriptor.full_name() == "google.protobuf.NullValue",
        _ => false,
    }
}

fn one_field(field: &FieldDescriptor, value: &Value, at: &Path<'_>) -> Result<Field, JsonError> {
    let kind = field.kind();
    if field.is_list() {
        let values = value.as_array().ok_or_else(|| at.wrong("must be a list"))?;
        let values = values.iter().enumerate().map(|(index, value)| single(&kind, value, &at.index(index)));
        return Ok(Field::List(values.collect::<Result<_, _>>()?));
    }
    if field.is_map()
        && let Kind::Message(entry) = &kind
    {
        let (keys, values) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
        let mut entries = HashMap::new();
        for (name, value) in as_object(value, at)? {
            let at = at.key(name);
            entries.insert(map_key(&keys, name, &at)?, single(&values, value, &at)?);
        }
        return Ok(Field::Map(entries));
    }
    single(&kind, value, at)
}

fn map_key(kind: &Kind, key: &str, at: &Path<'_>) -> Result<MapKey, JsonError> {
    let parsed = match kind {
        Kind::String => return Ok(MapKey::String(key.to_owned())),
        Kind::Bool => key.parse().ok().map(MapKey::Bool),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => key.parse().ok().map(MapKey::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => key.parse().ok().map(MapKey::I64),
        Kind::Uint32 | Kind::Fixed32 => key.parse().ok().map(MapKey::U32),
        Kind::Uint64 | Kind::Fixed64 => key.parse().ok().map(MapKey::U64),
        Kind::Double | Kind::Float | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) => None,
    };
    parsed.ok_or_else(|| at.wrong(format_args!("the key must be of type {kind:?}")))
}

fn single(kind: &Kind, value: &Value, at: &Path<'_>) -> Result<Field, JsonError> {
    let wrapper = match kind {
        Kind::Message(descriptor) => return message(descriptor, value, at).map(Field::Message),
        Kind::Enum(descriptor) => return enumerated(descriptor, value, at).map(Field::EnumNumber),
        Kind::Bool => "google.protobuf.BoolValue",
        Kind::Bytes => "google.protobuf.BytesValue",
        Kind::Double => "google.protobuf.DoubleValue",
        Kind::Float => "google.protobuf.FloatValue",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "google.protobuf.Int32Value",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "google.protobuf.Int64Value",
        Kind::String => "google.protobuf.StringValue",
        Kind::Uint32 | Kind::Fixed32 => "google.protobuf.UInt32Value",
        Kind::Uint64 | Kind::Fixed64 => "google.protobuf.UInt64Value",
    };
    // The library reads scalars only as part of a message; the wrapper of the same type is the smallest one.
    let wrapper =
        pool::get().get_message_by_name(wrapper).ok_or_else(|| at.wrong("a type without a wrapper"))?;
    let read = well_known(&wrapper, value, at)?;
    let inner = wrapper.get_field(1).ok_or_else(|| at.wrong("a wrapper without a value"))?;
    Ok(read.get_field(&inner).into_owned())
}

fn enumerated(descriptor: &EnumDescriptor, value: &Value, at: &Path<'_>) -> Result<i32, JsonError> {
    match value {
        Value::Null if descriptor.full_name() == "google.protobuf.NullValue" => Ok(0),
        Value::String(name) => descriptor
            .get_value_by_name(name)
            .map(|value| value.number())
            .ok_or_else(|| at.wrong(format_args!("{name:?} is not a value of {}", descriptor.full_name()))),
        Value::Number(number) => number
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
            .ok_or_else(|| at.wrong("must be a whole number of 32 bits")),
        _ => Err(at.wrong(format_args!("must be the name of a value of {}", descriptor.full_name()))),
    }
}

fn any(
    descriptor: &MessageDescriptor,
    values: &Map<String, Value>,
    at: &Path<'_>,
) -> Result<DynamicMessage, JsonError> {
    let mut message = DynamicMessage::new(descriptor.clone());
    if values.is_empty() {
        return Ok(message);
    }
    let url = values
        .get("@type")
        .and_then(Value::as_str)
        .ok_or_else(|| at.wrong("needs \"@type\" with the type URL of what it holds"))?;
    if !url.contains('/') {
        return Err(at.wrong(format_args!(
            "@type {url:?} is not a type URL: write {:?}",
            format!("{}{url}", type_url::PREFIX)
        )));
    }
    let rest: Map<String, Value> = values
        .iter()
        .filter(|(name, _)| *name != "@type")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let name = type_url::message_name(url);
    let held = match pool::get().get_message_by_name(name) {
        Some(held) if matches!(Form::of(&held), Form::Fields) => bytes(&fields(&held, &rest, at)?),
        Some(held) => bytes(&self::message(&held, only_value(&rest, at)?, &at.field("value"))?),
        None => only_value(&rest, at)
            .ok()
            .and_then(Value::as_str)
            .and_then(|text| BASE64_STANDARD.decode(text).ok())
            .ok_or_else(|| {
                at.wrong(format_args!(
                    "unknown message type {name:?}; only its bytes can be given, as base64 in \"value\""
                ))
            })?,
    };
    for (name, value) in [("type_url", Field::String(url.to_owned())), ("value", Field::Bytes(held.into()))] {
        message.try_set_field_by_name(name, value).map_err(|error| at.wrong(error))?;
    }
    Ok(message)
}

/// The value beside `@type` of a message that is no object.
fn only_value<'v>(rest: &'v Map<String, Value>, at: &Path<'_>) -> Result<&'v Value, JsonError> {
    match rest.iter().find(|(name, _)| *name != "value") {
        Some((other, _)) => Err(at.field(other).wrong("only \"value\" may stand beside this @type")),
        None => rest.get("value").ok_or_else(|| at.wrong("needs \"value\" beside this @type")),
    }
}

fn well_known(
    descriptor: &MessageDescriptor,
    value: &Value,
    at: &Path<'_>,
) -> Result<DynamicMessage, JsonError> {
    if deeper_than(value, DEEPEST) {
        return Err(at.wrong(format_args!("lies more than {DEEPEST} deep")));
    }
    DynamicMessage::deserialize(descriptor.clone(), value).map_err(|error| at.wrong(error))
}

fn deeper_than(value: &Value, most: usize) -> bool {
    let Some(most) = most.checked_sub(1) else { return true };
    match value {
        Value::Array(values) => values.iter().any(|value| deeper_than(value, most)),
        Value::Object(values) => values.values().any(|value| deeper_than(value, most)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn as_object<'v>(value: &'v Value, at: &Path<'_>) -> Result<&'v Map<String, Value>, JsonError> {
    value.as_object().ok_or_else(|| at.wrong("must be an object"))
}
