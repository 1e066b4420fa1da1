//! What a running session comes to now, or will come to: sums without the lines behind them.
//!
//! A bill shows every line, so making one costs more the longer the session is. Who only asks for the sums gets them from
//! the charges' sums so far; lines are copied only where the tariff looks back at them.

use super::way::unread;
use super::{Change, Line, Running};
use crate::bill::{Pending, Row, assemble};
use crate::error::PriceError;
use crate::evaluate::Pricing;
use crate::exact::Overflow;
use crate::running::Buffers;
use crate::session::{Facts, State};
use crate::tariff::{ChargeKind, Rebate, Span};
use crate::units::{Energy, Instant};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The sums of a session that still runs: those of [`Running::preview`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SoFar {
    /// As of when.
    pub at: Instant,
    /// What the car does then.
    pub state: State,
    /// Minor units.
    pub net: i64,
    /// Minor units.
    pub tax: i64,
    /// Minor units, all taxes in.
    pub total: i64,
    /// Energy taken.
    pub energy: Energy,
    /// Energy given back.
    pub exported: Energy,
    /// Charges, rebates and limits in order.
    pub rows: Vec<Row>,
    /// Slices without a price: the sums are without them.
    pub pending: Vec<Pending>,
}

impl Running<'_> {
    /// What the session comes to as of the last reading.
    ///
    /// # Errors
    /// As [`crate::price()`].
    pub fn so_far(&self, pricing: &Pricing<'_>) -> Result<SoFar, PriceError> {
        self.slim(self.looks_back(pricing)).sums(pricing)
    }

    /// What the session will have come to at `until` if it goes on as it is now and takes `more` energy evenly on the way.
    /// An instant that is priced already is taken as now.
    ///
    /// # Errors
    /// As [`crate::price()`]; also when `until` lies beyond the longest session.
    pub fn ahead(&self, pricing: &Pricing<'_>, until: Instant, more: Energy) -> Result<SoFar, PriceError> {
        let mut slim = self.slim(self.looks_back(pricing));
        slim.go_on(pricing, until, more)?;
        slim.sums(pricing)
    }

    /// The first instant from which standing costs something if the car takes no more energy: where an idle fee or the price
    /// of parking begins. None when that is not before `until`.
    ///
    /// # Errors
    /// As [`Self::ahead`].
    pub fn first_fee(&self, pricing: &Pricing<'_>, until: Instant) -> Result<Option<Instant>, PriceError> {
        let mut slim = self.slim(false);
        slim.lines.clear();
        // What is still to be settled does not matter here, and points into the lines.
        slim.deferred.clear();
        let now = slim.now.t;
        slim.go_on(pricing, until, Energy(0))?;
        slim.close(pricing)?;
        let charges = &pricing.p.tariff.charges;
        let costs = |line: &&Line| {
            let charge = line.source.charge().and_then(|charge| charges.get(usize::from(charge)));
            let stands = charge
                .is_some_and(|charge| matches!(charge.kind, ChargeKind::IdleFee | ChargeKind::ParkingTime));
            stands && !line.amount.is_zero()
        };
        let first = slim.lines.iter().filter(costs).map(|line| line.from.max(now)).min();
        Ok(first.map(Instant))
    }

    /// What the car does as of the last reading or state, and since when time has been counted so.
    #[must_use]
    pub fn state_now(&self) -> State {
        self.state
    }

    /// Up to when the session is priced.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant(self.now.t)
    }

    /// Energy taken so far.
    #[must_use]
    pub fn energy(&self) -> Energy {
        Energy(self.now.import)
    }

    pub(crate) fn go_on(
        &mut self,
        pricing: &Pricing<'_>,
        until: Instant,
        more: Energy,
    ) -> Result<(), PriceError> {
        if until.0 <= self.now.t {
            return Ok(());
        }
        self.check_end(pricing, until.0)?;
        let overflow = |_: Overflow| crate::input::InputError::new("the registers are too large");
        let import = self.now.import.checked_add(more.0.max(0)).ok_or(Overflow).map_err(overflow)?;
        let stands = unread(until.0, import, self.now.export);
        self.advance(pricing, &self.way_from_here(std::slice::from_ref(&stands)))
    }

    fn sums(mut self, pricing: &Pricing<'_>) -> Result<SoFar, PriceError> {
        self.close(pricing)?;
        let (at, state) = (Instant(self.now.t), self.state);
        let monthly = pricing.p.tariff.bills_monthly;
        let bill = assemble(pricing, &mut self, &mut Buffers::default(), false, !monthly)?;
        Ok(SoFar {
            at,
            state,
            net: bill.net,
            tax: bill.tax_total,
            total: bill.total,
            energy: Energy(bill.energy.0),
            exported: Energy(bill.energy.1),
            rows: bill.rows,
            pending: bill.pending,
        })
    }

    /// Whether sums depend on single lines.
    pub(crate) fn looks_back(&self, pricing: &Pricing<'_>) -> bool {
        looks_back(pricing, &self.facts)
    }

    /// The session as it stands, without what only a bill needs: with all lines where sums look back at them.
    pub(crate) fn slim(&self, looks_back: bool) -> Running<'_> {
        let Self {
            facts,
            fixed,
            standing,
            plugged_in,
            latest,
            explicit_states,
            explicit_power,
            cursors,
            bases,
            lines,
            deferred,
            buckets,
            now,
            state,
            since,
            charged,
            changes,
            changed,
            next_change,
            register,
            start,
            start_occupancy,
            fees_charged,
            window,
            silent,
            taken_before,
            by_day,
            trace: _,
        } = self;
        let mut deferred = deferred.clone();
        let lines = if looks_back {
            lines.clone()
        } else {
            // Only what has to be priced again, each in its new place.
            let mut kept = Vec::with_capacity(deferred.len());
            for open in &mut deferred {
                if let Some(line) = lines.get(open.line) {
                    open.line = kept.len();
                    kept.push(*line);
                }
            }
            kept
        };
        let rest: SmallVec<[(i64, Change); 2]> = changes.get(*changed..).unwrap_or_default().into();
        Running {
            facts: super::Held::Borrowed(facts),
            fixed: fixed.clone(),
            standing: Cow::Borrowed(standing),
            plugged_in: *plugged_in,
            latest: *latest,
            explicit_states: *explicit_states,
            explicit_power: *explicit_power,
            cursors: cursors.clone(),
            bases: bases.clone(),
            lines,
            deferred,
            buckets: buckets.clone(),
            now: *now,
            state: *state,
            since: *since,
            charged: *charged,
            changes: rest,
            changed: 0,
            next_change: *next_change,
            register: *register,
            start: *start,
            start_occupancy: *start_occupancy,
            fees_charged: *fees_charged,
            window: *window,
            silent: *silent,
            taken_before: *taken_before,
            by_day: by_day.clone(),
            trace: None,
        }
    }
}

// Whether sums depend on single lines: billing steps, limits (by period), a rebate on the first kWh.
fn looks_back(pricing: &Pricing<'_>, facts: &Facts) -> bool {
    let p = pricing.p;
    let free_energy = |rebate: &Rebate| matches!(rebate, Rebate::FreeEnergy(_));
    p.has_steps
        || p.has_limits
        || p.tariff.total_limits.iter().any(|limit| matches!(limit.span, Span::Day | Span::Month))
        || p.tariff.discounts.iter().any(|discount| free_energy(&discount.rebate))
        || (p.tariff.coupons.iter())
            .any(|coupon| facts.coupons.contains(&coupon.code) && free_energy(&coupon.rebate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepared::Prepared;
    use crate::prices::PriceBook;
    use crate::running::Begin;
    use crate::session::Reading;
    use crate::standing::Standing;
    use crate::tariff::*;
    use crate::units::{Currency, HOUR_MS, MINUTE_MS};

    // Energy at 0.30 EUR/kWh, a line for every quarter.
    fn tariff() -> Tariff {
        let price = Price {
            per: Per::Kwh,
            formula: Formula::Const("0.30".parse().unwrap()),
            parts: Vec::new(),
            step: None,
        };
        let leaf = |outcome| Leaf { rule: 0, outcome };
        Tariff {
            format: IR_VERSION,
            name: "Test".into(),
            file: "test.tariff".into(),
            notes: Vec::new(),
            currency: Currency { code: "EUR".into(), digits: 2 },
            zone: Zone { name: "UTC".into(), first_offset_s: 0, changes: Vec::new() },
            includes_vat: true,
            valid_from: None,
            valid_until: None,
            running_sessions_change: false,
            bills_monthly: false,
            hold: None,
            line_step_min: Some(15),
            groups: Vec::new(),
            default_group: None,
            places: Vec::new(),
            tests: Vec::new(),
            measures: Vec::new(),
            days: Days::default(),
            feeds: vec![Feed {
                name: "spot".into(),
                area: None,
                unit: "EUR/kWh".into(),
                money_per_kwh: true,
                includes_vat: None,
                holds: false,
            }],
            nodes: vec![Node::Leaf(0), Node::Leaf(1)],
            leaves: vec![leaf(Outcome::Tax(0)), leaf(Outcome::Price(price))],
            values: Vec::new(),
            charges: vec![Charge {
                kind: ChargeKind::Energy,
                label: "Energy".into(),
                rule: 0,
                root: 1,
                tax: 0,
                paid_by_site: false,
                after: None,
                limits: Vec::new(),
                step: None,
                steps_without_parking: false,
            }],
            total_limits: Vec::new(),
            discounts: Vec::new(),
            coupons: Vec::new(),
            coupon_scope: Vec::new(),
            tax_classes: vec![TaxClass { taxes: Vec::new(), reason: None }],
            default_tax: 0,
            month: Vec::new(),
            rules: vec![Rule { source: 0, line: 1 }],
            sources: vec![Source { file: "test.tariff".into(), text: String::new() }],
        }
    }

    #[test]
    fn the_sums_of_a_long_session_copy_no_lines() {
        let prepared = Prepared::new(tariff()).unwrap();
        let book = PriceBook::default();
        let pricing = Pricing::new(&prepared, &book).unwrap();
        let start = 1_700_000_000_000 / HOUR_MS * HOUR_MS;
        let begin = Begin { plugged_in: Instant(start), explicit_states: false, explicit_power: false };
        let facts = Cow::Owned(Facts::default());
        let mut running = Running::begin(&pricing, facts, &begin, Standing::default()).unwrap();
        for minute in 0..=1440 {
            let at = Instant(start + minute * MINUTE_MS);
            let reading = Reading { at, import: Energy(minute * 100_000), export: Energy(0), segment: 0 };
            running.reading(&pricing, reading).unwrap();
        }
        assert!(running.lines.len() >= 95, "{} lines", running.lines.len());
        let slim = running.slim(running.looks_back(&pricing));
        assert_eq!((slim.lines.len(), slim.lines.capacity()), (0, 0));
        assert_eq!(slim.changes.len(), 0);
        let so_far = running.so_far(&pricing).unwrap();
        let preview = running.preview(&pricing).unwrap();
        assert_eq!((so_far.total, so_far.energy.0), (4320, 144_000_000));
        assert_eq!((so_far.net, so_far.tax, &so_far.rows), (preview.net, preview.tax_total, &preview.rows));
        // An hour more at 6 kW.
        let until = Instant(start + 25 * HOUR_MS);
        assert_eq!(running.ahead(&pricing, until, Energy(6_000_000)).unwrap().total, 4500);
        assert_eq!(running.ahead(&pricing, Instant(start), Energy(6_000_000)).unwrap(), so_far);
        assert_eq!(running.first_fee(&pricing, until).unwrap(), None);
    }
}
