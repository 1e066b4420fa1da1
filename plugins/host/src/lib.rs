//! Runs plugins: WebAssembly components that the gateway does not have to trust. No SQL, no ledger, no pages: what is kept, and what is
//! secret, comes in through [`kv::Kv`] and [`secrets::Secrets`], each bound to one plugin.
//!
//! The way of a plugin: [`manifest::Manifest`] and bytes, [`host::Host::code`] (looked at, compiled or from the cache),
//! [`host::Host::plugin`] with an [`plugin::Installation`] (grant, settings, space, secrets), then
//! `plugin.payments()?.charge(&context, key, request).await`, which is a [`plugin::Done`]: a value, the plugin's own error or a
//! [`plugin::Stop`], and what the call used of its limits.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")
)]

pub mod capability;
pub mod grant;
pub mod host;
pub mod http;
mod imports;
pub mod kv;
pub mod limits;
pub mod load;
pub mod manifest;
pub mod model;
pub mod package;
pub mod plugin;
pub mod pool;
pub mod secrets;
mod state;
pub mod tape;
pub mod testing;

pub use host::{Host, Setup};
pub use imports::idempotency_key;
pub use plugin::{Context, Done, Failed, Installation, Kind, Plugin, Stop};
pub use state::Line;
