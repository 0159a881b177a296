//! What decoding could not read, as findings.

use pilothouse_api::{DecodeError, Unread, UnreadReason};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{Judgement, Outcome, other_kinds};

/// Reports fields that nobody read; `below` is what their paths start with, dot included.
pub(super) fn report(unread: &[Unread], below: &str, out: &mut Diagnostics) {
    for Unread { path, reason } in unread {
        let at = FieldPath::parse(&format!("{below}{path}"));
        match reason {
            UnreadReason::Unknown(instead) => {
                let name = last_word(path);
                out.report(catalogue::UNKNOWN_FIELD, &at)
                    .effect("the field has no effect")
                    .help_closest(name, instead.iter().copied());
            }
            UnreadReason::Unsupported => {
                out.report(catalogue::UNSUPPORTED_FIELD, &at)
                    .effect("the field has no effect; the rest of the object applies");
            }
            UnreadReason::Ineffective => {
                out.report(catalogue::INEFFECTIVE_FIELD, &at).help("remove it");
            }
        }
    }
}

/// The findings about something that is no object of ours.
pub(super) fn refuse(error: &DecodeError) -> Judgement {
    let (outcome, mut out) = match error {
        DecodeError::WrongShape { key, .. } => {
            (Outcome::Undecodable(key.clone()), Diagnostics::about(key.clone()))
        }
        _ => (Outcome::Foreign, Diagnostics::default()),
    };
    match error {
        DecodeError::NotAnObject { field } => {
            out.report(catalogue::NOT_AN_OBJECT, &FieldPath::parse(field))
                .detail(format_args!("{field} is missing or is not text"))
                .effect("the document has no effect");
        }
        DecodeError::TooLarge => {
            out.report(catalogue::WRONG_SHAPE, &FieldPath::root())
                .detail(error)
                .effect("the document has no effect");
        }
        DecodeError::OtherKind { api_version, kind, name, namespace } => {
            other_kinds::report(api_version, kind, namespace, name, &mut out);
        }
        DecodeError::WrongShape { path, message, .. } => {
            out.report(catalogue::WRONG_SHAPE, &FieldPath::parse(path)).detail(message).effect(
                "the object is not taken over; its last good version, if there is one, stays in force",
            );
        }
    }
    Judgement { outcome, diagnostics: out }
}

/// The last field name of a path.
fn last_word(path: &str) -> &str {
    path.trim_end_matches("\"]").rsplit(['.', '"']).next().unwrap_or_default()
}
