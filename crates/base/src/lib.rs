//! Names and small values everyone shares.
//!
//! What it is: the words of the project as types (`Hostname`, `ObjectKey`, `Protocol`, `Labels`, `Identity`,
//! `Locality`, `Percent`), cheap to clone, ordered, hashable and printable.
//!
//! What it is not: it knows no Kubernetes API, no Envoy and no IO; it never fails for another reason than a
//! malformed value.
//!
//! Main types: [`ObjectKey`] names an object as received, [`Hostname`] names a service, [`Identity`] names a
//! workload to its peers.
//!
//! Where to start: `name.rs`, then `object.rs`.

mod hostname;
mod identity;
mod labels;
mod locality;
mod name;
mod object;
mod percent;
mod protocol;

pub use hostname::Hostname;
pub use identity::{Identity, IdentityError};
pub use labels::{Labels, Selector};
pub use locality::Locality;
pub use name::{Name, Namespace};
pub use object::{Kind, ObjectKey};
pub use percent::Percent;
pub use protocol::Protocol;
