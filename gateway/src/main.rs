//! The `takst` program.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")
)]

mod cli;
mod prices;

fn main() -> std::process::ExitCode {
    cli::main()
}
