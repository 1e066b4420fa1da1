//! Money: the ledger and the outbox, against a provider that fails in every way there is, on SQLite and PostgreSQL.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small"
)]

#[macro_use]
#[path = "../store_support/mod.rs"]
mod store_support;

#[path = "../billing_support/mod.rs"]
mod billing_support;

mod bills;
mod books;
mod chaos;
mod desk;
mod fake;
mod http;
mod killed;
mod made;
mod office;
mod orders;
mod random;
mod restored;
mod scene;
mod undone;
