//! `exportTo`.

use pilothouse_base::Namespace;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::host;
use crate::ExportTo;

/// Reads entries; `nobody` tells whether `~` is allowed. Entries that cannot be read name nobody.
pub(super) fn export_to<'e>(
    entries: impl IntoIterator<Item = &'e str>,
    namespace: &Namespace,
    nobody: bool,
    at: impl Fn(usize) -> FieldPath,
    out: &mut Diagnostics,
) -> ExportTo {
    let mut all = false;
    let mut none = false;
    let mut count = 0;
    let mut namespaces: Vec<Namespace> = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        count += 1;
        let one = match entry {
            "*" => {
                all = true;
                continue;
            }
            "~" if nobody => {
                none = true;
                continue;
            }
            "." => namespace.clone(),
            name if host::is_label(name) => Namespace::from(name),
            _ => {
                out.report(catalogue::INVALID_VALUE, &at(index))
                    .value(entry)
                    .detail("it must be *, . or the name of a namespace")
                    .effect("the entry names nobody; the other entries count");
                continue;
            }
        };
        if namespaces.contains(&one) {
            out.report(catalogue::DUPLICATE_ENTRY, &at(index)).value(entry).effect("it changes nothing");
        } else {
            namespaces.push(one);
        }
    }
    if count == 0 {
        return ExportTo::MeshDefault;
    }
    if count > 1 && (all || none) {
        let effect =
            if all { "everybody sees the object" } else { "the namespaces that are named see the object" };
        out.report(catalogue::CONFLICTING_FIELDS, &at(0)).detail("* and ~ must stand alone").effect(effect);
    }
    if all { ExportTo::All } else { ExportTo::Namespaces(namespaces) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[&str]) -> (ExportTo, Vec<&'static str>) {
        let mut out = Diagnostics::default();
        let at = |index| FieldPath::spec().field("exportTo").index(index);
        let found = export_to(entries.iter().copied(), &Namespace::from("shop"), true, at, &mut out);
        (found, out.list().iter().map(|one| one.code.id).collect())
    }

    #[test]
    fn entries_and_their_mistakes() {
        let only =
            |names: &[&str]| ExportTo::Namespaces(names.iter().map(|name| Namespace::from(*name)).collect());
        assert_eq!(read(&[]), (ExportTo::MeshDefault, vec![]));
        assert_eq!(read(&["*"]), (ExportTo::All, vec![]));
        assert_eq!(read(&[".", "other"]), (only(&["shop", "other"]), vec![]));
        assert_eq!(read(&["~"]), (only(&[]), vec![]));
        assert_eq!(read(&["a_b"]), (only(&[]), vec!["PH0102"]));
        assert_eq!(read(&[".", "shop"]), (only(&["shop"]), vec!["PH0112"]));
        assert_eq!(read(&["*", "a"]), (ExportTo::All, vec!["PH0106"]));
        assert_eq!(read(&["~", "."]), (only(&["shop"]), vec!["PH0106"]));
    }
}
