//! From the text of a file to judged objects.

use std::sync::Arc;

use pilothouse_api::WorkloadTemplate;
use pilothouse_base::{Kind, ObjectKey};
use pilothouse_config::{CheckSettings, Outcome, judge};
use pilothouse_diag::{Diagnostic, Diagnostics, FieldPath, Origin, Place, catalogue};
use serde_json::Value;

use crate::yaml::{self, Budget, Content, Node, Position, Read, YamlError};

/// One object of a file.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// Where it was written.
    pub(crate) origin: Arc<Origin>,
    /// What there is to say about it.
    pub(crate) findings: Vec<Diagnostic>,
}

/// What identifies an entry among all of a folder: two workload kinds of one name are two things.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) key: ObjectKey,
    pub(crate) workload: Option<&'static str>,
}

impl Entry {
    /// Its identity, if it is an object of ours.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match &self.outcome {
            Outcome::Object(key, _) | Outcome::Nothing(key) | Outcome::Undecodable(key) => {
                Some(Identity { key: key.clone(), workload: None })
            }
            Outcome::Workload(template) => {
                Some(Identity { key: pod_key(template), workload: Some(template.kind) })
            }
            Outcome::Foreign => None,
        }
    }
}

/// The name of the pod that stands for a workload.
pub(crate) fn pod_key(workload: &WorkloadTemplate) -> ObjectKey {
    let namespace = workload.metadata.namespace.as_deref().filter(|text| !text.is_empty());
    let name = workload.metadata.name.as_deref().unwrap_or_default();
    ObjectKey::new(Kind::Pod, namespace.unwrap_or("default"), name)
}

/// The objects of a file, or why it cannot be read.
pub(crate) fn read(
    file: &Arc<str>,
    bytes: &[u8],
    settings: &CheckSettings,
) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        let at = Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 };
        Box::new(unreadable(file, Some(at), "the text is not UTF-8"))
    })?;
    let broken = |error: YamlError| {
        let mut finding = unreadable(file, Some(error.at), &error.message);
        if text.contains("{{") {
            finding.help("this looks like a template; give the rendered manifests");
        }
        Box::new(finding)
    };
    let mut budget = Budget::of(bytes.len());
    let mut entries = Vec::new();
    for document in yaml::documents(text).map_err(broken)? {
        match items(&document) {
            Some(list) => {
                for item in list.nodes {
                    let mut read = item.read(&mut budget).map_err(broken)?;
                    list.complete(&mut read.value);
                    entries.push(entry(file, read, settings));
                }
            }
            None => entries.push(entry(file, document.read(&mut budget).map_err(broken)?, settings)),
        }
    }
    Ok(entries)
}

/// The finding about a file that cannot be read.
pub(crate) fn unreadable(file: &Arc<str>, at: Option<Position>, why: &str) -> Diagnostic {
    let mut finding = Diagnostic::new(catalogue::UNREADABLE_FILE, None, FieldPath::root());
    let at = at.unwrap_or(Position { line: 1, column: 1 });
    finding.place = Some(Place { file: Arc::clone(file), line: at.line, column: at.column });
    finding.detail(why).effect("the objects of this file stay as they were; at start they are missing");
    finding
}

/// Parses a text with one document of YAML or JSON; an empty text is null. The error names line and column.
pub fn parse(text: &str) -> Result<Value, String> {
    let documents = yaml::documents(text).map_err(|error| error.to_string())?;
    match documents.as_slice() {
        [] => Ok(Value::Null),
        [only] => {
            let mut budget = Budget::of(text.len());
            only.read(&mut budget).map(|read| read.value).map_err(|error| error.to_string())
        }
        _ => Err("it holds more than one document".to_owned()),
    }
}

fn entry(file: &Arc<str>, read: Read, settings: &CheckSettings) -> Entry {
    let Read { value, places, repeated } = read;
    let origin = Arc::new(Origin { file: Arc::clone(file), places });
    if is_kustomization(&value) {
        return Entry { outcome: Outcome::Foreign, origin, findings: Vec::new() };
    }
    let judgement = judge(&value, settings);
    let mut findings = judgement.diagnostics;
    // A key that appears twice in what nobody reads is nobody's business.
    if !matches!(judgement.outcome, Outcome::Foreign) {
        let mut about = findings.object().cloned().map_or_else(Diagnostics::default, Diagnostics::about);
        for (path, at) in repeated {
            let place = Place { file: Arc::clone(file), line: at.line, column: at.column };
            about
                .report(catalogue::DUPLICATE_KEY, &FieldPath::root().field(&path))
                .effect("the last value counts")
                .place = Some(place);
        }
        findings.extend(about.finish(None));
    }
    Entry { outcome: judgement.outcome, findings: findings.finish(Some(&origin)), origin }
}

/// A file for `kustomize` lies among manifests by custom; it is none.
fn is_kustomization(value: &Value) -> bool {
    let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    version.starts_with("kustomize.config.k8s.io/")
}

/// The items of a `List`, also of a typed one such as `ServiceList`.
struct Items<'d> {
    nodes: &'d [Node],
    /// What items of a typed list leave out, as the API server writes them.
    version: Option<&'d str>,
    kind: Option<&'d str>,
}

fn items(document: &Node) -> Option<Items<'_>> {
    let kind = document.get("kind")?.text()?.strip_suffix("List")?;
    let Content::List(items) = &*document.get("items")?.content else { return None };
    let version = document.get("apiVersion").and_then(Node::text);
    let typed = !kind.is_empty();
    Some(Items { nodes: items, version: version.filter(|_| typed), kind: Some(kind).filter(|_| typed) })
}

impl Items<'_> {
    fn complete(&self, item: &mut Value) {
        let Some(map) = item.as_object_mut() else { return };
        for (field, value) in [("apiVersion", self.version), ("kind", self.kind)] {
            if let (Some(value), false) = (value, map.contains_key(field)) {
                map.insert(field.to_owned(), value.into());
            }
        }
    }
}
