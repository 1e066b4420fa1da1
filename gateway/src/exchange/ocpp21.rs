//! A compiled tariff as a charger of OCPP 2.1 takes it (`TariffType`).
//!
//! The diagrams of all charges of one kind are followed at once: what is known beforehand (group, place, plug) is answered, and
//! every way through the rest is a cell with its conditions and one price. Cells do not overlap, so the order in which a charger
//! looks at them decides nothing but what stands last, without conditions. Prices are without tax, as the standard has them:
//! quotients are rounded at 12 decimals, like every quotient here.

mod cells;
mod days;
mod taxes;
mod walk;

use crate::chargers::model::{Message, Prices, TariffDocument};
use cells::{Cell, price_list};
use days::DayPlan;
use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};
use std::fmt;
use takst_engine::Prepared;
use takst_engine::exact::Num;
use takst_engine::session::Facts;
use takst_engine::tariff::{Charge, ChargeKind, Outcome, Per, RuleId, Span, Who};
use takst_engine::units::Day;
use taxes::Taxes;
use walk::{Priced, Walk};

/// Prices of one kind that differ from one another. Chargers take far fewer.
const MOST_CELLS: usize = 400;

/// For whom, where and when a tariff is wanted.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What is known of driver and place. No group is the default group. An unknown plug becomes a condition.
    pub facts: &'a Facts,
    /// From this local day on.
    pub from: Day,
    /// Before this local day, where only some days are wanted: then public holidays and the like can be said too.
    pub until: Option<Day>,
    /// Its id over there (at most 60 characters); without one it is made of the name of the file and of what the tariff says.
    pub id: Option<&'a str>,
}

/// What OCPP 2.1 has no words for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsayable {
    /// `file:line`.
    pub place: String,
    /// The line, trimmed.
    pub line: String,
    /// Why, and what could be done.
    pub why: String,
}

impl fmt::Display for Unsayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`: {}", self.place, self.line, self.why)
    }
}

/// The tariff for a charger.
///
/// # Errors
/// Everything that cannot be said, each with its line.
pub fn export(prepared: &Prepared, wanted: &Wanted<'_>) -> Result<TariffDocument, Vec<Unsayable>> {
    let work = Work::new(prepared, wanted);
    let mut wrong = Vec::new();
    work.refuse(&mut wrong);
    let mut part = |what| match work.part(what) {
        Ok(prices) => prices,
        Err(error) => {
            wrong.push(error);
            None
        }
    };
    let (energy, charging_time) = (part(Part::Energy), part(Part::ChargingTime));
    let (idle_time, fixed_fee) = (part(Part::IdleTime), part(Part::Fixed));
    let (reservation_time, reservation_fixed) = (part(Part::ReservationTime), part(Part::ReservationFixed));
    let (minimum, maximum) = work.bounds(&mut wrong);
    let tariff = prepared.tariff();
    let mut document = TariffDocument {
        id: String::new(),
        description: description(prepared),
        currency: tariff.currency.code.clone(),
        energy,
        valid_from: tariff.valid_from,
        charging_time,
        idle_time,
        fixed_fee,
        reservation_time,
        reservation_fixed,
        minimum,
        maximum,
    };
    if !wrong.is_empty() {
        wrong.dedup();
        return Err(wrong);
    }
    document.id = wanted.id.map_or_else(|| id(&tariff.file, &document), str::to_owned);
    Ok(document)
}

/// The id of a tariff: the name of its file and a hash of all it says, so that another text has another id.
fn id(file: &str, document: &TariffDocument) -> String {
    let stem: String = file.strip_suffix(".tariff").unwrap_or(file).chars().take(36).collect();
    let text = serde_json::to_string(document).unwrap_or_default();
    let hash: String = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{stem}-{hash}")
}

fn description(prepared: &Prepared) -> Vec<Message> {
    let tariff = prepared.tariff();
    let notes = tariff.notes.iter().filter(|(key, _)| key == "description").map(|(_, text)| text);
    let texts = std::iter::once(&tariff.name).chain(notes).filter(|text| !text.is_empty());
    // The bound of the standard.
    texts.map(|text| Message::plain(text.chars().take(1024).collect::<String>())).take(10).collect()
}

/// A dimension of a tariff over there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Energy,
    ChargingTime,
    IdleTime,
    Fixed,
    ReservationTime,
    ReservationFixed,
}

impl Part {
    const fn is_fixed(self) -> bool {
        matches!(self, Self::Fixed | Self::ReservationFixed)
    }
}

struct Work<'a> {
    p: &'a Prepared,
    walk: Walk<'a>,
}

impl<'a> Work<'a> {
    fn new(p: &'a Prepared, wanted: &Wanted<'a>) -> Self {
        let plan = DayPlan::new(p.tariff(), wanted.from, wanted.until);
        Self { p, walk: Walk::new(p, wanted.facts, plan) }
    }

    fn unsayable(&self, rule: RuleId, why: impl Into<String>) -> Unsayable {
        self.walk.unsayable(rule, why)
    }

    // What has no place in a tariff over there, whatever it costs.
    fn refuse(&self, wrong: &mut Vec<Unsayable>) {
        let tariff = self.p.tariff();
        for charge in self.charges() {
            let rule = charge.rule;
            if charge.kind == ChargeKind::FeedIn {
                wrong.push(self.unsayable(rule, "OCPP 2.1 has no price for energy that the car gives back"));
            }
            if let Some(limit) = charge.limits.first() {
                let why = "OCPP 2.1 has limits on the total only, not on one charge";
                wrong.push(self.unsayable(limit.rule, why));
            }
            if charge.step.is_some() {
                wrong.push(self.unsayable(rule, "OCPP 2.1 has no billing steps"));
            }
        }
        for discount in &tariff.discounts {
            let found = self.walk.leaves(discount.root, &Cell::all(self.walk.plan.all()), discount.rule);
            let applies = |leaf: &u32| {
                let leaf = tariff.leaves.get(*leaf as usize);
                leaf.is_some_and(|leaf| leaf.outcome == Outcome::Applies)
            };
            match found {
                Ok(found) if found.iter().any(|(_, leaf)| applies(leaf)) => {
                    let why = "OCPP 2.1 has no discounts: write the lower prices into the list";
                    wrong.push(self.unsayable(discount.rule, why));
                }
                Ok(_) => {}
                Err(error) => wrong.push(error),
            }
        }
    }

    // What the driver pays for a session.
    fn charges(&self) -> impl Iterator<Item = &'a Charge> {
        let tariff = self.p.tariff();
        let other = |charge: &&Charge| {
            let monthly = charge.kind == ChargeKind::PaymentFee && tariff.bills_monthly;
            !charge.paid_by_site && charge.kind != ChargeKind::PayoutToSite && !monthly
        };
        tariff.charges.iter().filter(other)
    }

    fn belongs(&self, charge: &Charge, part: Part) -> bool {
        match charge.kind {
            ChargeKind::Energy => part == Part::Energy,
            ChargeKind::ChargingTime => part == Part::ChargingTime,
            ChargeKind::ConnectedTime => matches!(part, Part::ChargingTime | Part::IdleTime),
            ChargeKind::ParkingTime | ChargeKind::IdleFee => part == Part::IdleTime,
            ChargeKind::StartFee | ChargeKind::PaymentFee => part == Part::Fixed,
            ChargeKind::ReservationFee => match part {
                Part::ReservationTime => self.walk.is_timed(charge.root),
                Part::ReservationFixed => !self.walk.is_timed(charge.root),
                _ => false,
            },
            ChargeKind::FeedIn | ChargeKind::PayoutToSite => false,
        }
    }

    // The prices of a dimension; none when nothing is charged.
    fn part(&self, part: Part) -> Result<Option<Prices>, Unsayable> {
        let charges: Vec<&Charge> = self.charges().filter(|charge| self.belongs(charge, part)).collect();
        let Some(first) = charges.first() else { return Ok(None) };
        let is = |kind| charges.iter().find(|charge| charge.kind == kind);
        if let (Some(idle), Some(_)) = (is(ChargeKind::IdleFee), is(ChargeKind::ParkingTime)) {
            let why =
                "OCPP 2.1 knows one kind of time without charging, and the list charges parking time too";
            return Err(self.unsayable(idle.rule, why));
        }
        let (mut cells, mut taxes) = (vec![(Cell::all(self.walk.plan.all()), Num::ZERO)], None);
        for charge in &charges {
            let mut sums = Vec::new();
            for (cell, sum) in &cells {
                for (cell, price, rule) in self.charged(charge, cell)? {
                    for (cell, class) in self.walk.taxed(charge.tax, &cell, rule)? {
                        self.one_tax(&mut taxes, class, price, rule)?;
                        let sum =
                            sum.add(price).map_err(|_| self.unsayable(rule, "the price is too large"))?;
                        sums.push((cell, sum));
                    }
                }
                if sums.len() > MOST_CELLS {
                    return Err(
                        self.unsayable(charge.rule, "there are too many different prices for a charger")
                    );
                }
            }
            cells = sums;
        }
        let taxes = taxes.unwrap_or_else(|| (Taxes::default(), first.rule));
        let mut priced = Vec::with_capacity(cells.len());
        for (cell, sum) in cells {
            priced.push((cell, self.net(sum, &taxes.0, first.rule)?));
        }
        if part.is_fixed() && priced.iter().any(|(cell, _)| cell.is_measured()) {
            return Err(self
                .unsayable(first.rule, "OCPP 2.1 judges a fixed fee at the start, not by what is measured"));
        }
        if !part.is_fixed() && priced.iter().any(|(cell, _)| cell.brand.is_some()) {
            let why = "OCPP 2.1 asks for the payment card at fixed fees only; say which card is meant";
            return Err(self.unsayable(first.rule, why));
        }
        let prices = price_list(priced, &self.walk.plan, part == Part::Energy);
        Ok((!prices.is_empty()).then(|| Prices { prices, taxes: taxes.0.rates() }))
    }

    // One set of taxes belongs to all prices of a dimension.
    fn one_tax(
        &self,
        known: &mut Option<(Taxes, RuleId)>,
        class: u32,
        price: Num,
        rule: RuleId,
    ) -> Result<(), Unsayable> {
        if price.is_zero() {
            return Ok(());
        }
        let class = self.p.tariff().tax_classes.get(class as usize);
        let taxes = match class.map(Taxes::of) {
            None => Taxes::default(),
            Some(Ok(taxes)) => taxes,
            Some(Err((rule, why))) => return Err(self.unsayable(rule, why)),
        };
        match known {
            Some((before, _)) if *before != taxes => {
                let why = "it is taxed differently from other prices of its kind, or the tax changes on a day to come; OCPP 2.1 has \
                           one set of taxes for all prices of a kind";
                Err(self.unsayable(rule, why))
            }
            Some(_) => Ok(()),
            None => {
                *known = Some((taxes, rule));
                Ok(())
            }
        }
    }

    // A charge in a cell: cells within it, with their prices per unit of the standard.
    fn charged(&self, charge: &Charge, cell: &Cell) -> Result<Vec<(Cell, Num, RuleId)>, Unsayable> {
        let once =
            matches!(charge.kind, ChargeKind::StartFee | ChargeKind::PaymentFee | ChargeKind::ReservationFee);
        let mut priced = Vec::new();
        let mut inside = vec![cell.clone()];
        if let Some(after) = &charge.after {
            if once {
                let why = "OCPP 2.1 judges a fixed fee at the start, not by what is measured";
                return Err(self.unsayable(charge.rule, why));
            }
            let amount = self.walk.allowance(&after.amount, charge.rule)?;
            let (below, beyond) = self.walk.cut(cell, after.measure, amount, charge.rule)?;
            priced.extend(below.map(|below| (below, Num::ZERO, charge.rule)));
            inside = beyond.into_iter().collect();
        }
        for cell in inside {
            for (cell, leaf) in self.walk.leaves(charge.root, &cell, charge.rule)? {
                for Priced { cell, value, per, rule } in self.walk.priced(charge, &cell, leaf)? {
                    let price = match per {
                        Some(Per::Hour) => value.div(Num::new(60, 0)).unwrap_or(Ok(value)),
                        _ => Ok(value),
                    };
                    priced.push((
                        cell,
                        price.map_err(|_| self.unsayable(rule, "the price is too large"))?,
                        rule,
                    ));
                }
            }
        }
        Ok(priced)
    }

    fn net(&self, price: Num, taxes: &Taxes, rule: RuleId) -> Result<Decimal, Unsayable> {
        let net = if self.p.tariff().includes_vat && !price.is_zero() {
            price.div(taxes.factor()).unwrap_or(Ok(price))
        } else {
            Ok(price)
        };
        let decimal = net.ok().and_then(|net| net.to_plain().parse::<Decimal>().ok());
        decimal.map(|net| net.normalize()).ok_or_else(|| self.unsayable(rule, "the price is too large"))
    }

    // The least and the most that a session costs.
    fn bounds(
        &self,
        wrong: &mut Vec<Unsayable>,
    ) -> (Option<crate::chargers::model::Price>, Option<crate::chargers::model::Price>) {
        let tariff = self.p.tariff();
        let (mut least, mut most): (Option<Decimal>, Option<Decimal>) = (None, None);
        for limit in &tariff.total_limits {
            if !matches!(limit.span, Span::Session | Span::Bill) || limit.who != Who::Session {
                wrong.push(self.unsayable(limit.rule, "OCPP 2.1 has limits of one session only"));
            } else if limit.after_energy.is_some() || limit.after_time.is_some() {
                wrong.push(self.unsayable(limit.rule, "in OCPP 2.1 a limit on the total has no conditions"));
            } else if limit.floor {
                least = Some(least.map_or(limit.amount, |known| known.max(limit.amount)));
            } else {
                most = Some(most.map_or(limit.amount, |known| known.min(limit.amount)));
            }
        }
        let fee = self.charges().find(|charge| charge.kind == ChargeKind::PaymentFee);
        if let Some(fee) = fee.filter(|_| least.is_some() || most.is_some()) {
            let why = "in OCPP 2.1 a limit on the total limits the payment fee too, and here it does not";
            wrong.push(self.unsayable(fee.rule, why));
        }
        let price = |amount: Decimal| crate::chargers::model::Price {
            excluding_tax: (!tariff.includes_vat).then_some(amount),
            including_tax: tariff.includes_vat.then_some(amount),
            taxes: Vec::new(),
        };
        (least.map(price), most.map(price))
    }
}
