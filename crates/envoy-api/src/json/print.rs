//! Messages to JSON.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value as Field};
use prost_types::value::Kind as Free;
use serde_json::{Number, Value};

use super::{Form, JsonError, path::Path, pool};
use crate::type_url;

/// The JSON of one message.
pub(super) fn message(message: &DynamicMessage, at: &Path<'_>) -> Result<Value, JsonError> {
    at.check_depth()?;
    match Form::of(&message.descriptor()) {
        Form::Fields => Ok(object(fields(message, at)?)),
        Form::Any => any(message, at),
        Form::Wrapper => {
            let field =
                message.descriptor().get_field(1).ok_or_else(|| at.wrong("a wrapper without a value"))?;
            single(&message.get_field(&field), &field.kind(), at)
        }
        Form::Free => {
            let value = match message.descriptor().name() {
                "Struct" => Free::StructValue(transcode(message, at)?),
                "ListValue" => Free::ListValue(transcode(message, at)?),
                _ => return free(&transcode::<prost_types::Value>(message, at)?, at),
            };
            free(&prost_types::Value { kind: Some(value) }, at)
        }
        Form::Special => message
            .serialize_with_options(serde_json::value::Serializer, &prost_reflect::SerializeOptions::new())
            .map_err(|error| at.wrong(error)),
    }
}

fn fields(message: &DynamicMessage, at: &Path<'_>) -> Result<BTreeMap<String, Value>, JsonError> {
    message
        .fields()
        .map(|(field, value)| {
            Ok((field.name().to_owned(), one_field(value, &field, &at.field(field.name()))?))
        })
        .collect()
}

fn one_field(value: &Field, field: &FieldDescriptor, at: &Path<'_>) -> Result<Value, JsonError> {
    let kind = field.kind();
    match value {
        Field::List(values) => {
            let values =
                values.iter().enumerate().map(|(index, value)| single(value, &kind, &at.index(index)));
            Ok(Value::Array(values.collect::<Result<_, _>>()?))
        }
        Field::Map(entries) => {
            let Kind::Message(entry) = &kind else { return Err(at.wrong("a map without entries")) };
            let kind = entry.map_entry_value_field().kind();
            let entries = entries.iter().map(|(key, value)| {
                let key = match key {
                    MapKey::Bool(key) => key.to_string(),
                    MapKey::I32(key) => key.to_string(),
                    MapKey::I64(key) => key.to_string(),
                    MapKey::U32(key) => key.to_string(),
                    MapKey::U64(key) => key.to_string(),
                    MapKey::String(key) => key.clone(),
                };
                let value = single(value, &kind, &at.key(&key))?;
                Ok((key, value))
            });
            Ok(object(entries.collect::<Result<_, JsonError>>()?))
        }
        single_value => single(single_value, &kind, at),
    }
}

fn single(value: &Field, kind: &Kind, at: &Path<'_>) -> Result<Value, JsonError> {
    Ok(match value {
        Field::Bool(value) => Value::Bool(*value),
        Field::I32(value) => Value::from(*value),
        Field::U32(value) => Value::from(*value),
        // A JSON number is a double for many readers, which would round these.
        Field::I64(value) => Value::String(value.to_string()),
        Field::U64(value) => Value::String(value.to_string()),
        // The shortest digits that mean this float, not those of the double nearest to it.
        Field::F32(value) => value.to_string().parse().map_or(Value::Null, double),
        Field::F64(value) => double(*value),
        Field::String(value) => Value::String(value.clone()),
        Field::Bytes(value) => Value::String(BASE64_STANDARD.encode(value)),
        Field::EnumNumber(number) => match kind {
            Kind::Enum(declared) if declared.full_name() == "google.protobuf.NullValue" => Value::Null,
            Kind::Enum(declared) => declared
                .get_value(*number)
                .map_or(Value::from(*number), |value| Value::String(value.name().to_owned())),
            _ => Value::from(*number),
        },
        Field::Message(inner) => message(inner, at)?,
        Field::List(_) | Field::Map(_) => return Err(at.wrong("a list where one value belongs")),
    })
}

fn any(any: &DynamicMessage, at: &Path<'_>) -> Result<Value, JsonError> {
    let prost_types::Any { type_url, value } = transcode(any, at)?;
    if type_url.is_empty() && value.is_empty() {
        return Ok(object(BTreeMap::new()));
    }
    let name = type_url::message_name(&type_url);
    let mut printed = match pool::get().get_message_by_name(name) {
        None => BTreeMap::from([("value".to_owned(), Value::String(BASE64_STANDARD.encode(&value)))]),
        Some(descriptor) => {
            let form = Form::of(&descriptor);
            let held = DynamicMessage::decode(descriptor, value.as_slice())
                .map_err(|source| JsonError::Bytes { at: at.to_string(), name: name.to_owned(), source })?;
            match form {
                Form::Fields => fields(&held, at)?,
                _ => BTreeMap::from([("value".to_owned(), message(&held, &at.field("value"))?)]),
            }
        }
    };
    printed.insert("@type".to_owned(), Value::String(type_url));
    Ok(object(printed))
}

fn free(value: &prost_types::Value, at: &Path<'_>) -> Result<Value, JsonError> {
    Ok(match &value.kind {
        None | Some(Free::NullValue(_)) => Value::Null,
        Some(Free::BoolValue(value)) => Value::Bool(*value),
        Some(Free::NumberValue(value)) if value.is_finite() => double(*value),
        Some(Free::NumberValue(value)) => return Err(at.wrong(format_args!("{value} has no JSON here"))),
        Some(Free::StringValue(value)) => Value::String(value.clone()),
        Some(Free::ListValue(list)) => {
            let values = list.values.iter().enumerate().map(|(index, value)| free(value, &at.index(index)));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        Some(Free::StructValue(held)) => {
            let entries =
                held.fields.iter().map(|(key, value)| Ok((key.clone(), free(value, &at.key(key))?)));
            object(entries.collect::<Result<_, JsonError>>()?)
        }
    })
}

/// A whole number without a fraction, as protobuf writes it; what is not finite as protobuf's words for it.
fn double(value: f64) -> Value {
    // Up to here every whole number is a double of its own.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if value.is_nan() {
        return Value::String("NaN".to_owned());
    }
    if value.is_infinite() {
        return Value::String(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned());
    }
    if value.fract() == 0.0 && value.abs() < WHOLE && !(value == 0.0 && value.is_sign_negative()) {
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn transcode<M: prost::Message + Default>(message: &DynamicMessage, at: &Path<'_>) -> Result<M, JsonError> {
    message.transcode_to().map_err(|source| JsonError::Bytes {
        at: at.to_string(),
        name: message.descriptor().full_name().to_owned(),
        source,
    })
}

/// Keys in order, whichever map serde_json is built with.
fn object(entries: BTreeMap<String, Value>) -> Value {
    Value::Object(entries.into_iter().collect())
}
