//! The named meshes: from scratch, and what single changes cost.
//!
//! Each mesh runs in a process of its own, so that the memory of one does not hide in what another gave back. Without
//! arguments all run; names of meshes pick some. Times depend on the machine and are nowhere asserted.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod changes;
mod inputs;
mod measure;
mod scratch;
mod table;

use std::process::Command;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use inputs::Mesh;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Says that this process measures the mesh of the next argument.
const ALONE: &str = "--alone";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, name] = arguments.as_slice()
        && flag == ALONE
    {
        let mesh = Mesh::named(name).expect("the parent process names a mesh");
        let running = scratch::measure(&mesh);
        changes::measure(&mesh, running);
        return;
    }
    let program = std::env::current_exe().expect("a running program has a path");
    for name in
        Mesh::NAMES.into_iter().filter(|name| arguments.is_empty() || arguments.iter().any(|one| one == name))
    {
        let status =
            Command::new(&program).args([ALONE, name]).status().expect("this program can be started again");
        assert!(status.success(), "measuring {name} failed: {status}");
    }
}
