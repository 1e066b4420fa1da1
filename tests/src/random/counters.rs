//! What driver and site had used before the session.

use super::tariff::Generator;
use crate::oracle::calendar::local;
use crate::oracle::model::{Condition, Counted, Limit, Measure, Span, Who};
use crate::oracle::number::Dec;
use crate::oracle::session::Period;

impl Generator<'_> {
    /// What the driver's sessions before came to under limits over several sessions.
    pub(super) fn opening_of_limits(&mut self) {
        let day = local(self.tariff.zone, self.session.plugged_in).date;
        let of_charges = self.tariff.charges.iter().flat_map(|c| c.limits.iter().map(|l| (c.label(), l)));
        let of_total = self.tariff.total.iter().map(|limit| ("total".to_owned(), limit));
        let all: Vec<(String, Limit)> =
            of_charges.chain(of_total).map(|(l, limit)| (l, limit.clone())).collect();
        for (label, limit) in all.into_iter().filter(|(_, limit)| limit.per_driver) {
            let period = Period::of(limit.span, day);
            let known = self.standing.money.iter().any(|m| m.1 == label && m.2 == period);
            if known || !self.chance(60) {
                continue;
            }
            let mut used = Dec::new(self.rng.i128(1..=limit.amount.units), 2);
            if limit.floor && self.chance(50) {
                // Lifted before: it stands at the floor now.
                used = limit.amount;
                let lifted = Dec::new(self.rng.i128(1..=limit.amount.units), 2);
                self.standing.lifts.push((label.clone(), period, lifted));
            }
            self.standing.money.push((Who::Driver, label, period, used));
        }
    }

    /// What driver and site had used, where a condition asks for it.
    pub(super) fn opening_counters(&mut self) {
        let day = local(self.tariff.zone, self.session.plugged_in).date;
        let mut asked: Vec<(Measure, i128)> = vec![];
        let mut months: Vec<(Who, i128)> = vec![];
        for condition in crate::oracle::calendar::all_conditions(&self.tariff) {
            if let Condition::SoFar { measure, amount, .. } = condition
                && measure.who != Who::Session
            {
                asked.push((*measure, *amount));
            }
            if let Condition::WholeMonth(who, least) = condition {
                months.push((*who, *least));
            }
        }
        for (who, least) in months {
            let month = Period::of(Span::Month, day);
            if !self.standing.whole.iter().any(|w| w.0 == who) && self.chance(75) {
                let known = self.one(&[least, least - 1, least + 1, least / 2]).max(1);
                self.standing.whole.push((who, month, known));
            }
        }
        for (measure, amount) in asked {
            let period = Period::of(measure.span, day);
            if measure.counted != Counted::Energy {
                let same = |t: &(Who, Counted, Period, i128)| {
                    (t.0, t.1, t.2) == (measure.who, measure.counted, period)
                };
                if !self.standing.times.iter().any(same) && self.chance(70) {
                    let used = self.rng.i128(1..=amount * 5 / 4);
                    self.standing.times.push((measure.who, measure.counted, period, used));
                }
                continue;
            }
            let known = self.standing.energy.iter().any(|(who, p, _)| (*who, *p) == (measure.who, period));
            if known || self.chance(30) {
                continue;
            }
            // Now and then the threshold is reached exactly at a reading.
            let mark = self.marks.first().copied().unwrap_or(0);
            let used = match self.rng.u32(0..4) {
                0 if amount > mark => amount - mark,
                1 => amount,
                _ => self.rng.i128(0..=amount * 5 / 4),
            };
            if used > 0 {
                self.standing.energy.push((measure.who, period, used));
            }
        }
    }
}
