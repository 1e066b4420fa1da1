//! What a day costs, tax in, for a driver who has not plugged in yet: prices by slice, and the terms that may come on top.
//!
//! Prices are those of the first kWh. Where a list asks how much has been used or how much power flows, the prices beyond
//! each of its thresholds stand in a tier of their own.

mod charge;
mod discounts;
mod terms;
mod tiers;
mod words;

pub use charge::{ChargeSlice, charge_day};
pub use discounts::DayDiscount;

use crate::calendar_time::{INSTANTS, LocalTime, local_text, start_of_day};
use crate::error::PriceError;
use crate::evaluate::{Around, Edges, Fixed, Given, Moment, Point, Pricing, time_index, walk};
use crate::exact::{Num, Overflow};
use crate::input::InputError;
use crate::session::Facts;
use crate::standing::Standing;
use crate::tariff::{AfterAmount, Charge, ChargeKind, Limit, Measure, NodeId, Outcome, Per, RuleId};
use crate::units::{Day, Instant, MICRO};
use discounts::lowered;
use words::threshold_text;

/// For whom and where.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// What is known before charging. No group means the default group.
    pub facts: Facts,
    /// The power that the car will draw, millionths of a kW, where it is known.
    pub power: Option<i64>,
}

/// A day's prices.
#[derive(Clone, Debug)]
pub struct DayTable {
    /// The price of energy, all energy charges and taxes in. Without gaps from the day's first instant to its last.
    pub slices: Vec<Slice>,
    /// The same from a threshold on.
    pub tiers: Vec<Tier>,
    /// Everything that is not paid per kWh taken.
    pub terms: Vec<Term>,
    /// Discounts of the list that this driver gets if he plugs in at some time of the day.
    pub discounts: Vec<DayDiscount>,
}

/// Prices from a threshold on.
#[derive(Clone, Debug)]
pub struct Tier {
    /// As in `from 20 kWh of energy`.
    pub when: String,
    /// As [`DayTable::slices`].
    pub slices: Vec<Slice>,
}

/// A stretch of the day with one price.
#[derive(Clone, PartialEq, Debug)]
pub struct Slice {
    /// Start.
    pub from: Instant,
    /// End.
    pub to: Instant,
    /// Per kWh, taxes in.
    pub total: Known,
    /// What it consists of, taxes in.
    pub parts: Vec<(String, Known)>,
}

/// A price, or why there is none.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Known {
    /// The price.
    Price(Num),
    /// A feed has no price for then yet.
    Pending,
    /// It depends on the power that the car will draw, and that is not known.
    ByPower,
}

/// A charge beside the price of energy.
#[derive(Clone, PartialEq, Debug)]
pub struct Term {
    /// Kind of charge.
    pub kind: &'static str,
    /// As printed.
    pub label: String,
    /// What is free before it begins, as in `30 min`.
    pub after: Option<String>,
    /// Floors and caps.
    pub limits: Vec<Limit>,
    /// Whether the limits are with taxes. Only a limit on a total whose charges are taxed differently is not.
    pub limits_taxed: bool,
    /// The day; equal prices side by side are one slice. Empty where there are only limits.
    pub slices: Vec<TermSlice>,
    /// The same from a threshold on.
    pub tiers: Vec<TermTier>,
}

/// Prices of a term from a threshold on.
#[derive(Clone, PartialEq, Debug)]
pub struct TermTier {
    /// As in `after 60 min of connected time`.
    pub when: String,
    /// As [`Term::slices`].
    pub slices: Vec<TermSlice>,
}

/// A stretch of the day in which a term has one price.
#[derive(Clone, PartialEq, Debug)]
pub struct TermSlice {
    /// Start.
    pub from: Instant,
    /// End.
    pub to: Instant,
    /// Per unit, taxes in.
    pub price: Known,
    /// The unit, as in `min`.
    pub per: &'static str,
    /// The line that says so.
    pub rule: RuleId,
}

/// The prices of a local day.
///
/// # Errors
/// [`PriceError::MissingFact`] when the tariff asks something that is not said; a day outside the calendar or before the
/// tariff is in force.
pub fn day_table(pricing: &Pricing<'_>, asked: &Asked, day: Day) -> Result<DayTable, PriceError> {
    let mut work = work(pricing, asked, day)?;
    work.discounts = work.discounts()?;
    let (slices, tiers) = work.tiered(Work::energy, |below, beyond| below == beyond)?;
    let tier = |(measure, threshold, slices)| Tier {
        when: format!("from {}", threshold_text(measure, threshold)),
        slices,
    };
    let tiers = tiers.into_iter().map(tier).collect();
    let terms = work.terms()?;
    Ok(DayTable { slices, tiers, terms, discounts: work.discounts })
}

/// Ready to read the prices of a local day.
fn work<'a>(pricing: &'a Pricing<'a>, asked: &'a Asked, day: Day) -> Result<Work<'a>, PriceError> {
    let tariff = &pricing.p.tariff;
    let zone = &tariff.zone;
    let (mut start, mut end) = (start_of_day(zone, day), start_of_day(zone, day.saturating_add(1)));
    if !INSTANTS.contains(&start) || !INSTANTS.contains(&end) {
        return Err(InputError::new("the day lies outside the years 2000 to 2099").into());
    }
    if let Some(valid_from) = tariff.valid_from {
        if valid_from.0 >= end {
            let (at, valid_from) = (local_text(zone, Instant(start)), local_text(zone, valid_from));
            return Err(PriceError::NotInForce { at, valid_from });
        }
        start = start.max(valid_from.0);
    }
    if let Some(valid_until) = tariff.valid_until {
        if valid_until.0 <= start {
            let (at, valid_until) = (local_text(zone, Instant(start)), local_text(zone, valid_until));
            return Err(PriceError::Over { at, valid_until });
        }
        end = end.min(valid_until.0);
    }
    let fixed = Fixed::new(pricing, &asked.facts, &Standing::default(), day);
    Ok(Work { pricing, asked, fixed, start, end, at: None, thresholds: Vec::new(), discounts: Vec::new() })
}

struct Work<'a> {
    pricing: &'a Pricing<'a>,
    asked: &'a Asked,
    fixed: Fixed,
    start: i64,
    end: i64,
    // The tier: this measure has already reached that much.
    at: Option<(Measure, i64)>,
    // Thresholds met, in order.
    thresholds: Vec<(Measure, i64)>,
    discounts: Vec<DayDiscount>,
}

// One line of a list at a point: its price and parts, taxes in.
struct Answered {
    price: Known,
    parts: Vec<(String, Known)>,
    per: Option<Per>,
    rule: RuleId,
}

impl Work<'_> {
    fn point(&self, t: i64) -> Point {
        let mut point = Point {
            t,
            local: LocalTime::at(&self.pricing.p.tariff.zone, t),
            import: 0,
            export: 0,
            times: [0; 6],
            power: self.asked.power.unwrap_or(0),
            current: Some(0),
            occupancy: Some(0),
        };
        match self.at {
            None => {}
            Some((Measure::Energy { .. }, value)) => point.import = value,
            Some((Measure::Time { time, .. }, value)) => {
                if let Some(so_far) = point.times.get_mut(time_index(time)) {
                    *so_far = value;
                }
            }
            Some((Measure::Power, value)) => point.power = value,
            Some((Measure::Current, value)) => point.current = Some(value),
            Some((Measure::Occupancy, value)) => point.occupancy = Some(value),
        }
        point
    }

    fn edges(&self, point: &Point) -> Edges {
        let mut edges = Edges::new();
        edges.time = point.local.instant_of(1440);
        if let Some(step) = self.pricing.p.tariff.line_step_min.filter(|step| *step > 0) {
            let next = (u32::from(point.local.minute) / step + 1) * step;
            edges.time =
                edges.time.min(point.local.instant_of(u16::try_from(next.min(1440)).unwrap_or(1440)));
        }
        edges
    }

    // The total of all energy charges through the day.
    fn energy(&mut self) -> Result<Vec<Slice>, PriceError> {
        let charges = self.charges(|kind| kind == ChargeKind::Energy);
        let mut slices: Vec<Slice> = Vec::new();
        let mut t = self.start;
        // The last cut was only a clock change.
        let mut soft = false;
        while t < self.end {
            let point = self.point(t);
            let mut edges = self.edges(&point);
            let mut total = Known::Price(Num::ZERO);
            let mut parts: Vec<(String, Known)> = Vec::new();
            let mut cuts = vec![None; self.discounts.len()];
            for (index, charge) in &charges {
                let found = match self.allowance(charge, &point)? {
                    true => Answered {
                        price: Known::Price(Num::ZERO),
                        parts: Vec::new(),
                        per: None,
                        rule: charge.rule,
                    },
                    false => self.answer(&charge.label, charge.root, charge.tax, &point, &mut edges)?,
                };
                let rule = found.rule;
                let left = self.discounted(*index, found.price, rule, &mut cuts)?;
                total = sum(total, left).map_err(|_| self.overflow(rule))?;
                // Beside others, a charge with a label of its own is one part.
                let whole = charges.len() > 1 && charge.label != "Energy";
                let found = if found.parts.is_empty() || whole {
                    vec![(charge.label.clone(), found.price)]
                } else {
                    found.parts
                };
                for (label, price) in found {
                    match parts.iter_mut().find(|(known, _)| *known == label) {
                        Some((_, known)) => *known = sum(*known, price).map_err(|_| self.overflow(rule))?,
                        None => parts.push((label, price)),
                    }
                }
            }
            for (discount, cut) in self.discounts.iter().zip(cuts) {
                parts.extend(cut.map(|cut| (discount.label.clone(), cut)));
            }
            let hard = edges.time.min(self.end);
            let to = hard.min(point.local.offset_until).max(t + 1);
            match slices.last_mut() {
                Some(last) if soft && last.total == total && last.parts == parts => last.to = Instant(to),
                _ => slices.push(Slice { from: Instant(t), to: Instant(to), total, parts }),
            }
            soft = to < hard;
            self.note_thresholds(&edges);
            t = to;
        }
        Ok(slices)
    }

    // Charges and their indexes.
    fn charges<'c>(&self, which: impl Fn(ChargeKind) -> bool) -> Vec<(usize, &'c Charge)>
    where
        Self: 'c,
    {
        let charges = self.pricing.p.tariff.charges.iter().enumerate();
        charges.filter(|(_, charge)| which(charge.kind)).collect()
    }

    // What discounts leave of a price of this charge. `cuts`: what each of them has taken off so far.
    fn discounted(
        &self,
        charge: usize,
        price: Known,
        rule: RuleId,
        cuts: &mut [Option<Known>],
    ) -> Result<Known, PriceError> {
        let mut left = price;
        for (discount, cut) in self.discounts.iter().zip(cuts) {
            if let Some(share) = discount.share_of(charge) {
                let (rest, less) = lowered(left, share).map_err(|_| self.overflow(rule))?;
                left = rest;
                *cut = Some(match cut {
                    Some(known) => sum(*known, less).map_err(|_| self.overflow(rule))?,
                    None => less,
                });
            }
        }
        Ok(left)
    }

    // Whether the charge has not begun yet at the point.
    fn allowance(&mut self, charge: &Charge, point: &Point) -> Result<bool, PriceError> {
        let Some(after) = &charge.after else { return Ok(false) };
        let amount = self.after_amount(&after.amount, &charge.label)?;
        self.note_threshold(after.measure, amount);
        Ok(point.measure(after.measure, &crate::evaluate::Base::default())? < amount)
    }

    fn after_amount(&self, amount: &AfterAmount, label: &str) -> Result<i64, PriceError> {
        let tariff = &self.pricing.p.tariff;
        let value = match amount {
            AfterAmount::Fixed(amount) => return Ok(*amount),
            AfterAmount::Value(value) => tariff.values.get(*value as usize),
        };
        let point = self.point(self.start);
        let leaf = self.leaf(label, value.map_or(0, |value| value.root), &point, &mut Edges::new())?;
        match tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
            Some(Outcome::Quantity(quantity)) => Ok(*quantity),
            _ => Ok(0),
        }
    }

    fn leaf(&self, label: &str, root: NodeId, point: &Point, edges: &mut Edges) -> Result<u32, PriceError> {
        let p = self.pricing.p;
        let root = self.fixed.specialise(p, root)?;
        walk(p, &self.fixed, root, point, &[], edges)?.ok_or_else(|| PriceError::NoCase {
            charge: label.to_owned(),
            at: local_text(&p.tariff.zone, Instant(point.t)),
        })
    }

    fn answer(
        &self,
        label: &str,
        root: NodeId,
        tax_root: NodeId,
        point: &Point,
        edges: &mut Edges,
    ) -> Result<Answered, PriceError> {
        let tariff = &self.pricing.p.tariff;
        let leaf = self.leaf(label, root, point, edges)?;
        let tax = self.tax_class(tax_root, point, edges)?;
        let found = tariff.leaves.get(leaf as usize);
        let rule = found.map_or(0, |leaf| leaf.rule);
        let mut around = Around {
            pricing: self.pricing,
            fixed: &self.fixed,
            point,
            bases: &[],
            average_power: Num::new(i128::from(self.asked.power.unwrap_or(MICRO)), 6),
            tax,
            rule,
        };
        let given = around.leaf(leaf, edges, 0)?;
        let Some(Outcome::Price(price)) = found.map(|leaf| &leaf.outcome) else {
            return Ok(Answered { price: Known::Price(Num::ZERO), parts: Vec::new(), per: None, rule });
        };
        let per = Some(price.per);
        let mut parts = Vec::new();
        let whole = match given {
            Given::Pending => Known::Pending,
            Given::Number(number) => {
                if self.asked.power.is_none() && around.doubled(leaf, number)? {
                    Known::ByPower
                } else {
                    // What rounding the price adds or takes belongs to the first part, as on a bill.
                    let mut rest = number;
                    for part in price.parts.iter().skip(1) {
                        if let Given::Number(amount) = around.formula(&part.formula, &mut Edges::new(), 0)? {
                            rest = rest.sub(amount).map_err(|_| self.overflow(rule))?;
                            parts.push((part.label.clone(), Known::Price(self.taxed(amount, tax, rule)?)));
                        }
                    }
                    if let Some(first) = price.parts.first() {
                        parts.insert(0, (first.label.clone(), Known::Price(self.taxed(rest, tax, rule)?)));
                    }
                    Known::Price(self.taxed(number, tax, rule)?)
                }
            }
        };
        if parts.is_empty() {
            for part in &price.parts {
                let part_price = match around.formula(&part.formula, &mut Edges::new(), 0)? {
                    Given::Number(amount) if whole == Known::Pending => {
                        Known::Price(self.taxed(amount, tax, rule)?)
                    }
                    Given::Number(_) => whole,
                    Given::Pending => Known::Pending,
                };
                parts.push((part.label.clone(), part_price));
            }
        }
        Ok(Answered { price: whole, parts, per, rule })
    }

    fn tax_class(&self, root: NodeId, point: &Point, edges: &mut Edges) -> Result<u32, PriceError> {
        let leaf = self.leaf("VAT", root, point, edges)?;
        match self.pricing.p.tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
            Some(Outcome::Tax(class)) => Ok(*class),
            _ => Ok(0),
        }
    }

    fn taxed(&self, price: Num, tax: u32, rule: RuleId) -> Result<Num, PriceError> {
        if self.pricing.p.tariff.includes_vat {
            return Ok(price);
        }
        let factor = self.pricing.p.tax_factors.get(tax as usize).map_or(Num::ONE, |tax| tax.factor);
        price.mul(factor).map_err(|_| self.overflow(rule))
    }

    fn overflow(&self, rule: RuleId) -> PriceError {
        PriceError::Overflow { place: self.pricing.p.place(rule) }
    }
}

impl Around<'_> {
    // Whether the price is another one at twice the mean power: then it depends on it.
    fn doubled(&mut self, leaf: u32, number: Num) -> Result<bool, PriceError> {
        let power = self.average_power;
        self.average_power =
            power.add(power).map_err(|_| PriceError::Overflow { place: "average-power".into() })?;
        let other = self.leaf(leaf, &mut Edges::new(), 0);
        self.average_power = power;
        Ok(!matches!(other?, Given::Number(other) if other == number))
    }
}

fn sum(total: Known, more: Known) -> Result<Known, Overflow> {
    Ok(match (total, more) {
        (Known::Price(total), Known::Price(more)) => Known::Price(total.add(more)?),
        (Known::Pending, _) | (_, Known::Pending) => Known::Pending,
        (Known::ByPower, _) | (_, Known::ByPower) => Known::ByPower,
    })
}
