//! The gateway of takst and its program: chargers, storage, money, pages. The only crate with sockets, SQL and tokio.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")
)]

pub mod api;
pub mod billing;
pub mod campaigns;
pub mod chargers;
mod cli;
mod clock;
pub mod demo;
pub mod desk;
mod draw;
pub mod exchange;
pub mod export;
pub mod feeds;
pub mod gateway;
pub mod house;
pub mod hub;
pub mod invoices;
pub mod invoicing;
pub mod ledger;
pub mod link;
pub mod live;
mod lsp;
pub mod mail;
pub mod meters;
pub mod monitor;
pub mod ocpp;
pub mod outbox;
pub mod pay;
pub mod pki;
mod play;
pub mod plugins;
mod prices;
pub mod receipts;
pub mod reminding;
pub mod serve;
pub mod sessions;
pub mod setup;
pub mod simulate;
pub mod store;
pub mod teach;
pub mod texts;
pub mod tls;
pub mod web;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> std::process::ExitCode {
    cli::main()
}
