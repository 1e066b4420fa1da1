//! What a driver or a site has already used in a day or month: opening counters in, closing counters out.

use crate::input::InputError;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Counters by name, as in `driver energy 2025-03` (kWh), `driver charging time 2025-03-14` (seconds),
/// `site limit Energy 2025-03` (money), `driver coupon SUMMER` (times). What a tariff does not use is passed on unchanged.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Standing {
    counters: BTreeMap<String, Counter>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Counter(#[serde(with = "rust_decimal::serde::str")] Decimal);

impl Standing {
    /// Reads a standing document: an object of decimal strings.
    ///
    /// # Errors
    /// Says what could not be read.
    pub fn from_json(text: &str) -> Result<Self, InputError> {
        let standing: Self = crate::input::from_json(text)?;
        let most = Decimal::from(1_000_000_000_000_000_i64);
        if let Some((name, value)) = standing.iter().find(|(_, value)| value.abs() > most) {
            return Err(InputError::new(format!("`{name}`: {value} is more than can be counted")));
        }
        Ok(standing)
    }

    /// A counter's value; zero when it has never counted.
    #[must_use]
    pub fn get(&self, name: &str) -> Decimal {
        self.counters.get(name).map_or(Decimal::ZERO, |counter| counter.0)
    }

    /// Sets a counter; zero counters are not kept.
    pub fn set(&mut self, name: String, value: Decimal) {
        match self.counters.entry(name) {
            Entry::Occupied(entry) if value.is_zero() => {
                entry.remove();
            }
            Entry::Occupied(mut entry) => {
                entry.insert(Counter(value.normalize()));
            }
            Entry::Vacant(entry) if !value.is_zero() => {
                entry.insert(Counter(value.normalize()));
            }
            Entry::Vacant(_) => {}
        }
    }

    /// Whether nothing has been counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }

    /// All counters in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Decimal)> {
        self.counters.iter().map(|(name, counter)| (name.as_str(), counter.0))
    }
}
