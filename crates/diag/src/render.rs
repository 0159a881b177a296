//! Renderings of findings: text for terminals and JSON for machines. The words are the same because the value is.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{Diagnostic, Severity};

/// The text of one finding, several lines, ending in a newline.
pub fn text(one: &Diagnostic) -> String {
    let mut out = String::new();
    let severity = one.severity().as_str();
    let detail = one.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let _ = writeln!(out, "{severity}[{}]: {}{detail}", one.code.id, one.code.title);
    if let Some(object) = &one.object {
        let _ = writeln!(out, "  object: {object}");
    }
    if let Some(place) = &one.place {
        let _ = writeln!(out, "  at:     {place}");
    }
    match (&one.field.as_str().is_empty(), &one.value) {
        (false, Some(value)) => {
            let _ = writeln!(out, "  field:  {}: {value:?}", one.field);
        }
        (false, None) => {
            let _ = writeln!(out, "  field:  {}", one.field);
        }
        (true, Some(value)) => {
            let _ = writeln!(out, "  value:  {value:?}");
        }
        (true, None) => {}
    }
    for (label, line) in [("read as:", &one.read_as), ("effect:", &one.effect), ("help:", &one.help)] {
        if let Some(line) = line {
            let _ = writeln!(out, "  {label:<7} {line}");
        }
    }
    out
}

/// One line per severity, such as `2 errors, 1 warning`; empty without findings.
pub fn summary(list: &[Diagnostic]) -> String {
    [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter_map(|severity| {
            let count = list.iter().filter(|one| one.severity() == severity).count();
            let plural = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {}{plural}", severity.as_str()))
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// The JSON shape of one finding.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Json<'d> {
    code: &'static str,
    severity: &'static str,
    title: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'d pilothouse_base::ObjectKey>,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'d str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'d crate::Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_as: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'d str>,
}

impl<'d> From<&'d Diagnostic> for Json<'d> {
    fn from(one: &'d Diagnostic) -> Self {
        let Diagnostic { code, object, field, place, detail, value, read_as, effect, help } = one;
        Self {
            code: code.id,
            severity: code.severity.as_str(),
            title: code.title,
            object: object.as_ref(),
            field: field.as_str(),
            place: place.as_ref(),
            detail: detail.as_deref(),
            value: value.as_deref(),
            read_as: read_as.as_deref(),
            effect: effect.as_deref(),
            help: help.as_deref(),
        }
    }
}
