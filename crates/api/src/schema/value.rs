//! Building blocks: the schema of a value, with its description and bounds.

use serde_json::{Map, Value, json};

/// The schema of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Schema(Map<String, Value>);

impl Schema {
    fn of(kind: &str, doc: &str) -> Self {
        let mut map = Map::new();
        if !doc.is_empty() {
            map.insert("description".to_owned(), doc.into());
        }
        map.insert("type".to_owned(), kind.into());
        Self(map)
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// What an API server is given.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// `null` may stand for "not set": what protobuf calls a wrapper.
    pub(super) fn nullable(self) -> Self {
        self.with("nullable", true)
    }

    /// How many characters a text may have.
    pub(super) fn length(self, least: u64, most: impl Into<Option<u64>>) -> Self {
        self.bounded("minLength", "maxLength", least, most.into())
    }

    /// How many entries a list may have.
    pub(super) fn items(self, least: u64, most: impl Into<Option<u64>>) -> Self {
        self.bounded("minItems", "maxItems", least, most.into())
    }

    /// How many entries a map may have.
    pub(super) fn entries(self, least: u64, most: impl Into<Option<u64>>) -> Self {
        self.bounded("minProperties", "maxProperties", least, most.into())
    }

    fn bounded(self, lower: &str, upper: &str, least: u64, most: Option<u64>) -> Self {
        let bounded = if least > 0 { self.with(lower, least) } else { self };
        match most {
            Some(most) => bounded.with(upper, most),
            None => bounded,
        }
    }

    /// The least number.
    pub(super) fn at_least(self, least: u64) -> Self {
        self.with("minimum", least)
    }

    /// The greatest number.
    pub(super) fn at_most(self, most: u64) -> Self {
        self.with("maximum", most)
    }

    /// A regular expression that the text must match somewhere.
    pub(super) fn pattern(self, pattern: &str) -> Self {
        self.with("pattern", pattern)
    }

    /// An expression that must hold, and what is said when it does not.
    pub(super) fn rule(mut self, rule: &str, message: &str) -> Self {
        let rules = self.0.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
        if let Value::Array(rules) = rules {
            rules.push(json!({ "rule": rule, "message": message }));
        }
        self
    }

    /// Fields that must be there.
    pub(super) fn required<const N: usize>(self, fields: [&str; N]) -> Self {
        self.with("required", fields.to_vec())
    }

    /// At most one of these fields may be there.
    pub(super) fn one_of<const N: usize>(mut self, fields: [&str; N]) -> Self {
        let alone: Vec<Value> = fields.iter().map(|field| json!({ "required": [field] })).collect();
        let mut branches = vec![json!({ "not": { "anyOf": alone } })];
        branches.extend(alone);
        // A second group stands beside the first.
        let Some(first) = self.0.remove("oneOf") else {
            return self.with("oneOf", branches);
        };
        self.with("allOf", json!([{ "oneOf": first }, { "oneOf": branches }]))
    }

    /// Unknown fields are kept.
    pub(super) fn open(self) -> Self {
        self.with("x-kubernetes-preserve-unknown-fields", true)
    }

    /// Entries of the list are told apart by a field.
    pub(super) fn keyed_by(self, field: &str) -> Self {
        self.with("x-kubernetes-list-type", "map").with("x-kubernetes-list-map-keys", json!([field]))
    }
}

/// A text.
pub(super) fn text(doc: &str) -> Schema {
    Schema::of("string", doc)
}

/// True or false.
pub(super) fn boolean(doc: &str) -> Schema {
    Schema::of("boolean", doc)
}

/// A whole number of 32 bits.
pub(super) fn int32(doc: &str) -> Schema {
    Schema::of("integer", doc).with("format", "int32")
}

/// A whole number of 32 bits that is not negative.
pub(super) fn uint32(doc: &str) -> Schema {
    Schema::of("integer", doc).at_least(0).at_most(u64::from(u32::MAX))
}

/// A whole number of 64 bits that is not negative.
pub(super) fn uint64(doc: &str) -> Schema {
    Schema::of("integer", doc).at_least(0)
}

/// A number.
pub(super) fn double(doc: &str) -> Schema {
    Schema::of("number", doc).with("format", "double")
}

/// Bytes in base64.
pub(super) fn bytes(doc: &str) -> Schema {
    Schema::of("string", doc).with("format", "byte")
}

/// An instant.
pub(super) fn instant(doc: &str) -> Schema {
    Schema::of("string", doc).with("format", "date-time")
}

/// A length of time, zero allowed.
pub(super) fn any_duration(doc: &str) -> Schema {
    Schema::of("string", doc)
}

/// A length of time of a millisecond or more.
pub(super) fn duration(doc: &str) -> Schema {
    any_duration(doc).rule(
        "duration(self) >= duration('1ms')",
        "must be a duration of at least 1ms, such as 500ms or 1h30m",
    )
}

/// One of these words; the first means the same as none.
pub(super) fn word<const N: usize>(doc: &str, words: [&str; N]) -> Schema {
    Schema::of("string", doc).with("enum", words.to_vec())
}

/// A list.
pub(super) fn list(doc: &str, item: Schema) -> Schema {
    Schema::of("array", doc).with("items", item.into_value())
}

/// A list of texts.
pub(super) fn texts(doc: &str) -> Schema {
    list(doc, text(""))
}

/// A map with free keys.
pub(super) fn map(doc: &str, value: Schema) -> Schema {
    Schema::of("object", doc).with("additionalProperties", value.into_value())
}

/// A map of texts.
pub(super) fn text_map(doc: &str) -> Schema {
    map(doc, text(""))
}

/// An object with these fields.
pub(super) fn object<const N: usize>(doc: &str, fields: [(&str, Schema); N]) -> Schema {
    let properties: Map<String, Value> =
        fields.into_iter().map(|(name, schema)| (name.to_owned(), schema.into_value())).collect();
    Schema::of("object", doc).with("properties", properties)
}

/// An object that may hold anything.
pub(super) fn anything(doc: &str) -> Schema {
    Schema::of("object", doc).open()
}

/// A whole number that may be written as text, as protobuf writes numbers of 64 bits.
pub(super) fn int_or_text(doc: &str) -> Schema {
    let mut schema = Schema::of("integer", doc);
    schema.0.remove("type");
    let either = json!([{ "type": "integer" }, { "type": "string" }]);
    schema.with("anyOf", either).with("x-kubernetes-int-or-string", true)
}
