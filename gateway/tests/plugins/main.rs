//! Plugins in the gateway: the set-up, what they keep, prices that they fetch, and a gateway that goes on when one does not.
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

#[path = "../net_support/plug.rs"]
mod plug;

#[path = "../../../plugins/tests/peer.rs"]
mod peer;

mod bound;
mod calls;
mod fetching;
mod hostile;
mod hub;
mod invoices;
mod mail;
mod meters;
mod operator;
mod reminders;
mod scene;
mod server;
mod serving;
mod set_up;
mod shop;
mod space;
mod stripe;
mod texts;
mod vipps;
