//! Taxes of a price, as OCPP 2.1 stacks them; OCPI has one.

use crate::chargers::model::TaxRate;
use rust_decimal::Decimal;
use takst_engine::exact::Num;
use takst_engine::tariff::{RuleId, TaxClass};

/// The taxes of a price.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Taxes {
    // Label, percent, level: a tax is on top of all of lower levels.
    rates: Vec<(String, Decimal, usize)>,
}

impl Taxes {
    /// Those of a class. The error names the tax that cannot be said.
    pub fn of(class: &TaxClass) -> Result<Self, (RuleId, &'static str)> {
        let mut rates: Vec<(String, Decimal, usize)> = Vec::with_capacity(class.taxes.len());
        for tax in &class.taxes {
            let level_of = |index: &u32| rates.get(*index as usize).map_or(0, |(_, _, level)| *level);
            let level = tax.on_top_of.iter().map(level_of).max().map_or(0, |level| level + 1);
            rates.push((tax.label.clone(), tax.rate.normalize(), level));
        }
        for (tax, (_, _, level)) in class.taxes.iter().zip(&rates) {
            let lower = rates.iter().filter(|(_, _, other)| other < level).count();
            if lower != tax.on_top_of.len() {
                return Err((tax.rule, "in {there} a tax is on top of all taxes below it or of none"));
            }
        }
        match class.taxes.get(5) {
            Some(tax) => Err((tax.rule, "{there} has at most five taxes on a price")),
            None => Ok(Self { rates }),
        }
    }

    /// 1 and all of them.
    pub fn factor(&self) -> Num {
        let mut shares: Vec<(Decimal, usize)> = Vec::with_capacity(self.rates.len());
        for (_, percent, level) in &self.rates {
            let base: Decimal =
                shares.iter().filter(|(_, other)| other < level).map(|(share, _)| *share).sum();
            shares.push((percent / Decimal::ONE_HUNDRED * (Decimal::ONE + base), *level));
        }
        Num::from_decimal(Decimal::ONE + shares.iter().map(|(share, _)| *share).sum::<Decimal>())
    }

    /// The percentage where there is VAT alone; none where there is nothing.
    ///
    /// # Errors
    /// There are other taxes, or several.
    pub fn only_vat(&self) -> Result<Option<Decimal>, ()> {
        match self.rates.as_slice() {
            [] => Ok(None),
            [(label, percent, _)] if label == "VAT" => Ok(Some(*percent)),
            _ => Err(()),
        }
    }

    /// In the words of the standard.
    pub fn rates(&self) -> Vec<TaxRate> {
        let stacked = self.rates.iter().any(|(_, _, level)| *level > 0);
        let rate = |(label, percent, level): &(String, Decimal, usize)| TaxRate {
            kind: label.chars().take(20).collect(),
            percent: *percent,
            stack: stacked.then(|| i64::try_from(*level).unwrap_or_default()),
        };
        self.rates.iter().map(rate).collect()
    }
}
