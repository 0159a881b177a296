//! Real sockets, real TLS, a fake compiler.

mod admission;
mod bounds;
mod delivery;
mod mesh;
mod requests;
mod rollover;
mod secrecy;
mod secrets;
