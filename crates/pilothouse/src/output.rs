//! Where commands write: the answer to standard output, everything about it to standard error.

use std::io::{self, IsTerminal as _, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::exit::Failure;

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
    /// For machines and people.
    Yaml,
}

/// Both streams. Who stops reading has read enough: a closed pipe is no failure.
pub(crate) struct Output {
    answer: Box<dyn Write>,
    remarks: Box<dyn Write>,
}

impl Output {
    /// Those of the process.
    pub(crate) fn standard() -> Self {
        Self { answer: Box::new(io::stdout()), remarks: Box::new(io::stderr()) }
    }

    /// Whether a person reads the answer as it is written.
    pub(crate) fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Writes a part of the answer as it is.
    pub(crate) fn answer(&mut self, text: &str) {
        let _closed = self.answer.write_all(text.as_bytes()).and_then(|()| self.answer.flush());
    }

    /// Writes a remark as it is.
    pub(crate) fn remark(&mut self, text: &str) {
        let _closed = self.remarks.write_all(text.as_bytes());
    }

    /// Writes an answer for machines. The text form is the caller's.
    pub(crate) fn value(&mut self, form: Form, value: &impl Serialize) -> Result<(), Failure> {
        let text = render(form, value)?;
        self.answer(&text);
        Ok(())
    }
}

/// A value as JSON or YAML, ending in a line break.
pub(crate) fn render(form: Form, value: &impl Serialize) -> Result<String, Failure> {
    let mut text = match form {
        Form::Text | Form::Json => serde_json::to_string_pretty(value).map_err(Failure::bug)?,
        Form::Yaml => serde_saphyr::to_string(value).map_err(Failure::bug)?,
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn yaml_reads_back_as_the_same_value() {
        let value = json!({
            "yes": ["no", "on", "0755", "1e3", "null", "~", "", " x ", "a: b", "- a", "# a", "é", "*", "&a", "!a", "%", "@"],
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            "5s": { "text": "a\nb\n", "tab": "\t", "deep": [[1, -2, 0.5], [], {}, [{ "a": null }]], "quote": "\"'" },
            "long": "x".repeat(300),
        });
        let text = render(Form::Yaml, &value).unwrap();
        let back: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, value, "{text}");
    }
}
