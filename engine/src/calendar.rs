//! The civil calendar: day numbers, weekdays, and the days on which a [`DayTest`] holds. Pure arithmetic.

use crate::tariff::{CALENDAR, DayIs, DayTest};
use crate::units::Day;
use std::collections::HashMap;

/// Years that [`CALENDAR`] and the day before it touch.
const YEARS: std::ops::RangeInclusive<i32> = 1999..=2099;

/// The day of the week, 0 = Monday.
#[must_use]
pub fn weekday(day: Day) -> u8 {
    // 1970-01-01 was a Thursday.
    small((i64::from(day) + 3).rem_euclid(7))
}

/// Year, month (1-12) and day of the month (1-31) in the Gregorian calendar.
#[must_use]
pub fn civil(day: Day) -> (i32, u8, u8) {
    // Years are counted from 1 March, so that a leap day is the last day of its year.
    let days = i64::from(day) + 719_468;
    let era = days.div_euclid(146_097);
    let in_era = days.rem_euclid(146_097);
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let of_month = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    // INVARIANT: an i32 of days is less than six million years.
    (i32::try_from(year).unwrap_or_default(), small(month), small(of_month))
}

/// The day's number; `None` when there is no such date.
#[must_use]
pub fn date(year: i32, month: u8, of_month: u8) -> Option<Day> {
    (of_month > 0 && of_month <= days_in_month(year, month))
        .then(|| whole_number(year, month, of_month))
        .and_then(|days| Day::try_from(days).ok())
}

/// The day's number, for dates that exist. Others run on (30 February is 1 or 2 March); what does not fit is the last
/// or the first [`Day`].
#[must_use]
pub fn day_number(year: i32, month: u8, of_month: u8) -> Day {
    Day::try_from(whole_number(year, month, of_month)).unwrap_or(if year < 0 { Day::MIN } else { Day::MAX })
}

fn whole_number(year: i32, month: u8, of_month: u8) -> i64 {
    let (month, year) = if month > 2 {
        (i64::from(month) - 3, i64::from(year))
    } else {
        (i64::from(month) + 9, i64::from(year) - 1)
    };
    let era = year.div_euclid(400);
    let in_era = year.rem_euclid(400);
    let in_year = (153 * month + 2) / 5 + i64::from(of_month) - 1;
    era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719_468
}

/// 28 to 31; 0 when there is no such month.
#[must_use]
pub fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

/// Whether the year has a 29 February.
#[must_use]
pub fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Whether the test holds on that local day.
#[must_use]
pub fn holds(test: &DayTest, day: Day) -> bool {
    day_is(&test.is, day.saturating_sub(i32::from(test.back)))
}

/// Whether the day belongs to the set.
#[must_use]
pub fn day_is(set: &DayIs, day: Day) -> bool {
    match set {
        DayIs::Weekdays(mask) => mask >> weekday(day) & 1 == 1,
        DayIs::Months(mask) => mask >> (civil(day).1 - 1) & 1 == 1,
        DayIs::Between(first, last) => {
            first.is_none_or(|first| first <= day) && last.is_none_or(|last| day <= last)
        }
        DayIs::Yearly(first, last) => {
            let (_, month, of_month) = civil(day);
            in_year(*first, *last, (month, of_month))
        }
        DayIs::NthWeekday(nth, on) => {
            let (year, month, of_month) = civil(day);
            weekday(day) == *on
                && match nth {
                    1..=4 => (of_month - 1) / 7 + 1 == *nth,
                    5 => of_month + 7 > days_in_month(year, month),
                    _ => false,
                }
        }
        DayIs::OneOf(days) => days.binary_search(&day).is_ok(),
    }
}

fn in_year(first: (u8, u8), last: (u8, u8), it: (u8, u8)) -> bool {
    if first <= last { first <= it && it <= last } else { first <= it || it <= last }
}

/// What all days of [`CALENDAR`] answer to a list of tests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answers {
    /// The different answers, in the order of their first day: ascending indexes of the tests that hold.
    pub sets: Vec<Vec<u16>>,
    /// For each day from `CALENDAR.start` on, the index of its answer in `sets`.
    pub of_day: Vec<u32>,
}

/// Sorts all days of [`CALENDAR`] by their answers to `tests`; equal to asking [`holds`] for each, but in one sweep
/// over the edges of the tests. `None` when there are more than `most` different answers or 65,536 tests or more.
#[must_use]
pub fn answers(tests: &[DayTest], most: usize) -> Option<Answers> {
    let mut by_weekday: [Vec<u16>; 7] = Default::default();
    let mut edges: Vec<(Day, u16)> = Vec::new();
    for (index, test) in tests.iter().enumerate() {
        let index = u16::try_from(index).ok().filter(|it| *it < u16::MAX)?;
        if matches!(test.is, DayIs::Weekdays(_)) {
            for (day, list) in (CALENDAR.start..).zip(&mut by_weekday) {
                if holds(test, day) {
                    list.push(index);
                }
            }
        } else {
            each_span(&test.is, &mut |first, end| {
                let shift = i32::from(test.back);
                let first = first.saturating_add(shift).max(CALENDAR.start);
                let end = end.saturating_add(shift).min(CALENDAR.end);
                if first < end {
                    edges.extend([(first, index), (end, index)]);
                }
            });
        }
    }
    edges.sort_unstable();

    // `now` holds the tests other than weekdays; it changes only at an edge. What weekdays add has at most seven forms.
    let mut now = vec![0_u64; tests.len().div_ceil(64)];
    let mut known: HashMap<Vec<u64>, usize> = HashMap::new();
    let mut ids: Vec<[Option<u32>; 7]> = Vec::new();
    let mut out = Answers { sets: Vec::new(), of_day: Vec::new() };
    let forms: Vec<usize> = by_weekday
        .iter()
        .map(|list| by_weekday.iter().position(|it| it == list).unwrap_or_default())
        .collect();
    let mut edges = edges.into_iter().peekable();
    let mut state = 0;
    for (day, place) in CALENDAR.zip((0..7_usize).cycle()) {
        let mut moved = day == CALENDAR.start;
        while let Some((_, index)) = edges.next_if(|(at, _)| *at <= day) {
            if let Some(word) = now.get_mut(usize::from(index) / 64) {
                *word ^= 1 << (index % 64);
            }
            moved = true;
        }
        if moved {
            state = *known.entry(now.clone()).or_insert(ids.len());
            if state == ids.len() {
                ids.push([None; 7]);
            }
        }
        let form = forms.get(place).copied().unwrap_or_default();
        let slot = ids.get_mut(state)?.get_mut(form)?;
        let id = match *slot {
            Some(id) => id,
            None => {
                if out.sets.len() >= most {
                    return None;
                }
                let id = u32::try_from(out.sets.len()).ok()?;
                out.sets.push(merged(&now, by_weekday.get(form)?));
                *slot.insert(id)
            }
        };
        out.of_day.push(id);
    }
    Some(out)
}

/// Bits and a sorted list as one sorted list.
fn merged(bits: &[u64], more: &[u16]) -> Vec<u16> {
    let mut set = more.to_vec();
    for (base, word) in (0_u16..).step_by(64).zip(bits) {
        let mut word = *word;
        while word != 0 {
            set.push(base + small_u16(word.trailing_zeros()));
            word &= word - 1;
        }
    }
    set.sort_unstable();
    set
}

/// Calls `span` with disjoint half-open stretches of days that together are the set within [`YEARS`]
/// (open ends run on). Two stretches may touch. Not for weekdays.
fn each_span(set: &DayIs, span: &mut dyn FnMut(Day, Day)) {
    match set {
        DayIs::Weekdays(_) => {}
        DayIs::Between(first, last) => {
            span(first.unwrap_or(Day::MIN), last.map_or(Day::MAX, |last| last.saturating_add(1)));
        }
        DayIs::OneOf(days) => {
            let mut days = days.clone();
            days.sort_unstable();
            days.dedup();
            for day in days {
                span(day, day.saturating_add(1));
            }
        }
        DayIs::Months(mask) => each_yearly(&|(month, _)| mask >> (month - 1) & 1 == 1, span),
        DayIs::Yearly(first, last) => each_yearly(&|it| in_year(*first, *last, it), span),
        DayIs::NthWeekday(nth, on) => {
            for (year, month) in YEARS.flat_map(|year| (1..=12).map(move |month| (year, month))) {
                let last = days_in_month(year, month);
                let start = day_number(year, month, 1);
                let first = 1 + (7 + on % 7 - weekday(start)) % 7;
                let of_month = match nth {
                    _ if *on > 6 => continue,
                    1..=4 => first + 7 * (nth - 1),
                    5 => first + (last - first) / 7 * 7,
                    _ => continue,
                };
                let day = start + i32::from(of_month) - 1;
                span(day, day + 1);
            }
        }
    }
}

/// [`each_span`] of the days whose (month, day of the month) satisfy `is`.
fn each_yearly(is: &dyn Fn((u8, u8)) -> bool, span: &mut dyn FnMut(Day, Day)) {
    // Runs over the 366 days of a leap year, half-open.
    let mut runs: Vec<(i32, i32)> = Vec::new();
    let days = (1..=12).flat_map(|month| (1..=days_in_month(2000, month)).map(move |day| (month, day)));
    for (at, it) in (0..).zip(days) {
        if !is(it) {
            continue;
        }
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    for year in YEARS {
        let start = day_number(year, 1, 1);
        // In other years 29 February (place 59) falls together with 1 March.
        let place = |at: i32| start + at - i32::from(at > 59 && !is_leap(year));
        for (from, end) in &runs {
            if place(*from) < place(*end) {
                span(place(*from), place(*end));
            }
        }
    }
}

/// A number known to lie in 0..=31.
fn small(number: i64) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

/// A number known to lie in 0..=63.
fn small_u16(number: u32) -> u16 {
    u16::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, NaiveDate};

    fn known(day: Day) -> NaiveDate {
        NaiveDate::from_num_days_from_ce_opt(day + 719_163).unwrap()
    }

    #[test]
    fn dates_agree_with_chrono() {
        for day in (-800_000..800_000).step_by(13).chain(CALENDAR) {
            let known = known(day);
            let (year, month, of_month) = civil(day);
            assert_eq!(
                (year, u32::from(month), u32::from(of_month)),
                (known.year(), known.month(), known.day())
            );
            assert_eq!(date(year, month, of_month), Some(day));
            assert_eq!(day_number(year, month, of_month), day);
            assert_eq!(u32::from(weekday(day)), known.weekday().num_days_from_monday());
        }
        for year in [1900, 2000, 2023, 2024, 2100] {
            for month in 0..=13 {
                for of_month in 0..=32 {
                    let there = NaiveDate::from_ymd_opt(year, u32::from(month), u32::from(of_month));
                    assert_eq!(date(year, month, of_month).map(known), there, "{year}-{month}-{of_month}");
                }
            }
        }
    }

    #[test]
    fn extreme_days_do_not_overflow() {
        for day in [Day::MIN, Day::MIN + 1, Day::MAX - 1, Day::MAX] {
            let (year, month, of_month) = civil(day);
            assert_eq!(date(year, month, of_month), Some(day));
            assert_eq!(day_number(year, month, of_month), day);
            assert!(weekday(day) < 7);
            assert!(holds(&DayTest { back: 1, is: DayIs::Between(None, None) }, day));
        }
        assert_eq!(date(i32::MAX, 1, 1), None);
        assert_eq!((day_number(i32::MAX, 1, 1), day_number(i32::MIN, 1, 1)), (Day::MAX, Day::MIN));
        assert_eq!(day_number(2025, 2, 29), day_number(2025, 3, 1));
        assert_eq!(known(CALENDAR.start), NaiveDate::from_ymd_opt(2000, 1, 1).unwrap());
        assert_eq!(known(CALENDAR.end), NaiveDate::from_ymd_opt(2100, 1, 1).unwrap());
    }

    fn day(text: &str) -> Day {
        text.parse::<NaiveDate>().unwrap().num_days_from_ce() - 719_163
    }

    fn is(set: &DayIs, text: &str) -> bool {
        day_is(set, day(text))
    }

    #[test]
    fn sets_hold_on_their_days() {
        assert!(is(&DayIs::Weekdays(1), "2025-03-10") && !is(&DayIs::Weekdays(1), "2025-03-11"));
        assert!(is(&DayIs::Months(1 << 11), "2025-12-31") && !is(&DayIs::Months(1 << 11), "2026-01-01"));
        assert!(is(&DayIs::Between(Some(day("2025-01-01")), None), "2025-01-01"));
        assert!(!is(&DayIs::Between(None, Some(day("2025-01-01"))), "2025-01-02"));
        let turn = DayIs::Yearly((12, 24), (1, 2));
        assert!(is(&turn, "2025-01-02") && is(&turn, "2024-12-24") && !is(&turn, "2025-01-03"));
        assert!(
            is(&DayIs::Yearly((2, 29), (2, 29)), "2024-02-29")
                && !is(&DayIs::Yearly((2, 29), (2, 29)), "2025-03-01")
        );
        assert!(is(&DayIs::NthWeekday(1, 6), "2025-06-01") && !is(&DayIs::NthWeekday(1, 6), "2025-06-08"));
        assert!(is(&DayIs::NthWeekday(5, 4), "2025-02-28") && !is(&DayIs::NthWeekday(5, 4), "2025-05-23"));
        assert!(is(&DayIs::OneOf(vec![day("2025-05-01")]), "2025-05-01"));
        // A window over midnight asks about the day before.
        let monday = DayTest { back: 1, is: DayIs::Weekdays(1) };
        assert!(holds(&monday, day("2025-03-11")) && !holds(&monday, day("2025-03-10")));
    }

    #[test]
    fn the_sweep_equals_asking_every_day() {
        let some = [
            DayIs::Weekdays(0b001_1111),
            DayIs::Weekdays(0b110_0000),
            DayIs::Weekdays(0),
            DayIs::Months(0b1000_0000_0011),
            DayIs::Months(0xFFFF),
            DayIs::Between(Some(day("2025-03-30")), Some(day("2025-03-30"))),
            DayIs::Between(None, Some(day("2025-03-30"))),
            DayIs::Between(Some(day("2150-01-01")), None),
            DayIs::Between(Some(day("2025-03-30")), Some(day("2025-03-29"))),
            DayIs::Between(Some(day("1990-01-01")), Some(day("1999-12-31"))),
            DayIs::Between(None, None),
            DayIs::Yearly((12, 24), (1, 2)),
            DayIs::Yearly((2, 29), (2, 29)),
            DayIs::Yearly((2, 28), (3, 1)),
            DayIs::Yearly((2, 29), (3, 1)),
            DayIs::Yearly((3, 1), (2, 28)),
            DayIs::Yearly((12, 31), (12, 31)),
            DayIs::NthWeekday(1, 6),
            DayIs::NthWeekday(4, 0),
            DayIs::NthWeekday(5, 4),
            DayIs::NthWeekday(6, 4),
            DayIs::NthWeekday(1, 7),
            DayIs::OneOf(vec![day("1999-12-31"), day("2000-01-01"), day("2025-05-01"), day("2099-12-31")]),
        ];
        let tests: Vec<DayTest> =
            (0..=1).flat_map(|back| some.iter().map(move |is| DayTest { back, is: is.clone() })).collect();
        let found = answers(&tests, 100_000).unwrap();
        assert_eq!(found.of_day.len(), CALENDAR.len());
        for (day, id) in CALENDAR.zip(&found.of_day) {
            let asked: Vec<u16> =
                (0..).zip(&tests).filter(|(_, test)| holds(test, day)).map(|(index, _)| index).collect();
            assert_eq!(found.sets[*id as usize], asked, "{}", known(day));
        }
        let mut distinct = found.sets.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), found.sets.len());
        assert!(answers(&tests, found.sets.len()).is_some());
        assert!(answers(&tests, found.sets.len() - 1).is_none());
        assert_eq!(answers(&[], 1).unwrap().sets, [Vec::<u16>::new()]);
    }
}
