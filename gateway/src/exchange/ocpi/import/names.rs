//! Names that a person would have given: to hours, and to prices that stand more than once.

use super::Work;
use crate::exchange::ocpi::lines::{Kind, Window};
use crate::exchange::ocpi::words::{name, window};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// A price with a name.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Named {
    /// As in `kWh`.
    pub per: &'static str,
    pub price: Decimal,
    pub name: String,
}

impl Named {
    /// Whether it is the price of a line.
    pub fn is(&self, kind: Kind, price: Decimal) -> bool {
        self.per == kind.per() && self.price == price
    }
}

// Names of so many prices, from the lowest to the highest. More of them nobody tells apart by a word.
const LEVELS: [&[&str]; 5] = [
    &[""],
    &["low", "high"],
    &["low", "normal", "high"],
    &["lowest", "low", "high", "highest"],
    &["lowest", "low", "normal", "high", "highest"],
];

impl Work<'_> {
    /// Prices that stand on several lines, and with them the others of their charges: to change one is to change one line.
    pub(super) fn prices(&self) -> Vec<Named> {
        let mut all = Vec::new();
        for per in [Kind::Energy.per(), Kind::ChargingTime.per(), Kind::FlatFee.per()] {
            let charges: Vec<Vec<Decimal>> = self
                .charges
                .iter()
                .filter(|charge| charge.kind.per() == per)
                .map(|charge| {
                    charge
                        .lines
                        .iter()
                        .filter_map(|line| line.price)
                        .filter(|price| !price.is_zero())
                        .collect()
                })
                .collect();
            let mut count: BTreeMap<Decimal, usize> = BTreeMap::new();
            for price in charges.iter().flatten() {
                *count.entry(*price).or_default() += 1;
            }
            let again: BTreeSet<Decimal> =
                count.iter().filter(|(_, count)| **count > 1).map(|(price, _)| *price).collect();
            let beside = charges.iter().filter(|prices| prices.iter().any(|price| again.contains(price)));
            let whole: BTreeSet<Decimal> = beside.flatten().copied().collect();
            let chosen = if whole.len() <= LEVELS.len() { whole } else { again };
            let Some(levels) = chosen.len().checked_sub(1).and_then(|most| LEVELS.get(most)) else {
                continue;
            };
            for (price, level) in chosen.into_iter().zip(levels.iter()) {
                let name = match (per, *level) {
                    ("kWh", "") => "kwh-price".to_owned(),
                    ("kWh", level) => format!("{level}-price"),
                    ("h", "") => "hourly-price".to_owned(),
                    ("h", level) => format!("{level}-hourly-price"),
                    (_, "") => "fee".to_owned(),
                    (_, level) => format!("{level}-fee"),
                };
                all.push(Named { per, price, name });
            }
        }
        all
    }

    /// Windows that are worth a name: used more than once, or long.
    pub(super) fn periods(&self) -> Vec<(String, String)> {
        let mut used: Vec<(&[Window], usize)> = Vec::new();
        for line in
            self.charges.iter().flat_map(|charge| &charge.lines).filter(|line| !line.windows.is_empty())
        {
            match used.iter_mut().find(|(windows, _)| *windows == line.windows.as_slice()) {
                Some((_, count)) => *count += 1,
                None => used.push((&line.windows, 1)),
            }
        }
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut periods = Vec::new();
        for (windows, count) in used {
            let text = said(windows);
            let days_only = windows.iter().all(|(_, hours)| hours.is_none());
            if days_only || (count < 2 && !text.contains(',')) {
                continue;
            }
            // Windows of several kinds have no word of their own.
            let mut kinds = windows.iter().map(|(days, hours)| name(*days, *hours));
            let first = kinds.next().unwrap_or_default();
            let base = if kinds.all(|other| other == first) { first } else { "mixed-hours".to_owned() };
            let number = names.entry(base.clone()).and_modify(|number| *number += 1).or_insert(1);
            let name = if *number == 1 { base } else { format!("{base}-{number}") };
            periods.push((text, name));
        }
        periods
    }
}

/// Windows as a condition has them.
pub(super) fn said(windows: &[Window]) -> String {
    windows.iter().map(|(days, hours)| window(*days, *hours)).collect::<Vec<_>>().join(", ")
}
