//! One bill of several lists: the session went over from one to the next, see [`crate::lists`] for the rule.
//!
//! Each list has counted along the whole session and charged its own part. Here each step is done for one list after the
//! other, and a later one sees what the earlier ones have charged. Nothing that an earlier list has printed changes.

use super::limits::{Elsewhere, add_elsewhere, span_order};
use super::{Assembly, Pending, Row, Source, TaxRow, taxes_on};
use crate::calendar_time::local_text;
use crate::error::PriceError;
use crate::exact::{Counted, Exact, Num, Overflow};
use crate::lists::Lists;
use crate::running::{Buffers, Line, Running};
use crate::standing::Standing;
use crate::tariff::{Rebate, Span, Tariff, TaxClass, Who};
use crate::units::Instant;

/// Discounts and coupons that are worth an amount: what earlier lists have given of them, minor units by kind and name.
#[derive(Debug, Default)]
pub(super) struct Given(Vec<(bool, String, i64)>);

impl Given {
    pub fn of(&self, (coupon, name): (bool, &str)) -> i64 {
        let same = self.0.iter().filter(|(kind, known, _)| *kind == coupon && known == name);
        same.fold(0, |sum, (.., amount)| sum.saturating_add(*amount))
    }
}

/// What one list of the session charges.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub lines: Vec<Line>,
    pub rows: Vec<Row>,
    pub payouts: Vec<Row>,
    pub payout_lines: Vec<Line>,
    pub pending: Vec<Pending>,
    left: Option<Vec<(u16, u32, i64)>>,
}

impl Part {
    /// What discounts and coupons left of a charge's row, where they changed it.
    pub fn left_of(&self, charge: u16, tax: u32) -> Option<i64> {
        let left = self.left.as_ref()?;
        left.iter().find(|(index, class, _)| (*index, *class) == (charge, tax)).map(|(.., amount)| *amount)
    }
}

/// What the lists of a session charge together.
#[derive(Clone, Debug)]
pub(crate) struct ByLists {
    /// In the order of the lists.
    pub parts: Vec<Part>,
    /// The ways of being taxed of all lists, each once.
    pub classes: Vec<TaxClass>,
    /// By index into `classes`.
    pub taxes: Vec<TaxRow>,
    pub net: i64,
    pub total: i64,
    pub standing: Standing,
    pub notes: Vec<String>,
    pub energy: (i64, i64),
}

// Which charges of the lists are the same: a number for each charge of each list.
struct Alike(Vec<Vec<usize>>);

impl Alike {
    // Of one kind and label; or the only one of its kind, whatever it is called.
    fn of(tariffs: &[&Tariff]) -> Self {
        let mut known = Vec::new();
        let mut numbers = Vec::with_capacity(tariffs.len());
        for tariff in tariffs {
            let mut own: Vec<usize> = Vec::with_capacity(tariff.charges.len());
            for charge in &tariff.charges {
                let free = |number: &usize, own: &[usize]| !own.contains(number);
                let named = known
                    .iter()
                    .position(|(kind, label)| *kind == charge.kind && *label == charge.label.as_str())
                    .filter(|number| free(number, &own));
                let alone = tariff.charges.iter().filter(|other| other.kind == charge.kind).count() == 1;
                let mut of_kind = (0..known.len())
                    .filter(|number| known.get(*number).is_some_and(|(kind, _)| *kind == charge.kind));
                let only = match (of_kind.next(), of_kind.next()) {
                    (Some(number), None) if alone => Some(number).filter(|number| free(number, &own)),
                    _ => None,
                };
                own.push(named.or(only).unwrap_or_else(|| {
                    known.push((charge.kind, charge.label.as_str()));
                    known.len() - 1
                }));
            }
            numbers.push(own);
        }
        Self(numbers)
    }

    // The charge of list `other` that is charge `index` of list `list`.
    fn there(&self, list: usize, index: u16, other: usize) -> Option<u16> {
        let number = self.0.get(list)?.get(usize::from(index))?;
        let place = self.0.get(other)?.iter().position(|known| known == number)?;
        u16::try_from(place).ok()
    }
}

struct Joint<'a, 'f> {
    works: Vec<Assembly<'a, 'f>>,
    alike: Alike,
    closing: Standing,
}

/// Makes the bill of closed running sessions: one and the same, followed by each list.
pub(crate) fn assemble_lists<'a>(
    lists: &Lists<'a>,
    runs: &'a mut [Running<'_>],
    with_payment_fee: bool,
) -> Result<ByLists, PriceError> {
    let tariffs: Vec<&Tariff> = lists.each().map(|pricing| &pricing.p.tariff).collect();
    let alike = Alike::of(&tariffs);
    let opening = runs.first().map(|run| Standing::clone(&run.standing)).unwrap_or_default();
    let works = lists
        .each()
        .zip(runs)
        .map(|(pricing, run)| Assembly::new(pricing, run, &mut Buffers::default(), with_payment_fee));
    let mut all = Joint { works: works.collect(), alike, closing: opening.clone() };
    for work in &mut all.works {
        work.note_unknown_groups();
        work.settle_deferred()?;
        if !work.run.window.later {
            work.once_per_session()?;
        }
        work.collect_lines();
    }
    all.steps()?;
    all.charge_limits()?;
    let payouts = all.print_charges()?;
    all.rebates()?;
    all.total_limits()?;
    if let Some(first) = all.works.first_mut() {
        first.payment_fee()?;
    }
    all.finish(&opening, payouts)
}

impl Joint<'_, '_> {
    fn overflow(&self) -> impl Fn(Overflow) -> PriceError + Copy + use<> {
        |_| PriceError::Overflow { place: "the lists of the session together".into() }
    }

    // Steps count along the whole session: the last list under which something was measured fills up the last one.
    fn steps(&mut self) -> Result<(), PriceError> {
        let parked = self.works.iter().any(Assembly::parks_at_a_price);
        for list in 0..self.works.len() {
            let Some(work) = self.works.get(list) else { continue };
            let mut due = Vec::new();
            for (index, charge) in (0_u16..).zip(&work.pricing.p.tariff.charges) {
                if parked && charge.steps_without_parking {
                    continue;
                }
                // A step of the charge counts what was free too; each list says so for itself.
                let all = charge.step.is_some();
                let Some((quantity, last)) = work.measured(index, all) else { continue };
                let of = |other: usize, all: Option<bool>| {
                    let (there, work) = (self.alike.there(list, index, other)?, self.works.get(other)?);
                    let charge = work.pricing.p.tariff.charges.get(usize::from(there))?;
                    let measured = work.measured(there, all.unwrap_or(charge.step.is_some()))?;
                    let energy = |line: &Line| line.counted == Counted::Energy;
                    Some(measured).filter(|(_, line)| energy(line) == energy(&last))
                };
                if (list + 1..self.works.len()).any(|other| of(other, None).is_some()) {
                    continue;
                }
                let before = (0..list).filter_map(|other| of(other, Some(all)));
                let before: i64 = before.map(|(quantity, _)| quantity).sum();
                due.push((index, quantity + before, last));
            }
            for (index, quantity, last) in due {
                if let Some(work) = self.works.get_mut(list) {
                    work.fill_step(index, quantity, last)?;
                }
            }
        }
        Ok(())
    }

    // A cap counts what was charged before, and cuts its own list's part only. A floor is that of plug-in and counts all.
    fn charge_limits(&mut self) -> Result<(), PriceError> {
        let mut spans: Vec<Span> = Vec::new();
        for work in &self.works {
            let charges = work.pricing.p.tariff.charges.iter();
            spans.extend(charges.flat_map(|charge| &charge.limits).map(|limit| limit.span));
        }
        // From the shortest span to the longest, as within one list.
        spans.sort_by_key(|span| span_order(*span));
        spans.dedup();
        for span in spans {
            for (floors, list) in self.turns() {
                let Some(work) = self.works.get(list) else { continue };
                let pricing = work.pricing;
                for (index, charge) in (0_u16..).zip(&pricing.p.tariff.charges) {
                    for (place, limit) in (0_u16..).zip(&charge.limits) {
                        let its_turn = floors == (limit.floor && list == 0);
                        if limit.span != span
                            || !its_turn
                            || (limit.floor && list > 0 && limit.who == Who::Session)
                        {
                            continue;
                        }
                        let elsewhere = self
                            .elsewhere((list, floors), |other| {
                                let there = self.alike.there(list, index, other)?;
                                self.works.get(other).map(|work| work.charged_by_period(there, span))
                            })
                            .map_err(self.overflow())?;
                        self.counting(list, |work| {
                            work.charge_limit((index, charge), (place, limit), &elsewhere)
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    fn total_limits(&mut self) -> Result<(), PriceError> {
        for (floors, list) in self.turns() {
            let Some(work) = self.works.get(list) else { continue };
            let pricing = work.pricing;
            for (index, limit) in (0_u16..).zip(&pricing.p.tariff.total_limits) {
                let its_turn = floors == (limit.floor && list == 0);
                if !its_turn || (limit.floor && list > 0 && limit.who == Who::Session) {
                    continue;
                }
                let elsewhere = self
                    .elsewhere((list, floors), |other| {
                        self.works.get(other).map(|work| work.totals_by_period(limit.span))
                    })
                    .map_err(self.overflow())?;
                self.counting(list, |work| work.total_limit(index, limit, &elsewhere))?;
            }
        }
        Ok(())
    }

    // In which order limits are looked at: the caps of each list, then the floors of the first.
    fn turns(&self) -> Vec<(bool, usize)> {
        (0..self.works.len()).map(|list| (false, list)).chain([(true, 0)]).collect()
    }

    // What the other lists that count for a limit charge: those before, or for a floor all others.
    fn elsewhere(
        &self,
        (list, floors): (usize, bool),
        of: impl Fn(usize) -> Option<Result<Vec<Elsewhere>, Overflow>>,
    ) -> Result<Vec<Elsewhere>, Overflow> {
        let mut all = Vec::new();
        for other in (0..self.works.len()).filter(|other| *other < list || (floors && *other != list)) {
            for more in of(other).transpose()?.unwrap_or_default() {
                add_elsewhere(&mut all, more)?;
            }
        }
        Ok(all)
    }

    // Works on a list with the closing counters of all.
    fn counting<T>(
        &mut self,
        list: usize,
        what: impl FnOnce(&mut Assembly<'_, '_>) -> Result<T, PriceError>,
    ) -> Result<Option<T>, PriceError> {
        let Some(work) = self.works.get_mut(list) else { return Ok(None) };
        std::mem::swap(&mut work.closing, &mut self.closing);
        let result = what(work);
        std::mem::swap(&mut work.closing, &mut self.closing);
        result.map(Some)
    }

    fn print_charges(&mut self) -> Result<Vec<Vec<Row>>, PriceError> {
        let mut payouts: Vec<Vec<Row>> = Vec::with_capacity(self.works.len());
        for list in 0..self.works.len() {
            let count = self.works.get(list).map_or(0, |work| work.pricing.p.tariff.charges.len());
            let mut before = Vec::with_capacity(count);
            for index in (0_u16..).take(count) {
                before.push(self.printed_before(list, index, &payouts).map_err(self.overflow())?);
            }
            if let Some(work) = self.works.get_mut(list) {
                payouts.push(work.print_charges(&before)?);
            }
        }
        Ok(payouts)
    }

    // What the lists before have charged for the same charge: exact, and as printed.
    fn printed_before(
        &self,
        list: usize,
        index: u16,
        payouts: &[Vec<Row>],
    ) -> Result<(Exact, i64), Overflow> {
        let (mut exact, mut printed) = (Exact::ZERO, 0_i64);
        for (other, paid) in (0..list).zip(payouts) {
            let (Some(there), Some(work)) = (self.alike.there(list, index, other), self.works.get(other))
            else {
                continue;
            };
            for bucket in work.buckets.iter().filter(|bucket| bucket.charge == there) {
                exact = exact.add(bucket.sum)?;
            }
            let rows = work.rows.iter().chain(paid).filter(|row| row.source == Source::Charge(there));
            for row in rows {
                printed = printed.checked_add(row.amount).ok_or(Overflow)?;
            }
        }
        Ok((exact, printed))
    }

    // Shares are of what a list charges itself; amounts and free energy count along the session and are given once.
    fn rebates(&mut self) -> Result<(), PriceError> {
        let mut given = Given::default();
        for list in 0..self.works.len() {
            let Some(work) = self.works.get_mut(list) else { continue };
            let tariff = &work.pricing.p.tariff;
            if work.run.window.later {
                let since = local_text(&tariff.zone, Instant(work.run.window.from));
                let codes = |code: &&String| tariff.coupons.iter().all(|coupon| coupon.code != **code);
                let unknown: Vec<String> = work.run.facts.coupons.iter().filter(codes).cloned().collect();
                let note = |code: String| format!("coupon {code}: the prices since {since} do not know it");
                work.notes.extend(unknown.into_iter().map(note));
            }
            if tariff.coupons.is_empty() && tariff.discounts.is_empty() {
                continue;
            }
            work.given = std::mem::take(&mut given);
            self.counting(list, |work| {
                let coupons = work.coupons_that_count()?;
                work.discounts(!coupons.is_empty())?;
                work.coupons(coupons)
            })?;
            let Some(work) = self.works.get_mut(list) else { continue };
            given = std::mem::take(&mut work.given);
            for row in work.rows.iter().filter(|row| work.is_worth_an_amount(row.source)) {
                let (coupon, name) = work.rebate_name(row.source);
                given.0.push((coupon, name.to_owned(), row.amount.saturating_neg()));
            }
        }
        Ok(())
    }

    fn finish(mut self, opening: &Standing, payouts: Vec<Vec<Row>>) -> Result<ByLists, PriceError> {
        let overflow = self.overflow();
        self.close_counters(opening);
        let (classes, taxes, net, total) = self.taxes().map_err(overflow)?;
        let energy = self.works.first().map_or((0, 0), |work| (work.run.now.import, work.run.now.export));
        let (mut parts, mut notes) = (Vec::with_capacity(self.works.len()), Vec::new());
        for (mut work, payouts) in self.works.into_iter().zip(payouts) {
            work.pending.sort_by_key(|slice| (slice.from, slice.charge));
            let (lines, payout_lines) = work.parted_lines();
            let Assembly { rows, pending, left, notes: own, .. } = work;
            for note in own {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            parts.push(Part { lines, rows, payouts, payout_lines, pending, left });
        }
        Ok(ByLists { parts, classes, taxes, net, total, standing: self.closing, notes, energy })
    }

    // Each counter moves once, by what the whole session adds: all lists have counted the same.
    fn close_counters(&mut self, opening: &Standing) {
        for work in &mut self.works {
            work.closing = opening.clone();
            work.close_counters();
            for (name, value) in work.closing.iter() {
                if value != opening.get(name) && self.closing.get(name) == opening.get(name) {
                    self.closing.set(name.to_owned(), value);
                }
            }
        }
    }

    // Once per rate on the printed rows of all lists together.
    fn taxes(&self) -> Result<(Vec<TaxClass>, Vec<TaxRow>, i64, i64), Overflow> {
        let mut classes: Vec<TaxClass> = Vec::new();
        let mut factors: Vec<Num> = Vec::new();
        let mut amounts: Vec<(u32, i64)> = Vec::new();
        for work in &self.works {
            let p = work.pricing.p;
            for row in &work.rows {
                let Some(class) = p.tariff.tax_classes.get(row.tax as usize) else { continue };
                let place = classes.iter().position(|known| is_same(known, class)).unwrap_or_else(|| {
                    classes.push(class.clone());
                    factors.push(p.tax_factors.get(row.tax as usize).map_or(Num::ONE, |tax| tax.factor));
                    classes.len() - 1
                });
                amounts.push((u32::try_from(place).map_err(|_| Overflow)?, row.amount));
            }
        }
        let includes_vat = self.works.first().is_some_and(|work| work.pricing.p.tariff.includes_vat);
        let factor = |class: u32| factors.get(class as usize).copied().unwrap_or(Num::ONE);
        let (taxes, net, total) = taxes_on(&classes, &factor, includes_vat, amounts.into_iter())?;
        Ok((classes, taxes, net, total))
    }
}

// Whether two ways of being taxed say the same, whatever line says it.
fn is_same(one: &TaxClass, other: &TaxClass) -> bool {
    let says = |class: &TaxClass| {
        let taxes = class.taxes.iter();
        taxes.map(|tax| (tax.label.clone(), tax.rate.normalize(), tax.on_top_of.clone())).collect::<Vec<_>>()
    };
    one.reason == other.reason && says(one) == says(other)
}

impl Assembly<'_, '_> {
    fn is_worth_an_amount(&self, source: Source) -> bool {
        let tariff = &self.pricing.p.tariff;
        let rebate = match source {
            Source::Discount(index) => tariff.discounts.get(usize::from(index)).map(|one| &one.rebate),
            Source::Coupon(index) => tariff.coupons.get(usize::from(index)).map(|one| &one.rebate),
            _ => None,
        };
        matches!(rebate, Some(Rebate::Amount(_)))
    }
}
