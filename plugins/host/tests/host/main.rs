//! The host with real guests: what it can, and what a guest cannot do to it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that fails panics"
)]

mod attacks;
mod cache;
mod calls;
mod crowd;
mod interface;
mod manifest;
mod package;
mod server;
mod shipped;
mod support;
mod tape;
mod whole;
mod wire;
