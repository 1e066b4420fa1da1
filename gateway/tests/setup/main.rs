//! The set-up as files, and its manual.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small"
)]

mod files;
mod manual;
mod sites;
mod tariffs;
