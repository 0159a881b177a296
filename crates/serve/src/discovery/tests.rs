//! Real sockets, real TLS, a fake compiler.

mod admission;
mod bounds;
mod delivery;
mod mesh;
mod rollover;
mod secrecy;
mod secrets;
