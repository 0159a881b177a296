//! Claims: the virtual services that clients of a namespace see.

use pilothouse_base::Namespace;
use pilothouse_config::ExportTo;
use pilothouse_world::VirtualServiceHeader;

use crate::reader::Reader;

/// In order of precedence: those that only this namespace sees, those that are exported to it by name, those that
/// everybody sees; older ones first within each group.
pub(crate) fn claims(client: &Namespace, read: &mut Reader<'_>) -> Vec<VirtualServiceHeader> {
    let default = read.mesh().virtual_service_export.clone();
    let mut visible: Vec<VirtualServiceHeader> = read
        .virtual_service_headers()
        .into_iter()
        .filter(|header| header.export_to.allows(header.namespace(), client, &default))
        .collect();
    visible.sort_by_key(|header| group(header, client, &default));
    visible
}

fn group(header: &VirtualServiceHeader, client: &Namespace, default: &ExportTo) -> u8 {
    let export = match &header.export_to {
        ExportTo::MeshDefault => default,
        own => own,
    };
    match export {
        ExportTo::Own | ExportTo::Namespaces(_) if header.namespace() == client => 0,
        ExportTo::Own | ExportTo::Namespaces(_) => 1,
        ExportTo::MeshDefault | ExportTo::All => 2,
    }
}
