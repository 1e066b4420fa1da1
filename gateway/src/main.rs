//! The `takst` program.

/// A gateway is thousands of connections on a few threads that make and drop small things all the time: the system's allocator costs a fifth
/// of its CPU under load, and memory that is split between its arenas.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    takst_gateway::main()
}
