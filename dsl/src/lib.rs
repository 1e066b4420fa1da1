//! The tariff language: text to the engine's tariff and back. Pure: sources come in as strings.

pub mod ast;
pub mod diagnostic;
