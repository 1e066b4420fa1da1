//! The desk.

pub mod rules;
