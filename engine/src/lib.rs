//! What a tariff means: sessions in, bills out. Pure: no IO, no clock, no async, no float.
//!
//! The way through: [`tariff::Tariff`] (compiled by `takst-dsl`) is made ready once ([`Prepared`]), joined with price feeds
//! ([`PriceBook`]) in a [`Pricing`], and then prices sessions: [`price()`] at once, or [`Running`] reading by reading. A
//! [`Bill`] is compact; [`Bill::document`] gives what outsiders read. A session that goes over to other lists while it runs is
//! priced by [`lists`].

pub mod bill;
pub mod calendar;
pub mod calendar_time;
pub mod correction;
pub mod document;
pub mod error;
pub mod evaluate;
pub mod exact;
pub mod explain;
pub mod feeds;
pub mod input;
pub mod lists;
pub mod month;
pub mod prepared;
pub mod price;
pub mod prices;
pub mod running;
pub mod session;
mod share;
pub mod standing;
pub mod table;
pub mod tariff;
pub mod units;

pub use bill::Bill;
pub use error::PriceError;
pub use evaluate::Pricing;
pub use prepared::{PrepareError, Prepared};
pub use price::{Pricer, price, price_with};
pub use prices::PriceBook;
pub use running::{Begin, Running, SoFar};
pub use session::Session;
pub use standing::Standing;
