//! Watches directories and emits changes. Reads only.
//!
//! What it is: the way from files to the world. A file becomes positioned values (`yaml`), those become judged objects
//! (`objects`), and [`Folder`] tells what each change of a file means. Around that pure half stand [`load`], which reads once
//! for the offline commands, and [`watch`], which follows a folder for the daemon.
//!
//! What it is not: it judges no object; `config` does. It never writes a file.
//!
//! Main types: [`Folder`], [`Seen`], [`Loaded`].
//!
//! Where to start: `folder.rs`, then `watch.rs`.

mod files;
mod folder;
mod load;
mod objects;
mod watch;
mod yaml;

pub use folder::{Folder, Seen};
pub use load::{Loaded, NotFound, load};
pub use objects::parse;
pub use watch::{Directory, Outlet, WatchError, watch};
