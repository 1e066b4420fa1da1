//! A session that goes over from one list to another while it runs, because the later one says `change prices`.
//!
//! The rule, for a change at the instant T:
//!
//! - **By the unit**: energy, feed-in, charging, connected and parking time, the idle fee and the payout to the site are charged
//!   by the list in force: before T by the earlier one, from T on by the later one. Slices are cut at T.
//! - **Counting goes on**: a grace, a threshold, a billing step, the first free kWh, the mean power count from plug-in, not from T.
//!   A step is filled up once, at the end, at the last price.
//! - **Once per session**: start fee, flat fee, reservation fee, payment fee and floors (`at least`) are those of the list of
//!   plug-in. So is what is judged at plug-in: groups, plug, contract and coupons are asked as of then, by each list for itself.
//! - **Caps** (`at most`) count over the session: what was charged for the same charge before T uses up the later list's cap, and
//!   nothing that was charged is taken back. Two charges are the same when kind and label are, or when each is the only one of its
//!   kind in its list.
//! - **Discounts and coupons**: shares are of what each list charges. Amounts are given once: what the earlier list gave counts.
//! - **Rounding**: a charge is rounded once over the session. What is printed for the time before T is what it came to then; the rest
//!   is printed after it. Taxes are worked out once per rate on all printed rows.
//!
//! So a change to a list that says the same changes nothing in what its charges come to, and what stood at T stands.

use crate::bill::{Bill, ByLists, Pending, Row, assemble_lists};
use crate::error::PriceError;
use crate::evaluate::Pricing;
use crate::price::{follow, price};
use crate::running::{Begin, Buffers, Held, Running, SoFar, Window};
use crate::session::{Facts, OccupancyFrom, PowerFrom, Reading, Session, State, StateFrom};
use crate::standing::Standing;
use crate::tariff::Tariff;
use crate::units::{Energy, Instant};
use std::borrow::Cow;

/// The lists that a session follows: the one of plug-in, then those that it goes over to, each with its prices.
#[derive(Clone, Debug)]
pub struct Lists<'a> {
    first: &'a Pricing<'a>,
    // In order of time.
    later: Vec<(Instant, &'a Pricing<'a>)>,
}

impl<'a> Lists<'a> {
    /// Of a session that keeps its list, so far.
    #[must_use]
    pub const fn new(first: &'a Pricing<'a>) -> Self {
        Self { first, later: Vec::new() }
    }

    /// From an instant on by another list, until the next one. Of two for one instant the one that is named later counts.
    #[must_use]
    pub fn then(mut self, from: Instant, pricing: &'a Pricing<'a>) -> Self {
        let place = self.later.partition_point(|(known, _)| *known <= from);
        self.later.insert(place, (from, pricing));
        self
    }

    /// The list of plug-in.
    #[must_use]
    pub const fn first(&self) -> &'a Pricing<'a> {
        self.first
    }

    /// Those that the session goes over to, in order of time.
    #[must_use]
    pub fn later(&self) -> &[(Instant, &'a Pricing<'a>)] {
        &self.later
    }

    // Without those that begin when the session is over.
    pub(crate) fn begun(&self, unplugged: Option<Instant>) -> Self {
        let begun = |(from, _): &&(Instant, &'a Pricing<'a>)| unplugged.is_none_or(|until| *from < until);
        Self { first: self.first, later: self.later.iter().take_while(begun).copied().collect() }
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = &'a Pricing<'a>> + Clone + '_ {
        std::iter::once(self.first).chain(self.later.iter().map(|(_, pricing)| *pricing))
    }

    // Each list with the part of the session that it charges.
    fn windows(&self) -> impl Iterator<Item = (&'a Pricing<'a>, Window)> + '_ {
        let starts = std::iter::once(i64::MIN).chain(self.later.iter().map(|(from, _)| from.0));
        let ends = self.later.iter().map(|(from, _)| from.0).chain([i64::MAX]);
        self.each()
            .zip(starts.zip(ends))
            .enumerate()
            .map(|(nth, (pricing, (from, until)))| (pricing, Window { from, until, later: nth > 0 }))
    }
}

/// Why a session cannot go over from one list to another: one bill cannot say both.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unfit {
    /// The money is another one.
    #[error("its currency is {next}, and that of the list of plug-in {first}")]
    Currency {
        /// Of the list of plug-in.
        first: String,
        /// Of the other.
        next: String,
    },
    /// Prices are meant otherwise.
    #[error("its prices are {} VAT, and those of the list of plug-in {}", word(*.next), word(!*.next))]
    Vat {
        /// Whether VAT is in the other's prices.
        next: bool,
    },
    /// The clock is another one.
    #[error("its time zone is {next}, and that of the list of plug-in {first}")]
    Zone {
        /// Of the list of plug-in.
        first: String,
        /// Of the other.
        next: String,
    },
}

const fn word(included: bool) -> &'static str {
    if included { "including" } else { "excluding" }
}

/// Whether a session that began under `first` can go over to `next`.
///
/// # Errors
/// Says what stands in the way: currency, whether VAT is in the prices, time zone.
pub fn fits(first: &Tariff, next: &Tariff) -> Result<(), Unfit> {
    if first.currency != next.currency {
        let (first, next) = (first.currency.code.clone(), next.currency.code.clone());
        return Err(Unfit::Currency { first, next });
    }
    if first.includes_vat != next.includes_vat {
        return Err(Unfit::Vat { next: next.includes_vat });
    }
    if first.zone != next.zone {
        let (first, next) = (first.zone.name.clone(), next.zone.name.clone());
        return Err(Unfit::Zone { first, next });
    }
    Ok(())
}

/// Whether a session comes to the same under both lists, line by line: they differ at most in remarks (comments, layout, notes, the
/// name of the file), in when they are in force, and in whether running sessions go over to them. Neither is asked of a session
/// that runs. Names, labels and groups are said to the driver, so they count.
#[must_use]
pub fn same_terms(one: &Tariff, other: &Tariff) -> bool {
    // All members by name: a new one has to be decided on.
    let Tariff {
        format,
        name,
        file: _,
        notes: _,
        currency,
        zone,
        includes_vat,
        valid_from: _,
        valid_until: _,
        running_sessions_change: _,
        bills_monthly,
        hold,
        line_step_min,
        groups,
        default_group,
        places,
        tests,
        measures,
        days,
        feeds,
        nodes,
        leaves,
        values,
        charges,
        total_limits,
        discounts,
        coupons,
        coupon_scope,
        tax_classes,
        default_tax,
        month,
        // Where the lines stand, and their texts: amounts know lines by number only.
        rules,
        sources: _,
    } = one;
    *format == other.format
        && *name == other.name
        && *currency == other.currency
        && *zone == other.zone
        && *includes_vat == other.includes_vat
        && *bills_monthly == other.bills_monthly
        && *hold == other.hold
        && *line_step_min == other.line_step_min
        && *groups == other.groups
        && *default_group == other.default_group
        && *places == other.places
        && *tests == other.tests
        && *measures == other.measures
        && *days == other.days
        && *feeds == other.feeds
        && *nodes == other.nodes
        && *leaves == other.leaves
        && *values == other.values
        && *charges == other.charges
        && *total_limits == other.total_limits
        && *discounts == other.discounts
        && *coupons == other.coupons
        && *coupon_scope == other.coupon_scope
        && *tax_classes == other.tax_classes
        && *default_tax == other.default_tax
        && *month == other.month
        && rules.len() == other.rules.len()
}

/// Whether a list can take over a session at `from`: it is in force then, and what it asks of the session at plug-in is known.
///
/// # Errors
/// As [`Running::begin`].
pub fn can_take_over(
    pricing: &Pricing<'_>,
    facts: &Facts,
    plugged_in: Instant,
    from: Instant,
) -> Result<(), PriceError> {
    let begin = Begin { plugged_in, explicit_states: false, explicit_power: false };
    let window = Window { from: from.0, until: i64::MAX, later: true };
    Running::begin_in(pricing, Cow::Borrowed(facts), &begin, Standing::default(), window).map(drop)
}

/// What a session costs by the lists that it follows.
#[derive(Clone, Debug)]
pub struct SessionBill {
    pub(crate) bill: Charged,
    pub(crate) ended: bool,
}

// One list is the usual, and priced as ever.
#[derive(Clone, Debug)]
pub(crate) enum Charged {
    One(Box<Bill>),
    Several(Box<ByLists>),
}

impl SessionBill {
    /// Whether every slice has its price and the session has ended.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.ended && self.pending().next().is_none()
    }

    /// Whether the session has ended.
    #[must_use]
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// Slices without a price; the charge is that of the list then in force.
    pub fn pending(&self) -> impl Iterator<Item = Pending> + '_ {
        let (one, several) = match &self.bill {
            Charged::One(bill) => (Some(&bill.pending), None),
            Charged::Several(bill) => (None, Some(bill.parts.iter().map(|part| &part.pending))),
        };
        one.into_iter().chain(several.into_iter().flatten()).flatten().copied()
    }

    /// Minor units, all taxes in.
    #[must_use]
    pub fn total(&self) -> i64 {
        match &self.bill {
            Charged::One(bill) => bill.total,
            Charged::Several(bill) => bill.total,
        }
    }

    /// Closing counters.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        match &self.bill {
            Charged::One(bill) => &bill.standing,
            Charged::Several(bill) => &bill.standing,
        }
    }
}

/// What a session costs by the lists that it follows, with the given opening counters. One that begins when the session is over
/// charges nothing.
///
/// # Errors
/// As [`price()`].
pub fn price_lists(
    lists: &Lists<'_>,
    session: &Session,
    standing: &Standing,
) -> Result<SessionBill, PriceError> {
    let ended = session.unplugged.is_some();
    let lists = lists.begun(session.unplugged);
    if lists.later.is_empty() {
        let bill = Charged::One(Box::new(price(lists.first, session, standing)?));
        return Ok(SessionBill { bill, ended });
    }
    let begin = Begin {
        plugged_in: session.plugged_in,
        explicit_states: !session.states.is_empty(),
        explicit_power: !session.power.is_empty(),
    };
    let mut runs = Vec::with_capacity(1 + lists.later.len());
    for (pricing, window) in lists.windows() {
        let facts = Held::Borrowed(&session.facts);
        let mut run = Running::blank(facts, &begin, Cow::Borrowed(standing), &mut Buffers::default());
        run.window = window;
        follow(&mut run, pricing, session)?;
        run.close(pricing)?;
        runs.push(run);
    }
    let fee = !lists.first.p.tariff.bills_monthly;
    let bill = Charged::Several(Box::new(assemble_lists(&lists, &mut runs, fee)?));
    Ok(SessionBill { bill, ended })
}

/// The running price of one session by the lists that it follows, also those that come into force later. Each reading costs
/// the same, however long the session already is. The same lists, in the same order, go with every call.
#[derive(Clone, Debug)]
pub struct RunningLists {
    runs: Vec<Running<'static>>,
}

impl RunningLists {
    /// Starts a session.
    ///
    /// # Errors
    /// As [`Running::begin`].
    pub fn begin(
        lists: &Lists<'_>,
        facts: &Facts,
        begin: &Begin,
        standing: &Standing,
    ) -> Result<Self, PriceError> {
        let mut runs = Vec::with_capacity(1 + lists.later.len());
        for (pricing, window) in lists.windows() {
            let facts = Cow::Owned(facts.clone());
            runs.push(Running::begin_in(pricing, facts, begin, standing.clone(), window)?);
        }
        Ok(Self { runs })
    }

    fn each(
        &mut self,
        lists: &Lists<'_>,
        what: impl Fn(&mut Running<'static>, &Pricing<'_>) -> Result<(), PriceError>,
    ) -> Result<(), PriceError> {
        self.runs.iter_mut().zip(lists.each()).try_for_each(|(run, pricing)| what(run, pricing))
    }

    /// Takes the next meter readings.
    ///
    /// # Errors
    /// As [`Running::reading`].
    pub fn readings(&mut self, lists: &Lists<'_>, readings: &[Reading]) -> Result<(), PriceError> {
        self.each(lists, |run, pricing| run.readings(pricing, readings))
    }

    /// From then on the car is in this state.
    ///
    /// # Errors
    /// As [`Running::state`].
    pub fn state(&mut self, lists: &Lists<'_>, state: StateFrom) -> Result<(), PriceError> {
        self.each(lists, |run, pricing| run.state(pricing, state))
    }

    /// From then on the car draws this power.
    ///
    /// # Errors
    /// As [`Running::power`].
    pub fn power(&mut self, lists: &Lists<'_>, power: PowerFrom) -> Result<(), PriceError> {
        self.each(lists, |run, pricing| run.power(pricing, power))
    }

    /// From then on the site is this full.
    ///
    /// # Errors
    /// As [`Running::occupancy`].
    pub fn occupancy(&mut self, lists: &Lists<'_>, occupancy: OccupancyFrom) -> Result<(), PriceError> {
        self.each(lists, |run, pricing| run.occupancy(pricing, occupancy))
    }

    /// Moves time on without a reading.
    ///
    /// # Errors
    /// As [`Running::until`].
    pub fn until(&mut self, lists: &Lists<'_>, at: Instant) -> Result<(), PriceError> {
        self.each(lists, |run, pricing| run.until(pricing, at))
    }

    /// What the session comes to as of the last reading. Rows stand in the order of the lists, each with indexes of its own list.
    ///
    /// # Errors
    /// As [`Running::so_far`].
    pub fn so_far(&self, lists: &Lists<'_>) -> Result<SoFar, PriceError> {
        match self.runs.as_slice() {
            [run] => run.so_far(lists.first),
            _ => sums(lists, self.slim(lists)),
        }
    }

    /// What it will have come to at `until` if it goes on as it is now and takes `more` energy evenly on the way.
    ///
    /// # Errors
    /// As [`Running::ahead`].
    pub fn ahead(&self, lists: &Lists<'_>, until: Instant, more: Energy) -> Result<SoFar, PriceError> {
        if let [run] = self.runs.as_slice() {
            return run.ahead(lists.first, until, more);
        }
        let mut slim = self.slim(lists);
        for (run, pricing) in slim.iter_mut().zip(lists.each()) {
            run.go_on(pricing, until, more)?;
        }
        sums(lists, slim)
    }

    /// The first instant from which standing costs something if the car takes no more energy. None when that is not before `until`.
    ///
    /// # Errors
    /// As [`Running::first_fee`].
    pub fn first_fee(&self, lists: &Lists<'_>, until: Instant) -> Result<Option<Instant>, PriceError> {
        let mut first: Option<Instant> = None;
        for (run, pricing) in self.runs.iter().zip(lists.each()) {
            let found = run.first_fee(pricing, until)?;
            first = first.into_iter().chain(found).min();
        }
        Ok(first)
    }

    /// What the car does as of the last reading or state.
    #[must_use]
    pub fn state_now(&self) -> State {
        self.runs.first().map_or(State::Waiting, Running::state_now)
    }

    /// Up to when the session is priced.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.runs.first().map_or(Instant(0), Running::now)
    }

    /// Energy taken so far.
    #[must_use]
    pub fn energy(&self) -> Energy {
        self.runs.first().map_or(Energy(0), Running::energy)
    }

    fn slim(&self, lists: &Lists<'_>) -> Vec<Running<'_>> {
        let looks_back = self.runs.iter().zip(lists.each()).any(|(run, pricing)| run.looks_back(pricing));
        self.runs.iter().map(|run| run.slim(looks_back)).collect()
    }
}

fn sums(lists: &Lists<'_>, mut slim: Vec<Running<'_>>) -> Result<SoFar, PriceError> {
    for (run, pricing) in slim.iter_mut().zip(lists.each()) {
        run.close(pricing)?;
    }
    let (at, state) = slim.first().map_or((Instant(0), State::Waiting), |run| (run.now(), run.state_now()));
    let bill = assemble_lists(lists, &mut slim, !lists.first.p.tariff.bills_monthly)?;
    let rows: Vec<Row> = bill.parts.iter().flat_map(|part| &part.rows).cloned().collect();
    Ok(SoFar {
        at,
        state,
        net: bill.net,
        tax: bill.total - bill.net,
        total: bill.total,
        energy: Energy(bill.energy.0),
        exported: Energy(bill.energy.1),
        rows,
        pending: bill.parts.iter().flat_map(|part| &part.pending).copied().collect(),
    })
}
