//! Bills as e-invoices: exact to the last minor unit, valid by the schema and by the official rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a panic is a failed test"
)]

mod documents;
mod exact;
mod official;
mod random;
mod reread;
mod support;
