//! What people and programs see of the `takst` program.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small"
)]

#[path = "../run/browser.rs"]
mod browser;
#[path = "../net_support/plug.rs"]
mod plug;
#[path = "../run/mod.rs"]
mod run;
#[path = "../store_support/mod.rs"]
mod store_support;

mod drawn;
mod exchange;
mod export;
mod kept;
mod lsp;
mod people;
mod play;
mod plugin;
mod serve;
mod shown;
mod traces;
mod verbs;
