//! What a process that holds keys asks of the operating system.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use std::io;

/// The operating system refused; waiting does not help.
#[derive(Debug, thiserror::Error)]
#[error("cannot switch off core dumps, which would hold keys")]
pub struct HardeningError(#[source] io::Error);

/// Keeps the memory of this process out of core files, and out of reach of debuggers run by the same user. Child processes inherit
/// the limit on core files.
pub fn keep_memory_private() -> Result<(), HardeningError> {
    let refused = |error: nix::Error| HardeningError(error.into());
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(refused)?;
    prctl::set_dumpable(false).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::getrlimit;

    #[test]
    fn afterwards_no_core_file_can_be_written() {
        keep_memory_private().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        assert!(!prctl::get_dumpable().unwrap());
    }
}
