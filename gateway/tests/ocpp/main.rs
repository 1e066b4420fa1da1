//! The dialects of OCPP against their published schemas, and against anything.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small"
)]

mod cases;
mod hostile;
mod schemas;
mod tariffs;
