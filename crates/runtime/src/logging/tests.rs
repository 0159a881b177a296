use super::*;
use std::sync::{Arc, Mutex};
use tracing::{debug, info};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log(form: Form, filter: &str) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = subscriber(form, filter, false, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        info!(proxy = "cart.shop", "connected");
        debug!("details");
    });
    lines.text()
}

#[test]
fn text_is_one_plain_line_per_event_that_passes() {
    let text = log(Form::Text, "info");
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains("connected") && text.contains("cart.shop") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(log(Form::Text, "debug").lines().count(), 2);
}

#[test]
fn json_is_one_object_per_line() {
    let line: serde_json::Value = serde_json::from_str(&log(Form::Json, "info")).unwrap();
    assert_eq!(line["message"], "connected");
    assert_eq!(line["proxy"], "cart.shop");
    assert_eq!(line["level"], "INFO");
}

#[test]
fn a_filter_that_makes_no_sense_is_refused_with_an_example() {
    let Err(error) = subscriber(Form::Text, "info,,=x=y", false, io::sink) else { panic!("it was taken") };
    assert!(error.to_string().contains("an example is"), "{error}");
}
