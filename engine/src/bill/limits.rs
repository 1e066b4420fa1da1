//! Floors and caps of charges and of the total.

use super::{Assembly, Source};
use crate::calendar_time::LocalTime;
use crate::error::PriceError;
use crate::evaluate::{Edges, time_index, who_text};
use crate::exact::{Exact, Num, Overflow};
use crate::running::{Bucket, Line, Running, period, span_text};
use crate::share;
use crate::tariff::{Charge, ChargeKind, Limit, Measure, Span, Time, Who};
use crate::units::Day;
use rust_decimal::Decimal;

// Key, sum per tax class, first and last instant.
type PeriodSums = (i32, Vec<(u32, Exact)>, i64, i64);

/// What other lists of the same session charge in a period of a limit: it uses up a cap, and counts towards a floor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elsewhere {
    pub period: i32,
    /// First and last instant.
    pub from: i64,
    pub to: i64,
    pub sum: Exact,
}

impl Elsewhere {
    fn in_period(all: &[Self], period: i32) -> Exact {
        all.iter().find(|other| other.period == period).map_or(Exact::ZERO, |other| other.sum)
    }
}

/// Whether a limit of a list only counts: a floor holds for the whole session and is that of plug-in.
fn only_counts(run: &Running<'_>, limit: &Limit) -> bool {
    limit.floor && run.window.later
}

impl Assembly<'_, '_> {
    pub(super) fn day_of(&self, t: i64) -> Day {
        LocalTime::at(&self.pricing.p.tariff.zone, t).day
    }

    pub(super) fn limit_applies(&self, limit: &Limit) -> bool {
        let connected = self.run.now.times.get(time_index(Time::Connected)).copied().unwrap_or_default();
        limit.after_energy.is_none_or(|energy| self.run.now.import >= energy)
            && limit.after_time.is_none_or(|time| connected >= time)
    }

    // The amount by which `sum` (with `opening` counted before) has to change. `lifted`: how much of `opening` is what the
    // floor added. It counts on what all sessions came to, so what is charged now may be covered by what was added before.
    pub(super) fn adjustment(
        &self,
        limit: &Limit,
        sum: Exact,
        opening: Exact,
        lifted: Exact,
    ) -> Result<Exact, Overflow> {
        let bound = Exact::from_num(Num::from_decimal(limit.amount))?;
        let most = sum.max(Exact::ZERO).negated()?;
        if limit.floor {
            let reached = sum.add(opening)?.sub(lifted)?;
            let due = bound.sub(reached)?.max(Exact::ZERO);
            // No more is given back than this session came to.
            return Ok(due.sub(lifted)?.max(most));
        }
        // What earlier sessions used beyond the bound is not given back here.
        let room = bound.sub(sum.add(opening)?)?;
        Ok(room.min(Exact::ZERO).max(most))
    }

    // Of a limit over several sessions: the counter of what they came to, and of what a floor added to that.
    fn counters(&self, limit: &Limit, label: &str, t: i64) -> Option<(String, Option<String>)> {
        let (who, span) = (who_text(limit.who), span_text(limit.span, self.day_of(t)));
        (limit.who != Who::Session).then(|| {
            (format!("{who} limit {label} {span}"), limit.floor.then(|| format!("{who} lift {label} {span}")))
        })
    }

    // What a period changes by, and the closing counters. `elsewhere`: what other lists charge in it. `digits`: printed amounts
    // change by whole minor units.
    fn in_period(
        &mut self,
        limit: &Limit,
        label: &str,
        (t, sum, elsewhere): (i64, Exact, Exact),
        digits: Option<u8>,
    ) -> Result<Exact, Overflow> {
        let counters = self.counters(limit, label, t);
        let opening = |name: Option<&String>| match name {
            Some(name) => Exact::from_num(Num::from_decimal(self.run.standing.get(name))),
            None => Ok(Exact::ZERO),
        };
        let before = opening(counters.as_ref().map(|(name, _)| name))?;
        let lifted = opening(counters.as_ref().and_then(|(_, lift)| lift.as_ref()))?;
        let mut change = Exact::ZERO;
        if (self.limit_applies(limit) || !lifted.is_zero()) && !only_counts(self.run, limit) {
            // A floor is about the whole session; a cap takes nothing back that another list has charged.
            change = if limit.floor {
                self.adjustment(limit, sum.add(elsewhere)?, before, lifted)?
            } else {
                self.adjustment(limit, sum, before.add(elsewhere)?, lifted)?
            };
        }
        if let Some(digits) = digits {
            change = Exact::from_minor(change.to_minor(digits)?, digits)?;
        }
        if let Some((name, lift)) = counters {
            let closing = [(Some(name), before.add(elsewhere)?.add(sum)?), (lift, lifted)];
            for (name, value) in closing {
                if let Some(name) = name {
                    let places = value.add(change)?.rounded(12)?;
                    let value = Decimal::try_from_i128_with_scale(places, 12).map_err(|_| Overflow)?;
                    self.closing.set(name, value);
                }
            }
        }
        Ok(change)
    }

    pub(super) fn period_of(&self, span: Span, t: i64) -> i32 {
        let measure = Measure::Energy { span, who: Who::Session };
        period(measure, self.day_of(t))
    }

    pub(super) fn charge_limits(&mut self) -> Result<(), PriceError> {
        for (index, charge) in (0_u16..).zip(&self.pricing.p.tariff.charges) {
            // From the shortest span to the longest: what a day's cap has cut, the session's cap does not cut again.
            let mut limits: Vec<(u16, &Limit)> = (0_u16..).zip(&charge.limits).collect();
            limits.sort_by_key(|(_, limit)| span_order(limit.span));
            for (place, limit) in limits {
                self.charge_limit((index, charge), (place, limit), &[])?;
            }
        }
        Ok(())
    }

    pub(super) fn charge_limit(
        &mut self,
        (index, charge): (u16, &Charge),
        (place, limit): (u16, &Limit),
        elsewhere: &[Elsewhere],
    ) -> Result<(), PriceError> {
        let overflow = self.overflow(limit.rule);
        // Per period: its sum, the first and last instant it was charged for, and its tax classes.
        let mut periods: Vec<PeriodSums> = Vec::new();
        for line in self.lines.iter().filter(|line| line.source.charge() == Some(index)) {
            let key = self.period_of(limit.span, day_instant(line));
            let at = periods.iter().position(|(known, ..)| *known == key).unwrap_or_else(|| {
                periods.push((key, Vec::new(), line.from, line.to));
                periods.len() - 1
            });
            let Some((_, sums, _, to)) = periods.get_mut(at) else { continue };
            *to = line.to.max(*to);
            match sums.iter_mut().find(|(tax, _)| *tax == line.tax) {
                Some((_, sum)) => *sum = sum.add(line.amount).map_err(&overflow)?,
                None => sums.push((line.tax, line.amount)),
            }
        }
        if limit.floor || limit.who != Who::Session {
            // A floor is also due where only other lists have charged, and what they charged counts for the sessions to come.
            let missing = |other: &&Elsewhere| periods.iter().all(|(known, ..)| *known != other.period);
            let others: Vec<PeriodSums> = (elsewhere.iter().filter(missing))
                .map(|other| (other.period, Vec::new(), other.from, other.to))
                .collect();
            periods.extend(others);
        }
        for (key, sums, from, to) in periods {
            let mut sum = Exact::ZERO;
            for (_, amount) in &sums {
                sum = sum.add(*amount).map_err(&overflow)?;
            }
            let others = Elsewhere::in_period(elsewhere, key);
            let change =
                self.in_period(limit, &charge.label, (from, sum, others), None).map_err(&overflow)?;
            if change.is_zero() {
                continue;
            }
            let mut sums = sums;
            if sum.is_zero() {
                // Nothing to share by: as the charge is taxed at plug-in.
                let root = self.run.fixed.specialise(self.pricing.p, charge.tax)?;
                let point = &self.run.start_point();
                let tax = self.run.tax_at(self.pricing, root, point, &[], &mut Edges::new())?;
                sums = vec![(tax, Exact::ZERO)];
            }
            // Over the tax classes in proportion to what each came to; the last takes what is left.
            let mut rest = change;
            let count = sums.len();
            for (nth, (tax, part)) in sums.into_iter().enumerate() {
                let amount = if nth + 1 == count {
                    rest
                } else {
                    change.share(part, sum).unwrap_or(Ok(Exact::ZERO)).map_err(&overflow)?
                };
                rest = rest.sub(amount).map_err(&overflow)?;
                let source = Source::Limit(index, place);
                self.lines.push(Line::adjustment(source, tax, limit.rule, (from, to), amount));
                self.change_bucket(index, tax, amount).map_err(&overflow)?;
            }
        }
        Ok(())
    }

    // What a charge comes to in each period, for the limits of other lists.
    pub(super) fn charged_by_period(&self, index: u16, span: Span) -> Result<Vec<Elsewhere>, Overflow> {
        let mut periods = Vec::new();
        for line in self.lines.iter().filter(|line| line.source.charge() == Some(index)) {
            let period = self.period_of(span, day_instant(line));
            let (from, to, sum) = (line.from, line.to, line.amount);
            add_elsewhere(&mut periods, Elsewhere { period, from, to, sum })?;
        }
        Ok(periods)
    }

    // Adds to a charge's sum; its parts shrink or grow in proportion.
    fn change_bucket(&mut self, charge: u16, tax: u32, amount: Exact) -> Result<(), Overflow> {
        let known = self.buckets.iter_mut().find(|bucket| bucket.charge == charge && bucket.tax == tax);
        let Some(bucket) = known else {
            self.buckets.push(Bucket { charge, tax, sum: amount, parts: Vec::new() });
            return Ok(());
        };
        let before = bucket.sum;
        bucket.sum = before.add(amount)?;
        for (_, part) in &mut bucket.parts {
            let change = amount.share(*part, before).unwrap_or(Ok(Exact::ZERO))?;
            *part = part.add(change)?;
        }
        Ok(())
    }

    pub(super) fn total_limits(&mut self) -> Result<(), PriceError> {
        for (index, limit) in (0_u16..).zip(&self.pricing.p.tariff.total_limits) {
            self.total_limit(index, limit, &[])?;
        }
        Ok(())
    }

    // Whether any charge of the total has come up. Of a session that runs, what is over may be there as sums alone.
    fn has_charged(&self) -> bool {
        let counts = |source: Source| {
            let charge = source.charge().and_then(|at| self.pricing.p.tariff.charges.get(usize::from(at)));
            charge.is_some_and(|charge| charge.kind != ChargeKind::PayoutToSite)
        };
        self.lines.iter().any(|line| counts(line.source))
            || self.rows.iter().any(|row| row.amount != 0 && counts(row.source))
    }

    fn printed_total(&self) -> Result<i64, Overflow> {
        self.rows.iter().try_fold(0_i64, |sum, row| sum.checked_add(row.amount)).ok_or(Overflow)
    }

    // What all comes to in each period, for the limits of other lists.
    pub(super) fn totals_by_period(&self, span: Span) -> Result<Vec<Elsewhere>, Overflow> {
        if !self.has_charged() {
            return Ok(Vec::new());
        }
        // What a limit of such a period, or of a shorter one, has changed belongs to its period; all else is shared.
        let known = |change: &&(Span, i64, i64)| span_order(change.0) <= span_order(span);
        let changes: Vec<(Span, i64, i64)> = self.total_changes.iter().filter(known).copied().collect();
        let changed = changes.iter().try_fold(0_i64, |sum, change| sum.checked_add(change.2));
        let shared = self.printed_total()?.checked_sub(changed.ok_or(Overflow)?).ok_or(Overflow)?;
        let changes = changes.into_iter().map(|(_, from, change)| (from, change));
        let mut periods = Vec::new();
        for (from, share) in self.total_by_period(span, shared)?.into_iter().chain(changes) {
            let (period, sum) = (self.period_of(span, from), Exact::from_minor(share, self.digits)?);
            add_elsewhere(&mut periods, Elsewhere { period, from, to: from, sum })?;
        }
        Ok(periods)
    }

    pub(super) fn total_limit(
        &mut self,
        index: u16,
        limit: &Limit,
        elsewhere: &[Elsewhere],
    ) -> Result<(), PriceError> {
        let overflow = self.overflow(limit.rule);
        let total = self.printed_total().map_err(&overflow)?;
        let mut periods = self.total_by_period(limit.span, total).map_err(&overflow)?;
        if limit.floor {
            // Where only other lists have charged, plug-in is no period of its own.
            if !elsewhere.is_empty() && !self.has_charged() {
                periods.clear();
            }
        }
        if limit.floor || limit.who != Who::Session {
            let own: Vec<i32> = periods.iter().map(|(from, _)| self.period_of(limit.span, *from)).collect();
            let missing = elsewhere.iter().filter(|other| !own.contains(&other.period));
            periods.extend(missing.map(|other| (other.from, 0)));
        }
        let mut change = 0_i64;
        for (first, share) in periods {
            let sum = Exact::from_minor(share, self.digits).map_err(&overflow)?;
            let others = Elsewhere::in_period(elsewhere, self.period_of(limit.span, first));
            let part = self
                .in_period(limit, "total", (first, sum, others), Some(self.digits))
                .and_then(|part| part.to_minor(self.digits))
                .map_err(&overflow)?;
            change = change.checked_add(part).ok_or(Overflow).map_err(&overflow)?;
            if part != 0 {
                self.total_changes.push((limit.span, first, part));
            }
        }
        if change == 0 {
            return Ok(());
        }
        let mut weights: Vec<(u32, i64)> = Vec::new();
        for row in &self.rows {
            match weights.iter_mut().find(|(tax, _)| *tax == row.tax) {
                // Parts of `total`, which has been added up without overflow; of mixed signs they saturate.
                Some((_, sum)) => *sum = sum.saturating_add(row.amount),
                None => weights.push((row.tax, row.amount)),
            }
        }
        if weights.iter().all(|(_, sum)| *sum == 0) {
            // Nothing to share by: as the list is taxed at plug-in.
            weights = vec![(self.default_tax()?, 0)];
        }
        let amounts: Vec<i64> = weights.iter().map(|(_, sum)| *sum).collect();
        let shares = share::in_proportion(change, &amounts).map_err(&overflow)?;
        for ((tax, _), amount) in weights.into_iter().zip(shares) {
            self.signed_row(Source::TotalLimit(index), tax, limit.rule, amount)?;
        }
        Ok(())
    }

    // The printed total by period of the limit: an instant of the period and its minor units.
    pub(super) fn total_by_period(&self, span: Span, total: i64) -> Result<Vec<(i64, i64)>, Overflow> {
        if matches!(span, Span::Session | Span::Bill) {
            return Ok(vec![(self.run.plugged_in, total)]);
        }
        let mut periods: Vec<(i32, i64, Exact)> = Vec::new();
        for line in &self.lines {
            let Some(charge) = line.source.charge() else { continue };
            let kind = self.pricing.p.tariff.charges.get(usize::from(charge)).map(|charge| charge.kind);
            if kind == Some(ChargeKind::PayoutToSite) {
                continue;
            }
            let key = self.period_of(span, day_instant(line));
            match periods.iter_mut().find(|(known, ..)| *known == key) {
                Some((.., sum)) => *sum = sum.add(line.amount)?,
                None => periods.push((key, line.from, line.amount)),
            }
        }
        if periods.is_empty() {
            return Ok(vec![(self.run.plugged_in, total)]);
        }
        let mut whole = Exact::ZERO;
        for (.., sum) in &periods {
            whole = whole.add(*sum)?;
        }
        let total_exact = Exact::from_minor(total, self.digits)?;
        let mut weights = Vec::with_capacity(periods.len());
        for (.., sum) in &periods {
            weights.push(total_exact.share(*sum, whole).unwrap_or(Ok(Exact::ZERO))?);
        }
        let shares = share::by_exact(total, &weights, self.digits)?;
        Ok(periods.into_iter().map(|(_, first, _)| first).zip(shares).collect())
    }

    pub(super) fn default_tax(&self) -> Result<u32, PriceError> {
        let p = self.pricing.p;
        let root = self.run.fixed.specialise(p, p.tariff.default_tax)?;
        self.run.tax_at(self.pricing, root, &self.run.start_point(), &[], &mut Edges::new())
    }
}

/// Adds what other lists charge in a period.
pub(super) fn add_elsewhere(all: &mut Vec<Elsewhere>, more: Elsewhere) -> Result<(), Overflow> {
    match all.iter_mut().find(|known| known.period == more.period) {
        Some(known) => {
            known.sum = known.sum.add(more.sum)?;
            known.to = known.to.max(more.to);
        }
        None => all.push(more),
    }
    Ok(())
}

// A stable order: limits of one span stay as they stand in the file.
pub(super) const fn span_order(span: Span) -> u8 {
    match span {
        Span::Day => 0,
        Span::Month => 1,
        Span::Session => 2,
        Span::Bill => 3,
    }
}

// The instant whose day and month a line belongs to: what fills up a billing step belongs to the slice before it.
fn day_instant(line: &Line) -> i64 {
    if matches!(line.source, Source::Step(_)) { line.from - 1 } else { line.from }
}
