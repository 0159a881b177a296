//! One finding, and the collector that findings go to.

use std::fmt;

use pilothouse_base::ObjectKey;
use serde::Serialize;

use crate::{Code, FieldPath, Origin, Place, Severity, closest};

/// One finding about a user's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of finding.
    pub code: &'static Code,
    /// The object it is about; none if a file holds no readable object.
    pub object: Option<ObjectKey>,
    /// The field it is about.
    pub field: FieldPath,
    /// Where that was written.
    pub place: Option<Place>,
    /// What was wrong with it, when the title of the code does not say it all.
    pub detail: Option<String>,
    /// What was written there.
    pub value: Option<String>,
    /// What we took it for.
    pub read_as: Option<String>,
    /// What happens to traffic.
    pub effect: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding with nothing but its code; the rest is added by the methods below.
    pub fn new(code: &'static Code, object: Option<ObjectKey>, field: FieldPath) -> Self {
        Self {
            code,
            object,
            field,
            place: None,
            detail: None,
            value: None,
            read_as: None,
            effect: None,
            help: None,
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity
    }

    /// Says more than the title does.
    pub fn detail(&mut self, text: impl fmt::Display) -> &mut Self {
        self.detail = Some(text.to_string());
        self
    }

    /// Quotes what was written, cut to a length a terminal can show.
    pub fn value(&mut self, text: impl fmt::Display) -> &mut Self {
        let text = text.to_string();
        self.value = Some(match text.char_indices().nth(200) {
            Some((cut, _)) => format!("{}…", &text[..cut]),
            None => text,
        });
        self
    }

    /// Says what we took it for.
    pub fn read_as(&mut self, text: impl fmt::Display) -> &mut Self {
        self.read_as = Some(text.to_string());
        self
    }

    /// Says what happens to traffic.
    pub fn effect(&mut self, text: impl fmt::Display) -> &mut Self {
        self.effect = Some(text.to_string());
        self
    }

    /// Says what to do.
    pub fn help(&mut self, text: impl fmt::Display) -> &mut Self {
        self.help = Some(text.to_string());
        self
    }

    /// Suggests the closest of the allowed words, if one is close.
    pub fn help_closest<'c>(
        &mut self,
        written: &str,
        allowed: impl IntoIterator<Item = &'c str>,
    ) -> &mut Self {
        if let Some(near) = closest(written, allowed) {
            self.help = Some(format!("did you mean \"{near}\"?"));
        }
        self
    }

    /// What findings are ordered by: where they are, then what they are.
    fn order(&self) -> impl Ord + '_ {
        (&self.object, &self.place, &self.field, self.code.id, &self.value, &self.detail)
    }
}

impl Serialize for Diagnostic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::render::Json::from(self).serialize(serializer)
    }
}

/// Collects the findings about one object.
#[derive(Debug, Default)]
pub struct Diagnostics {
    object: Option<ObjectKey>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Collects for an object.
    pub fn about(object: ObjectKey) -> Self {
        Self { object: Some(object), list: Vec::new() }
    }

    /// Adds a finding; the returned entry is completed by its methods.
    pub fn report(&mut self, code: &'static Code, field: &FieldPath) -> &mut Diagnostic {
        self.list.push(Diagnostic::new(code, self.object.clone(), field.clone()));
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// Adds findings that were made elsewhere.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        self.list.extend(more);
    }

    /// The object that findings are about.
    pub fn object(&self) -> Option<&ObjectKey> {
        self.object.as_ref()
    }

    /// Whether a finding is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|one| one.severity() == Severity::Error)
    }

    /// The findings so far.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The findings in a stable order, with their places filled in from where the object was written.
    pub fn finish(mut self, origin: Option<&Origin>) -> Vec<Diagnostic> {
        if let Some(origin) = origin {
            for one in &mut self.list {
                if one.place.is_none() {
                    one.place = origin.place(&one.field);
                }
            }
        }
        sort(&mut self.list);
        self.list
    }
}

/// Puts findings in their stable order and drops exact repetitions.
pub(crate) fn sort(list: &mut Vec<Diagnostic>) {
    list.sort_by(|a, b| a.order().cmp(&b.order()));
    list.dedup();
}
