//! A compiled tariff in the words that systems of others have: prices with conditions, dimension by dimension.
//!
//! The diagrams of all charges of one kind are followed at once: what is known beforehand (group, place, plug) is answered, and
//! every way through the rest is a cell with its conditions and one price. Cells do not overlap, so the order in which a charger
//! looks at them decides nothing but what stands last, without conditions. Where prices are without tax over there, quotients
//! are rounded at 12 decimals, like every quotient here, or refused (see [`Dialect`]).

mod cells;
mod days;
mod feeds;
mod taxes;
mod walk;

use crate::chargers::model::{Message, PriceConditions};
pub use cells::Said;
use cells::{Cell, price_list};
use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};
use std::fmt;
use takst_engine::exact::Num;
use takst_engine::session::Facts;
use takst_engine::tariff::{Charge, ChargeKind, Outcome, Per, RuleId, Span, Who};
use takst_engine::units::Day;
use takst_engine::{Prepared, Pricing};
pub use taxes::Taxes;
use walk::{Priced, Walk};

/// Prices of one kind that differ from one another. Chargers take far fewer.
const MOST_CELLS: usize = 400;

/// Whose words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// Prices per minute and without tax; kinds of time are counted each by itself; a fixed fee is judged at the start.
    Ocpp21,
    /// Prices per hour, and in the sense of the list; durations from the start of the session; steps; a fee that is charged as soon
    /// as it applies.
    Ocpi,
}

impl Dialect {
    /// As people know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ocpp21 => "OCPP 2.1",
            Self::Ocpi => "OCPI",
        }
    }
}

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
    /// What is known of feeds. Their prices can be said where one day alone is wanted.
    pub feeds: Option<&'a Pricing<'a>>,
}

/// The prices of one dimension.
#[derive(Clone, PartialEq, Debug)]
pub struct Spoken {
    /// The first whose conditions hold is taken; none: always.
    pub prices: Vec<(Said, Option<Box<PriceConditions>>)>,
    /// Their taxes.
    pub taxes: Taxes,
}

/// All prices of a tariff, by dimension. None: nothing is charged.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Parts {
    /// Per kWh.
    pub energy: Option<Spoken>,
    /// Per minute or hour of charging.
    pub charging_time: Option<Spoken>,
    /// Per minute or hour of standing without charging.
    pub idle_time: Option<Spoken>,
    /// Once.
    pub fixed: Option<Spoken>,
    /// Per minute or hour of a reservation.
    pub reservation_time: Option<Spoken>,
    /// Once per reservation.
    pub reservation_fixed: Option<Spoken>,
    /// A session costs at least, in the sense of the list's prices.
    pub minimum: Option<Decimal>,
    /// A session costs at most.
    pub maximum: Option<Decimal>,
}

/// What the other system has no words for.
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

/// The id of a tariff: the name of its file, cut to `stem` letters, and a hash of all it says, so that another text has another id.
pub(super) fn id(file: &str, text: &str, stem: usize) -> String {
    let stem: String = file.strip_suffix(".tariff").unwrap_or(file).chars().take(stem).collect();
    let hash: String = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{stem}-{hash}")
}

/// Its name and description.
pub(super) fn description(prepared: &Prepared) -> Vec<Message> {
    let tariff = prepared.tariff();
    let notes = tariff.notes.iter().filter(|(key, _)| key == "description").map(|(_, text)| text);
    let texts = std::iter::once(&tariff.name).chain(notes).filter(|text| !text.is_empty());
    // The bound of the standard.
    texts.map(|text| Message::plain(text.chars().take(1024).collect::<String>())).take(10).collect()
}

// Where a price comes from.
#[derive(Clone, Copy, Debug)]
struct Charged {
    rule: RuleId,
    step: Option<i64>,
    free: bool,
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

/// A tariff on its way into the words of others.
pub(super) struct Work<'a> {
    p: &'a Prepared,
    walk: Walk<'a>,
    dialect: Dialect,
}

impl<'a> Work<'a> {
    pub fn new(p: &'a Prepared, wanted: &Wanted<'a>, dialect: Dialect) -> Self {
        Self { p, walk: Walk::new(p, wanted, dialect), dialect }
    }

    /// All its prices.
    ///
    /// # Errors
    /// Everything that cannot be said, each with its line.
    pub fn parts(&self) -> Result<Parts, Vec<Unsayable>> {
        let mut wrong = Vec::new();
        self.refuse(&mut wrong);
        let mut part = |what| match self.part(what) {
            Ok(spoken) => spoken,
            Err(error) => {
                wrong.push(error);
                None
            }
        };
        let (energy, charging_time) = (part(Part::Energy), part(Part::ChargingTime));
        let (idle_time, fixed) = (part(Part::IdleTime), part(Part::Fixed));
        let (reservation_time, reservation_fixed) =
            (part(Part::ReservationTime), part(Part::ReservationFixed));
        let (minimum, maximum) = self.bounds(&mut wrong);
        if !wrong.is_empty() {
            wrong.dedup();
            return Err(wrong);
        }
        Ok(Parts {
            energy,
            charging_time,
            idle_time,
            fixed,
            reservation_time,
            reservation_fixed,
            minimum,
            maximum,
        })
    }

    /// Why a line cannot be said; `{there}` stands for the other system.
    pub fn unsayable(&self, rule: RuleId, why: impl Into<String>) -> Unsayable {
        self.walk.unsayable(rule, why)
    }

    // What has no place in a tariff over there, whatever it costs.
    fn refuse(&self, wrong: &mut Vec<Unsayable>) {
        let tariff = self.p.tariff();
        for charge in self.charges() {
            let rule = charge.rule;
            if charge.kind == ChargeKind::FeedIn {
                wrong.push(self.unsayable(rule, "{there} has no price for energy that the car gives back"));
            }
            if let Some(limit) = charge.limits.first() {
                let why = "{there} has limits on the total only, not on one charge";
                wrong.push(self.unsayable(limit.rule, why));
            }
            if self.dialect == Dialect::Ocpi {
                self.refuse_in_ocpi(charge, wrong);
            } else if charge.step.is_some() || self.walk.has_steps(charge.root) {
                wrong.push(self.unsayable(rule, "{there} has no billing steps"));
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
                    let why = "{there} has no discounts: write the lower prices into the list";
                    wrong.push(self.unsayable(discount.rule, why));
                }
                Ok(_) => {}
                Err(error) => wrong.push(error),
            }
        }
    }

    fn refuse_in_ocpi(&self, charge: &Charge, wrong: &mut Vec<Unsayable>) {
        let mut no = |why: &str| wrong.push(self.unsayable(charge.rule, why));
        let stepped = charge.step.is_some() || self.walk.has_steps(charge.root);
        let parks = self
            .charges()
            .any(|other| matches!(other.kind, ChargeKind::ParkingTime | ChargeKind::ConnectedTime));
        match charge.kind {
            ChargeKind::IdleFee => no(
                "{there} has no idle fee: its PARKING_TIME counts all time without charging, that of a car that waits or is held back too. \
                 `parking time` is the same",
            ),
            ChargeKind::PaymentFee => {
                no("{there} has no fee per bill; a `flat fee` per session is the nearest");
            }
            ChargeKind::ConnectedTime if stepped => {
                no("{there} counts charging and parking apart, so steps of both together cannot be said");
            }
            ChargeKind::ChargingTime if stepped && parks && !charge.steps_without_parking => no(
                "{there} does not round charging time up in a session that pays for parking; say `steps only without parking time`",
            ),
            ChargeKind::StartFee if charge.after.is_some() => no(
                "{there} has no fee that waits for so much energy or time; `flat fee: ... beyond 1 kWh of energy` can be said",
            ),
            _ => {}
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
            ChargeKind::StartFee | ChargeKind::PaymentFee | ChargeKind::FlatFee => part == Part::Fixed,
            ChargeKind::ReservationFee => match part {
                Part::ReservationTime => self.walk.is_timed(charge.root),
                Part::ReservationFixed => !self.walk.is_timed(charge.root),
                _ => false,
            },
            ChargeKind::FeedIn | ChargeKind::PayoutToSite => false,
        }
    }

    // The prices of a dimension; none when nothing is charged.
    fn part(&self, part: Part) -> Result<Option<Spoken>, Unsayable> {
        let charges: Vec<&Charge> = self.charges().filter(|charge| self.belongs(charge, part)).collect();
        let Some(first) = charges.first() else { return Ok(None) };
        let is = |kind| charges.iter().find(|charge| charge.kind == kind);
        if let (Some(idle), Some(_)) = (is(ChargeKind::IdleFee), is(ChargeKind::ParkingTime)) {
            let why =
                "{there} knows one kind of time without charging, and the list charges parking time too";
            return Err(self.unsayable(idle.rule, why));
        }
        let flat = self.dialect == Dialect::Ocpi && is(ChargeKind::FlatFee).is_some();
        let stepped = charges.iter().find(|charge| charge.step.is_some() || self.walk.has_steps(charge.root));
        // Where nothing is charged nothing may be said, for a price of zero would count: as charged, or as rounded up.
        let open = flat || stepped.is_some();
        if let (true, [_, second, ..]) = (open, charges.as_slice()) {
            let why = "{there} has one price at a time for each kind, and with steps or flat fees two charges cannot be added up";
            return Err(self.unsayable(second.rule, why));
        }
        let start = Said { price: Decimal::ZERO, step: None, free: true };
        let (mut cells, mut taxes) = (vec![(Cell::all(self.walk.plan.all()), Num::ZERO, start)], None);
        for charge in &charges {
            let mut sums = Vec::new();
            for (cell, sum, said) in &cells {
                for (cell, price, priced) in self.charged(charge, cell)? {
                    for (cell, class) in self.walk.taxed(charge.tax, &cell, priced.rule)? {
                        self.one_tax(&mut taxes, class, price, priced.rule)?;
                        let sum = sum
                            .add(price)
                            .map_err(|_| self.unsayable(priced.rule, "the price is too large"))?;
                        let step = priced.step.or(charge.step).filter(|_| !priced.free);
                        let free = said.free && if open { priced.free } else { sum.is_zero() };
                        sums.push((cell, sum, Said { step, free, ..*said }));
                    }
                }
                if sums.len() > MOST_CELLS {
                    return Err(
                        self.unsayable(charge.rule, "there are too many different prices for {there}")
                    );
                }
            }
            cells = sums;
        }
        if let Some(charge) = charges.iter().find(|charge| charge.step.is_some())
            && cells.iter().any(|(_, _, said)| said.free)
        {
            let why = "its steps count what is free too, and {there} rounds what is paid for: say the steps behind the prices";
            return Err(self.unsayable(charge.rule, why));
        }
        let taxes = taxes.unwrap_or_else(|| (Taxes::default(), first.rule));
        let mut priced = Vec::with_capacity(cells.len());
        for (cell, sum, said) in cells {
            let price = self.spoken(sum, &taxes.0, first.rule)?;
            priced.push((cell, Said { price, free: if open { said.free } else { price.is_zero() }, ..said }));
        }
        self.judged_when(part, &charges, &priced)?;
        let prices = price_list(priced, &self.walk.plan, part == Part::Energy, open);
        Ok((!prices.is_empty()).then_some(Spoken { prices, taxes: taxes.0 }))
    }

    // Whether fees that are charged once are judged over there when they are here.
    fn judged_when(&self, part: Part, charges: &[&Charge], priced: &[(Cell, Said)]) -> Result<(), Unsayable> {
        let Some(first) = charges.first() else { return Ok(()) };
        let differs = priced.iter().any(|(_, said)| priced.first().is_some_and(|(_, known)| known != said));
        let flat = charges.iter().any(|charge| charge.kind == ChargeKind::FlatFee);
        match self.dialect {
            Dialect::Ocpi if part.is_fixed() && differs && !flat => {
                let why = "here it is judged once, at plug-in, and in {there} as soon as it applies: make it one price, or a `flat fee`";
                Err(self.unsayable(first.rule, why))
            }
            Dialect::Ocpi => Ok(()),
            Dialect::Ocpp21 if flat && differs => {
                let why = "{there} judges a fixed fee at the start, and a flat fee is charged as soon as it applies";
                Err(self.unsayable(first.rule, why))
            }
            Dialect::Ocpp21 if part.is_fixed() && priced.iter().any(|(cell, _)| cell.is_measured()) => {
                Err(self.unsayable(
                    first.rule,
                    "{there} judges a fixed fee at the start, not by what is measured",
                ))
            }
            Dialect::Ocpp21 if !part.is_fixed() && priced.iter().any(|(cell, _)| cell.brand.is_some()) => {
                let why = "{there} asks for the payment card at fixed fees only; say which card is meant";
                Err(self.unsayable(first.rule, why))
            }
            Dialect::Ocpp21 => Ok(()),
        }
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
                let why = "it is taxed differently from other prices of its kind, or the tax changes on a day to come; {there} has \
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
    fn charged(&self, charge: &Charge, cell: &Cell) -> Result<Vec<(Cell, Num, Charged)>, Unsayable> {
        let once =
            matches!(charge.kind, ChargeKind::StartFee | ChargeKind::PaymentFee | ChargeKind::ReservationFee);
        let mut priced = Vec::new();
        let mut inside = vec![cell.clone()];
        if let Some(after) = &charge.after {
            if once {
                let why = "{there} judges a fixed fee at the start, not by what is measured";
                return Err(self.unsayable(charge.rule, why));
            }
            let amount = self.walk.allowance(&after.amount, charge.rule)?;
            let (below, beyond) = self.walk.cut(cell, after.measure, amount, charge.rule)?;
            let nothing = Charged { rule: charge.rule, step: None, free: true };
            priced.extend(below.map(|below| (below, Num::ZERO, nothing)));
            inside = beyond.into_iter().collect();
        }
        for cell in inside {
            for (cell, leaf) in self.walk.leaves(charge.root, &cell, charge.rule)? {
                for Priced { cell, value, per, rule, step } in self.walk.priced(charge, &cell, leaf)? {
                    let price = match (self.dialect, per) {
                        (Dialect::Ocpp21, Some(Per::Hour)) => value.div(Num::new(60, 0)).unwrap_or(Ok(value)),
                        (Dialect::Ocpi, Some(Per::Minute)) => value.mul(Num::new(60, 0)),
                        _ => Ok(value),
                    };
                    let price = price.map_err(|_| self.unsayable(rule, "the price is too large"))?;
                    priced.push((cell, price, Charged { rule, step, free: per.is_none() }));
                }
            }
        }
        Ok(priced)
    }

    // A price as it is said over there: without tax for a charger, in the sense of the list for a partner.
    fn spoken(&self, price: Num, taxes: &Taxes, rule: RuleId) -> Result<Decimal, Unsayable> {
        let without_tax = self.dialect == Dialect::Ocpp21;
        let net = if without_tax && self.p.tariff().includes_vat && !price.is_zero() {
            price.div(taxes.factor()).unwrap_or(Ok(price))
        } else {
            Ok(price)
        };
        let decimal = net.ok().and_then(|net| net.to_plain().parse::<Decimal>().ok());
        decimal.map(|net| net.normalize()).ok_or_else(|| self.unsayable(rule, "the price is too large"))
    }

    // The least and the most that a session costs.
    fn bounds(&self, wrong: &mut Vec<Unsayable>) -> (Option<Decimal>, Option<Decimal>) {
        let tariff = self.p.tariff();
        let (mut least, mut most): (Option<Decimal>, Option<Decimal>) = (None, None);
        for limit in &tariff.total_limits {
            if !matches!(limit.span, Span::Session | Span::Bill) || limit.who != Who::Session {
                wrong.push(self.unsayable(limit.rule, "{there} has limits of one session only"));
            } else if limit.after_energy.is_some() || limit.after_time.is_some() {
                wrong.push(self.unsayable(limit.rule, "in {there} a limit on the total has no conditions"));
            } else if limit.floor {
                least = Some(least.map_or(limit.amount, |known| known.max(limit.amount)));
            } else {
                most = Some(most.map_or(limit.amount, |known| known.min(limit.amount)));
            }
        }
        let fee = self.charges().find(|charge| charge.kind == ChargeKind::PaymentFee);
        if let Some(fee) = fee.filter(|_| least.is_some() || most.is_some()) {
            let why = "in {there} a limit on the total limits the payment fee too, and here it does not";
            wrong.push(self.unsayable(fee.rule, why));
        }
        (least, most)
    }
}
