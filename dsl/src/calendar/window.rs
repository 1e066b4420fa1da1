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

/// What a window means: whole days, and hours that know the days on which they start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Windows {
    /// These days from midnight to midnight, said without hours.
    days: DayExpr,
    /// Minutes of hours that start on the day itself, on the day before, and (where hours of both kinds meet) on both.
    hours: [Calendar; 3],
}

impl Windows {
    fn of_days(days: DayExpr) -> Self {
        Self { days, hours: Default::default() }
    }

    /// The same hours of every day; those over midnight belong to the day on which they start.
    fn of_hours((from, to): (u16, u16)) -> Self {
        let every_day = |from, to| Calendar::of_rects([Rect { days: DayExpr::All, from, to }]);
        let hours = if from < to {
            [every_day(from, to), Calendar::default(), Calendar::default()]
        } else {
            [every_day(from, DAY_MINUTES), every_day(0, to), Calendar::default()]
        };
        Self { days: DayExpr::none(), hours }
    }

    /// The windows of any of these.
    #[must_use]
    pub fn union(of: impl IntoIterator<Item = Self>) -> Self {
        let (mut days, mut hours): (Vec<DayExpr>, [Vec<Calendar>; 3]) = Default::default();
        for one in of {
            days.push(one.days);
            hours.iter_mut().zip(one.hours).for_each(|(all, hours)| all.push(hours));
        }
        Self { days: DayExpr::or(days), hours: hours.map(Calendar::union) }
    }

    /// All of its minutes.
    #[must_use]
    pub fn calendar(self) -> Calendar {
        Calendar::union([Calendar::of_days(self.days)].into_iter().chain(self.hours))
    }

    /// Those that start on these days.
    fn starting(&self, on: &DayExpr) -> Self {
        let before = on.clone().of_day_before();
        let both = DayExpr::and([on.clone(), before.clone()]);
        let [today, yesterday, mixed] = &self.hours;
        let hours = [today.on(on), yesterday.on(&before), mixed.on(&both)];
        Self { days: DayExpr::and([self.days.clone(), on.clone()]), hours }
    }

    /// The hours of both, minute by minute.
    fn meeting(&self, other: &Self) -> Self {
        let mut hours: [Vec<Calendar>; 3] = Default::default();
        for (nth, a) in self.hours.iter().enumerate() {
            for (other_nth, b) in other.hours.iter().enumerate() {
                let starts = if nth == other_nth { nth } else { 2 };
                if let Some(all) = hours.get_mut(starts) {
                    all.push(a.intersection(b));
                }
            }
        }
        Self { days: DayExpr::none(), hours: hours.map(Calendar::union) }
    }

    /// Without these minutes. A day that loses some of its minutes is not a whole one any more: it has hours.
    fn without(self, minutes: &Calendar) -> Self {
        let [today, yesterday, mixed] = self.hours;
        let today = Calendar::union([Calendar::of_days(self.days), today]);
        Self { days: DayExpr::none(), hours: [today, yesterday, mixed].map(|it| it.difference(minutes)) }
    }

    /// How many questions it asks, and how deep they are nested.
    fn size(&self) -> (usize, usize) {
        self.hours.iter().map(Calendar::size).fold(self.days.size(), |(size, depth), (more, deep)| {
            (size.saturating_add(more), depth.max(deep))
        })
    }

    fn has_hours(&self) -> bool {
        self.hours.iter().any(|it| !it.rects.is_empty())
    }

    fn ever_holds(&self) -> bool {
        self.days.ever_holds() || self.hours.iter().any(Calendar::ever_holds)
    }

    /// How many pieces it has.
    fn pieces(&self) -> usize {
        self.hours.iter().map(|it| it.rects.len()).sum::<usize>() + 1
    }
}

/// What a window means. `periods` knows the named ones, `holidays` are the public holidays, ascending.
///
/// Days, written or named, and hours side by side are about the day on which the hours start; so is an `except` that
/// names only days. Hours side by side, written or named, meet minute by minute, and so does an `except` with hours.
///
/// # Errors
/// When a name is unknown, a date or time does not exist, or the window is empty.
pub fn window(
    w: &At<Window>,
    periods: &dyn Fn(&str) -> Option<Windows>,
    holidays: &[Day],
) -> Result<Windows, CalendarError> {
    let mut days = Vec::new();
    let mut others = Vec::new();
    for part in &w.it.parts {
        match &part.it {
            WindowPart::Hours(from, to) => {
                others.push(Windows::of_hours(check_hours(*from, *to, part.span)?));
            }
            WindowPart::Period(name) => others.push(periods(name).ok_or_else(|| {
                error(Wrong::UnknownPeriod, part.span, format!("unknown period `{name}`"), None)
            })?),
            other => days.push(day_part(other, part.span, holidays)?),
        }
    }
    let mut all = side_by_side(DayExpr::and(days), &others, w.span)?;
    if let Some(except) = &w.it.except {
        let off = window(except, periods, holidays)?;
        check_product(&all, &off, w.span)?;
        if !off.days.is_none() {
            all = all.starting(&off.days.clone().negate());
        }
        if off.has_hours() {
            all = all.without(&Calendar::union(off.hours));
        }
        check_size(&all, w.span)?;
    }
    if all.ever_holds() {
        return Ok(all);
    }
    let help = "the parts side by side must hold together at some time between 2000 and 2100";
    Err(error(Wrong::Empty, w.span, "this window is empty".to_owned(), Some(help)))
}

/// Days and parts side by side: the days, also those of a part that says no hours, are days on which all hours start.
fn side_by_side(days: DayExpr, parts: &[Windows], span: Span) -> Result<Windows, CalendarError> {
    // A part can be windows of both sorts, some with hours and some without: then each is joined by itself.
    let mut all: Vec<(DayExpr, Option<Windows>)> = vec![(days, None)];
    for part in parts {
        let mut next = Vec::new();
        let mut size = 0;
        for (days, hours) in &all {
            let known = next.len();
            if !part.days.is_none() {
                next.push((DayExpr::and([days.clone(), part.days.clone()]), hours.clone()));
            }
            if part.has_hours() {
                let meeting = match hours {
                    None => Windows { days: DayExpr::none(), hours: part.hours.clone() },
                    Some(hours) => {
                        check_product(hours, part, span)?;
                        hours.meeting(part)
                    }
                };
                next.push((days.clone(), Some(meeting)));
            }
            for (days, hours) in next.iter().skip(known) {
                size += days.size().0 + hours.as_ref().map_or(0, |it| it.size().0);
            }
            if size > LARGEST {
                return Err(too_complex(span));
            }
        }
        all = next;
    }
    let mut windows = Vec::new();
    for (days, hours) in all {
        windows.push(match hours {
            None => Windows::of_days(days),
            Some(hours) => {
                check_product(&Windows::of_days(days.clone()), &hours, span)?;
                hours.starting(&days)
            }
        });
    }
    let all = Windows::union(windows);
    check_size(&all, span)?;
    Ok(all)
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

fn check_product(a: &Windows, b: &Windows, span: Span) -> Result<(), CalendarError> {
    let (size_a, size_b) = (a.size().0, b.size().0);
    let whole = a.pieces().saturating_mul(size_b).saturating_add(b.pieces().saturating_mul(size_a));
    if whole > 10 * LARGEST { Err(too_complex(span)) } else { Ok(()) }
}

fn check_size(of: &Windows, span: Span) -> Result<(), CalendarError> {
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
