//! Local time and windows: what the clock on the wall says at an instant, and when it next could say something else.

use super::model::{Condition, Part, Tariff, Window};
use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, Offset, TimeZone, Timelike};
use chrono_tz::Tz;
use std::collections::BTreeSet;

const HOUR: i64 = 3_600_000;

/// What the clock on the wall says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Local {
    /// Its date.
    pub date: NaiveDate,
    /// Whole minutes since midnight, as shown.
    pub minute: u32,
}

fn offset(zone: Tz, ms: i64) -> i32 {
    let utc = DateTime::from_timestamp_millis(ms).expect("a time of this era").naive_utc();
    zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
}

/// Local time at `ms`.
#[must_use]
pub fn local(zone: Tz, ms: i64) -> Local {
    let shown = ms + i64::from(offset(zone, ms)) * 1000;
    let at = DateTime::from_timestamp_millis(shown).expect("a time of this era").naive_utc();
    Local { date: at.date(), minute: at.hour() * 60 + at.minute() }
}

/// The instants at which the clock shows `minute` (1440: the end) of `date`: none, one or two.
#[must_use]
pub fn instants(zone: Tz, date: NaiveDate, minute: u32) -> Vec<i64> {
    let (date, minute) = if minute == 1440 { (date + Days::new(1), 0) } else { (date, minute) };
    let shown = date.and_hms_opt(minute / 60, minute % 60, 0).unwrap();
    match zone.from_local_datetime(&shown) {
        LocalResult::None => vec![],
        LocalResult::Single(a) => vec![a.timestamp_millis()],
        LocalResult::Ambiguous(a, b) => vec![a.timestamp_millis(), b.timestamp_millis()],
    }
}

/// Instants in `from..=to` at which the clocks are changed.
#[must_use]
pub fn clock_changes(zone: Tz, from: i64, to: i64) -> Vec<i64> {
    let mut found = vec![];
    let mut hour = from.div_euclid(HOUR) * HOUR;
    while hour <= to {
        let (mut before, mut after) = (hour, hour + HOUR);
        if offset(zone, before) != offset(zone, after) {
            while after - before > 1 {
                let middle = i64::midpoint(before, after);
                if offset(zone, middle) == offset(zone, after) { after = middle } else { before = middle }
            }
            found.push(after);
        }
        hour += HOUR;
    }
    found.retain(|at| (from..=to).contains(at));
    found
}

/// All instants in `from..=to` at which a calendar condition of the tariff can change, and all local midnights.
#[must_use]
pub fn edges(tariff: &Tariff, from: i64, to: i64) -> BTreeSet<i64> {
    let zone = tariff.zone;
    let mut minutes = BTreeSet::from([0]);
    let mut moments = vec![];
    for condition in all_conditions(tariff) {
        match condition {
            Condition::During(windows) => windows.iter().for_each(|w| hours_of(w, &mut minutes)),
            Condition::From(date, at) | Condition::Until(date, at) => moments.push((*date, at.unwrap_or(0))),
            _ => {}
        }
    }
    for (_, windows) in &tariff.periods {
        windows.iter().for_each(|w| hours_of(w, &mut minutes));
    }
    if let Some(step) = tariff.receipt_step {
        minutes.extend((0..1440).step_by(step as usize));
    }
    let mut found: BTreeSet<i64> = clock_changes(zone, from, to).into_iter().collect();
    let (mut date, last) = (local(zone, from).date, local(zone, to).date);
    while date <= last {
        for minute in &minutes {
            found.extend(instants(zone, date, *minute));
        }
        date = date + Days::new(1);
    }
    for (date, minute) in moments {
        found.extend(instants(zone, date, minute));
    }
    found.retain(|at| (from..=to).contains(at));
    found
}

fn hours_of(window: &Window, minutes: &mut BTreeSet<u32>) {
    for part in &window.parts {
        if let Part::Hours(a, b) = part {
            minutes.extend([*a, *b]);
        }
    }
    if let Some(except) = &window.except {
        hours_of(except, minutes);
    }
}

/// Every condition written anywhere in the tariff.
#[must_use]
pub fn all_conditions(tariff: &Tariff) -> Vec<&Condition> {
    fn of<T>(cases: &[super::model::Case<T>]) -> impl Iterator<Item = &Condition> {
        cases.iter().flat_map(|case| &case.when)
    }
    let mut all: Vec<&Condition> = of(&tariff.vat).collect();
    all.extend(tariff.taxes.iter().flat_map(|tax| of(&tax.cases)));
    all.extend(tariff.vat_on.iter().flat_map(|(_, cases)| of(cases)));
    all.extend(tariff.prices.iter().flat_map(|(_, cases)| of(cases)));
    all.extend(tariff.values.iter().flat_map(|(_, cases)| of(cases)));
    all.extend(tariff.charges.iter().flat_map(|charge| of(&charge.cases)));
    all.extend(tariff.discounts.iter().chain(&tariff.coupons).flat_map(|rebate| &rebate.when));
    all
}

/// A window with its named periods written out: any of these.
struct Plain<'a> {
    days: Vec<&'a Part>,
    hours: Vec<(u32, u32)>,
    excepts: Vec<&'a Window>,
}

fn write_out<'a>(tariff: &'a Tariff, window: &'a Window) -> Vec<Plain<'a>> {
    let mut all = vec![Plain { days: vec![], hours: vec![], excepts: vec![] }];
    for part in &window.parts {
        match part {
            Part::Named(name) => {
                let (_, windows) = tariff.periods.iter().find(|(n, _)| n == name).expect("a known period");
                let inner: Vec<Plain<'a>> = windows.iter().flat_map(|w| write_out(tariff, w)).collect();
                all = all.iter().flat_map(|a| inner.iter().map(|b| both(a, b))).collect();
            }
            Part::Hours(a, b) => all.iter_mut().for_each(|plain| plain.hours.push((*a, *b))),
            day => all.iter_mut().for_each(|plain| plain.days.push(day)),
        }
    }
    if let Some(except) = &window.except {
        all.iter_mut().for_each(|plain| plain.excepts.push(except));
    }
    all
}

fn both<'a>(a: &Plain<'a>, b: &Plain<'a>) -> Plain<'a> {
    Plain {
        days: a.days.iter().chain(&b.days).copied().collect(),
        hours: a.hours.iter().chain(&b.hours).copied().collect(),
        excepts: a.excepts.iter().chain(&b.excepts).copied().collect(),
    }
}

/// Whether the clock on the wall lies in the window.
#[must_use]
pub fn within(tariff: &Tariff, window: &Window, now: Local) -> bool {
    write_out(tariff, window).iter().any(|plain| open(tariff, plain, now))
}

/// Whether it is open at `now`. Hours side by side meet at instants: each of them has a starting day of its own.
fn open(tariff: &Tariff, plain: &Plain<'_>, now: Local) -> bool {
    let yesterday = now.date.pred_opt().unwrap();
    let started = |plain: &Plain<'_>| {
        [now.date, yesterday].into_iter().any(|starting| holds(tariff, plain, starting, now))
    };
    if plain.hours.len() < 2 {
        return started(plain);
    }
    plain.hours.iter().all(|hours| {
        started(&Plain { days: plain.days.clone(), hours: vec![*hours], excepts: plain.excepts.clone() })
    })
}

/// Whether the window that starts on the day `starting` is open at `now`.
fn holds(tariff: &Tariff, plain: &Plain<'_>, starting: NaiveDate, now: Local) -> bool {
    let today = starting == now.date;
    let open = |&(a, b): &(u32, u32)| match (b > a, today) {
        (true, true) => a <= now.minute && now.minute < b,
        (true, false) => false,
        (false, true) => now.minute >= a,
        (false, false) => now.minute < b,
    };
    let hours = if plain.hours.is_empty() { today } else { plain.hours.iter().all(open) };
    hours
        && plain.days.iter().all(|part| is_day(tariff.zone, part, starting))
        && !plain.excepts.iter().any(|except| taken_away(tariff, except, starting, now))
}

/// An exception of days takes whole starting days away, one with hours takes those instants away.
fn taken_away(tariff: &Tariff, except: &Window, starting: NaiveDate, now: Local) -> bool {
    write_out(tariff, except).iter().any(|plain| {
        if plain.hours.is_empty() {
            // Asked at the starting day itself, at any minute of it.
            holds(tariff, plain, starting, Local { date: starting, minute: 0 })
        } else {
            open(tariff, plain, now)
        }
    })
}

fn in_circle(x: u32, first: u32, last: u32) -> bool {
    if first <= last { first <= x && x <= last } else { x >= first || x <= last }
}

fn is_day(zone: Tz, part: &Part, date: NaiveDate) -> bool {
    let weekday = date.weekday().num_days_from_monday();
    match part {
        Part::Months(a, b) => in_circle(date.month(), *a, *b),
        Part::Weekdays(a, b) => in_circle(weekday, *a, *b),
        Part::Dates(a, b) => *a <= date && date <= *b,
        Part::Yearly(a, b) => {
            let number = |(month, day): (u32, u32)| month * 100 + day;
            in_circle(number((date.month(), date.day())), number(*a), number(*b))
        }
        Part::NthWeekday(nth, day) => {
            let last = (date + Days::new(7)).month() != date.month();
            weekday == *day && (if *nth == 5 { last } else { (date.day() - 1) / 7 + 1 == *nth })
        }
        Part::EveryDay => true,
        Part::PublicHolidays => super::holidays::is_holiday(zone, date),
        Part::Hours(..) | Part::Named(_) => panic!("hours and names are written out before"),
    }
}
