//! A month's statements, from the model: sessions in order of posting, fees, power fees, credits, payment fees, payout.

use super::bill::{Bill, Line, add_taxes, bill, by_rate, printed};
use super::calendar::{instants, local};
use super::conditions::{Taxed, World};
use super::model::{Charge, Kind, Measure, Tariff};
use super::number::{
    Dec, MICRO, Q, fraction, largest_remainder, minor_units, nearest, round, share, whole, zero,
};
use super::session::{Period, Session, Standing};
use chrono::{Months, NaiveDate};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const HOUR: i64 = 3_600_000;

/// All that a month is settled from.
#[derive(Clone, PartialEq, Debug)]
pub struct Month {
    /// The list; its charges are those of sessions.
    pub tariff: Tariff,
    /// Charges of the month in file order.
    pub fees: Vec<Fee>,
    /// The first of the month.
    pub first: NaiveDate,
    /// Chargers of the site.
    pub chargers: Vec<Charger>,
    /// Groups of drivers.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Who pays for a driver.
    pub payers: BTreeMap<String, String>,
    /// In order of posting.
    pub sessions: Vec<Session>,
    /// Energy of the site by hour of the month, millionths of a kWh.
    pub hours: Vec<i128>,
}

/// A charger.
#[derive(Clone, PartialEq, Debug)]
pub struct Charger {
    /// Its id.
    pub id: String,
    /// Its plan.
    pub plan: Option<String>,
    /// When it was installed.
    pub installed: Option<NaiveDate>,
    /// Whose it is.
    pub driver: Option<String>,
}

/// A charge of the month.
#[derive(Clone, PartialEq, Debug)]
pub struct Fee {
    /// What it is.
    pub what: What,
    /// Its label.
    pub label: String,
    /// `paid by site`
    pub by_site: bool,
    /// `at most` per month.
    pub at_most: Option<Dec>,
    /// The first that fits; the last fits all.
    pub cases: Vec<FeeCase>,
}

/// What a charge of the month counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Each charger.
    PerCharger,
    /// Each driver.
    PerDriver,
    /// Chargers that were installed in the month.
    OneOff,
    /// The mean of so many highest hours, perhaps of different days; per kW or once.
    Power(usize, bool, bool),
    /// Energy of the site, perhaps only the first of it.
    Credit(Option<i128>),
}

/// A line of a charge of the month.
#[derive(Clone, PartialEq, Debug)]
pub struct FeeCase {
    /// Money.
    pub price: Dec,
    /// `for`
    pub group: Option<String>,
    /// `with plan`
    pub plan: Option<String>,
    /// `below`, millionths of a kW.
    pub below: Option<i128>,
}

/// Who pays.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Party {
    /// A driver.
    Driver(String),
    /// Who pays for drivers.
    Payer(String),
    /// The site.
    Site,
}

/// A printed row: its kind, how it is taxed, minor units.
pub type Row = (&'static str, Taxed, i128);

/// What a party pays.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Statement {
    /// Rows.
    pub rows: Vec<Row>,
    /// Millionths of a kWh.
    pub energy: i128,
    /// How many.
    pub sessions: usize,
    /// Groups of the last driver with a session.
    pub groups: Vec<String>,
}

/// Net, taxes and total in minor units.
#[must_use]
pub fn totals(tariff: &Tariff, rows: &[Row]) -> [i128; 3] {
    let mut sums = Bill::default();
    for (tax, sum) in by_rate(rows.iter().map(|row| (row.1, row.2))) {
        add_taxes(tariff, tax, sum, &mut sums);
    }
    [sums.net, sums.vat_total, sums.net + sums.vat_total]
}

impl What {
    /// As documents call its rows.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::PerCharger | Self::PerDriver => "monthly fee",
            Self::OneOff => "one-off fee",
            Self::Power(..) => "power fee",
            Self::Credit(_) => "site credit",
        }
    }
}

impl Month {
    /// The list as a file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.tariff.to_text();
        for fee in &self.fees {
            let _ = write!(text, "{} \"{}\"", fee.what.word(), fee.label);
            let mut limits = vec![];
            let per = match fee.what {
                What::PerCharger => "/charger/month",
                What::PerDriver => "/month",
                What::OneOff => "/charger",
                What::Power(count, days, per_kw) => {
                    limits.push(match (count, days) {
                        (1, false) => "from highest hour".into(),
                        (_, false) => format!("from mean of {count} highest hours"),
                        (_, true) => format!("from mean of {count} highest daily peaks"),
                    });
                    if per_kw { "/kW" } else { "/month" }
                }
                What::Credit(first) => {
                    limits.extend(first.map(|first| format!("first {} kWh per month", first / MICRO)));
                    "/kWh"
                }
            };
            if fee.by_site {
                limits.push("paid by site".into());
            }
            let currency = &self.tariff.currency;
            limits.extend(fee.at_most.map(|most| format!("at most {most} {currency}/month")));
            let _ = writeln!(text, " {}:", limits.join(", "));
            for case in &fee.cases {
                let _ = write!(text, "  {} {currency}{per}", case.price);
                let _ = case.group.iter().try_for_each(|group| write!(text, " for {group}"));
                let _ = case.plan.iter().try_for_each(|plan| write!(text, " with plan {plan}"));
                let kw = |below: &i128| super::number::print_micro(*below);
                let _ = case.below.iter().try_for_each(|below| write!(text, " below {} kW", kw(below)));
                text.push('\n');
            }
        }
        text
    }

    /// The first instant of the month and that of the next.
    #[must_use]
    pub fn stretch(&self) -> (i64, i64) {
        let start = |date| instants(self.tariff.zone, date, 0)[0];
        (start(self.first), start(self.first + Months::new(1)))
    }

    fn groups_of(&self, driver: Option<&String>) -> Vec<String> {
        driver.and_then(|driver| self.groups.get(driver)).cloned().unwrap_or_default()
    }

    fn party(&self, driver: &str) -> Party {
        match self.payers.get(driver) {
            Some(payer) => Party::Payer(payer.clone()),
            None => Party::Driver(driver.to_owned()),
        }
    }

    fn tax_at(&self, ms: i64) -> Taxed {
        let (session, standing) = (&self.sessions[0], Standing::default());
        let world = World::new(&self.tariff, session, &[], &standing);
        world.vat(None, &world.moment(ms, BTreeMap::<Measure, i128>::new()))
    }
}

/// The bills of all sessions, each with what the ones before it left of the driver's counters.
fn bills(month: &Month) -> Vec<Bill> {
    let period = Period::of(super::model::Span::Month, month.first);
    let energy_of = |driver: &str| -> i128 {
        let own = month.sessions.iter().filter(|s| s.driver == driver);
        own.map(super::slices::energy).sum()
    };
    // Session bills have no payment fee: the statement has one.
    let mut tariff = month.tariff.clone();
    tariff.charges.retain(|charge| charge.kind != Kind::PaymentFee);
    let mut known: BTreeMap<&str, BTreeMap<String, Q>> = BTreeMap::new();
    let mut all = vec![];
    for session in &month.sessions {
        let counters = known.entry(&session.driver).or_default();
        let driver = super::model::Who::Driver;
        let mut standing = Standing::default();
        standing.whole.push((driver, period, energy_of(&session.driver)));
        let counter = |name: String| counters.get(&name).cloned().unwrap_or_default();
        let energy = counter(format!("driver energy {}", period.word()));
        standing.energy.push((driver, period, to_units(&energy, 6)));
        let labels = tariff.charges.iter().map(Charge::label).chain(["total".to_owned()]);
        for label in labels {
            let sum = counter(format!("driver limit {label} {}", period.word()));
            standing.money.push((driver, label.clone(), period, Dec::new(to_units(&sum, 12), 12)));
            let lift = counter(format!("driver lift {label} {}", period.word()));
            standing.lifts.push((label, period, Dec::new(to_units(&lift, 12), 12)));
        }
        let bill = bill(&tariff, session, &[], &standing);
        counters.clone_from(&bill.closing);
        all.push(bill);
    }
    all
}

fn to_units(value: &Q, places: u32) -> i128 {
    i128::try_from(nearest(&(value * super::number::power_of_ten(places)))).expect("a counter fits")
}

/// Exact sums by tax, cut at the limit in proportion, printed once together.
fn print_sums(sums: Vec<(Taxed, Q)>, at_most: Option<Dec>) -> Vec<(Taxed, i128)> {
    let mut sums = by_rate(sums.into_iter());
    let all: Q = sums.iter().map(|(_, sum)| sum).sum();
    let mut reached = all.clone();
    if let Some(most) = at_most.map(Dec::value).filter(|most| all > *most) {
        for (_, sum) in &mut sums {
            *sum = &*sum * &most / &all;
        }
        reached = most;
    }
    let exact: Vec<Q> = sums.iter().map(|(_, sum)| sum * whole(100)).collect();
    let shares = largest_remainder(minor_units(&reached, 2), &exact);
    sums.into_iter().map(|(tax, _)| tax).zip(shares).collect()
}

impl Fee {
    fn price(&self, groups: &[String], plan: Option<&str>, power: i128) -> Q {
        let fits = |case: &&FeeCase| {
            case.group.as_ref().is_none_or(|group| groups.contains(group))
                && case.plan.as_deref().is_none_or(|wanted| plan == Some(wanted))
                && case.below.is_none_or(|below| power < below)
        };
        self.cases.iter().find(fits).expect("the last line fits").price.value()
    }
}

/// The highest hours: their mean in kW to 12 decimals, and whole millionths at or below it.
fn peaks(month: &Month, count: usize, days: bool) -> (Q, i128) {
    let (start, _) = month.stretch();
    let mut hours: Vec<(i128, i64)> =
        month.hours.iter().copied().zip((0..).map(|n| start + n * HOUR)).collect();
    if days {
        let mut best: BTreeMap<NaiveDate, i128> = BTreeMap::new();
        for (energy, from) in &hours {
            let day = best.entry(local(month.tariff.zone, *from).date).or_default();
            *day = (*day).max(*energy);
        }
        hours = best.into_values().map(|energy| (energy, 0)).collect();
    }
    hours.sort_by_key(|(energy, _)| std::cmp::Reverse(*energy));
    hours.truncate(count);
    let sum: i128 = hours.iter().map(|(energy, _)| energy).sum();
    let count = i128::try_from(hours.len()).unwrap();
    (round(&fraction(sum, MICRO * count), 12), sum.div_euclid(count))
}

/// Everybody's statement, and what the property gets.
#[must_use]
pub fn settle(month: &Month) -> (BTreeMap<Party, Statement>, Vec<Row>) {
    let mut all = BTreeMap::from([(Party::Site, Statement::default())]);
    let bills = bills(month);
    for (session, bill) in month.sessions.iter().zip(&bills) {
        let statement = all.entry(month.party(&session.driver)).or_default();
        let charges = bill.charges.iter().map(|entry| (entry.vat, entry.amount));
        let extras = bill.extras.iter().flat_map(|extra| extra.amounts.iter().copied());
        statement.rows.extend(charges.chain(extras).map(|(tax, amount)| ("session", tax, amount)));
        statement.energy += super::slices::energy(session);
        statement.sessions += 1;
        statement.groups = session.groups.clone();
    }
    for fee in &month.fees {
        match fee.what {
            What::PerCharger | What::PerDriver | What::OneOff => per_party(month, fee, &mut all),
            What::Power(..) | What::Credit(_) => of_the_site(month, fee, &mut all),
        }
    }
    let last = month.stretch().1 - 1;
    for charge in month.tariff.charges.iter().filter(|charge| charge.kind == Kind::PaymentFee) {
        for statement in all.values_mut().filter(|statement| statement.sessions > 0) {
            let judged = Session { groups: statement.groups.clone(), ..month.sessions[0].clone() };
            let standing = Standing::default();
            let world = World::new(&month.tariff, &judged, &[], &standing);
            let now = world.moment(last, BTreeMap::new());
            let price = super::formula::price(&world, world.pick(&charge.cases, &now), &now, &zero());
            let amount = minor_units(&price.expect("a fee has no feed"), 2);
            statement.rows.push(("payment fee", month.tax_at(last), amount));
        }
    }
    (all, payout(month, &bills))
}

fn payout(month: &Month, bills: &[Bill]) -> Vec<Row> {
    let mut rows = vec![];
    for (i, charge) in month.tariff.charges.iter().enumerate() {
        if charge.kind == Kind::PayoutToSite {
            // Session bills are made without the payment fee.
            let before = &month.tariff.charges[..i];
            let i = before.iter().filter(|charge| charge.kind != Kind::PaymentFee).count();
            let of_charge = |line: &&Line| line.charge == i;
            let lines = bills.iter().flat_map(|bill| bill.payout_lines.iter().filter(of_charge));
            let lines: Vec<Line> = lines.cloned().collect();
            rows.extend(
                printed(i, &lines).into_iter().map(|entry| ("payout to site", entry.vat, entry.amount)),
            );
        }
    }
    rows
}

fn per_party(month: &Month, fee: &Fee, all: &mut BTreeMap<Party, Statement>) {
    let (start, end) = month.stretch();
    let mut sums: BTreeMap<Party, Vec<(Taxed, Q)>> = BTreeMap::new();
    if fee.what == What::PerDriver {
        let tax = month.tax_at(end - 1);
        if fee.by_site {
            sums.insert(Party::Site, vec![(tax, fee.price(&[], None, 0))]);
        } else {
            let with_charger = month.chargers.iter().filter_map(|charger| charger.driver.as_ref());
            let mut drivers: Vec<&String> =
                month.sessions.iter().map(|s| &s.driver).chain(with_charger).collect();
            drivers.sort();
            drivers.dedup();
            for driver in drivers {
                let price = fee.price(&month.groups_of(Some(driver)), None, 0);
                sums.entry(month.party(driver)).or_default().push((tax, price));
            }
        }
    } else {
        let next = local(month.tariff.zone, end).date;
        for charger in &month.chargers {
            let one_off = fee.what == What::OneOff;
            let due = match charger.installed {
                Some(day) if one_off => month.first <= day && day < next,
                Some(day) => day < next,
                None => !one_off,
            };
            if !due {
                continue;
            }
            let at = charger.installed.filter(|_| one_off).map(|day| instants(month.tariff.zone, day, 0)[0]);
            let party = match &charger.driver {
                Some(driver) if !fee.by_site => month.party(driver),
                _ => Party::Site,
            };
            let groups = month.groups_of(charger.driver.as_ref());
            let price = fee.price(&groups, charger.plan.as_deref(), 0);
            sums.entry(party).or_default().push((month.tax_at(at.unwrap_or(end - 1)), price));
        }
    }
    assert!(start < end, "a month has days");
    for (party, sums) in sums {
        let rows = print_sums(sums, fee.at_most);
        let statement = all.entry(party).or_default();
        statement.rows.extend(rows.into_iter().map(|(tax, amount)| (fee.what.word(), tax, amount)));
    }
}

fn of_the_site(month: &Month, fee: &Fee, all: &mut BTreeMap<Party, Statement>) {
    let (start, end) = month.stretch();
    let mut sums: Vec<(Taxed, Q)> = vec![];
    match fee.what {
        What::Power(count, days, per_kw) => {
            let (mean, floor) = peaks(month, count, days);
            let price = fee.price(&[], None, floor);
            sums.push((month.tax_at(end - 1), if per_kw { price * mean } else { price }));
        }
        What::Credit(first) => {
            let mut left = first.unwrap_or(i128::MAX);
            for (energy, from) in month.hours.iter().zip((0..).map(|n| start + n * HOUR)) {
                let energy = (*energy).min(left);
                left -= energy;
                sums.push((month.tax_at(from), -fee.price(&[], None, 0) * fraction(energy, MICRO)));
            }
        }
        What::PerCharger | What::PerDriver | What::OneOff => panic!("no charge of the whole site"),
    }
    let takers: Vec<(Party, i128)> = (all.iter())
        .filter(|(party, statement)| **party != Party::Site && statement.energy > 0)
        .map(|(party, statement)| (party.clone(), statement.energy))
        .collect();
    for (tax, amount) in print_sums(sums, fee.at_most) {
        let shares = if fee.by_site || takers.is_empty() {
            vec![(Party::Site, amount)]
        } else {
            let weights: Vec<Q> = takers.iter().map(|(_, energy)| whole(*energy)).collect();
            takers.iter().map(|(party, _)| party.clone()).zip(share(amount, &weights)).collect()
        };
        for (party, amount) in shares {
            all.entry(party).or_default().rows.push((fee.what.word(), tax, amount));
        }
    }
}
