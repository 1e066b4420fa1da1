//! All days of the calendar in classes that a tariff tells apart.

use super::{Calendar, DayExpr};
use std::collections::BTreeSet;
use takst_engine::calendar::{answers, weekday};
use takst_engine::tariff::{CALENDAR, DayIs, DayTest, Days};
use takst_engine::units::Day;

/// More classes than this are refused.
pub const MOST_CLASSES: usize = 4_096;

/// The tariff tells too many kinds of days apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too many crossing conditions: they tell more than {MOST_CLASSES} kinds of days apart")]
pub struct TooManyClasses;

/// The classes of days, and which of them occur while the tariff is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DayClasses {
    /// The tests and classes as the engine keeps them; they cover the whole calendar.
    pub days: Days,
    /// For each class and weekday (0 = Monday) the first such day from `valid_from` on.
    pub examples: Vec<[Option<Day>; 7]>,
    /// Whether each class has such a day at all.
    pub occurs: Vec<bool>,
    holidays: Vec<Day>,
}

impl DayClasses {
    /// Sorts all days by the questions that `calendars` (all of the tariff) ask. `valid_from`: the first day of the
    /// tariff; `holidays`: the public holidays, for the words of a witness.
    ///
    /// # Errors
    /// When there are more than [`MOST_CLASSES`].
    pub fn new<'a>(
        calendars: impl IntoIterator<Item = &'a Calendar>,
        valid_from: Option<Day>,
        holidays: &[Day],
    ) -> Result<Self, TooManyClasses> {
        let mut tests = BTreeSet::new();
        for rect in calendars.into_iter().flat_map(|it| &it.rects) {
            collect(&rect.days, &mut tests);
        }
        let tests: Vec<DayTest> = tests.into_iter().cloned().collect();
        let found = answers(&tests, MOST_CLASSES).ok_or(TooManyClasses)?;

        let mut order: Vec<(Vec<u16>, usize)> = found.sets.into_iter().zip(0..).collect();
        order.sort_unstable();
        let mut place = vec![0; order.len()];
        for (new, (_, old)) in order.iter().enumerate() {
            if let Some(slot) = place.get_mut(*old) {
                *slot = new;
            }
        }
        // A tariff that starts after the calendar's end is judged by the last day.
        let start = valid_from.unwrap_or(CALENDAR.start).clamp(CALENDAR.start, CALENDAR.end - 1);
        let mut examples: Vec<[Option<Day>; 7]> = vec![[None; 7]; order.len()];
        for (day, old) in CALENDAR.zip(&found.of_day) {
            if day < start {
                continue;
            }
            let class = usize::try_from(*old).ok().and_then(|old| place.get(old));
            let example = class
                .and_then(|class| examples.get_mut(*class))
                .and_then(|it| it.get_mut(usize::from(weekday(day))));
            if let Some(example) = example {
                example.get_or_insert(day);
            }
        }
        let occurs = examples.iter().map(|it| it.iter().any(Option::is_some)).collect();
        let days = Days { tests, classes: order.into_iter().map(|(set, _)| set).collect() };
        let used = days.tests.iter().any(|it| matches!(&it.is, DayIs::OneOf(days) if days == holidays));
        Ok(Self { days, examples, occurs, holidays: if used { holidays.to_vec() } else { Vec::new() } })
    }

    /// Whether the day is a public holiday and the tariff asks for that.
    #[must_use]
    pub fn is_holiday(&self, day: Day) -> bool {
        self.holidays.binary_search(&day).is_ok()
    }
}

fn collect<'a>(expr: &'a DayExpr, into: &mut BTreeSet<&'a DayTest>) {
    match expr {
        DayExpr::All => {}
        DayExpr::Is(test) => {
            into.insert(test);
        }
        DayExpr::And(of) | DayExpr::Or(of) => of.iter().for_each(|it| collect(it, into)),
        DayExpr::Not(inner) => collect(inner, into),
    }
}
