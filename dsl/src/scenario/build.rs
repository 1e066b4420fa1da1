//! The steps of a test as a session, price feeds and opening counters.

use super::{Failure, clock, failure};
use crate::ast::{At, Every, Moment, Name, PerWord, Quantity, Rate, Span, Step, Unit, Via};
use crate::resolve::currency;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use takst_engine::calendar_time::{LocalTime, day_text, month_text};
use takst_engine::exact::Num;
use takst_engine::prices::{FeedFile, PriceStep};
use takst_engine::session::{
    Connector, Facts, OccupancyFrom, Plug, PowerFrom, Reading, Reservation, State, StateFrom, Token,
};
use takst_engine::tariff::{Contract, Coupon, Leaf, Node, Outcome, Rebate};
use takst_engine::units::{Energy, Instant, micro};
use takst_engine::{Prepared, PriceBook, Session, Standing};

/// A test made ready.
pub(super) struct Scenario {
    pub prepared: Prepared,
    pub book: PriceBook,
    pub session: Option<Session>,
    pub standing: Standing,
    pub cost_price: Option<Num>,
    pub invoice: Option<Invoice>,
    /// The driver's.
    pub groups: Vec<String>,
}

/// The month to be invoiced, and for which chargers.
#[derive(Clone)]
pub(super) struct Invoice {
    pub year: i32,
    pub month: u32,
    pub chargers: u32,
    /// Installed on the first of the month.
    pub new: bool,
    pub plan: Option<String>,
}

/// The code under which a test's own coupon stands in its copy of the tariff.
const TEST_COUPON: &str = "";

struct Builder<'p> {
    prepared: &'p Prepared,
    facts: Facts,
    connector: Connector,
    now: Option<(Instant, NaiveDate)>,
    plugged_in: Option<Instant>,
    readings: Vec<Reading>,
    states: Vec<StateFrom>,
    power: Vec<PowerFrom>,
    occupancy: Vec<OccupancyFrom>,
    import: i64,
    export: i64,
    feeds: BTreeMap<String, Vec<(Instant, Decimal, bool)>>,
    standing: Vec<(Every, Decimal)>,
    coupon: Option<Rebate>,
    cost_price: Option<Num>,
    invoice: Option<Invoice>,
}

/// Reads all steps but the expectations.
pub(super) fn build(steps: &[At<Step>], prepared: &Prepared) -> Result<Scenario, Failure> {
    let mut builder = Builder {
        prepared,
        facts: Facts::default(),
        connector: Connector::default(),
        now: None,
        plugged_in: None,
        readings: Vec::new(),
        states: Vec::new(),
        power: Vec::new(),
        occupancy: Vec::new(),
        import: 0,
        export: 0,
        feeds: BTreeMap::new(),
        standing: Vec::new(),
        coupon: None,
        cost_price: None,
        invoice: None,
    };
    // A session's start is needed to read times that stand without a date.
    builder.find_start(steps)?;
    for step in steps {
        builder.step(step)?;
    }
    builder.finish()
}

impl Builder<'_> {
    fn find_start(&mut self, steps: &[At<Step>]) -> Result<(), Failure> {
        let first = steps.iter().find_map(|step| match &step.it {
            Step::Charge { from: Some(from), .. } => Some(from),
            _ => None,
        });
        if let Some(from) = first {
            let Some(date) = from.it.date else {
                return Err(failure(from.span, "say the date, as in `from 2025-03-10 17:00`"));
            };
            self.now = Some((self.instant(date, from)?, date));
        }
        Ok(())
    }

    fn instant(&self, date: NaiveDate, moment: &At<Moment>) -> Result<Instant, Failure> {
        clock::instant(&self.prepared.tariff().zone, date, moment)
    }

    fn moment(&self, moment: &At<Moment>) -> Result<(Instant, NaiveDate), Failure> {
        let date = match (moment.it.date, self.now) {
            (Some(date), _) | (None, Some((_, date))) => date,
            (None, None) => return Err(failure(moment.span, "say the date, as in `2025-03-10 17:00`")),
        };
        Ok((self.instant(date, moment)?, date))
    }

    fn later(&self, moment: &At<Moment>) -> Result<(Instant, NaiveDate), Failure> {
        let (at, date) = self.moment(moment)?;
        match self.now {
            Some((now, _)) if at <= now => {
                let message = "this ends before it starts; say the date when it is on a later day";
                Err(failure(moment.span, message))
            }
            _ => Ok((at, date)),
        }
    }

    fn step(&mut self, step: &At<Step>) -> Result<(), Failure> {
        let span = step.span;
        match &step.it {
            Step::DriverIn(groups) => self.groups(groups)?,
            Step::Via(via) => match &via.it {
                Via::AdHoc => self.facts.contract = Some(Contract::AdHoc),
                Via::Contract => self.facts.contract = Some(Contract::Direct),
                Via::Roaming(issuer) => {
                    self.facts.contract = Some(Contract::Roaming);
                    self.facts.token = Some(Token { issuer: issuer.clone(), ..Token::default() });
                }
            },
            Step::PaidWith(brand) => self.facts.payment_brand = Some(brand.it.clone()),
            Step::AtCharger(charger) => self.facts.charger = Some(charger.it.clone()),
            Step::AtSite(site) => self.facts.site = Some(site.it.clone()),
            Step::Feed { name, rate, from } => self.feed(name, rate, from.as_ref())?,
            Step::CostPrice(rate) => {
                let per_kwh = match rate.it.per.as_slice() {
                    [per] => per.it == PerWord::Unit(Unit::KWh),
                    _ => false,
                };
                if !per_kwh {
                    return Err(failure(rate.span, "say it per kWh, as in `1.20 NOK/kWh`"));
                }
                self.cost_price = Some(Num::from_decimal(self.money(rate)?));
            }
            Step::CouponPercent(percent) => {
                self.coupon = Some(Rebate::Share(percent.it / Decimal::ONE_HUNDRED));
            }
            Step::CouponMoney(rate) => {
                if !rate.it.per.is_empty() {
                    return Err(failure(rate.span, "a coupon is worth a plain sum, as in `5.00 EUR`"));
                }
                self.coupon = Some(Rebate::Amount(self.money(rate)?));
            }
            Step::Coupon(code) => self.facts.coupons.push(code.it.clone()),
            Step::Charge { quantity, on, rated, from, to } => {
                self.plug(on.as_ref(), rated.as_ref())?;
                self.start(span, from.as_ref())?;
                self.import += self.micro(quantity, Unit::KWh)?;
                self.go(to, State::Charging)?;
            }
            Step::Idle(until) => self.phase(span, until, State::Idle)?,
            Step::Wait(until) => self.phase(span, until, State::Waiting)?,
            Step::Pause(until) => self.phase(span, until, State::Paused)?,
            Step::FeedIn(quantity, until) => {
                self.export += self.micro(quantity, Unit::KWh)?;
                self.phase(span, until, State::Feeding)?;
            }
            Step::Drawing(quantity, from) => {
                let from = self.since(span, from.as_ref())?;
                let is_power = quantity.it.unit == Unit::Kw;
                if self.power.iter().any(|known| known.from == from && known.current.is_none() == is_power) {
                    return Err(again(span));
                }
                let amount =
                    micro(quantity.it.number).ok_or_else(|| failure(quantity.span, "this is too precise"))?;
                match quantity.it.unit {
                    Unit::Kw => self.power.push(PowerFrom { from, power: amount, current: None }),
                    Unit::Ampere => self.power.push(PowerFrom { from, power: 0, current: Some(amount) }),
                    _ => return Err(failure(quantity.span, "say kW or A here")),
                }
            }
            Step::Occupied(percent, from) => {
                let from = self.since(span, from.as_ref())?;
                // Percent to two decimals, as places of ten thousand.
                let places = (percent.it * Decimal::ONE_HUNDRED).round();
                let occupied = u32::try_from(places.mantissa()).ok().filter(|places| *places <= 10_000);
                let occupied = occupied.ok_or_else(|| failure(percent.span, "say 0% to 100%"))?;
                if self.occupancy.iter().any(|known| known.from == from) {
                    return Err(again(span));
                }
                self.occupancy.push(OccupancyFrom { from, occupied, of: 10_000 });
            }
            Step::Reserved { from, to, expired } => {
                let (from, until) = (self.moment(from)?.0, self.moment(to)?.0);
                self.facts.reservation = Some(Reservation { from, until, expired: *expired });
            }
            Step::Used(quantity, every) => {
                let energy = self.micro(quantity, Unit::KWh)?;
                self.standing.push((every.it, Energy(energy).kwh()));
            }
            Step::Invoice { month, chargers, new, plan } => {
                let (year, month) = month.it;
                let plan = plan.as_ref().map(|plan| plan.it.clone());
                self.invoice = Some(Invoice { year, month, chargers: chargers.it, new: *new, plan });
            }
            Step::Expect(_) => {}
        }
        Ok(())
    }

    fn groups(&mut self, groups: &[Name]) -> Result<(), Failure> {
        let known = &self.prepared.tariff().groups;
        for group in groups {
            if !known.contains(&group.it) {
                let nearest = takst_engine::input::nearest(&group.it, known.iter().map(String::as_str));
                let hint = nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(failure(group.span, format!("there is no group `{}`{hint}", group.it)));
            }
            self.facts.groups.push(group.it.clone());
        }
        Ok(())
    }

    fn feed(&mut self, name: &Name, rate: &At<Rate>, from: Option<&At<Moment>>) -> Result<(), Failure> {
        let tariff = self.prepared.tariff();
        let Some(feed) = tariff.feeds.iter().find(|feed| feed.name == name.it) else {
            return Err(failure(name.span, format!("the tariff uses no feed `{}`", name.it)));
        };
        let (money, per) = feed.unit.split_once('/').unwrap_or((&feed.unit, ""));
        let wrong = || failure(rate.span, format!("`{}` is in {}", name.it, feed.unit));
        let at = match from {
            Some(from) => self.moment(from)?.0,
            None => Instant(takst_engine::calendar_time::INSTANTS.start),
        };
        // A feed may be in another currency than the tariff.
        let word = rate.it.money.it.as_str();
        let value = if word == money {
            rate.it.number
        } else if currency::hundredth(word).is_some_and(|codes| codes.contains(&money)) {
            rate.it.number / Decimal::ONE_HUNDRED
        } else {
            return Err(wrong());
        };
        let value = match rate.it.per.as_slice() {
            [At { it: PerWord::Unit(Unit::KWh), .. }] if per == "kWh" => value,
            [At { it: PerWord::Unit(Unit::MWh), .. }] if per == "kWh" => value / Decimal::ONE_THOUSAND,
            [At { it: PerWord::Money(code), .. }] if code == per => value,
            _ => return Err(wrong()),
        };
        let includes_vat = rate.it.includes_vat.unwrap_or(false);
        let steps = self.feeds.entry(name.it.clone()).or_default();
        if steps.first().is_some_and(|(.., known)| *known != includes_vat) {
            let message = format!("say `including VAT` on all lines of `{}`, or on none", name.it);
            return Err(failure(rate.span, message));
        }
        if steps.iter().any(|(known, ..)| *known == at) {
            let message = format!(
                "`{}` has a value from then on already; say the other one `from` a later time",
                name.it
            );
            return Err(failure(rate.span, message));
        }
        steps.push((at, value, includes_vat));
        Ok(())
    }

    // The number in the tariff's currency.
    fn money(&self, rate: &At<Rate>) -> Result<Decimal, Failure> {
        let code = &self.prepared.tariff().currency.code;
        let word = &rate.it.money;
        if word.it == *code {
            return Ok(rate.it.number);
        }
        match currency::hundredth(&word.it) {
            Some(codes) if codes.contains(&code.as_str()) => Ok(rate.it.number / Decimal::ONE_HUNDRED),
            _ => Err(failure(word.span, format!("the tariff is in {code}"))),
        }
    }

    fn micro(&self, quantity: &At<Quantity>, unit: Unit) -> Result<i64, Failure> {
        if quantity.it.unit != unit {
            return Err(failure(quantity.span, "say how many kWh, as in `10 kWh`"));
        }
        let amount = micro(quantity.it.number).filter(|amount| (0..=1_000_000_000_000_000).contains(amount));
        amount.ok_or_else(|| {
            failure(quantity.span, "this is more than a meter can count, or has over six decimals")
        })
    }

    fn plug(&mut self, on: Option<&Name>, rated: Option<&At<Quantity>>) -> Result<(), Failure> {
        if let Some(on) = on {
            match on.it.as_str() {
                "AC" => self.connector.plug = Some(Plug::Ac),
                "DC" => self.connector.plug = Some(Plug::Dc),
                other => {
                    self.connector.kind = Some(other.to_owned());
                    // These plugs exist for one kind of current only.
                    match other.to_ascii_lowercase().as_str() {
                        "ccs" | "chademo" => self.connector.plug = Some(Plug::Dc),
                        "type1" | "type2" | "schuko" => self.connector.plug = Some(Plug::Ac),
                        _ => {}
                    }
                }
            }
        }
        if let Some(rated) = rated {
            self.connector.max_power = Some(self.micro(rated, Unit::Kw)?);
        }
        Ok(())
    }

    fn start(&mut self, span: Span, from: Option<&At<Moment>>) -> Result<(), Failure> {
        match (self.plugged_in, from) {
            (None, Some(from)) => {
                let (at, date) = self.moment(from)?;
                self.plugged_in = Some(at);
                self.now = Some((at, date));
                self.read(at);
                Ok(())
            }
            (None, None) => Err(failure(span, "say when it starts, as in `from 2025-03-10 17:00 to 18:00`")),
            (Some(_), Some(from)) => {
                let (at, _) = self.moment(from)?;
                match self.now {
                    Some((now, _)) if at != now => {
                        Err(failure(from.span, "say what the car did until then, as in `idle until 19:00`"))
                    }
                    _ => Ok(()),
                }
            }
            (Some(_), None) => Ok(()),
        }
    }

    fn phase(&mut self, span: Span, until: &At<Moment>, state: State) -> Result<(), Failure> {
        if self.plugged_in.is_none() {
            return Err(failure(span, "a `charge ... from ... to ...` line must stand before this"));
        }
        self.go(until, state)
    }

    fn go(&mut self, until: &At<Moment>, state: State) -> Result<(), Failure> {
        let from = self.now.map_or(Instant(0), |(now, _)| now);
        let (at, date) = self.later(until)?;
        self.states.push(StateFrom { from, state });
        self.now = Some((at, date));
        self.read(at);
        Ok(())
    }

    fn read(&mut self, at: Instant) {
        let (import, export) = (Energy(self.import), Energy(self.export));
        self.readings.push(Reading { at, import, export, segment: 0 });
    }

    fn since(&self, span: Span, from: Option<&At<Moment>>) -> Result<Instant, Failure> {
        match (from, self.plugged_in, self.now) {
            (Some(from), ..) => Ok(self.moment(from)?.0),
            (None, Some(start), _) | (None, None, Some((start, _))) => Ok(start),
            (None, None, None) => Err(failure(span, "a `charge ... from ... to ...` line is missing")),
        }
    }

    fn finish(mut self) -> Result<Scenario, Failure> {
        let tariff = self.prepared.tariff();
        let prepared = match self.coupon.take() {
            None => self.prepared.clone(),
            Some(rebate) => {
                let mut tariff = tariff.clone();
                let index = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
                tariff.leaves.push(Leaf { rule: 0, outcome: Outcome::Applies });
                tariff.nodes.push(Node::Leaf(index(tariff.leaves.len() - 1)));
                tariff.coupons.push(Coupon {
                    code: TEST_COUPON.into(),
                    rule: 0,
                    root: index(tariff.nodes.len() - 1),
                    rebate,
                    charges: tariff.coupon_scope.clone(),
                    times_per_driver: None,
                });
                self.facts.coupons.push(TEST_COUPON.into());
                Prepared::new(tariff).map_err(|error| failure(Span::default(), error.to_string()))?
            }
        };
        let mut book = PriceBook::default();
        for (name, steps) in std::mem::take(&mut self.feeds) {
            let unit =
                prepared.tariff().feeds.iter().find(|feed| feed.name == name).map(|feed| feed.unit.clone());
            book.add(feed_file(name, unit.unwrap_or_default(), steps))
                .map_err(|error| failure(Span::default(), error.to_string()))?;
        }
        let session = self.plugged_in.map(|plugged_in| {
            let mut facts = self.facts.clone();
            if self.connector != Connector::default() {
                facts.connector = Some(self.connector.clone());
            }
            self.power.sort_by_key(|power| power.from);
            self.occupancy.sort_by_key(|occupancy| occupancy.from);
            Session {
                id: "test".into(),
                facts,
                plugged_in,
                unplugged: self.now.map(|(at, _)| at),
                readings: self.readings.clone(),
                states: self.states.clone(),
                power: self.power.clone(),
                occupancy: self.occupancy.clone(),
            }
        });
        let mut standing = Standing::default();
        if let Some(start) = self.plugged_in {
            let day = LocalTime::at(&tariff.zone, start.0).day;
            for (every, energy) in &self.standing {
                let period = match every {
                    Every::Day => day_text(day),
                    Every::Month => month_text(day),
                };
                for who in ["driver", "site"] {
                    standing.set(format!("{who} energy {period}"), *energy);
                    standing.set(format!("{who} whole month energy {period}"), *energy);
                }
            }
        }
        Ok(Scenario {
            prepared,
            book,
            session,
            standing,
            cost_price: self.cost_price,
            invoice: self.invoice,
            groups: self.facts.groups,
        })
    }
}

/// A second line for one time.
fn again(span: Span) -> Failure {
    failure(span, "another line says this for the same time; say `from` which time on this one counts")
}

fn feed_file(name: String, unit: String, mut steps: Vec<(Instant, Decimal, bool)>) -> FeedFile {
    steps.sort_by_key(|(at, ..)| *at);
    let vat_included = steps.iter().any(|(.., vat)| *vat);
    let ends: Vec<Instant> = steps
        .iter()
        .skip(1)
        .map(|(at, ..)| *at)
        .chain([Instant(takst_engine::calendar_time::INSTANTS.end)])
        .collect();
    let prices = steps
        .into_iter()
        .zip(ends)
        .filter(|((from, ..), to)| from < to)
        .map(|((from, price, _), to)| PriceStep { from, to, price })
        .collect();
    FeedFile { feed: name, area: None, unit, vat_included, source: None, published: None, prices }
}
