//! What the plant's electricity cost, per kWh and to the last minor unit.

use super::error::MonthError;
use super::input::Cost;
use super::meters::micro_text;
use super::statement::Paper;
use crate::exact::{Exact, Num, Overflow};
use crate::prepared::mentions;
use crate::tariff::{Formula, Outcome, Tariff};
use rust_decimal::Decimal;

/// The plant in the month.
#[derive(Clone, Copy, Debug)]
pub struct Plant {
    /// Minor units, in the basis in which it is passed on.
    pub cost: i64,
    /// Millionths of a kWh.
    pub energy: i64,
    /// Cost per kWh, rounded half away from zero at 12 decimals.
    pub per_kwh: Num,
}

/// Whether any price of a tariff asks for the plant's cost per kWh.
#[must_use]
pub fn uses_cost_price(tariff: &Tariff) -> bool {
    tariff.leaves.iter().any(|leaf| match &leaf.outcome {
        Outcome::Price(price) => mentions(&price.formula, &|part| matches!(part, Formula::CostPrice)),
        _ => false,
    })
}

/// Whether VAT is in the cost that a tariff passes on. Who charges no VAT cannot deduct any: then the cost is what was paid.
#[must_use]
pub fn cost_has_vat(tariff: &Tariff) -> bool {
    tariff.includes_vat || tariff.tax_classes.iter().all(|class| class.taxes.is_empty())
}

impl Plant {
    /// The plant's cost over the energy that its meters saw.
    pub(crate) fn new(paper: &Paper<'_>, costs: &[Cost], energy: i64) -> Result<Self, MonthError> {
        Self::of(paper.digits, cost_has_vat(&paper.pricing.p.tariff), costs, energy)
    }

    /// The costs, with or without their VAT, over millionths of a kWh; `digits` are those of the currency.
    pub(crate) fn of(digits: u8, with_vat: bool, costs: &[Cost], energy: i64) -> Result<Self, MonthError> {
        let mut net = Num::ZERO;
        let mut by_rate: Vec<(Decimal, Num)> = Vec::new();
        for cost in costs {
            let amount = Num::from_decimal(cost.net);
            net = net.add(amount)?;
            match by_rate.iter_mut().find(|(rate, _)| *rate == cost.vat_rate) {
                Some((_, sum)) => *sum = sum.add(amount)?,
                None => by_rate.push((cost.vat_rate, amount)),
            }
        }
        let minor = |amount: Num| Exact::from_num(amount).and_then(|amount| amount.to_minor(digits));
        let mut cost = minor(net)?;
        if with_vat {
            for (rate, sum) in by_rate {
                let vat = sum.mul(Num::from_decimal(rate))?.mul(Num::new(1, 2))?;
                cost = cost.checked_add(minor(vat)?).ok_or(Overflow)?;
            }
        }
        let whole = Num::new(i128::from(cost), u32::from(digits));
        let per_kwh = whole.div(Num::new(i128::from(energy), 6)).unwrap_or(Ok(Num::ZERO))?;
        Ok(Self { cost, energy, per_kwh })
    }

    /// # Errors
    /// When the sessions took more than the meters saw.
    pub(crate) fn check(&self, sessions: i64) -> Result<(), MonthError> {
        if sessions > self.energy {
            let (sessions, metered) = (micro_text(sessions), micro_text(self.energy));
            return Err(MonthError::MoreThanMetered { sessions, metered });
        }
        Ok(())
    }
}
