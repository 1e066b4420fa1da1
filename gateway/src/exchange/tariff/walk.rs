//! All ways through the diagrams of a tariff at once: cells, and what is said in each.

use super::cells::{Axis, Cell};
use super::days::DayPlan;
use super::{Dialect, Unsayable, Wanted, feeds};
use crate::chargers::model::EvseKind;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use takst_engine::exact::{Num, Overflow};
use takst_engine::session::{Facts, Plug};
use takst_engine::tariff::{
    AfterAmount, Charge, ChargeKind, Formula, Mean, Measure, Node, NodeId, Outcome, Per, RuleId, Span,
    Tariff, Test, Time, Who,
};
use takst_engine::units::Day;
use takst_engine::{Prepared, Pricing};

/// Cells with what a formula gives there.
type Found = Vec<(Cell, Num)>;

/// A price in a cell.
pub(super) struct Priced {
    pub cell: Cell,
    pub value: Num,
    pub per: Option<Per>,
    pub rule: RuleId,
    /// Billing step of the price, in the engine's unit.
    pub step: Option<i64>,
}

pub(super) struct Walk<'a> {
    p: &'a Prepared,
    facts: &'a Facts,
    pub plan: DayPlan,
    pub dialect: Dialect,
    // The day whose prices of feeds are said, and what is known of them.
    feeds: Option<(Day, &'a Pricing<'a>)>,
}

// What a formula stands in.
#[derive(Clone, Copy)]
struct Around {
    rule: RuleId,
    tax: NodeId,
    // Inside the price of energy.
    energy: bool,
}

impl<'a> Walk<'a> {
    pub fn new(p: &'a Prepared, wanted: &Wanted<'a>, dialect: Dialect) -> Self {
        let plan = DayPlan::new(p.tariff(), wanted.from, wanted.until);
        // Prices of the hour are known for one day only.
        let one_day = wanted.until == Some(wanted.from.saturating_add(1));
        let feeds = wanted.feeds.filter(|_| one_day).map(|pricing| (wanted.from, pricing));
        Self { p, facts: wanted.facts, plan, dialect, feeds }
    }

    fn tariff(&self) -> &'a Tariff {
        self.p.tariff()
    }

    /// Why a line cannot be said; `{there}` stands for the other system.
    pub fn unsayable(&self, rule: RuleId, why: impl Into<String>) -> Unsayable {
        let why = why.into().replace("{there}", self.dialect.name());
        Unsayable { place: self.p.place(rule), line: self.p.rule_text(rule).to_owned(), why }
    }

    /// The leaves of a diagram in a cell, each with its part of it.
    pub fn leaves(&self, root: NodeId, cell: &Cell, rule: RuleId) -> Result<Vec<(Cell, u32)>, Unsayable> {
        let mut found = Vec::new();
        let mut todo = vec![(root, cell.clone())];
        while let Some((node, cell)) = todo.pop() {
            match self.tariff().nodes.get(node as usize) {
                // Reached only where facts are impossible.
                Some(Node::Hole) | None => {}
                Some(Node::Leaf(leaf)) => found.push((cell, *leaf)),
                Some(Node::Fact { test, yes, no }) => self.fact(*test, (*yes, *no), cell, &mut todo, rule)?,
                Some(Node::Measure { measure, edges, children }) => {
                    let line = self.asked_by(node, node).unwrap_or(rule);
                    let measure = self.tariff().measures.get(*measure as usize).copied();
                    let axis = self.axis(measure.unwrap_or(Measure::Occupancy), edges, line)?;
                    let from = std::iter::once(None).chain(edges.iter().copied().map(Some));
                    let until = edges.iter().copied().map(Some).chain([None]);
                    for ((from, until), child) in from.zip(until).zip(children) {
                        todo.extend(cell.within(axis, (from, until)).map(|part| (*child, part)));
                    }
                }
                Some(Node::Days(children)) => self.days(children, &cell, &mut todo, rule)?,
                Some(Node::Minutes { edges, children }) => {
                    let until = edges.iter().skip(1).copied().chain([1440]);
                    for ((from, until), child) in edges.iter().zip(until).zip(children) {
                        todo.extend(cell.in_minutes(*from, until).map(|part| (*child, part)));
                    }
                }
            }
        }
        Ok(found)
    }

    fn fact(
        &self,
        test: u32,
        (yes, no): (NodeId, NodeId),
        cell: Cell,
        todo: &mut Vec<(NodeId, Cell)>,
        rule: RuleId,
    ) -> Result<(), Unsayable> {
        let Some(test) = self.tariff().tests.get(test as usize) else { return Ok(()) };
        let line = || self.asked_by(yes, no).unwrap_or(rule);
        let unknown = |what: &str| {
            let why = format!("it depends on {what}, which {{there}} cannot ask for: say it");
            Err(self.unsayable(line(), why))
        };
        let connector = self.facts.connector.as_ref();
        let holds = match test {
            Test::Group(group) => {
                let groups = &self.tariff().groups;
                let is = |index: u32| {
                    groups.get(index as usize).is_some_and(|name| self.facts.groups.contains(name))
                };
                let in_none = || !groups.iter().any(|name| self.facts.groups.contains(name));
                is(*group) || (self.tariff().default_group == Some(*group) && in_none())
            }
            Test::Place(place) => {
                let Some(place) = self.tariff().places.get(*place as usize) else { return Ok(()) };
                let has =
                    |ids: &[String], id: &Option<String>| id.as_ref().is_some_and(|id| ids.contains(id));
                let found = has(&place.chargers, &self.facts.charger) || has(&place.sites, &self.facts.site);
                match (found, &self.facts.charger, &self.facts.site) {
                    (false, None, _) if !place.chargers.is_empty() => {
                        return unknown("the charger (`--charger`)");
                    }
                    (false, _, None) if !place.sites.is_empty() => return unknown("the site (`--site`)"),
                    _ => found,
                }
            }
            Test::Dc => match (connector.and_then(|connector| connector.plug), cell.evse) {
                (Some(plug), _) => plug == Plug::Dc,
                (None, Some(kind)) => kind == EvseKind::Dc,
                (None, None) if self.dialect == Dialect::Ocpi => return unknown("the plug (`--plug`)"),
                (None, None) => {
                    todo.push((yes, Cell { evse: Some(EvseKind::Dc), ..cell.clone() }));
                    todo.push((no, Cell { evse: Some(EvseKind::Ac), ..cell }));
                    return Ok(());
                }
            },
            Test::Connector(kind) => match connector.and_then(|connector| connector.kind.as_ref()) {
                Some(found) => found.eq_ignore_ascii_case(kind),
                None => return unknown("the connector's type (`--connector`)"),
            },
            Test::RatedAtLeast(power) => match connector.and_then(|connector| connector.max_power) {
                Some(rated) => rated >= *power,
                None => return unknown("the connector's rated power (`--power`)"),
            },
            Test::Contract(contract) => match self.facts.contract {
                Some(found) => found == *contract,
                None => return unknown("how the driver comes (`--contract`)"),
            },
            Test::Issuer(issuer) => {
                let found = self.facts.token.as_ref().and_then(|token| token.issuer.as_ref());
                found.is_some_and(|found| found == issuer)
            }
            Test::PaymentBrand(brand) => match (&self.facts.payment_brand, &cell.brand) {
                (Some(found), _) | (None, Some(found)) => found.eq_ignore_ascii_case(brand),
                (None, None) if self.dialect == Dialect::Ocpi => {
                    return unknown("the payment card (`--paid-with`)");
                }
                (None, None) if brand.chars().count() > 20 => {
                    return Err(
                        self.unsayable(line(), "{there} takes a payment brand of at most 20 characters")
                    );
                }
                (None, None) => {
                    todo.push((yes, Cell { brand: Some(brand.clone()), ..cell.clone() }));
                    todo.push((no, cell));
                    return Ok(());
                }
            },
            Test::ReservationExpired => match &self.facts.reservation {
                Some(reservation) => reservation.expired,
                None => {
                    return Err(
                        self.unsayable(line(), "{there} cannot ask whether a reservation has expired")
                    );
                }
            },
            Test::Plan(_) => false,
            Test::WholeMonthAtLeast { .. } => {
                return Err(
                    self.unsayable(line(), "it depends on the whole month; {there} prices one session")
                );
            }
        };
        todo.push((if holds { yes } else { no }, cell));
        Ok(())
    }

    fn days(
        &self,
        children: &[NodeId],
        cell: &Cell,
        todo: &mut Vec<(NodeId, Cell)>,
        rule: RuleId,
    ) -> Result<(), Unsayable> {
        let mut parts: Vec<(NodeId, Cell)> = Vec::new();
        for slot in &cell.days {
            let mut found = self.plan.classes(*slot).filter_map(|class| children.get(usize::from(class)));
            let Some(child) = found.next() else { continue };
            if let Some(other) = found.find(|other| *other != child) {
                let line = self.asked_by(*other, *child).min(self.asked_by(*child, *other)).unwrap_or(rule);
                let why = "it holds on days that neither the weekday nor a date tells (public holidays, months, a day of each year); \
                           {there} has no words for them. For a stretch of days say from when until when";
                return Err(self.unsayable(line, why));
            }
            match parts.iter_mut().find(|(known, _)| known == child) {
                Some((_, part)) => {
                    part.days.insert(*slot);
                }
                None => parts.push((*child, Cell { days: BTreeSet::from([*slot]), ..cell.clone() })),
            }
        }
        todo.extend(parts);
        Ok(())
    }

    // What is measured, in the words of the standard.
    fn axis(&self, measure: Measure, edges: &[i64], rule: RuleId) -> Result<Axis, Unsayable> {
        let one_session = |span: Span, who: Who| {
            if who == Who::Session && matches!(span, Span::Session | Span::Bill) {
                Ok(())
            } else {
                Err(self.unsayable(rule, "it counts over more than one session; {there} prices one session"))
            }
        };
        match measure {
            Measure::Energy { span, who } => one_session(span, who).map(|()| Axis::Energy),
            Measure::Power => Ok(Axis::Power),
            Measure::Current => Ok(Axis::Current),
            Measure::Occupancy => Err(self.unsayable(rule, "{there} cannot ask how full a site is")),
            Measure::Time { time, span, who } => {
                one_session(span, who)?;
                if edges.iter().any(|edge| edge % 1000 != 0) {
                    return Err(self.unsayable(rule, "{there} counts whole seconds"));
                }
                match time {
                    Time::Connected => Ok(Axis::Time),
                    _ if self.dialect == Dialect::Ocpi => Err(self.unsayable(
                        rule,
                        "{there} counts durations from the start of the session, and neither from the end of charging nor of one kind of time: \
                         say `of connected time`, or leave it out",
                    )),
                    Time::Charging => Ok(Axis::ChargingTime),
                    Time::Parking | Time::Idle => Ok(Axis::IdleTime),
                    Time::IdleInARow | Time::ParkingInARow => Err(self.unsayable(
                        rule,
                        "{there} counts the idle time of the whole session, not of one stretch in a row",
                    )),
                }
            }
        }
    }

    /// A cell below and beyond a threshold.
    pub fn cut(
        &self,
        cell: &Cell,
        measure: Measure,
        amount: i64,
        rule: RuleId,
    ) -> Result<(Option<Cell>, Option<Cell>), Unsayable> {
        let axis = self.axis(measure, &[amount], rule)?;
        Ok((cell.within(axis, (None, Some(amount))), cell.within(axis, (Some(amount), None))))
    }

    /// How large an allowance is. A named one must be the same on all days.
    pub fn allowance(&self, amount: &AfterAmount, rule: RuleId) -> Result<i64, Unsayable> {
        let value = match amount {
            AfterAmount::Fixed(amount) => return Ok(*amount),
            AfterAmount::Value(value) => self.tariff().values.get(*value as usize),
        };
        let root = value.map_or(0, |value| value.root);
        let found = self.leaves(root, &Cell::all(self.plan.all()), rule)?;
        let amount = |leaf: u32| match self.tariff().leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
            Some(Outcome::Quantity(quantity)) => *quantity,
            _ => 0,
        };
        let amounts: BTreeSet<i64> = found.iter().map(|(_, leaf)| amount(*leaf)).collect();
        match (amounts.first(), amounts.len()) {
            (Some(amount), 1) => Ok(*amount),
            _ => Err(self.unsayable(
                rule,
                "how much is free first depends on the day or the plug; {there} cannot say that",
            )),
        }
    }

    /// Whether the prices of a diagram are per minute or hour.
    pub fn is_timed(&self, root: NodeId) -> bool {
        self.reached(root).iter().any(|leaf| {
            let outcome = self.tariff().leaves.get(*leaf as usize).map(|leaf| &leaf.outcome);
            matches!(outcome, Some(Outcome::Price(price)) if matches!(price.per, Per::Hour | Per::Minute))
        })
    }

    /// Whether some price of a diagram has a billing step.
    pub fn has_steps(&self, root: NodeId) -> bool {
        self.reached(root).iter().any(|leaf| {
            let outcome = self.tariff().leaves.get(*leaf as usize).map(|leaf| &leaf.outcome);
            matches!(outcome, Some(Outcome::Price(price)) if price.step.is_some())
        })
    }

    /// The tax classes of a charge in a cell.
    pub fn taxed(&self, root: NodeId, cell: &Cell, rule: RuleId) -> Result<Vec<(Cell, u32)>, Unsayable> {
        let found = self.leaves(root, cell, rule)?;
        let class = |leaf: u32| match self.tariff().leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
            Some(Outcome::Tax(class)) => *class,
            _ => 0,
        };
        Ok(found.into_iter().map(|(cell, leaf)| (cell, class(leaf))).collect())
    }

    /// The prices of a leaf within a cell.
    pub fn priced(&self, charge: &Charge, cell: &Cell, leaf: u32) -> Result<Vec<Priced>, Unsayable> {
        let Some(leaf) = self.tariff().leaves.get(leaf as usize) else { return Ok(Vec::new()) };
        match &leaf.outcome {
            Outcome::Price(price) => {
                let around = Around { rule: leaf.rule, tax: charge.tax, energy: false };
                let found = self.formula(&price.formula, cell, around)?;
                let priced = |(cell, value)| Priced {
                    cell,
                    value,
                    per: Some(price.per),
                    rule: leaf.rule,
                    step: price.step,
                };
                Ok(found.into_iter().map(priced).collect())
            }
            _ => Ok(vec![Priced {
                cell: cell.clone(),
                value: Num::ZERO,
                per: None,
                rule: leaf.rule,
                step: None,
            }]),
        }
    }

    fn formula(&self, formula: &Formula, cell: &Cell, around: Around) -> Result<Found, Unsayable> {
        let never = |why: &str| Err(self.unsayable(around.rule, why));
        let each = |a: &Formula, make: &dyn Fn(Num) -> Result<Num, Overflow>| -> Result<Found, Unsayable> {
            let found = self.formula(a, cell, around)?;
            found.into_iter().map(|(cell, value)| Ok((cell, self.fits(make(value), around)?))).collect()
        };
        let pair = |a: &Formula, b: &Formula, make: &dyn Fn(Num, Num) -> Result<Num, Overflow>| {
            let mut found: Found = Vec::new();
            for (cell, left) in self.formula(a, cell, around)? {
                for (cell, right) in self.formula(b, &cell, around)? {
                    found.push((cell, self.fits(make(left, right), around)?));
                }
            }
            Ok(found)
        };
        match formula {
            Formula::Const(value) => Ok(vec![(cell.clone(), Num::from_decimal(*value))]),
            Formula::Value(value) => self.value(*value, cell, around),
            Formula::Feed { feed, mean } if self.feeds.is_some() => self.feed(*feed, *mean, cell, around),
            Formula::Feed { feed, .. } => {
                let name =
                    self.tariff().feeds.get(*feed as usize).map_or("a feed", |feed| feed.name.as_str());
                Err(self.unsayable(
                    around.rule,
                    format!("it follows `{name}`, and {{there}} has only prices that are known beforehand; the prices of one day can be said, with --date and --prices"),
                ))
            }
            Formula::EnergyPrice if around.energy => never("a price of energy is part of itself"),
            Formula::EnergyPrice => self.energy_price(cell, around),
            Formula::AveragePower => {
                never("it depends on the mean power of the session, which {there} has no words for")
            }
            Formula::CostPrice => never("it depends on the plant's cost, which is known after the month"),
            Formula::Add(a, b) => pair(a, b, &Num::add),
            Formula::Sub(a, b) => pair(a, b, &Num::sub),
            Formula::Mul(a, b) => pair(a, b, &Num::mul),
            Formula::Div(a, b) => pair(a, b, &|a, b| a.div(b).unwrap_or(Err(Overflow))),
            Formula::Higher(a, b) => {
                pair(a, b, &|a, b| Ok(if a.compare(b)? == Ordering::Less { b } else { a }))
            }
            Formula::Lower(a, b) => {
                pair(a, b, &|a, b| Ok(if a.compare(b)? == Ordering::Greater { b } else { a }))
            }
            Formula::Round(a, step) => each(a, &|value| value.round_to(Num::from_decimal(*step))),
            Formula::PlusVat(a) => self.vat(a, cell, around, &Num::mul),
            Formula::LessVat(a) => self.vat(a, cell, around, &|a, b| a.div(b).unwrap_or(Ok(a))),
        }
    }

    // What a feed gives on the day that is wanted: a part of the cell for each of its prices.
    fn feed(&self, feed: u32, mean: Mean, cell: &Cell, around: Around) -> Result<Found, Unsayable> {
        let Some((day, pricing)) = self.feeds else { return Ok(Vec::new()) };
        let stretches =
            feeds::of_day(pricing, feed, mean, day).map_err(|why| self.unsayable(around.rule, why))?;
        let includes = self.tariff().includes_vat;
        let mut found: Found = Vec::new();
        for feeds::Stretch { from, until, value, vat_included } in stretches {
            let Some(part) = cell.in_minutes(from, until) else { continue };
            let energy = self.tariff().feeds.get(feed as usize).is_some_and(|feed| feed.money_per_kwh);
            if !energy || includes == vat_included {
                found.push((part, value));
                continue;
            }
            for (part, class) in self.taxed(around.tax, &part, around.rule)? {
                let factor = self.factor(class)?;
                let converted =
                    if includes { value.mul(factor) } else { value.div(factor).unwrap_or(Ok(value)) };
                found.push((part, self.fits(converted, around)?));
            }
        }
        Ok(found)
    }

    // 1 and all taxes of a class.
    fn factor(&self, class: u32) -> Result<Num, Unsayable> {
        match self.tariff().tax_classes.get(class as usize).map(super::Taxes::of) {
            Some(Ok(taxes)) => Ok(taxes.factor()),
            Some(Err((rule, why))) => Err(self.unsayable(rule, why)),
            None => Ok(Num::ONE),
        }
    }

    fn fits(&self, value: Result<Num, Overflow>, around: Around) -> Result<Num, Unsayable> {
        value.map_err(|_| self.unsayable(around.rule, "the price cannot be worked out"))
    }

    fn vat(
        &self,
        formula: &Formula,
        cell: &Cell,
        around: Around,
        make: &dyn Fn(Num, Num) -> Result<Num, Overflow>,
    ) -> Result<Found, Unsayable> {
        let mut found: Found = Vec::new();
        for (cell, value) in self.formula(formula, cell, around)? {
            for (cell, class) in self.taxed(around.tax, &cell, around.rule)? {
                let factor = self.factor(class)?;
                found.push((cell, self.fits(make(value, factor), around)?));
            }
        }
        Ok(found)
    }

    fn value(&self, value: u32, cell: &Cell, around: Around) -> Result<Found, Unsayable> {
        let root = self.tariff().values.get(value as usize).map_or(0, |value| value.root);
        let mut found: Found = Vec::new();
        for (cell, leaf) in self.leaves(root, cell, around.rule)? {
            found.extend(self.leaf(leaf, &cell, around)?);
        }
        Ok(found)
    }

    fn leaf(&self, leaf: u32, cell: &Cell, around: Around) -> Result<Found, Unsayable> {
        match self.tariff().leaves.get(leaf as usize) {
            Some(leaf) => match &leaf.outcome {
                Outcome::Price(price) => {
                    self.formula(&price.formula, cell, Around { rule: leaf.rule, ..around })
                }
                _ => Ok(vec![(cell.clone(), Num::ZERO)]),
            },
            None => Ok(vec![(cell.clone(), Num::ZERO)]),
        }
    }

    fn energy_price(&self, cell: &Cell, around: Around) -> Result<Found, Unsayable> {
        let energy = self.tariff().charges.iter().filter(|charge| charge.kind == ChargeKind::Energy);
        let mut sums: Found = vec![(cell.clone(), Num::ZERO)];
        for charge in energy {
            let mut next: Found = Vec::new();
            for (cell, sum) in &sums {
                for (cell, leaf) in self.leaves(charge.root, cell, charge.rule)? {
                    let inside = Around { rule: charge.rule, tax: charge.tax, energy: true };
                    for (cell, price) in self.leaf(leaf, &cell, inside)? {
                        next.push((cell, self.fits(sum.add(price), around)?));
                    }
                }
            }
            sums = next;
        }
        Ok(sums)
    }

    // The line that a question is asked for: the first one that is reached with this answer alone.
    fn asked_by(&self, node: NodeId, other: NodeId) -> Option<RuleId> {
        let (reached, otherwise) = (self.reached(node), self.reached(other));
        let rule = |leaf: &u32| self.tariff().leaves.get(*leaf as usize).map(|leaf| leaf.rule);
        let alone = reached.difference(&otherwise).filter_map(rule).min();
        alone.or_else(|| reached.iter().filter_map(rule).min())
    }

    fn reached(&self, node: NodeId) -> BTreeSet<u32> {
        let (mut leaves, mut seen, mut todo) = (BTreeSet::new(), BTreeSet::new(), vec![node]);
        while let Some(node) = todo.pop() {
            if !seen.insert(node) {
                continue;
            }
            if let Some(Node::Leaf(leaf)) = self.tariff().nodes.get(node as usize) {
                leaves.insert(*leaf);
            }
            todo.extend(self.children(node));
        }
        leaves
    }

    fn children(&self, node: NodeId) -> Vec<NodeId> {
        match self.tariff().nodes.get(node as usize) {
            Some(Node::Fact { yes, no, .. }) => vec![*yes, *no],
            Some(Node::Measure { children, .. } | Node::Minutes { children, .. } | Node::Days(children)) => {
                children.clone()
            }
            Some(Node::Hole | Node::Leaf(_)) | None => Vec::new(),
        }
    }
}
