//! Storage, on SQLite and PostgreSQL.
#![allow(
    clippy::cast_precision_loss,
    clippy::cloned_ref_to_slice_refs,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small"
)]

#[macro_use]
#[path = "../store_support/mod.rs"]
mod store_support;

mod bills;
mod commits;
mod groups;
mod places;
mod sessions;
mod speed;
mod tables;
mod upgrade;
