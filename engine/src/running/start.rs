//! How a session begins: what stays the same is settled, charges are put at the start of their timeline, fees that are due
//! whatever comes are charged.

use super::*;

impl<'f> Running<'f> {
    /// Starts a session.
    ///
    /// # Errors
    /// Before the tariff is in force or after its end, outside the calendar, or when the tariff asks a fact that is not known.
    pub fn begin(
        pricing: &Pricing<'_>,
        facts: Cow<'f, Facts>,
        begin: &Begin,
        standing: Standing,
    ) -> Result<Self, PriceError> {
        let mut running = Self::blank(Held::of(facts), begin, Cow::Owned(standing), &mut Buffers::default());
        running.start(pricing)?;
        Ok(running)
    }

    /// The same for a list that charges a part of the session only.
    pub(crate) fn begin_in(
        pricing: &Pricing<'_>,
        facts: Cow<'f, Facts>,
        begin: &Begin,
        standing: Standing,
        window: Window,
    ) -> Result<Self, PriceError> {
        let mut running = Self::blank(Held::of(facts), begin, Cow::Owned(standing), &mut Buffers::default());
        running.window = window;
        running.start(pricing)?;
        Ok(running)
    }

    /// A session of which only the start is known; [`Self::start`] makes it ready.
    #[inline]
    pub(crate) fn blank(
        facts: Held<'f>,
        begin: &Begin,
        standing: Cow<'f, Standing>,
        buffers: &mut Buffers,
    ) -> Self {
        let t = begin.plugged_in.0;
        let local = LocalTime { day: 0, minute: 0, offset_ms: 0, offset_until: 0 };
        let now =
            Point { t, local, import: 0, export: 0, times: [0; 6], power: 0, current: None, occupancy: None };
        Self {
            facts,
            fixed: Fixed { answers: Vec::new() },
            standing,
            plugged_in: t,
            latest: (t.saturating_add(LONGEST_SESSION_DAYS * DAY_MS)).min(INSTANTS.end - 1),
            explicit_states: begin.explicit_states,
            explicit_power: begin.explicit_power,
            cursors: std::mem::take(&mut buffers.cursors),
            bases: Vec::new(),
            lines: std::mem::take(&mut buffers.lines),
            deferred: Vec::new(),
            buckets: std::mem::take(&mut buffers.buckets),
            now,
            state: State::Waiting,
            since: t,
            charged: false,
            changes: SmallVec::new(),
            changed: 0,
            next_change: i64::MAX,
            register: None,
            start: local,
            start_occupancy: None,
            fees_charged: 0,
            window: Window::WHOLE,
            silent: false,
            taken_before: 0,
            by_day: None,
            trace: None,
        }
    }

    pub(crate) fn start(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        let p = pricing.p;
        let zone = &p.tariff.zone;
        let t = self.plugged_in;
        if !INSTANTS.contains(&t) {
            return Err(InputError::new("`plugged_in` lies outside the years 2000 to 2099").into());
        }
        // A list that the session goes over to is asked whether it is in force when it takes over.
        let asked = t.max(self.window.from);
        if let Some(valid_from) = p.tariff.valid_from.filter(|from| asked < from.0) {
            let (at, valid_from) = (local_text(zone, Instant(asked)), local_text(zone, valid_from));
            return Err(PriceError::NotInForce { at, valid_from });
        }
        // A session that began in time keeps its list to its own end.
        if let Some(valid_until) = p.tariff.valid_until.filter(|until| asked >= until.0) {
            let (at, valid_until) = (local_text(zone, Instant(asked)), local_text(zone, valid_until));
            return Err(PriceError::Over { at, valid_until });
        }
        // The coupons were given under the list of plug-in: one that a later list does not know gives nothing there.
        let coupons = if self.window.later { &[][..] } else { &self.facts.coupons };
        for code in coupons {
            let codes = || p.tariff.coupons.iter().map(|coupon| coupon.code.as_str());
            if !codes().any(|known| known == code) {
                let nearest = crate::input::nearest(code, codes()).map(str::to_owned);
                return Err(PriceError::UnknownCoupon { code: code.clone(), nearest });
            }
        }
        self.start = LocalTime::at(zone, t);
        self.now.local = self.start;
        if !p.tariff.tests.is_empty() {
            self.fixed = Fixed::new(pricing, &self.facts, &self.standing, self.start.day);
        }
        self.by_day = p.counts_over_sessions.then(Vec::new);
        self.bases = self.opening_bases(pricing);
        self.open_cursors(pricing)?;
        self.open_window(pricing)?;
        if self.window.later { Ok(()) } else { self.early_fees(pricing) }
    }

    // Where a list charges a part of the session only, its slices are cut at the edges of the part.
    fn open_window(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        if self.window == Window::WHOLE {
            return Ok(());
        }
        let Window { from, until, .. } = self.window;
        self.silent = !self.window.has(self.plugged_in);
        for edge in [from, until] {
            if edge > self.plugged_in && edge < i64::MAX {
                self.queue(pricing, Instant(edge), Change::List, "list")?;
            }
        }
        Ok(())
    }

    // Start fees that are due whatever comes, at a plain price: the usual ones. The others wait for the bill.
    pub(super) fn early_fees(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        let p = pricing.p;
        for index in p.start_fees.iter().copied().take_while(|index| *index < 64) {
            let Some(charge) = p.tariff.charges.get(usize::from(index)) else { continue };
            let root = self.fixed.specialise(p, charge.root)?;
            let tax = match charge.after {
                None => self.tax_root(pricing, charge.tax)?,
                Some(_) => continue,
            };
            let TaxAt::Always(tax) = tax else { continue };
            let found = p.schedule(root).and_then(|schedule| {
                let (leaf, _) = schedule.at(&p.day_classes, self.start.day, self.start.minute)?;
                let fast = p.leaves.get(leaf as usize).filter(|fast| fast.plain)?;
                Some((leaf, fast, fast.constant?))
            });
            let Some((leaf, fast, price)) = found else { continue };
            self.fees_charged |= 1 << index;
            if fast.free {
                continue;
            }
            let (t, rule) = (self.plugged_in, fast.rule);
            let amount = Exact::from_num(price).map_err(|_| PriceError::Overflow { place: p.place(rule) })?;
            self.lines.push(Line {
                source: Source::Charge(index),
                tax,
                rule,
                leaf,
                from: t,
                to: t,
                quantity: 1,
                counted: Counted::Pieces,
                price: Some(price),
                amount,
            });
            self.add_plain(pricing, index, tax, rule, amount)?;
        }
        Ok(())
    }

    /// Whether a start fee stands among the lines already.
    pub(crate) fn fee_is_charged(&self, charge: u16) -> bool {
        charge < 64 && self.fees_charged & (1 << charge) != 0
    }

    pub(super) fn open_cursors(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        let clock = Clock::of(self.start);
        for (index, charge) in (0_u16..).zip(&pricing.p.tariff.charges) {
            // What is charged once is charged by the list of plug-in.
            if states_of(charge.kind) == 0 || (self.window.later && charge.kind == ChargeKind::FlatFee) {
                continue;
            }
            let root = self.fixed.specialise(pricing.p, charge.root)?;
            let tax = self.tax_root(pricing, charge.tax)?;
            let after = match &charge.after {
                None => None,
                Some(after) => Some((after.measure, self.after_amount(pricing, &after.amount)?)),
            };
            self.cursors.push(Cursor { after, ..Cursor::new(index, charge.kind, root, tax, clock) });
        }
        Ok(())
    }

    /// The session's figures at plug-in.
    pub(crate) fn start_point(&self) -> Point {
        Point {
            t: self.plugged_in,
            local: self.start,
            import: 0,
            export: 0,
            times: [0; 6],
            power: 0,
            current: None,
            occupancy: self.start_occupancy,
        }
    }

    // The tax class when nothing can change it, else its diagram.
    pub(super) fn tax_root(&self, pricing: &Pricing<'_>, root: NodeId) -> Result<TaxAt, PriceError> {
        let p = pricing.p;
        let root = self.fixed.specialise(p, root)?;
        Ok(match p.always_taxed(root) {
            Some(tax) => TaxAt::Always(tax),
            None => TaxAt::Node(root),
        })
    }

    /// An allowance in its measure's unit, judged at plug-in.
    pub(crate) fn after_amount(
        &self,
        pricing: &Pricing<'_>,
        amount: &AfterAmount,
    ) -> Result<i64, PriceError> {
        let p = pricing.p;
        let value = match amount {
            AfterAmount::Fixed(value) => return Ok(*value),
            AfterAmount::Value(value) => p.tariff.values.get(*value as usize),
        };
        let missing = || PriceError::NoCase {
            charge: value.map_or_else(String::new, |value| value.name.clone()),
            at: local_text(&p.tariff.zone, Instant(self.plugged_in)),
        };
        let root = self.fixed.specialise(p, value.ok_or_else(missing)?.root)?;
        let leaf =
            walk(p, &self.fixed, root, &self.start_point(), &[], &mut Edges::new())?.ok_or_else(missing)?;
        match p.tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
            Some(Outcome::Quantity(quantity)) => Ok(*quantity),
            Some(Outcome::Free) => Ok(0),
            _ => Err(missing()),
        }
    }

    pub(super) fn opening_bases(&self, pricing: &Pricing<'_>) -> Vec<Base> {
        if !pricing.p.uses_bases {
            return Vec::new();
        }
        let measures = &pricing.p.tariff.measures;
        let local = self.start;
        measures
            .iter()
            .map(|measure| {
                let opening = self.opening(*measure, local.day);
                Base { period: period(*measure, local.day), at_start: 0, opening }
            })
            .collect()
    }

    // What earlier sessions have used of a measure in the day or month, in the measure's unit.
    pub(super) fn opening(&self, measure: Measure, day: i32) -> i64 {
        let Some(name) = counter_name(measure, day) else { return 0 };
        let up = if matches!(measure, Measure::Time { .. }) { 1_000 } else { 1_000_000 };
        let value = self.standing.get(&name).checked_mul(rust_decimal::Decimal::from(up));
        let value = value.map_or(i128::MAX, |value| value.trunc().normalize().mantissa());
        // Beyond any threshold that can be written.
        i64::try_from(value).unwrap_or(i64::MAX).clamp(-i64::MAX / 4, i64::MAX / 4)
    }
}
