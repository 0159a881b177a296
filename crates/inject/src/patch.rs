//! The difference of two values as a JSON patch (RFC 6902).

use serde_json::{Value, json};

/// The operations that make `new` of `old`. Lists keep what is equal at their beginning and end; what lies between is
/// changed entry by entry.
pub fn diff(old: &Value, new: &Value) -> Vec<Value> {
    let mut operations = Vec::new();
    compare(old, new, &mut String::new(), &mut operations);
    operations
}

fn compare(old: &Value, new: &Value, path: &mut String, out: &mut Vec<Value>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(old), Value::Object(new)) => {
            for (field, value) in old {
                below(path, field, |path| match new.get(field) {
                    Some(new) => compare(value, new, path, out),
                    None => out.push(json!({"op": "remove", "path": path})),
                });
            }
            for (field, value) in new.iter().filter(|(field, _)| !old.contains_key(*field)) {
                below(path, field, |path| out.push(json!({"op": "add", "path": path, "value": value})));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
            let (old, new) = (&old[same..], &new[same..]);
            let end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
            let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
            let both = old.len().min(new.len());
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                below(path, &(same + index).to_string(), |path| compare(old, new, path, out));
            }
            // From the back, so that what is still to be removed keeps its place.
            for index in (both..old.len()).rev() {
                below(path, &(same + index).to_string(), |path| {
                    out.push(json!({"op": "remove", "path": path}));
                });
            }
            for (index, value) in new.iter().enumerate().skip(both) {
                below(path, &(same + index).to_string(), |path| {
                    out.push(json!({"op": "add", "path": path, "value": value}));
                });
            }
        }
        _ => out.push(json!({"op": "replace", "path": path, "value": new})),
    }
}

/// Goes one step down and comes back.
fn below(path: &mut String, field: &str, work: impl FnOnce(&mut String)) {
    let before = path.len();
    path.push('/');
    path.push_str(&field.replace('~', "~0").replace('/', "~1"));
    work(path);
    path.truncate(before);
}

#[cfg(test)]
pub(crate) mod tests;
