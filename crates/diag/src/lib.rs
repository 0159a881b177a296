//! What users are told.
//!
//! What it is: the one shape of every finding about a user's object ([`Diagnostic`]), the catalogue of codes, the
//! places in files that findings point at, and their renderings as text and JSON.
//!
//! What it is not: an error type. A diagnostic is collected, never thrown, and nothing stops at the first one.
//!
//! Main types: [`Code`] (an entry of the catalogue), [`FieldPath`], [`Diagnostic`], [`Diagnostics`] (the collector),
//! [`Origin`] (file and positions of an object).
//!
//! Where to start: `diagnostic.rs`, then `catalogue.rs`.

pub mod catalogue;
mod diagnostic;
mod origin;
mod path;
pub mod render;
mod similar;

pub use catalogue::{Code, Severity};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use origin::{Origin, Place, Places};
pub use path::FieldPath;
pub use similar::closest;
