//! A second, independent meaning of the tariff language: slow, obvious, exact.
//!
//! It evaluates a plain model of a tariff ([`model::Tariff`]) and never sees the compiled form. The same model prints
//! itself as a tariff file, so both sides answer the same question.

pub mod bill;
pub mod calendar;
pub mod compare;
pub mod conditions;
pub mod counters;
pub mod feeds;
pub mod formula;
pub mod holidays;
pub mod limits;
pub mod lists;
pub mod model;
pub mod month;
pub mod number;
pub mod rebates;
pub mod session;
pub mod slices;
pub mod text;

#[cfg(test)]
mod by_hand;
