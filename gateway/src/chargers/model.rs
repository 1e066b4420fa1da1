//! Reports a charger makes, commands it takes, and the answers in both directions.
//!
//! A word of a standard is read into an enumeration that keeps unknown words as they came. What a charger left out stays out
//! (`None`): nothing is guessed here.

#[macro_use]
mod words;

mod answer;
mod certificate;
mod command;
mod cost;
mod der;
mod device;
mod display;
mod measure;
mod meter;
mod outcome;
mod place;
mod profile;
mod report;
mod tariff;
mod token;
mod transaction;

pub use answer::*;
pub use certificate::*;
pub use command::*;
pub use cost::*;
pub use der::*;
pub use device::*;
pub use display::*;
pub use measure::*;
pub use meter::*;
pub use outcome::*;
pub use place::*;
pub use profile::*;
pub use report::*;
pub use tariff::*;
pub use token::*;
pub use transaction::*;
pub use words::Word;
