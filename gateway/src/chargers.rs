//! What is true of chargers whatever they speak: what they report, what they can be told, what they answer.
//!
//! Absent from here: sockets, clocks, storage, JSON. `crate::ocpp` translates between these types and a charger's dialect.

pub mod model;
pub mod plausible;
pub mod time;
