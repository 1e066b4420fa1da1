//! Discounts and coupons.

use super::{Assembly, Row, Source};
use crate::error::PriceError;
use crate::evaluate::{Edges, walk};
use crate::exact::{Counted, Exact, Num, Overflow};
use crate::running::Line;
use crate::share;
use crate::tariff::{Outcome, Rebate};
use rust_decimal::Decimal;

impl Assembly<'_, '_> {
    pub(super) fn applies(&self, root: u32) -> Result<bool, PriceError> {
        let p = self.pricing.p;
        let root = self.run.fixed.specialise(p, root)?;
        let leaf = walk(p, &self.run.fixed, root, &self.run.start_point(), &[], &mut Edges::new())?;
        let outcome = leaf.and_then(|leaf| p.tariff.leaves.get(leaf as usize)).map(|leaf| &leaf.outcome);
        Ok(matches!(outcome, Some(Outcome::Applies)))
    }

    /// The session's coupons that count (indexes into the tariff's coupons); why the others do not goes to the notes.
    pub(super) fn coupons_that_count(&mut self) -> Result<Vec<u16>, PriceError> {
        let tariff = &self.pricing.p.tariff;
        let mut counting = Vec::new();
        for code in &self.run.facts.coupons {
            let found = (0_u16..).zip(&tariff.coupons).find(|(_, coupon)| coupon.code == *code);
            let Some((index, coupon)) = found else { continue };
            let used = self.run.standing.get(&counter(code));
            if counting.contains(&index)
                || coupon.times_per_driver.is_some_and(|times| used >= Decimal::from(times))
            {
                self.notes.push(format!("coupon {code}: already used"));
            } else if !self.applies(coupon.root)? {
                self.notes.push(format!("coupon {code}: its conditions are not met"));
            } else {
                counting.push(index);
            }
        }
        Ok(counting)
    }

    pub(super) fn discounts(&mut self, with_coupon: bool) -> Result<(), PriceError> {
        let tariff = &self.pricing.p.tariff;
        for (index, discount) in (0_u16..).zip(&tariff.discounts) {
            if (discount.not_with_coupon && with_coupon) || !self.applies(discount.root)? {
                continue;
            }
            self.rebate(Source::Discount(index), &discount.rebate, &discount.charges, discount.rule)?;
        }
        Ok(())
    }

    pub(super) fn coupons(&mut self, counting: Vec<u16>) -> Result<(), PriceError> {
        let tariff = &self.pricing.p.tariff;
        for index in counting {
            let Some(coupon) = tariff.coupons.get(usize::from(index)) else { continue };
            let counter = counter(&coupon.code);
            let used = self.run.standing.get(&counter);
            self.closing.set(counter, used.saturating_add(Decimal::ONE));
            self.rebate(Source::Coupon(index), &coupon.rebate, &coupon.charges, coupon.rule)?;
        }
        Ok(())
    }

    pub(super) fn rebate(
        &mut self,
        source: Source,
        rebate: &Rebate,
        charges: &[u32],
        rule: u32,
    ) -> Result<(), PriceError> {
        let overflow = self.overflow(rule);
        let mut left = match self.left.take() {
            Some(left) => left,
            // Before the first rebate there are only charges.
            None => (self.rows.iter())
                .filter_map(|row| Some((row.source.charge()?, row.tax, row.amount)))
                .collect(),
        };
        let left_of = |charge: u16| -> i64 {
            left.iter().filter(|(index, ..)| *index == charge).map(|(.., amount)| amount).sum()
        };
        // A charge that is itself a credit is not lowered; one that is not is lowered in all its tax classes.
        let lowered: Vec<u16> = (0_u16..)
            .zip(&self.pricing.p.tariff.charges)
            .map(|(charge, _)| charge)
            .filter(|charge| charges.contains(&u32::from(*charge)) && left_of(*charge) > 0)
            .collect();
        let targets: Vec<usize> = (0..left.len())
            .filter(|at| left.get(*at).is_some_and(|(charge, ..)| lowered.contains(charge)))
            .collect();
        let weights: Vec<i64> =
            targets.iter().filter_map(|at| left.get(*at)).map(|(.., amount)| *amount).collect();
        let whole = weights.iter().try_fold(0_i64, |sum, weight| sum.checked_add(*weight));
        let whole = whole.ok_or(Overflow).map_err(&overflow)?;
        let worth = match rebate {
            Rebate::Share(share) => {
                let amount =
                    Num::new(i128::from(whole), 0).mul(Num::from_decimal(*share)).map_err(&overflow)?;
                let amount = amount.round_to(Num::ONE).map_err(&overflow)?;
                Exact::from_num(amount).and_then(|amount| amount.to_minor(0)).map_err(&overflow)?
            }
            Rebate::Amount(amount) => Exact::from_num(Num::from_decimal(*amount))
                .and_then(|amount| amount.to_minor(self.digits))
                .map_err(&overflow)?
                .saturating_sub(self.given.of(self.rebate_name(source))),
            Rebate::FreeEnergy(energy) => {
                // The first of the session: what was taken before the list took over has been counted.
                let energy = energy.saturating_sub(self.run.taken_before);
                self.first_energy(energy, &lowered).map_err(&overflow)?
            }
        };
        let worth = worth.clamp(0, whole);
        if worth == 0 {
            self.left = Some(left);
            return Ok(());
        }
        let shares = share::in_proportion(worth, &weights).map_err(&overflow)?;
        let mut by_tax: Vec<(u32, i64)> = Vec::new();
        for (at, amount) in targets.into_iter().zip(shares) {
            let Some((_, tax, rest)) = left.get_mut(at) else { continue };
            *rest -= amount;
            match by_tax.iter_mut().find(|(known, _)| known == tax) {
                Some((_, sum)) => *sum += amount,
                None => by_tax.push((*tax, amount)),
            }
        }
        self.left = Some(left);
        for (tax, amount) in by_tax {
            self.signed_row(source, tax, rule, -amount)?;
        }
        Ok(())
    }

    // What another list of the session would call the same discount or coupon.
    pub(super) fn rebate_name(&self, source: Source) -> (bool, &str) {
        let tariff = &self.pricing.p.tariff;
        match source {
            Source::Discount(index) => {
                (false, tariff.discounts.get(usize::from(index)).map_or("", |discount| &discount.label))
            }
            Source::Coupon(index) => {
                (true, tariff.coupons.get(usize::from(index)).map_or("", |coupon| &coupon.code))
            }
            _ => (false, ""),
        }
    }

    // Exact value of the first `energy` of the charges' energy lines, rounded.
    pub(super) fn first_energy(&self, energy: i64, charges: &[u16]) -> Result<i64, Overflow> {
        let mut worth = Exact::ZERO;
        for charge in charges {
            let mut rest = energy;
            for line in self.lines.iter().filter(|line| line.source.charge() == Some(*charge)) {
                let (Some(price), Counted::Energy) = (line.price, line.counted) else { continue };
                let quantity = line.quantity;
                let part = quantity.min(rest.max(0));
                worth = worth.add(Exact::product(price, part, Counted::Energy)?)?;
                rest -= part;
                if rest <= 0 {
                    break;
                }
            }
        }
        worth.to_minor(self.digits)
    }

    // A printed amount that is a line of its own.
    pub(super) fn signed_row(
        &mut self,
        source: Source,
        tax: u32,
        rule: u32,
        amount: i64,
    ) -> Result<(), PriceError> {
        if amount == 0 {
            return Ok(());
        }
        let exact = Exact::from_minor(amount, self.digits).map_err(self.overflow(rule))?;
        let window = self.run.window;
        let (from, to) = (self.run.plugged_in.max(window.from), self.run.now.t.min(window.until));
        self.lines.push(Line::adjustment(source, tax, rule, (from, to), exact));
        self.rows.push(Row { source, tax, amount, parts: Vec::new() });
        Ok(())
    }
}

fn counter(code: &str) -> String {
    format!("driver coupon {code}")
}
