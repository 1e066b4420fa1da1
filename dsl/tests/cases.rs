//! Calendars against the language's own words, and diagrams against reading the list from the top.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test may stop"
)]

#[path = "cases/known.rs"]
mod known;
#[path = "cases/random.rs"]
mod random;
#[path = "cases/windows.rs"]
mod windows;

use chrono::NaiveDate;
use takst_dsl::ast::{At, Span as TextSpan, Window, WindowPart};
use takst_dsl::calendar::{Calendar, CalendarError, Windows};
use takst_dsl::cases::{Cond, Line};
use takst_engine::calendar::{civil, holds};
use takst_engine::tariff::{Days, Measure, Span, Time, Who};
use takst_engine::units::Day;

const ENERGY: Measure = Measure::Energy { span: Span::Session, who: Who::Session };
const IDLE: Measure = Measure::Time { time: Time::Idle, span: Span::Day, who: Who::Driver };

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (it ^ (it >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len() as u64) as usize]
    }
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn date_of(day: Day) -> NaiveDate {
    let (year, month, of_month) = civil(day);
    NaiveDate::from_ymd_opt(year, u32::from(month), u32::from(of_month)).unwrap()
}

fn at<T>(it: T) -> At<T> {
    At { it, span: TextSpan { start: 3, end: 9 } }
}

fn w(parts: Vec<WindowPart>) -> Window {
    Window { parts: parts.into_iter().map(at).collect(), except: None }
}

fn except(mut x: Window, y: Window) -> Window {
    x.except = Some(Box::new(at(y)));
    x
}

fn random_days(dice: &mut Dice) -> WindowPart {
    let month = |dice: &mut Dice| dice.roll(12) as u8 + 1;
    let on = |dice: &mut Dice| dice.roll(7) as u8;
    let year = 2097 + dice.roll(3) as i32;
    let some_date = |dice: &mut Dice, year: i32| {
        NaiveDate::from_ymd_opt(year, dice.roll(12) as u32 + 1, dice.roll(28) as u32 + 1).unwrap()
    };
    match dice.roll(9) {
        0 => WindowPart::Months(month(dice), month(dice)),
        1 | 2 => WindowPart::Weekdays(on(dice), on(dice)),
        3 => {
            let (a, b) = (some_date(dice, year), some_date(dice, year));
            WindowPart::Dates(a.min(b), a.max(b))
        }
        4 => {
            let a = some_date(dice, 2099);
            WindowPart::Dates(a, a)
        }
        5 => {
            WindowPart::Yearly((month(dice), 1 + dice.roll(28) as u8), (month(dice), 1 + dice.roll(28) as u8))
        }
        6 => WindowPart::NthWeekday(1 + dice.roll(5) as u8, on(dice)),
        7 => WindowPart::PublicHolidays,
        _ => WindowPart::EveryDay,
    }
}

fn random_hours(dice: &mut Dice) -> WindowPart {
    let from = dice.roll(8) as u16 * 180;
    let to = (from + 180 + dice.roll(7) as u16 * 180 - 1) % 1440 + 1;
    WindowPart::Hours(from, to)
}

fn random_window(dice: &mut Dice, periods: &[String], deep: bool) -> Window {
    let mut parts = Vec::new();
    for _ in 0..dice.roll(3) {
        parts.push(random_days(dice));
    }
    for _ in 0..[0, 0, 1, 1, 1, 2][dice.roll(6) as usize] {
        parts.push(random_hours(dice));
    }
    if !periods.is_empty() && dice.one_in(4) {
        parts.push(WindowPart::Period(dice.pick(periods).clone()));
    }
    if parts.is_empty() {
        parts.push(random_days(dice));
    }
    let x = w(parts);
    if deep && dice.one_in(3) { except(x, random_window(dice, periods, dice.0.is_multiple_of(2))) } else { x }
}

/// The minutes of a window.
fn window(
    x: &At<Window>,
    periods: &dyn Fn(&str) -> Option<Windows>,
    holidays: &[Day],
) -> Result<Calendar, CalendarError> {
    takst_dsl::calendar::window(x, periods, holidays).map(Windows::calendar)
}

fn class_of(days: &Days, on: Day) -> usize {
    let answers: Vec<u16> =
        (0..).zip(&days.tests).filter(|(_, it)| holds(it, on)).map(|(at, _)| at).collect();
    days.classes.binary_search(&answers).expect("every day has a class")
}

fn calendars(lines: &[Line]) -> impl Iterator<Item = &Calendar> {
    lines
        .iter()
        .flat_map(|it| &it.conds)
        .filter_map(|it| if let Cond::When(it) = it { Some(it) } else { None })
}
