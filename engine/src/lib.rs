//! What a tariff means. Pure: no IO, no clock, no async, no float.

pub mod tariff;
pub mod units;
