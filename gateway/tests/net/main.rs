//! Sockets, servers and clients of other makers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small"
)]

#[path = "../net_support/mod.rs"]
mod net_support;

mod care;
mod demo;
mod door;
mod habits;
mod hostile;
mod memory;
mod newest;
mod played;
mod player;
mod python;
mod serve;
mod talk;
mod taught;
mod tls;
