//! The tariff language: text to the engine's tariff and back. Pure: sources come in as strings.

pub mod ast;
pub mod calendar;
pub mod cases;
pub mod compile;
pub mod coverage;
pub mod diagnostic;
pub mod editor;
pub mod format;
pub mod holidays;
pub mod lint;
pub mod lower;
pub mod parse;
pub mod resolve;
pub mod scenario;
pub mod units;

pub use compile::{CaseInfo, Compiled, SourceFile, compile};
