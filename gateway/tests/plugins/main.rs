//! Plugins in the gateway: what they keep.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small"
)]

#[macro_use]
#[path = "../store_support/mod.rs"]
mod store_support;

mod space;
