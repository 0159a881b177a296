//! The test client: runs inside a pod, takes one JSON line per command on a UNIX socket, sends requests as an
//! application there would, and reports each answer.

mod exchange;
mod load;
mod request;
mod serve;
mod tls;

pub use load::{Failure, Load, LoadReport};
pub use request::{Answer, Protocol, Request, Tls};
pub use serve::{Command, Reply, run};
