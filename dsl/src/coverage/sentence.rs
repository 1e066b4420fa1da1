//! From a way through the diagrams to the lines of a test. What is written here is a guess that is tried out: several are
//! made, and the first that turns out to reach the line is taken.

use super::formulas::each;
use super::goals::Focus;
use super::ways::{Days, Way};
use std::collections::BTreeSet;
use takst_engine::calendar::{civil, date};
use takst_engine::calendar_time::LocalTime;
use takst_engine::tariff::{
    AfterAmount, ChargeKind, Contract, Formula, Measure, MonthWhat, Outcome, Span, Tariff, Test, Time, Who,
};
use takst_engine::units::{Day, Energy, MINUTE_MS};

/// First year of tests where a list says nothing else.
const FIRST_YEAR: i32 = 2025;
/// Minutes of a phase whose length does not matter.
const HOUR: i64 = 60;
const DAY: i64 = 1440;

/// Tries for one way: lines of a test without its heading and without expectations.
pub(super) fn sentences(tariff: &Tariff, days: &mut Days<'_>, way: &Way, focus: Focus) -> Vec<Vec<String>> {
    let start = first_day(tariff);
    let mut candidates: Vec<Day> = Vec::new();
    let later = [start, start.saturating_add(40), start.saturating_add(200)];
    for from in later {
        candidates.extend(days.from(from, way.classes.as_ref()).take(1));
    }
    // A line of the past: the last day on which it answered.
    let first =
        tariff.valid_from.map_or(Day::MIN, |at| LocalTime::at(&tariff.zone, at.0).day.saturating_add(1));
    if candidates.is_empty() {
        candidates.extend(days.from(first, way.classes.as_ref()).take_while(|day| *day < start).last());
    }
    candidates.dedup();
    let middle = way.minutes.0 + (way.minutes.1 - way.minutes.0) / 2;
    let mut out = Vec::new();
    for all_facts in [false, true] {
        let Some(facts) = facts(tariff, way, all_facts) else { continue };
        for day in &candidates {
            for minute in [way.minutes.0, middle] {
                let work = Work { tariff, way, focus, all_facts, facts: &facts };
                let lines = work.lines(*day, minute);
                if !out.contains(&lines) {
                    out.push(lines);
                }
            }
        }
    }
    out
}

/// Lines of a test that say who a way is for, and prices of all feeds; the session in them is any. None where nobody is.
pub(crate) fn facts_of(tariff: &Tariff, way: &Way) -> Option<Vec<String>> {
    let facts = facts(tariff, way, true)?;
    let mut lines = facts.lines;
    lines.extend(feeds(tariff));
    let (at, end) = (i64::from(first_day(tariff)) * DAY + 12 * HOUR, 13 * HOUR);
    let end = at - 12 * HOUR + end;
    lines.push(format!("charge 10 kWh{} from {} to {}", facts.plugged, moment(at), moment(end)));
    Some(lines)
}

/// The day after which the list is in force, or a plain date; in a list that is over by then its last whole day.
fn first_day(tariff: &Tariff) -> Day {
    let plain = date(FIRST_YEAR, 1, 1).unwrap_or_default();
    let day = |at: i64| LocalTime::at(&tariff.zone, at).day;
    let first = match tariff.valid_from {
        // A session that needs time before the hour in question must not begin before the list does.
        Some(at) => day(at.0).saturating_add(1).max(plain),
        None => plain,
    };
    match tariff.valid_until {
        Some(until) => first.min(day(until.0).saturating_sub(1)),
        None => first,
    }
}

/// What the way says about the session before it begins.
#[derive(Clone, Default, Debug)]
struct Facts {
    /// `driver in ...` and the like.
    lines: Vec<String>,
    /// ` on AC`, ` with 22 kW`.
    plugged: String,
    plan: Option<String>,
    expired: bool,
    reserved: bool,
    /// Whole months: at least so many millionths of a kWh.
    month: i64,
}

/// None: the answers contradict one another. `all`: what is asked anywhere is said, whatever it may be.
fn facts(tariff: &Tariff, way: &Way, all: bool) -> Option<Facts> {
    let mut out = Facts::default();
    let answer = |wanted: &Test| {
        let index = (0_u32..).zip(&tariff.tests).find(|(_, test)| *test == wanted)?.0;
        way.facts.get(&index).copied()
    };
    let tests = || (0_u32..).zip(&tariff.tests).map(|(id, test)| (test, way.facts.get(&id).copied()));
    groups(tariff, way, &mut out)?;
    place(tariff, way, all, &mut out)?;
    // Plug and connector: one word says both.
    let dc = answer(&Test::Dc);
    let (mut is, mut not): (Vec<&str>, Vec<&str>) = Default::default();
    let mut asks_kind = false;
    for (test, said) in tests() {
        if let Test::Connector(kind) = test {
            asks_kind = true;
            match said {
                Some(true) => is.push(kind),
                Some(false) => not.push(kind),
                None => {}
            }
        }
    }
    let plugs = [("CCS", true), ("Type2", false), ("CHAdeMO", true), ("Type1", false), ("Schuko", false)];
    let asks_plug = tariff.tests.contains(&Test::Dc);
    let plug = match is.as_slice() {
        [one] => {
            let known = plugs.iter().find(|(name, _)| name.eq_ignore_ascii_case(one));
            Some(known.map_or_else(|| (*one).to_owned(), |(name, _)| (*name).to_owned()))
        }
        [] if asks_kind && (all || !not.is_empty()) => {
            let free = |(name, is_dc): &&(&str, bool)| {
                dc.is_none_or(|dc| dc == *is_dc) && !not.iter().any(|not| name.eq_ignore_ascii_case(not))
            };
            Some(plugs.iter().find(free)?.0.to_owned())
        }
        [] if dc.is_some() || (all && asks_plug) => {
            Some(if dc == Some(true) { "DC" } else { "AC" }.to_owned())
        }
        [] => None,
        _ => return None,
    };
    if let Some(plug) = plug {
        out.plugged.push_str(&format!(" on {plug}"));
    }
    let (mut from, mut below): (Option<i64>, Option<i64>) = (None, None);
    let mut asks_power = false;
    for (test, said) in tests() {
        match (test, said) {
            (Test::RatedAtLeast(power), said) => {
                asks_power = true;
                match said {
                    Some(true) => from = from.max(Some(*power)),
                    Some(false) => below = Some(below.map_or(*power, |known| known.min(*power))),
                    None => {}
                }
            }
            (Test::WholeMonthAtLeast { energy, .. }, Some(true)) => out.month = out.month.max(*energy),
            (Test::Plan(plan), Some(true)) => out.plan = Some(plan.clone()),
            (Test::ReservationExpired, Some(is)) => {
                out.expired = is;
                out.reserved = true;
            }
            (Test::PaymentBrand(brand), Some(true)) => out.lines.push(format!("paid with \"{brand}\"")),
            _ => {}
        }
    }
    match (from, below) {
        (Some(from), Some(below)) if from >= below => return None,
        (Some(from), _) => out.plugged.push_str(&format!(" with {} kW", plain(from))),
        (None, Some(below)) => out.plugged.push_str(&format!(" with {} kW", plain(half(below)))),
        (None, None) if all && asks_power => out.plugged.push_str(" with 22 kW"),
        (None, None) => {}
    }
    out.lines.extend(contract(tariff, way, all)?);
    Some(out)
}

fn groups(tariff: &Tariff, way: &Way, out: &mut Facts) -> Option<()> {
    let said = |group: u32| {
        let index = (0_u32..).zip(&tariff.tests).find(|(_, test)| **test == Test::Group(group))?.0;
        way.facts.get(&index).copied()
    };
    let ids = || (0_u32..).zip(&tariff.groups).filter(|(id, _)| Some(*id) != tariff.default_group);
    let mut names: Vec<&String> =
        ids().filter(|(id, _)| said(*id) == Some(true)).map(|(_, name)| name).collect();
    match tariff.default_group.and_then(said) {
        Some(true) if !names.is_empty() => return None,
        Some(false) if names.is_empty() => names.push(ids().find(|(id, _)| said(*id).is_none())?.1),
        _ => {}
    }
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
        out.lines.push(format!("driver in {}", names.join(", ")));
    }
    Some(())
}

fn place(tariff: &Tariff, way: &Way, all: bool, out: &mut Facts) -> Option<()> {
    let said: Vec<(&takst_engine::tariff::Place, Option<bool>)> = (0_u32..)
        .zip(&tariff.tests)
        .filter_map(|(id, test)| match test {
            Test::Place(place) => Some((tariff.places.get(*place as usize)?, way.facts.get(&id).copied())),
            _ => None,
        })
        .collect();
    if said.is_empty() || (!all && said.iter().all(|(_, said)| said.is_none())) {
        return Some(());
    }
    let fits = |charger: Option<&String>, site: Option<&String>| {
        said.iter().all(|(place, said)| {
            let inside = charger.is_some_and(|id| place.chargers.contains(id))
                || site.is_some_and(|id| place.sites.contains(id));
            said.is_none_or(|said| said == inside)
        })
    };
    let asks_charger = said.iter().any(|(place, _)| !place.chargers.is_empty());
    let asks_site = said.iter().any(|(place, _)| !place.sites.is_empty());
    let elsewhere = "elsewhere".to_owned();
    let of = |pick: fn(&takst_engine::tariff::Place) -> &Vec<String>, asked: bool| {
        let ids = said.iter().flat_map(move |(place, _)| pick(place)).map(Some);
        let mut all: Vec<Option<&String>> = ids.collect();
        all.insert(0, if asked { Some(&elsewhere) } else { None });
        all.truncate(200);
        all
    };
    let chargers = of(|place| &place.chargers, asks_charger);
    let sites = of(|place| &place.sites, asks_site);
    let pairs = || chargers.iter().flat_map(|charger| sites.iter().map(move |site| (*charger, *site)));
    let (charger, site) = pairs().find(|(charger, site)| fits(*charger, *site))?;
    out.lines.extend(charger.map(|id| format!("at charger \"{id}\"")));
    out.lines.extend(site.map(|id| format!("at site \"{id}\"")));
    Some(())
}

/// `via ...`, if it is asked. None: nobody comes like that.
fn contract(tariff: &Tariff, way: &Way, all: bool) -> Option<Option<String>> {
    let mut open = vec![Contract::Direct, Contract::AdHoc, Contract::Roaming];
    let mut issuer = None;
    let mut asked = false;
    for (id, test) in (0_u32..).zip(&tariff.tests) {
        let said = way.facts.get(&id).copied();
        match test {
            Test::Contract(contract) => {
                asked |= all || said.is_some();
                match said {
                    Some(true) => open.retain(|it| it == contract),
                    Some(false) => open.retain(|it| it != contract),
                    None => {}
                }
            }
            Test::Issuer(name) if said == Some(true) => {
                asked = true;
                issuer = Some(name);
                open.retain(|it| *it == Contract::Roaming);
            }
            _ => {}
        }
    }
    let first = *open.first()?;
    Some(asked.then(|| match (first, issuer) {
        (Contract::Direct, _) => "via contract".to_owned(),
        (Contract::AdHoc, _) => "via ad-hoc".to_owned(),
        (Contract::Roaming, Some(issuer)) => format!("via roaming \"{issuer}\""),
        (Contract::Roaming, None) => "via roaming".to_owned(),
    }))
}

/// What a session must have behind it at the moment in question.
#[derive(Clone, Copy, Default, Debug)]
struct Before {
    /// Millionths of a kWh.
    energy: i64,
    /// Minutes.
    charging: i64,
    connected: i64,
    still: i64,
}

struct Work<'a> {
    tariff: &'a Tariff,
    way: &'a Way,
    focus: Focus,
    all_facts: bool,
    facts: &'a Facts,
}

impl Work<'_> {
    fn kind(&self) -> Option<ChargeKind> {
        match self.focus {
            Focus::Session(index) => self.tariff.charges.get(index).map(|charge| charge.kind),
            Focus::Month(_) => None,
        }
    }

    fn measures(&self) -> impl Iterator<Item = (Measure, Option<i64>, Option<i64>)> {
        self.way
            .measures
            .iter()
            .filter_map(|(id, (from, below))| Some((*self.tariff.measures.get(*id as usize)?, *from, *below)))
    }

    fn lines(&self, day: Day, minute: u16) -> Vec<String> {
        let mut lines = self.facts.lines.clone();
        lines.extend(feeds(self.tariff));
        let at = i64::from(day) * DAY + i64::from(minute);
        let invoice = match (self.focus, self.kind()) {
            (Focus::Month(_), _) => true,
            (_, Some(ChargeKind::PaymentFee)) => self.tariff.bills_monthly,
            _ => false,
        };
        if invoice {
            self.invoice(day, &mut lines);
        } else {
            self.session(at, &mut lines);
        }
        lines
    }

    fn invoice(&self, day: Day, lines: &mut Vec<String>) {
        if self.facts.month > 0 {
            lines.push(format!("used {} kWh this month", plain(self.facts.month)));
        }
        let (year, month, _) = civil(day);
        let new = match self.focus {
            Focus::Month(index) => {
                self.tariff.month.get(index).is_some_and(|charge| matches!(charge.what, MonthWhat::OneOff(_)))
            }
            Focus::Session(_) => false,
        };
        let new = if new { "new " } else { "" };
        let plan = self.facts.plan.as_ref().map(|plan| format!(" with plan {plan}")).unwrap_or_default();
        lines.push(format!("invoice {year:04}-{month:02} for 1 {new}charger{plan}"));
    }

    /// How much must lie behind `at`: by measures, and by the allowance of the charge.
    fn before(&self, lines: &mut Vec<String>) -> Before {
        let mut before = Before::default();
        let mut used: [i64; 2] = [0, self.facts.month];
        for (measure, from, _) in self.measures() {
            let from = from.unwrap_or(0);
            match measure {
                Measure::Energy { who: Who::Session, .. } => before.energy = before.energy.max(from),
                Measure::Energy { span, .. } => {
                    let [today, month] = &mut used;
                    let slot = if span == Span::Day { today } else { month };
                    *slot = (*slot).max(from);
                }
                Measure::Time { time, .. } => before.time(time, from),
                Measure::Power | Measure::Current | Measure::Occupancy => {}
            }
        }
        let after = match self.focus {
            Focus::Session(index) => self.tariff.charges.get(index).and_then(|charge| charge.after.as_ref()),
            Focus::Month(_) => None,
        };
        if let Some(after) = after {
            let amount = match after.amount {
                AfterAmount::Fixed(amount) => amount,
                AfterAmount::Value(_) => longest_value(self.tariff),
            };
            match after.measure {
                Measure::Energy { .. } => before.energy = before.energy.max(amount),
                Measure::Time { time, .. } => before.time(time, amount),
                _ => {}
            }
        }
        for (amount, when) in used.into_iter().zip(["today", "this month"]) {
            if amount > 0 {
                lines.push(format!("used {} kWh {when}", plain(amount)));
            }
        }
        before
    }

    fn session(&self, at: i64, lines: &mut Vec<String>) {
        let before = self.before(lines);
        let kind = self.kind();
        let still = matches!(kind, Some(ChargeKind::IdleFee | ChargeKind::ParkingTime));
        let feeding = kind == Some(ChargeKind::FeedIn);
        // What happens before the moment: charging, then standing still.
        let mut charging = before.charging;
        let mut idle = before.still;
        if (before.energy > 0 || idle > 0 || still || feeding) && charging == 0 {
            charging = HOUR;
        }
        if still {
            idle = idle.max(before.connected - charging);
        } else {
            charging = charging.max(before.connected - idle);
        }
        let once = matches!(kind, Some(ChargeKind::StartFee | ChargeKind::ReservationFee));
        let start = if once { at } else { at - charging - idle };
        if self.facts.reserved || kind == Some(ChargeKind::ReservationFee) {
            let expired = if self.facts.expired { ", expired" } else { "" };
            lines.push(format!("reserved from {} to {}{expired}", moment(start - HOUR), moment(start)));
        }
        let mut end = start;
        let energy = if before.energy > 0 { plain(before.energy) } else { "10".to_owned() };
        let plugged = &self.facts.plugged;
        if charging > 0 {
            end = start + charging;
            lines.push(format!("charge {energy} kWh{plugged} from {} to {}", moment(start), moment(end)));
        }
        if still {
            lines.push(format!("idle until {}", moment(at.max(end) + HOUR)));
        } else {
            if idle > 0 {
                end += idle;
                lines.push(format!("idle until {}", moment(end)));
            }
            let until = moment(end + HOUR);
            if feeding {
                lines.push(format!("feed in 5 kWh until {until}"));
            } else if charging > 0 {
                lines.push(format!("charge 10 kWh until {until}"));
            } else {
                lines.push(format!("charge 10 kWh{plugged} from {} to {until}", moment(start)));
            }
        }
        self.drawn(lines);
    }

    /// Power, current and how full the site is.
    fn drawn(&self, lines: &mut Vec<String>) {
        let said = |wanted: Measure| {
            let found = self.measures().find(|(measure, ..)| *measure == wanted);
            found.map(|(_, from, below)| match (from, below) {
                (Some(from), _) => from,
                (None, Some(below)) => half(below),
                (None, None) => 0,
            })
        };
        let asked = |measure: Measure| self.all_facts && self.tariff.measures.contains(&measure);
        if let Some(power) = said(Measure::Power) {
            lines.push(format!("drawing {} kW", plain(power)));
        }
        match said(Measure::Current) {
            Some(current) => lines.push(format!("drawing {} A", plain(current))),
            None if asked(Measure::Current) => lines.push("drawing 16 A".to_owned()),
            None => {}
        }
        match said(Measure::Occupancy) {
            // Millionths to percent, up to the next hundredth that a test can say.
            Some(share) => lines.push(format!("occupied {}%", plain((share + 99) / 100 * 100 * 100))),
            None if asked(Measure::Occupancy) => lines.push("occupied 50%".to_owned()),
            None => {}
        }
    }
}

impl Before {
    fn time(&mut self, time: Time, ms: i64) {
        let minutes = (ms + MINUTE_MS - 1) / MINUTE_MS;
        match time {
            Time::Connected => self.connected = self.connected.max(minutes),
            Time::Charging => self.charging = self.charging.max(minutes),
            Time::Parking | Time::Idle | Time::IdleInARow | Time::ParkingInARow => {
                self.still = self.still.max(minutes);
            }
        }
    }
}

/// The largest named quantity: grace that every driver has passed.
fn longest_value(tariff: &Tariff) -> i64 {
    let quantities = tariff.leaves.iter().filter_map(|leaf| match leaf.outcome {
        Outcome::Quantity(quantity) => Some(quantity),
        _ => None,
    });
    quantities.max().unwrap_or(0)
}

/// A value for each feed that a price uses, and for the plant's cost.
fn feeds(tariff: &Tariff) -> Vec<String> {
    let mut used: BTreeSet<u32> = BTreeSet::new();
    let mut cost = false;
    for leaf in &tariff.leaves {
        let Outcome::Price(price) = &leaf.outcome else { continue };
        each(&price.formula, &mut |formula| match formula {
            Formula::Feed { feed, .. } => {
                used.insert(*feed);
            }
            Formula::CostPrice => cost = true,
            _ => {}
        });
    }
    let mut lines: Vec<String> = used
        .iter()
        .filter_map(|index| tariff.feeds.get(*index as usize))
        .map(|feed| {
            let value = if feed.money_per_kwh { "0.10" } else { "1.00" };
            let word = if feed.name == "spot" { "spot".to_owned() } else { format!("feed {}", feed.name) };
            format!("{word} {value} {}", feed.unit)
        })
        .collect();
    if cost {
        lines.push(format!("cost price 0.10 {}/kWh", tariff.currency.code));
    }
    lines
}

/// A date and time from minutes since 1970 on the local clock.
fn moment(minutes: i64) -> String {
    let (year, month, of_month) = civil(Day::try_from(minutes.div_euclid(DAY)).unwrap_or_default());
    let minute = minutes.rem_euclid(DAY);
    format!("{year:04}-{month:02}-{of_month:02} {:02}:{:02}", minute / 60, minute % 60)
}

/// Millionths as people write them.
fn plain(millionths: i64) -> String {
    Energy(millionths).kwh().to_string()
}

/// Something below a threshold, and as round as it may be.
fn half(of: i64) -> i64 {
    let half = of / 2;
    if half >= 1_000_000 { half / 1_000_000 * 1_000_000 } else { half }
}
