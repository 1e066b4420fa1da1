//! The set-up as files and through the API, and its manual.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small"
)]

#[path = "../net_support/plug.rs"]
mod plug;

mod api;
mod erase;
mod files;
mod keys;
mod manual;
mod office;
mod outside;
mod sites;
mod tariffs;
mod told;
