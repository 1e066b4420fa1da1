//! A window as written to the minutes it means.

use super::{Calendar, DAY_MINUTES, DayExpr, Rect};
use crate::ast::{At, Span, Window, WindowPart};
use chrono::{Datelike, NaiveDate};
use takst_engine::calendar::days_in_month;
use takst_engine::tariff::{CALENDAR, DayIs};
use takst_engine::units::Day;

/// Beyond this many questions, or nested deeper than [`DEEPEST`], a window is refused.
const LARGEST: usize = 20_000;
/// Periods that build on periods that build on periods ...
const DEEPEST: usize = 64;

/// What is wrong with a window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wrong {
    /// A period's name that the tariff does not know.
    UnknownPeriod,
    /// `08:00-08:00`.
    EqualEnds,
    /// `Feb 30`, `25:00`.
    NoSuchDate,
    /// `2025-08-31 to 2025-06-01`.
    Backwards,
    /// Its parts never hold together, or not between 2000 and 2100.
    Empty,
    /// Periods that build on each other beyond all measure.
    TooComplex,
}

/// A window that means nothing, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CalendarError {
    /// Which mistake.
    pub wrong: Wrong,
    /// The part of the source.
    pub span: Span,
    /// What is wrong, in the operator's words.
    pub message: String,
    /// What to write.
    pub help: Option<String>,
}

/// The day's number.
#[must_use]
pub fn day(date: NaiveDate) -> Day {
    date.num_days_from_ce() - 719_163
}

/// The minutes of a window. `periods` knows the named ones, `holidays` are the public holidays, ascending.
///
/// Day parts and hours side by side are about the day on which the hours start; so is an `except` that names only
/// days. A named period side by side with others is met minute by minute, and so is an `except` with hours.
///
/// # Errors
/// When a name is unknown, a date or time does not exist, or the window is empty.
pub fn window(
    w: &At<Window>,
    periods: &dyn Fn(&str) -> Option<Calendar>,
    holidays: &[Day],
) -> Result<Calendar, CalendarError> {
    let mut days = Vec::new();
    let mut hours = Vec::new();
    let mut named = Vec::new();
    for part in &w.it.parts {
        match &part.it {
            WindowPart::Hours(from, to) => hours.push(check_hours(*from, *to, part.span)?),
            WindowPart::Period(name) => named.push(periods(name).ok_or_else(|| {
                error(Wrong::UnknownPeriod, part.span, format!("unknown period `{name}`"), None)
            })?),
            other => days.push(day_part(other, part.span, holidays)?),
        }
    }
    let mut minus = None;
    if let Some(except) = &w.it.except {
        let off = window(except, periods, holidays)?;
        match off.whole_days() {
            Some(off) if !has_hours(&except.it) => days.push(off.negate()),
            _ => minus = Some(off),
        }
    }
    let days = DayExpr::and(days);
    let mut all = match hours.split_first() {
        None => Calendar::of_days(days),
        Some((first, more)) => {
            more.iter().fold(starting(&days, *first), |all, hours| all.intersection(&starting(&days, *hours)))
        }
    };
    check_size(&all, w.span)?;
    for period in &named {
        // Before they are joined: a product is as large as its factors multiplied.
        check_product(&all, period, w.span)?;
        all = all.intersection(period);
        check_size(&all, w.span)?;
    }
    if let Some(minus) = &minus {
        check_product(&all, minus, w.span)?;
        all = all.difference(minus);
        check_size(&all, w.span)?;
    }
    if all.ever_holds() {
        return Ok(all);
    }
    let help = "the parts side by side must hold together at some time between 2000 and 2100";
    Err(error(Wrong::Empty, w.span, "this window is empty".to_owned(), Some(help)))
}

fn has_hours(w: &Window) -> bool {
    w.parts.iter().any(|part| matches!(part.it, WindowPart::Hours(..)))
        || w.except.as_ref().is_some_and(|except| has_hours(&except.it))
}

/// The hours of the days on which they start.
fn starting(days: &DayExpr, (from, to): (u16, u16)) -> Calendar {
    if from < to {
        return Calendar::of_rects([Rect { days: days.clone(), from, to }]);
    }
    Calendar::of_rects([
        Rect { days: days.clone(), from, to: DAY_MINUTES },
        Rect { days: days.clone().of_day_before(), from: 0, to },
    ])
}

fn check_hours(from: u16, to: u16, span: Span) -> Result<(u16, u16), CalendarError> {
    if from >= DAY_MINUTES || to > DAY_MINUTES {
        return Err(error(Wrong::NoSuchDate, span, "there is no such time of day".to_owned(), None));
    }
    if from == to {
        let help = "write `00:00-24:00` for the whole day";
        return Err(error(
            Wrong::EqualEnds,
            span,
            "these hours start and end at the same time".to_owned(),
            Some(help),
        ));
    }
    Ok((from, if to == 0 { DAY_MINUTES } else { to }))
}

fn day_part(part: &WindowPart, span: Span, holidays: &[Day]) -> Result<DayExpr, CalendarError> {
    let no_such = |what: String| Err(error(Wrong::NoSuchDate, span, what, None));
    let set = match part {
        WindowPart::Months(first, last) => {
            if !(1..=12).contains(first) || !(1..=12).contains(last) {
                return no_such("there is no such month".to_owned());
            }
            match cycle(first - 1, last - 1, 12) {
                0x0FFF => return Ok(DayExpr::All),
                mask => DayIs::Months(mask),
            }
        }
        WindowPart::Weekdays(first, last) => {
            if *first > 6 || *last > 6 {
                return no_such("there is no such day of the week".to_owned());
            }
            match u8::try_from(cycle(*first, *last, 7)) {
                Ok(0x7F) | Err(_) => return Ok(DayExpr::All),
                Ok(mask) => DayIs::Weekdays(mask),
            }
        }
        WindowPart::Dates(first, last) => {
            if first > last {
                let help = format!("write `{last} to {first}`");
                let message = "these dates end before they start".to_owned();
                return Err(error(Wrong::Backwards, span, message, Some(&help)));
            }
            let (first, last) = (day(*first), day(*last));
            if last < CALENDAR.start || first >= CALENDAR.end {
                let message = "this date lies outside the years 2000 to 2099".to_owned();
                return Err(error(Wrong::Empty, span, message, None));
            }
            DayIs::Between(Some(first), Some(last))
        }
        WindowPart::Yearly(first, last) => {
            for (month, of_month) in [first, last] {
                if *of_month == 0 || *of_month > days_in_month(2000, *month) {
                    return no_such(format!("there is no {of_month} {}", month_name(*month)));
                }
            }
            DayIs::Yearly(*first, *last)
        }
        WindowPart::NthWeekday(nth, weekday) => {
            if !(1..=5).contains(nth) || *weekday > 6 {
                return no_such("there is no such day of the month".to_owned());
            }
            DayIs::NthWeekday(*nth, *weekday)
        }
        WindowPart::PublicHolidays => DayIs::OneOf(holidays.to_vec()),
        // The other two have no days of their own.
        WindowPart::EveryDay | WindowPart::Hours(..) | WindowPart::Period(_) => return Ok(DayExpr::All),
    };
    Ok(DayExpr::is(set))
}

/// Bits `first` to `last` of a round of `of`.
fn cycle(first: u8, last: u8, of: u8) -> u16 {
    (0..of)
        .filter(|at| if first <= last { first <= *at && *at <= last } else { first <= *at || *at <= last })
        .fold(0, |mask, at| mask | 1 << at)
}

fn month_name(month: u8) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    month.checked_sub(1).and_then(|at| NAMES.get(usize::from(at))).copied().unwrap_or("in such a month")
}

fn check_product(a: &Calendar, b: &Calendar, span: Span) -> Result<(), CalendarError> {
    let (size_a, size_b) = (a.size().0, b.size().0);
    let pieces = a.rects.len().saturating_mul(size_b).saturating_add(b.rects.len().saturating_mul(size_a));
    if pieces > 10 * LARGEST { Err(too_complex(span)) } else { Ok(()) }
}

fn check_size(of: &Calendar, span: Span) -> Result<(), CalendarError> {
    let (size, depth) = of.size();
    if size > LARGEST || depth > DEEPEST { Err(too_complex(span)) } else { Ok(()) }
}

fn too_complex(span: Span) -> CalendarError {
    let help = "say it with fewer periods that build on each other";
    error(Wrong::TooComplex, span, "too many crossing conditions".to_owned(), Some(help))
}

fn error(wrong: Wrong, span: Span, message: String, help: Option<&str>) -> CalendarError {
    CalendarError { wrong, span, message, help: help.map(str::to_owned) }
}
