//! From what chargers say to bills: desk, sessions, live cost, bills, price feeds, incidents.
#![allow(
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
#[path = "../desk_support/mod.rs"]
mod desk_support;

mod asked;
mod bills;
mod cases16;
mod cases2;
mod certificates;
mod changes;
mod counters;
mod decided;
mod door;
mod energy;
mod feeds;
mod held;
mod live;
mod monitor;
mod outages;
mod receipts;
mod terms;
