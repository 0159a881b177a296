//! `explain`: what a code means.

use clap::Args;
use pilothouse_diag::{Code, catalogue, closest};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::{Form, Output};

/// Says what the code of a finding means.
///
/// Without a code it lists all.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  pilothouse explain PH0201")]
pub(crate) struct Arguments {
    /// The code, such as PH0201
    code: Option<String>,
    /// The form of the answer
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

#[derive(Serialize)]
struct Entry {
    code: &'static str,
    severity: &'static str,
    title: &'static str,
    meaning: &'static str,
}

impl From<&'static Code> for Entry {
    fn from(code: &'static Code) -> Self {
        Self { code: code.id, severity: code.severity.as_str(), title: code.title, meaning: code.meaning }
    }
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let Arguments { code, output: form } = arguments;
    let Some(written) = code else {
        let all: Vec<Entry> = catalogue::ALL.iter().copied().map(Entry::from).collect();
        if *form == Form::Text {
            for Entry { code, severity, title, .. } in all {
                output.answer(&format!("{code}  {severity:<7}  {title}\n"));
            }
        } else {
            output.value(*form, &all)?;
        }
        return Ok(Exit::Fine);
    };
    let wanted = written.to_ascii_uppercase();
    let Some(code) = catalogue::ALL.iter().copied().find(|code| code.id == wanted) else {
        let near = closest(&wanted, catalogue::ALL.iter().map(|code| code.id));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(Failure::not_found(format_args!("there is no code {written:?}{hint}")));
    };
    let entry = Entry::from(code);
    if *form == Form::Text {
        let Entry { code, severity, title, meaning } = entry;
        output.answer(&format!("{code}: {severity}: {title}\n\n{meaning}\n"));
    } else {
        output.value(*form, &entry)?;
    }
    Ok(Exit::Fine)
}
