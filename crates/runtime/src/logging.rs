//! What the operator reads: one line per event, for people or for machines.
//!
//! The filter and the form are handed in; nothing here looks at the environment. Logs go to standard error, so that standard output
//! stays what a command was asked to print.

use std::io;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;

#[cfg(test)]
mod tests;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Logging could not be set up; waiting does not help.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not understood.
    #[error("the log filter {filter:?} is not understood; an example is \"info,pilothouse_serve=debug\"")]
    Filter {
        /// What was handed in.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Logging was set up before in this process.
    #[error("logging is already set up")]
    AlreadySet,
}

/// Sends all events of this process that pass the filter to standard error. Colours are used on a terminal only.
pub fn start(form: Form, filter: &str) -> Result<(), LoggingError> {
    let colours = io::IsTerminal::is_terminal(&io::stderr());
    let subscriber = subscriber(form, filter, colours, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LoggingError::AlreadySet)
}

/// As [`start`], writing to any writer and without touching the process: for tests, with `tracing::subscriber::with_default`.
pub fn subscriber<W>(
    form: Form,
    filter: &str,
    colours: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let parsed = EnvFilter::builder()
        .parse(filter)
        .map_err(|source| LoggingError::Filter { filter: filter.to_owned(), source })?;
    let lines = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(writer).with_ansi(colours);
    Ok(match form {
        Form::Text => Box::new(lines.finish()),
        Form::Json => Box::new(lines.json().flatten_event(true).finish()),
    })
}
