//! Protobuf JSON of Envoy messages, with what every `Any` holds written in place.
//!
//! Field names are printed as the protos spell them (`filter_chains`), as Envoy's documentation does; both that and
//! the camel-case spelling are read. Object keys are sorted. Durations are `"5s"`, 64-bit integers are strings, bytes
//! are base64. An `Any` of a type that is not Envoy's keeps its bytes: `{"@type": …, "value": base64}`.
//!
//! The first use unpacks a descriptor set, which costs tens of milliseconds and some megabytes for the rest of the
//! process; a process that never asks for JSON does not pay.
//!
//! Nothing is masked: a printed `Secret` shows its key.

mod parse;
mod path;
mod pool;
mod print;
#[cfg(test)]
mod tests;

use prost::{DecodeError, Message, Name};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::Value;

use crate::{Any, encode, type_url};

/// Messages may lie this deep in each other, those inside of `Any` included.
const DEEPEST: usize = 120;

/// Why a message has no JSON, or JSON no message.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The message asked for is not one of Envoy's.
    #[error("unknown message type {0:?}")]
    UnknownType(String),
    /// Bytes do not decode as the message they are said to be.
    #[error("{at}not a valid {name}: {source}", at = prefix(at))]
    Bytes {
        /// Path of the field whose bytes they are; empty for the whole.
        at: String,
        /// Full name of the message.
        name: String,
        /// What the decoder says.
        source: DecodeError,
    },
    /// A field is unknown, of the wrong type, out of range or given twice.
    #[error("{at}{problem}", at = prefix(at))]
    Field {
        /// Path of the field from the message, like `filter_chains[0].name`; empty for the whole.
        at: String,
        /// What is wrong.
        problem: String,
    },
}

fn prefix(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("{at}: ") }
}

/// JSON of a message.
pub fn print<M: Name>(message: &M) -> Result<Value, JsonError> {
    to_json(&M::full_name(), &message.encode_to_vec())
}

/// A message from JSON.
pub fn parse<M: Name + Default>(value: &Value) -> Result<M, JsonError> {
    let bytes = from_json(&M::full_name(), value)?;
    M::decode(bytes.as_slice()).map_err(|source| JsonError::Bytes {
        at: String::new(),
        name: M::full_name(),
        source,
    })
}

/// JSON of an encoded message, by its type URL or full name. Fields that the protos do not know are left out.
pub fn to_json(type_name_or_url: &str, bytes: &[u8]) -> Result<Value, JsonError> {
    let descriptor = descriptor(type_name_or_url)?;
    let name = descriptor.full_name().to_owned();
    let message = DynamicMessage::decode(descriptor, bytes).map_err(|source| JsonError::Bytes {
        at: String::new(),
        name,
        source,
    })?;
    print::message(&message, &path::Path::root())
}

/// The encoded message that JSON describes, by its type URL or full name. The same JSON gives the same bytes.
pub fn from_json(type_name_or_url: &str, value: &Value) -> Result<Vec<u8>, JsonError> {
    let message = parse::message(&descriptor(type_name_or_url)?, value, &path::Path::root())?;
    Ok(bytes(&message))
}

/// JSON of an `Any`: the fields of what it holds, and `@type`.
pub fn any_to_json(any: &Any) -> Result<Value, JsonError> {
    print(any)
}

/// An `Any` from JSON with `@type`.
pub fn any_from_json(value: &Value) -> Result<Any, JsonError> {
    parse(value)
}

fn descriptor(type_name_or_url: &str) -> Result<MessageDescriptor, JsonError> {
    pool::get()
        .get_message_by_name(type_url::message_name(type_name_or_url))
        .ok_or_else(|| JsonError::UnknownType(type_name_or_url.to_owned()))
}

fn bytes(message: &DynamicMessage) -> Vec<u8> {
    use prost_reflect::ReflectMessage;

    let mut bytes = message.encode_to_vec();
    encode::arrange(message.descriptor().full_name(), &mut bytes);
    bytes
}

/// What a message is to JSON.
enum Form {
    /// An object of its fields.
    Fields,
    Any,
    /// Its only field, in its place.
    Wrapper,
    /// `Struct`, `Value` and `ListValue`.
    Free,
    /// A string or the empty object.
    Special,
}

impl Form {
    fn of(descriptor: &MessageDescriptor) -> Self {
        match descriptor.full_name() {
            "google.protobuf.Any" => Self::Any,
            "google.protobuf.Struct" | "google.protobuf.Value" | "google.protobuf.ListValue" => Self::Free,
            "google.protobuf.BoolValue"
            | "google.protobuf.BytesValue"
            | "google.protobuf.DoubleValue"
            | "google.protobuf.FloatValue"
            | "google.protobuf.Int32Value"
            | "google.protobuf.Int64Value"
            | "google.protobuf.StringValue"
            | "google.protobuf.UInt32Value"
            | "google.protobuf.UInt64Value" => Self::Wrapper,
            "google.protobuf.Duration"
            | "google.protobuf.Empty"
            | "google.protobuf.FieldMask"
            | "google.protobuf.Timestamp" => Self::Special,
            _ => Self::Fields,
        }
    }
}
