//! Tariffs in the words of other systems. Absent: IO; what cannot be said over there is an error that names the line.

pub mod ocpi;
pub mod ocpp21;
mod tariff;
