//! Conditions near the session.

use super::one;
use super::tariff::{Generator, Judged, MIN};
use super::windows::{date_near, window, windows};
use crate::oracle::model::{Condition, Counted, Measure, Span, Via, Who};
use crate::oracle::number::MICRO;

impl Generator<'_> {
    pub(super) fn conditions(&mut self, judged: Judged) -> Vec<Condition> {
        let mut all = vec![self.condition(judged)];
        if self.chance(35) {
            let more = self.condition(judged);
            // Two of one kind would often exclude each other.
            if std::mem::discriminant(&more) != std::mem::discriminant(&all[0]) {
                all.push(more);
            }
        }
        all
    }

    pub(super) fn condition(&mut self, judged: Judged) -> Condition {
        if judged == Judged::Tax {
            let mut all = vec![Condition::Until(date_near(self.rng, &self.tariff, self.session), None)];
            all.extend(self.tariff.places.iter().map(|p| Condition::At(vec![p.name.clone()])));
            all.extend(self.tariff.groups.iter().map(|g| Condition::For(vec![g.clone()])));
            return self.one(&all);
        }
        if judged == Judged::Reservation && self.chance(40) {
            return Condition::Expired;
        }
        if judged == Judged::Always && self.chance(3) {
            return Condition::WholeMonth(
                self.one(&[Who::Driver, Who::Driver, Who::Site]),
                self.energy_threshold(),
            );
        }
        let pick = self.rng.u32(0..if judged == Judged::Always { 100 } else { 52 });
        match pick {
            0..6 if !self.tariff.groups.is_empty() => {
                let mut names = self.tariff.groups.clone();
                if self.chance(30) {
                    names.extend(self.tariff.default_group.clone());
                }
                Condition::For(vec![self.one(&names)])
            }
            6..10 => Condition::On(vec![self.one(&["AC", "DC", "CCS", "Type2", "CHAdeMO"]).into()]),
            10..14 if !self.tariff.places.is_empty() => {
                let names: Vec<String> = self.tariff.places.iter().map(|p| p.name.clone()).collect();
                Condition::At(vec![self.one(&names)])
            }
            14..18 => Condition::Rated(MICRO * self.one(&[11, 22, 50, 150]), self.rng.bool()),
            18..22 => {
                let ways =
                    [Via::AdHoc, Via::Contract, Via::Roaming(None), Via::Roaming(Some("eMSP-X".into()))];
                let mut all = vec![self.one(&ways)];
                if self.chance(30) {
                    let more = self.one(&ways);
                    if !all.contains(&more) {
                        all.push(more);
                    }
                }
                Condition::Via(all)
            }
            22..25 => Condition::PaidWith(vec![self.one(&["Visa", "Mastercard"]).into()]),
            25..32 => {
                let date = date_near(self.rng, &self.tariff, self.session);
                let time = self.chance(20).then(|| self.one(&[6 * 60 + 30, 12 * 60, 18 * 60]));
                if self.rng.bool() { Condition::From(date, time) } else { Condition::Until(date, time) }
            }
            52..82 => self.so_far(),
            82..91 if !self.session.power.is_empty() => {
                let power = self.session.power[self.rng.usize(0..self.session.power.len())].1;
                if self.session.amps_per_kw.is_some() && self.chance(40) {
                    let amps = self.one(&[6, 10, 16, 32, 63]) * MICRO;
                    let drawn = power * self.session.amps_per_kw.unwrap_or(0) / MICRO;
                    let amps = if drawn > 0 && self.chance(40) { drawn } else { amps };
                    return Condition::Current(amps, self.rng.bool());
                }
                let power =
                    if power > 0 && self.chance(40) { power } else { MICRO * self.one(&[3, 7, 11, 22]) };
                Condition::Drawn(power, self.rng.bool())
            }
            91..100 if !self.session.occupancy.is_empty() => {
                Condition::Occupied(self.one(&[25, 50, 75, 100]), self.rng.bool())
            }
            _ if self.chance(75) => Condition::During(vec![window(self.rng, &self.tariff, self.session)]),
            _ => Condition::During(windows(self.rng, &self.tariff, self.session)),
        }
    }

    pub(super) fn energy_threshold(&mut self) -> i128 {
        if !self.marks.is_empty() && self.chance(40) {
            return one(self.rng, &self.marks);
        }
        let nice = MICRO / 2 * self.rng.i128(1..60);
        if self.energy > 2 * MICRO && self.chance(60) { nice % self.energy + MICRO / 2 } else { nice }
    }

    pub(super) fn so_far(&mut self) -> Condition {
        use Counted::{Charging, Connected, Energy, Idle, Parking};
        let beyond = self.rng.bool();
        if self.chance(60) {
            let (span, who) = self.one(&[
                (Span::Session, Who::Session),
                (Span::Session, Who::Session),
                (Span::Session, Who::Session),
                (Span::Day, Who::Session),
                (Span::Day, Who::Driver),
                (Span::Month, Who::Driver),
                (Span::Month, Who::Site),
                (Span::Day, Who::Site),
            ]);
            let measure = Measure { counted: Energy, span, who, in_a_row: false };
            return Condition::SoFar { beyond, measure, amount: self.energy_threshold() };
        }
        let counted = self.one(&[Connected, Connected, Charging, Parking, Idle]);
        let (span, who) = self.one(&[
            (Span::Session, Who::Session),
            (Span::Session, Who::Session),
            (Span::Session, Who::Session),
            (Span::Day, Who::Session),
            (Span::Day, Who::Driver),
            (Span::Month, Who::Driver),
            (Span::Month, Who::Site),
        ]);
        let measure = Measure { counted, span, who, in_a_row: false };
        let length = i128::from(self.session.end() - self.session.plugged_in) / MIN;
        let amount = MIN
            * if length > 5 && self.chance(60) {
                self.rng.i128(1..length)
            } else {
                self.one(&[10, 30, 60, 180])
            };
        Condition::SoFar { beyond, measure, amount }
    }
}
