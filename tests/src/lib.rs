//! What crosses crates.
//!
//! [`oracle`] prices a session the slow, obvious way and shares no code with the engine; [`random`] invents tariffs,
//! sessions and price files; [`subject`] is the one place that calls the real thing. No IO, no clock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this crate is test code: a panic is a failed test"
)]

pub mod hostile;
pub mod oracle;
pub mod random;
pub mod subject;
