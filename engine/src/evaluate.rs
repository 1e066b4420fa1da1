//! One look-up: which line of a diagram answers at a point of a session, and what its formula gives there.

use crate::calendar_time::{LocalTime, local_text, month_text};
use crate::error::PriceError;
use crate::exact::{Num, Overflow};
use crate::prepared::Prepared;
use crate::prices::{PriceBook, Series, hour_around, month_around};
use crate::session::{Facts, Plug};
use crate::standing::Standing;
use crate::tariff::{CALENDAR, Formula, Mean, Measure, Node, NodeId, Outcome, Span, Test, Time, Who};
use crate::units::{Day, HOUR_MS, Instant};
use std::cmp::Ordering;

/// A tariff with the prices it is evaluated against. Making one looks the feeds up by name, once for many sessions.
#[derive(Clone, Debug)]
pub struct Pricing<'a> {
    pub(crate) p: &'a Prepared,
    pub(crate) series: Vec<Option<&'a Series>>,
    pub(crate) cost_price: Option<Num>,
    pub(crate) files: Option<&'a PriceBook>,
}

impl<'a> Pricing<'a> {
    /// # Errors
    /// When a price file is in another unit than the tariff needs.
    pub fn new(prepared: &'a Prepared, book: &'a PriceBook) -> Result<Self, PriceError> {
        let mut series = Vec::with_capacity(prepared.tariff.feeds.len());
        for (feed, used) in prepared.tariff.feeds.iter().zip(&prepared.uses_feed) {
            // What no price asks for may be anything: a book of many sites has feeds in many currencies.
            if !used {
                series.push(None);
                continue;
            }
            let found = book.series(&feed.name, feed.area.as_deref());
            if let Some(found) = found
                && found.currency_unit != feed.unit
            {
                return Err(PriceError::FeedUnit {
                    feed: feed.name.clone(),
                    found: found.currency_unit.clone(),
                    expected: feed.unit.clone(),
                });
            }
            series.push(found);
        }
        Ok(Self { p: prepared, series, cost_price: None, files: Some(book) })
    }

    /// The same with the plant's cost per kWh of the month (in the tariff's VAT basis), which makes `cost price` known.
    #[must_use]
    pub fn with_cost_price(mut self, per_kwh: Num) -> Self {
        self.cost_price = Some(per_kwh);
        self
    }

    /// What a feed gives at an instant, whether VAT is in it, and until when it stays so; none when it is not known.
    ///
    /// # Errors
    /// When a mean is too large to work with.
    pub fn feed_at(&self, feed: u32, mean: Mean, at: Instant) -> Result<Option<FeedValue>, Overflow> {
        let tariff = &self.p.tariff;
        let series = self.series.get(feed as usize).copied().flatten();
        let (Some(declared), Some(series)) = (tariff.feeds.get(feed as usize), series) else {
            return Ok(None);
        };
        let (value, vat_included, until) = match mean {
            Mean::Now => match series.at(at.0, declared.holds, &mut (usize::MAX - 1)) {
                Ok(found) => (found.value, found.vat_included, found.until),
                Err(_) => return Ok(None),
            },
            Mean::Hour | Mean::Month => {
                let (from, to) = match mean {
                    Mean::Month => month_around(&tariff.zone, at.0),
                    Mean::Now | Mean::Hour => hour_around(at.0),
                };
                match series.mean(from, to, declared.holds) {
                    Some(mean) => mean.map(|(value, vat_included)| (value, vat_included, to))?,
                    None => return Ok(None),
                }
            }
        };
        let vat_included = declared.includes_vat.unwrap_or(vat_included);
        Ok(Some(FeedValue { value, vat_included, until: Instant(until) }))
    }

    /// The tariff.
    #[must_use]
    pub fn prepared(&self) -> &'a Prepared {
        self.p
    }
}

/// A value of a feed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FeedValue {
    /// In the unit that the tariff expects.
    pub value: Num,
    /// Whether VAT is in it.
    pub vat_included: bool,
    /// It stays so until then.
    pub until: Instant,
}

/// A point of a session: everything a price may depend on there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub t: i64,
    pub local: LocalTime,
    // Millionths of a kWh since plug-in.
    pub import: i64,
    pub export: i64,
    // Milliseconds so far, by `time_index`.
    pub times: [i64; 6],
    pub power: i64,
    pub current: Option<i64>,
    pub occupancy: Option<i64>,
}

pub(crate) const fn time_index(time: Time) -> usize {
    match time {
        Time::Connected => 0,
        Time::Charging => 1,
        Time::Parking => 2,
        Time::Idle => 3,
        Time::IdleInARow => 4,
        Time::ParkingInARow => 5,
    }
}

/// Where a counter with a span of its own started: the point's reading at the start of the day or month.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Base {
    pub period: i32,
    pub at_start: i64,
    pub opening: i64,
}

impl Base {
    /// What a counter stands at when the session's own stands at `value`.
    pub fn counted(&self, value: i64, span: Span) -> i64 {
        match span {
            Span::Session | Span::Bill => value.saturating_add(self.opening),
            Span::Day | Span::Month => (value - self.at_start).saturating_add(self.opening),
        }
    }
}

/// Answers that stay the same for a whole session.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub answers: Vec<Answer>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Yes,
    No,
    Unknown(&'static str, &'static str),
}

impl Fixed {
    pub fn new(pricing: &Pricing<'_>, facts: &Facts, standing: &Standing, day: Day) -> Self {
        let tariff = &pricing.p.tariff;
        let answers = tariff.tests.iter().map(|test| answer(pricing.p, test, facts, standing, day)).collect();
        Self { answers }
    }

    /// Follows the questions about facts; what follows depends on time and measures only.
    pub fn specialise(&self, p: &Prepared, mut node: NodeId) -> Result<NodeId, PriceError> {
        while let Some(Node::Fact { test, yes, no }) = p.tariff.nodes.get(node as usize) {
            node = match self.answers.get(*test as usize) {
                Some(Answer::Yes) => *yes,
                Some(Answer::Unknown(what, field)) => return Err(PriceError::MissingFact { what, field }),
                Some(Answer::No) | None => *no,
            };
        }
        Ok(node)
    }
}

fn answer(p: &Prepared, test: &Test, facts: &Facts, standing: &Standing, day: Day) -> Answer {
    let tariff = &p.tariff;
    let known = |yes: bool| if yes { Answer::Yes } else { Answer::No };
    let in_group =
        |index: u32| tariff.groups.get(index as usize).is_some_and(|group| facts.groups.contains(group));
    match test {
        Test::Group(group) => {
            let in_none = || !tariff.groups.iter().any(|group| facts.groups.contains(group));
            known(in_group(*group) || (tariff.default_group == Some(*group) && in_none()))
        }
        Test::Place(place) => {
            let Some(place) = tariff.places.get(*place as usize) else { return Answer::No };
            let has = |ids: &[String], id: &Option<String>| id.as_ref().is_some_and(|id| ids.contains(id));
            if has(&place.chargers, &facts.charger) || has(&place.sites, &facts.site) {
                Answer::Yes
            } else if !place.chargers.is_empty() && facts.charger.is_none() {
                Answer::Unknown("the charger", "charger")
            } else if !place.sites.is_empty() && facts.site.is_none() {
                Answer::Unknown("the site", "site")
            } else {
                Answer::No
            }
        }
        Test::Dc => match facts.connector.as_ref().and_then(|connector| connector.plug) {
            Some(plug) => known(plug == Plug::Dc),
            None => Answer::Unknown("the plug (AC or DC)", "connector.plug"),
        },
        Test::Connector(kind) => match facts.connector.as_ref().and_then(|connector| connector.kind.as_ref())
        {
            Some(found) => known(found.eq_ignore_ascii_case(kind)),
            None => Answer::Unknown("the connector's type", "connector.type"),
        },
        Test::RatedAtLeast(power) => match facts.connector.as_ref().and_then(|connector| connector.max_power)
        {
            Some(rated) => known(rated >= *power),
            None => Answer::Unknown("the connector's rated power", "connector.max_power_kw"),
        },
        Test::Contract(contract) => match facts.contract {
            Some(found) => known(found == *contract),
            None => Answer::Unknown("how the driver came", "contract"),
        },
        Test::Issuer(issuer) => known(
            facts.token.as_ref().and_then(|token| token.issuer.as_ref()).is_some_and(|found| found == issuer),
        ),
        Test::PaymentBrand(brand) => {
            known(facts.payment_brand.as_ref().is_some_and(|found| found.eq_ignore_ascii_case(brand)))
        }
        Test::ReservationExpired => known(facts.reservation.is_some_and(|reservation| reservation.expired)),
        // A session has no charger's plan; month charges ask it with the charger at hand.
        Test::Plan(_) => Answer::No,
        Test::WholeMonthAtLeast { who, energy } => {
            let so_far = standing.get(&format!("{} whole month energy {}", who_text(*who), month_text(day)));
            known(crate::units::micro(so_far).unwrap_or(i64::MAX) >= *energy)
        }
    }
}

pub(crate) const fn who_text(who: Who) -> &'static str {
    match who {
        Who::Session => "session",
        Who::Driver => "driver",
        Who::Site => "site",
    }
}

/// Where the answer found at a point may change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edges {
    // Instant.
    pub time: i64,
    // Measure and threshold.
    pub measures: Vec<(u32, i64)>,
}

impl Edges {
    pub fn new() -> Self {
        Self { time: i64::MAX, measures: Vec::new() }
    }

    fn until(&mut self, instant: i64) {
        self.time = self.time.min(instant);
    }
}

/// What a formula or look-up gave.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given {
    Number(Num),
    // A price that is not known yet.
    Pending,
}

/// What the evaluation of a formula may ask.
pub(crate) struct Around<'a> {
    pub pricing: &'a Pricing<'a>,
    pub fixed: &'a Fixed,
    pub point: &'a Point,
    // One per measure of the tariff, or none when no counter has a span of its own.
    pub bases: &'a [Base],
    // Energy per charging time in kW, so far or of the whole session.
    pub average_power: Num,
    // Tax class of the charge at the point.
    pub tax: u32,
    pub rule: u32,
}

/// Where a diagram is asked. A [`Point`] knows everything; what is cheaper to make works it out when it is asked.
pub(crate) trait Moment {
    fn local(&self) -> &LocalTime;
    fn measure(&self, measure: Measure, base: &Base) -> Result<i64, PriceError>;
    /// All of it, for formulas.
    fn point(&self) -> Point;
}

impl Moment for Point {
    fn point(&self) -> Point {
        *self
    }

    fn local(&self) -> &LocalTime {
        &self.local
    }

    fn measure(&self, measure: Measure, base: &Base) -> Result<i64, PriceError> {
        let (value, span) = match measure {
            Measure::Energy { span, .. } => (self.import, span),
            Measure::Time { time, span, .. } => {
                (self.times.get(time_index(time)).copied().unwrap_or_default(), span)
            }
            Measure::Power => return Ok(self.power),
            Measure::Current => {
                return self
                    .current
                    .ok_or(PriceError::MissingFact { what: "the drawn current", field: "power[].a" });
            }
            Measure::Occupancy => {
                let missing = PriceError::MissingFact { what: "how full the site is", field: "occupancy" };
                return self.occupancy.ok_or(missing);
            }
        };
        Ok(base.counted(value, span))
    }
}

/// Follows a specialised diagram to its leaf; `None` is a hole. Notes where the answer may change.
#[inline]
pub(crate) fn walk(
    p: &Prepared,
    fixed: &Fixed,
    mut node: NodeId,
    point: &impl Moment,
    bases: &[Base],
    edges: &mut Edges,
) -> Result<Option<u32>, PriceError> {
    loop {
        match p.tariff.nodes.get(node as usize) {
            Some(Node::Leaf(leaf)) => return Ok(Some(*leaf)),
            Some(Node::Days(children)) => {
                let local = point.local();
                let index = usize::try_from(local.day - CALENDAR.start).unwrap_or(usize::MAX);
                let class = p.day_classes.get(index).copied().unwrap_or_default();
                edges.until(local.instant_of(1440));
                match children.get(usize::from(class)) {
                    Some(child) => node = *child,
                    None => return Ok(None),
                }
            }
            Some(Node::Minutes { edges: starts, children }) => {
                // The first start is 0, so at least one is not after the minute.
                let local = point.local();
                let next = starts.iter().position(|start| *start > local.minute).unwrap_or(starts.len());
                edges.until(local.instant_of(starts.get(next).copied().unwrap_or(1440)));
                match children.get(next.wrapping_sub(1)) {
                    Some(child) => node = *child,
                    None => return Ok(None),
                }
            }
            Some(Node::Measure { measure, edges: thresholds, children }) => {
                let kind = p.tariff.measures.get(*measure as usize).copied().unwrap_or(Measure::Power);
                let base = bases.get(*measure as usize).copied().unwrap_or_default();
                let value = point.measure(kind, &base)?;
                let next = thresholds.partition_point(|threshold| *threshold <= value);
                let below_any = thresholds.get(next).copied().unwrap_or(i64::MAX);
                edges.measures.push((*measure, below_any));
                match children.get(next) {
                    Some(child) => node = *child,
                    None => return Ok(None),
                }
            }
            Some(Node::Fact { test, yes, no }) => {
                node = match fixed.answers.get(*test as usize) {
                    Some(Answer::Yes) => *yes,
                    Some(Answer::Unknown(what, field)) => {
                        return Err(PriceError::MissingFact { what, field });
                    }
                    Some(Answer::No) | None => *no,
                };
            }
            Some(Node::Hole) | None => return Ok(None),
        }
    }
}

impl Around<'_> {
    fn overflow(&self, _: Overflow) -> PriceError {
        PriceError::Overflow { place: self.pricing.p.place(self.rule) }
    }

    fn at_text(&self) -> String {
        local_text(&self.pricing.p.tariff.zone, Instant(self.point.t))
    }

    /// The price of a leaf at the point.
    pub fn leaf(&self, leaf: u32, edges: &mut Edges, depth: u8) -> Result<Given, PriceError> {
        let p = self.pricing.p;
        if let Some(constant) = p.leaves.get(leaf as usize).and_then(|leaf| leaf.constant) {
            return Ok(Given::Number(constant));
        }
        match p.tariff.leaves.get(leaf as usize) {
            Some(found) => match &found.outcome {
                Outcome::Price(price) => {
                    let around = Around { rule: found.rule, ..*self };
                    around.formula(&price.formula, edges, depth)
                }
                _ => Ok(Given::Number(Num::ZERO)),
            },
            None => Ok(Given::Number(Num::ZERO)),
        }
    }

    /// What a formula gives at the point.
    pub fn formula(&self, formula: &Formula, edges: &mut Edges, depth: u8) -> Result<Given, PriceError> {
        let pair = |a: &Formula, b: &Formula, edges: &mut Edges| -> Result<Option<(Num, Num)>, PriceError> {
            let left = self.formula(a, edges, depth)?;
            let right = self.formula(b, edges, depth)?;
            Ok(match (left, right) {
                (Given::Number(left), Given::Number(right)) => Some((left, right)),
                _ => None,
            })
        };
        let overflow = |error| self.overflow(error);
        let number = match formula {
            Formula::Const(value) => Num::from_decimal(*value),
            Formula::Value(value) => return self.value(*value, edges, depth),
            Formula::Feed { feed, mean } => return self.feed(*feed, *mean, edges),
            Formula::EnergyPrice => return self.energy_price(edges, depth),
            Formula::AveragePower => self.average_power,
            Formula::CostPrice => match self.pricing.cost_price {
                Some(cost) => cost,
                None => return Ok(Given::Pending),
            },
            Formula::Add(a, b) => match pair(a, b, edges)? {
                Some((a, b)) => a.add(b).map_err(overflow)?,
                None => return Ok(Given::Pending),
            },
            Formula::Sub(a, b) => match pair(a, b, edges)? {
                Some((a, b)) => a.sub(b).map_err(overflow)?,
                None => return Ok(Given::Pending),
            },
            Formula::Mul(a, b) => match pair(a, b, edges)? {
                Some((a, b)) => a.mul(b).map_err(overflow)?,
                None => return Ok(Given::Pending),
            },
            Formula::Div(a, b) => match pair(a, b, edges)? {
                Some((a, b)) => match a.div(b) {
                    Some(quotient) => quotient.map_err(overflow)?,
                    None => {
                        let place = self.pricing.p.place(self.rule);
                        return Err(PriceError::DivisionByZero { place, at: self.at_text() });
                    }
                },
                None => return Ok(Given::Pending),
            },
            Formula::Higher(a, b) => match pair(a, b, edges)? {
                Some((a, b)) => {
                    if a.compare(b).map_err(overflow)? == Ordering::Less {
                        b
                    } else {
                        a
                    }
                }
                None => return Ok(Given::Pending),
            },
            Formula::Lower(a, b) => match pair(a, b, edges)? {
                Some((a, b)) => {
                    if a.compare(b).map_err(overflow)? == Ordering::Greater {
                        b
                    } else {
                        a
                    }
                }
                None => return Ok(Given::Pending),
            },
            Formula::Round(a, step) => match self.formula(a, edges, depth)? {
                Given::Number(value) => value.round_to(Num::from_decimal(*step)).map_err(overflow)?,
                Given::Pending => return Ok(Given::Pending),
            },
            Formula::PlusVat(a) => match self.formula(a, edges, depth)? {
                Given::Number(value) => value.mul(self.tax_factor()).map_err(overflow)?,
                Given::Pending => return Ok(Given::Pending),
            },
            Formula::LessVat(a) => match self.formula(a, edges, depth)? {
                Given::Number(value) => self.less_vat(value)?,
                Given::Pending => return Ok(Given::Pending),
            },
        };
        Ok(Given::Number(number))
    }

    fn tax_factor(&self) -> Num {
        self.pricing.p.tax_factors.get(self.tax as usize).map_or(Num::ONE, |tax| tax.factor)
    }

    fn less_vat(&self, value: Num) -> Result<Num, PriceError> {
        // Factors are above zero (see Prepared), so the quotient exists.
        value.div(self.tax_factor()).unwrap_or(Ok(value)).map_err(|error| self.overflow(error))
    }

    fn value(&self, value: u32, edges: &mut Edges, depth: u8) -> Result<Given, PriceError> {
        let p = self.pricing.p;
        let missing = |name: &str| PriceError::NoCase { charge: name.to_owned(), at: self.at_text() };
        let found = p.tariff.values.get(value as usize).ok_or_else(|| missing("a named price"))?;
        let root = self.fixed.specialise(p, found.root)?;
        match walk(p, self.fixed, root, self.point, self.bases, edges)? {
            Some(leaf) => self.leaf(leaf, edges, depth),
            None => Err(missing(&found.name)),
        }
    }

    fn energy_price(&self, edges: &mut Edges, depth: u8) -> Result<Given, PriceError> {
        let p = self.pricing.p;
        if depth > 0 {
            // An energy price cannot be part of itself; the compiler refuses it.
            return Err(PriceError::NoCase { charge: "energy price".into(), at: self.at_text() });
        }
        let mut sum = Num::ZERO;
        for index in &p.energy_charges {
            let Some(charge) = p.tariff.charges.get(*index as usize) else { continue };
            let root = self.fixed.specialise(p, charge.root)?;
            let missing = || PriceError::NoCase { charge: charge.label.clone(), at: self.at_text() };
            let leaf = walk(p, self.fixed, root, self.point, self.bases, edges)?.ok_or_else(missing)?;
            // The energy's own VAT, not that of the charge that refers to it.
            let tax_root = self.fixed.specialise(p, charge.tax)?;
            let tax_leaf =
                walk(p, self.fixed, tax_root, self.point, self.bases, edges)?.ok_or_else(missing)?;
            let tax = match p.tariff.leaves.get(tax_leaf as usize).map(|leaf| &leaf.outcome) {
                Some(Outcome::Tax(class)) => *class,
                _ => self.tax,
            };
            let around = Around { tax, ..*self };
            match around.leaf(leaf, edges, depth + 1)? {
                Given::Number(price) => sum = sum.add(price).map_err(|error| self.overflow(error))?,
                Given::Pending => return Ok(Given::Pending),
            }
        }
        Ok(Given::Number(sum))
    }

    fn feed(&self, feed: u32, mean: Mean, edges: &mut Edges) -> Result<Given, PriceError> {
        let tariff = &self.pricing.p.tariff;
        let Some(declared) = tariff.feeds.get(feed as usize) else { return Ok(Given::Pending) };
        let t = self.point.t;
        let Some(series) = self.pricing.series.get(feed as usize).copied().flatten() else {
            // Nothing is known; slices still follow the clock hour, as prices will.
            edges.until(hour_around(t).1);
            return Ok(Given::Pending);
        };
        let (value, vat_included) = match mean {
            Mean::Now => {
                let mut hint = usize::MAX - 1;
                match series.at(t, declared.holds, &mut hint) {
                    Ok(found) => {
                        edges.until(found.until);
                        (found.value, found.vat_included)
                    }
                    Err(missing) => {
                        edges.until(missing.until.min(hour_around(t).1));
                        return Ok(Given::Pending);
                    }
                }
            }
            Mean::Hour | Mean::Month => {
                let (from, to) = match mean {
                    Mean::Month => month_around(&tariff.zone, t),
                    Mean::Now | Mean::Hour => hour_around(t),
                };
                edges.until(to);
                match series.mean(from, to, declared.holds) {
                    Some(mean) => mean.map_err(|error| self.overflow(error))?,
                    None => return Ok(Given::Pending),
                }
            }
        };
        let vat_included = declared.includes_vat.unwrap_or(vat_included);
        let converted = match (declared.money_per_kwh, tariff.includes_vat, vat_included) {
            (true, true, false) => value.mul(self.tax_factor()).map_err(|error| self.overflow(error))?,
            (true, false, true) => self.less_vat(value)?,
            _ => value,
        };
        Ok(Given::Number(converted))
    }
}

/// Mean power in kW of `energy` millionths of a kWh in `ms` of charging; zero when there was none.
pub(crate) fn average_power(energy: i64, ms: i64) -> Result<Num, Overflow> {
    // kWh / h = energy / 10^6 x 3,600,000 / ms
    let numerator = Num::new(i128::from(energy) * i128::from(HOUR_MS), 6);
    numerator.div(Num::new(i128::from(ms), 0)).unwrap_or(Ok(Num::ZERO))
}
