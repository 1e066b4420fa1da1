//! Charges that only a month can tell, judged at its last instant: that is when a continuous service is supplied (article
//! 64 of the EU's VAT directive), and when what they are worked out from is known.

use super::error::MonthError;
use super::meters::{Hour, Stretch, micro_text, peaks};
use super::statement::{Paper, Row, add_sum, print_once};
use crate::calendar_time::LocalTime;
use crate::document::{LineDoc, Word};
use crate::error::PriceError;
use crate::evaluate::{Answer, Around, Edges, Fixed, Given, Point, walk};
use crate::exact::{Counted, Exact, Num, Overflow, print_decimal};
use crate::session::Facts;
use crate::standing::Standing;
use crate::tariff::{Leaf, Limit, MonthCharge, MonthWhat, Node, NodeId, Outcome, Per, Test};
use std::cmp::Ordering;

/// What a diagram says about a charge of the month.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    pub price: Num,
    pub per: Per,
    pub tax: u32,
    pub rule: u32,
}

/// About what a diagram is asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub label: &'a str,
    pub root: NodeId,
    pub tax: NodeId,
    pub facts: &'a Facts,
    pub plan: Option<&'a str>,
    pub at: i64,
    // Millionths of a kW and of a kWh.
    pub power: i64,
    pub energy: i64,
}

impl<'a> Asked<'a> {
    /// About a charge of the month.
    pub fn of(
        charge: &'a MonthCharge,
        root: NodeId,
        facts: &'a Facts,
        plan: Option<&'a str>,
        at: i64,
    ) -> Self {
        Self { label: &charge.label, root, tax: charge.tax, facts, plan, at, power: 0, energy: 0 }
    }
}

/// A charge of the month with the lines behind it, not yet given to a party.
#[derive(Clone, Debug, Default)]
pub(crate) struct Charged {
    pub sums: Vec<(u32, Exact)>,
    pub lines: Vec<LineDoc>,
    pub notes: Vec<String>,
}

impl Paper<'_> {
    /// The answer of a diagram; none when it says `free`.
    pub fn judge(&self, asked: &Asked<'_>) -> Result<Option<Judged>, MonthError> {
        let found = self.ask(asked);
        let failed = |error| MonthError::Charge { charge: asked.label.to_owned(), error };
        match found.map_err(failed)? {
            Some((Given::Number(price), per, tax, rule)) => Ok(Some(Judged { price, per, tax, rule })),
            None => Ok(None),
            Some((Given::Pending, ..)) => Err(MonthError::NoPrice {
                what: format!("`{}`", asked.label),
                at: self.time(asked.at),
                help: "add the price file that covers it",
            }),
        }
    }

    fn ask(&self, asked: &Asked<'_>) -> Result<Option<(Given, Per, u32, u32)>, PriceError> {
        let pricing = self.pricing;
        let tax = self.class_of_tax(asked)?;
        let (fixed, point) = self.situation(asked);
        let (leaf, found) = self.leaf(asked, asked.root, &fixed, &point)?;
        let Outcome::Price(price) = &found.outcome else { return Ok(None) };
        let rule = found.rule;
        let around =
            Around { pricing, fixed: &fixed, point: &point, bases: &[], average_power: Num::ZERO, tax, rule };
        Ok(Some((around.leaf(leaf, &mut Edges::new(), 0)?, price.per, tax, rule)))
    }

    fn situation(&self, asked: &Asked<'_>) -> (Fixed, Point) {
        let tariff = &self.pricing.p.tariff;
        let local = LocalTime::at(&tariff.zone, asked.at);
        let mut fixed = Fixed::new(self.pricing, asked.facts, &Standing::default(), local.day);
        for (answer, test) in fixed.answers.iter_mut().zip(&tariff.tests) {
            if let Test::Plan(plan) = test {
                *answer = if asked.plan == Some(plan) { Answer::Yes } else { Answer::No };
            }
        }
        let point = Point {
            t: asked.at,
            local,
            import: asked.energy,
            export: 0,
            times: [0; 6],
            power: asked.power,
            current: None,
            occupancy: None,
        };
        (fixed, point)
    }

    fn leaf(
        &self,
        asked: &Asked<'_>,
        root: NodeId,
        fixed: &Fixed,
        point: &Point,
    ) -> Result<(u32, &Leaf), PriceError> {
        let p = self.pricing.p;
        let missing = || PriceError::NoCase { charge: asked.label.to_owned(), at: self.time(asked.at) };
        let leaf = walk(p, fixed, root, point, &[], &mut Edges::new())?.ok_or_else(missing)?;
        Ok((leaf, p.tariff.leaves.get(leaf as usize).ok_or_else(missing)?))
    }

    fn class_of_tax(&self, asked: &Asked<'_>) -> Result<u32, PriceError> {
        let (fixed, point) = self.situation(asked);
        match self.leaf(asked, asked.tax, &fixed, &point)?.1.outcome {
            Outcome::Tax(class) => {
                let factor = self.pricing.p.tax_factors.get(class as usize);
                Ok(factor.map_or(class, |factor| factor.same_as))
            }
            _ => Err(PriceError::NoCase { charge: "VAT".into(), at: self.time(asked.at) }),
        }
    }

    /// How the site is taxed at the end of the month for what the diagram is about.
    pub fn tax_of_site(&self, tax: NodeId, facts: &Facts) -> Result<u32, MonthError> {
        let at = self.stretch.last();
        let asked = Asked { label: "VAT", root: tax, tax, facts, plan: None, at, power: 0, energy: 0 };
        self.class_of_tax(&asked).map_err(|error| MonthError::Charge { charge: "VAT".into(), error })
    }

    /// One fee of a charger, a party or a bill.
    pub fn fee(
        &self,
        charge: Word,
        asked: &Asked<'_>,
        charger: Option<&str>,
        into: &mut Charged,
    ) -> Result<(), MonthError> {
        let Some(judged) = self.judge(asked)? else { return Ok(()) };
        let amount = Exact::from_num(judged.price)?;
        let unit = match judged.per {
            Per::Charger => "charger",
            Per::Bill => "bill",
            _ => "month",
        };
        let when =
            if charge == "one-off fee" { (asked.at, asked.at) } else { (self.stretch.from, self.stretch.to) };
        let counted = Some(("1".to_owned(), unit, judged.price));
        let place = (judged.tax, judged.rule);
        let mut line = self.line(charge, asked.label, when, counted, amount, place);
        line.charger = charger.map(str::to_owned);
        into.lines.push(line);
        add_sum(&mut into.sums, judged.tax, amount)?;
        Ok(())
    }

    /// A fee from the highest hours of the month.
    pub fn power(
        &self,
        charge: &MonthCharge,
        root: NodeId,
        hours: &[Hour],
        (count, on_different_days): (u32, bool),
        facts: &Facts,
    ) -> Result<Charged, MonthError> {
        let peaks = peaks(hours, count, on_different_days)?;
        let at = self.stretch.last();
        let asked = Asked { power: peaks.floor, ..Asked::of(charge, root, facts, None, at) };
        let mut charged = Charged::default();
        let text: Vec<String> = peaks
            .hours
            .iter()
            .map(|hour| format!("{} kW at {}", micro_text(hour.energy), self.time(hour.from)))
            .collect();
        charged.notes.push(format!(
            "{}: mean {} kW of {}",
            charge.label,
            peaks.mean.to_plain(),
            text.join(", ")
        ));
        let Some(judged) = self.judge(&asked)? else { return Ok(charged) };
        let (quantity, unit, amount) = match judged.per {
            Per::Kw => (peaks.mean.to_plain(), "kW", judged.price.mul(peaks.mean)?),
            _ => ("1".to_owned(), "month", judged.price),
        };
        let amount = Exact::from_num(amount)?;
        let counted = Some((quantity, unit, judged.price));
        let place = (judged.tax, judged.rule);
        let when = (self.stretch.from, self.stretch.to);
        charged.lines.push(self.line("power fee", &charge.label, when, counted, amount, place));
        charged.sums.push((judged.tax, amount));
        Ok(charged)
    }

    /// A credit per kWh of the site, hour by hour: amounts below zero.
    pub fn credit(
        &self,
        charge: &MonthCharge,
        root: NodeId,
        hours: &[Hour],
        first: Option<i64>,
        facts: &Facts,
    ) -> Result<Charged, MonthError> {
        let mut charged = Charged::default();
        let mut used = 0_i64;
        for hour in hours {
            let left = first.map_or(i64::MAX, |first| first.saturating_sub(used));
            let energy = hour.energy.min(left);
            if energy <= 0 {
                continue;
            }
            let asked =
                Asked { power: hour.energy, energy: used, ..Asked::of(charge, root, facts, None, hour.from) };
            used = used.checked_add(energy).ok_or(Overflow)?;
            let Some(judged) = self.judge(&asked)? else { continue };
            let price = judged.price.negated()?;
            let amount = Exact::product(price, energy, Counted::Energy)?;
            if !amount.is_zero() {
                let when = (hour.from, hour.from + crate::units::HOUR_MS);
                let counted = Some((micro_text(energy), "kWh", price));
                let place = (judged.tax, judged.rule);
                charged.lines.push(self.line("site credit", &charge.label, when, counted, amount, place));
            }
            add_sum(&mut charged.sums, judged.tax, amount)?;
        }
        Ok(charged)
    }

    /// Applies the charge's limits and rounds it once.
    pub fn rows(
        &self,
        word: Word,
        label: &str,
        limits: &[Limit],
        charged: &mut Charged,
    ) -> Result<Vec<Row>, MonthError> {
        for limit in limits {
            let mut whole = Exact::ZERO;
            for (_, sum) in &charged.sums {
                whole = whole.add(*sum)?;
            }
            let bound = Exact::from_num(Num::from_decimal(limit.amount))?;
            let beyond = match (limit.floor, whole.cmp(&bound)) {
                (false, Ordering::Greater) | (true, Ordering::Less) => bound.sub(whole)?,
                _ => continue,
            };
            let Some(count) = charged.sums.len().checked_sub(1) else { continue };
            let mut rest = beyond;
            for (place, (tax, sum)) in charged.sums.iter_mut().enumerate() {
                let part = if place == count {
                    rest
                } else {
                    beyond.share(*sum, whole).unwrap_or(Ok(Exact::ZERO))?
                };
                rest = rest.sub(part)?;
                *sum = sum.add(part)?;
                let amount = print_decimal(limit.amount.mantissa(), limit.amount.scale(), false);
                let text = format!("{label}, {} {amount}", if limit.floor { "at least" } else { "at most" });
                let when = (self.stretch.from, self.stretch.to);
                charged.lines.push(self.line(word, &text, when, None, part, (*tax, limit.rule)));
            }
        }
        let printed = print_once(&charged.sums, self.digits)?;
        Ok(printed.into_iter().map(|(tax, amount)| Row::plain(word, label, tax, amount)).collect())
    }
}

/// Whether any price of a diagram is per charger.
pub(crate) fn per_charger(paper: &Paper<'_>, root: NodeId) -> bool {
    let tariff = &paper.pricing.p.tariff;
    let mut seen = vec![false; tariff.nodes.len()];
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        match seen.get_mut(node as usize) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        match tariff.nodes.get(node as usize) {
            None | Some(Node::Hole) => {}
            Some(Node::Leaf(leaf)) => {
                if let Some(Outcome::Price(price)) =
                    tariff.leaves.get(*leaf as usize).map(|leaf| &leaf.outcome)
                    && price.per == Per::Charger
                {
                    return true;
                }
            }
            Some(Node::Fact { yes, no, .. }) => open.extend([*yes, *no]),
            Some(Node::Measure { children, .. } | Node::Days(children) | Node::Minutes { children, .. }) => {
                open.extend(children);
            }
        }
    }
    false
}

/// Whether a charge is worked out from hours of the site's meters.
pub(crate) const fn needs_hours(what: &MonthWhat) -> bool {
    matches!(what, MonthWhat::Power { .. } | MonthWhat::SiteCredit { .. })
}

impl Stretch<'_> {
    /// The last instant of the month.
    pub fn last(&self) -> i64 {
        self.to - 1
    }
}
