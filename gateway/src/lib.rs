//! The gateway of takst and its program: chargers, storage, money, pages. The only crate with sockets, SQL and tokio.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")
)]

pub mod api;
pub mod chargers;
mod cli;
pub mod ocpp;
pub mod sessions;
mod prices;
pub mod billing;
pub mod feeds;
pub mod store;
pub mod tls;
pub mod serve;
pub mod pki;
pub mod link;
pub mod hub;
mod clock;
pub mod web;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> std::process::ExitCode {
    cli::main()
}
