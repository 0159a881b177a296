//! Watches directories and sites and emits changes. Reads only.
//!
//! What it is: the way from files, or from the API of a Kubernetes cluster, to the world. A file becomes positioned values
//! (`yaml`), those become judged objects (`objects`), and [`Folder`] tells what each change of a file means. Around that pure half
//! stand [`load`], which reads once for the offline commands, and [`watch`], which follows a folder for the daemon. [`load_site`]
//! and [`follow`] do the same for a site.
//!
//! What it is not: it judges no object; `config` does. It never writes a file, nor to an API server.
//!
//! Main types: [`Folder`], [`Seen`], [`Loaded`], [`Site`].
//!
//! Where to start: `folder.rs`, then `watch.rs`; for sites `site.rs`.

mod files;
mod folder;
mod in_force;
mod load;
mod objects;
mod site;
mod watch;
mod yaml;

pub use folder::{Folder, Seen};
pub use load::{Loaded, NotFound, load};
pub use objects::parse;
pub use site::{Access, AccessError, Site, SiteError, connect, follow, load_site};
pub use watch::{Directory, Outlet, WatchError, watch};
