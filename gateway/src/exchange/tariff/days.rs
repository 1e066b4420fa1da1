//! Days as OCPP 2.1 tells them apart: by weekday, and from a date to a date.

use crate::chargers::model::DayOfWeek;
use chrono::NaiveDate;
use std::collections::BTreeSet;
use takst_engine::calendar::{answers, weekday};
use takst_engine::tariff::{CALENDAR, DayIs, Tariff};
use takst_engine::units::Day;

/// Single days that a list names become stretches of their own, up to so many.
const FEW_DAYS: usize = 12;

/// A stretch of days in which only the weekday counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    pub from: Option<Day>,
    pub until: Option<Day>,
}

/// Which kinds of days there are: one slot for each weekday of each stretch.
#[derive(Debug)]
pub(super) struct DayPlan {
    stretches: Vec<Stretch>,
    // By slot, the classes of its days; empty where there is no such day.
    classes: Vec<BTreeSet<u16>>,
}

/// Slots of a plan.
pub(super) type Days = BTreeSet<usize>;

impl DayPlan {
    /// The days from `from` on, before `until`.
    pub fn new(tariff: &Tariff, from: Day, until: Option<Day>) -> Self {
        let from = from.clamp(CALENDAR.start, CALENDAR.end - 1);
        let end = until.unwrap_or(CALENDAR.end).clamp(from + 1, CALENDAR.end);
        let classes = classes(tariff);
        let class_of = |day: Day| {
            let index = usize::try_from(day - CALENDAR.start).unwrap_or_default();
            classes.get(index).copied().unwrap_or_default()
        };
        let mut starts: BTreeSet<Day> = BTreeSet::from([from]);
        match until {
            // Any day may be another one than its weekday is as a rule.
            Some(_) => starts.extend(odd_days(from, end, &class_of)),
            None => starts.extend(dated(tariff).filter(|day| (from + 1..end).contains(day))),
        }
        let starts: Vec<Day> = starts.into_iter().collect();
        let mut plan = Self { stretches: Vec::new(), classes: Vec::new() };
        for (index, start) in starts.iter().enumerate() {
            let next = starts.get(index + 1).copied();
            let mut slots: [BTreeSet<u16>; 7] = Default::default();
            for day in *start..next.unwrap_or(end) {
                if let Some(slot) = slots.get_mut(usize::from(weekday(day))) {
                    slot.insert(class_of(day));
                }
            }
            plan.classes.extend(slots);
            // What was before is over, and needs no condition.
            let from = (index > 0 || until.is_some()).then_some(*start);
            plan.stretches.push(Stretch { from, until: next.or(until) });
        }
        plan
    }

    /// All days there are.
    pub fn all(&self) -> Days {
        (0..).zip(&self.classes).filter(|(_, classes)| !classes.is_empty()).map(|(slot, _)| slot).collect()
    }

    /// The classes of a slot's days.
    pub fn classes(&self, slot: usize) -> impl Iterator<Item = u16> {
        self.classes.get(slot).into_iter().flatten().copied()
    }

    /// Whether some end is stated that everything must carry.
    fn bounded(&self) -> bool {
        self.stretches.last().is_some_and(|last| last.until.is_some())
    }

    /// The days in the words of the standard: from, until, weekdays (empty: all of them).
    pub fn say(&self, days: &Days) -> Vec<(Stretch, Vec<DayOfWeek>)> {
        const ALL: u8 = 0x7f;
        if *days == self.all() && !self.bounded() {
            return vec![(Stretch { from: None, until: None }, Vec::new())];
        }
        let mut said: Vec<(Stretch, u8)> = Vec::new();
        for (index, stretch) in self.stretches.iter().enumerate() {
            let (mut mask, mut whole) = (0_u8, true);
            for day in 0..7_usize {
                let slot = index * 7 + day;
                if days.contains(&slot) {
                    mask |= 1 << day;
                } else if self.classes.get(slot).is_some_and(|classes| !classes.is_empty()) {
                    whole = false;
                }
            }
            if mask == 0 {
                continue;
            }
            let mask = if whole { ALL } else { mask };
            match said.last_mut() {
                Some((last, known))
                    if *known == mask && last.until == stretch.from && last.until.is_some() =>
                {
                    last.until = stretch.until;
                }
                _ => said.push((*stretch, mask)),
            }
        }
        let weekdays = |mask: u8| match mask {
            ALL => Vec::new(),
            mask => (0..)
                .zip(DayOfWeek::ALL)
                .filter(|(bit, _)| mask >> bit & 1 == 1)
                .map(|(_, day)| *day)
                .collect(),
        };
        said.into_iter().map(|(stretch, mask)| (stretch, weekdays(mask))).collect()
    }
}

/// A day as a date.
pub(super) fn date(day: Day) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1970, 1, 1)?.checked_add_signed(chrono::TimeDelta::days(i64::from(day)))
}

// The class of each day of the calendar.
fn classes(tariff: &Tariff) -> Vec<u16> {
    let days = &tariff.days;
    let Some(answers) = answers(&days.tests, usize::from(u16::MAX)).filter(|_| !days.tests.is_empty()) else {
        return Vec::new();
    };
    let class = |set: &Vec<u16>| {
        days.classes.binary_search(set).ok().and_then(|class| u16::try_from(class).ok()).unwrap_or_default()
    };
    let of_set: Vec<u16> = answers.sets.iter().map(class).collect();
    answers.of_day.iter().map(|set| of_set.get(*set as usize).copied().unwrap_or_default()).collect()
}

// Days on which a stretch that the list dates begins or has ended.
fn dated(tariff: &Tariff) -> impl Iterator<Item = Day> {
    tariff.days.tests.iter().flat_map(|test| {
        let back = i32::from(test.back);
        let edges: Vec<Day> = match &test.is {
            DayIs::Between(first, last) => {
                first.iter().copied().chain(last.iter().map(|last| last.saturating_add(1))).collect()
            }
            DayIs::OneOf(days) if days.len() <= FEW_DAYS => {
                days.iter().flat_map(|day| [*day, day.saturating_add(1)]).collect()
            }
            _ => Vec::new(),
        };
        edges.into_iter().map(move |day| day.saturating_add(back))
    })
}

// Where stretches begin when each weekday is what it is most often, and other days stand alone.
fn odd_days(from: Day, end: Day, class_of: &impl Fn(Day) -> u16) -> Vec<Day> {
    let usual: Vec<u16> = (0..7_u8)
        .map(|wanted| {
            let mut found: Vec<u16> =
                (from..end).filter(|day| weekday(*day) == wanted).map(class_of).collect();
            found.sort_unstable();
            let most = found.chunk_by(|one, other| one == other).max_by_key(|same| same.len());
            most.and_then(|same| same.first()).copied().unwrap_or_default()
        })
        .collect();
    let is_odd = |day: &Day| usual.get(usize::from(weekday(*day))) != Some(&class_of(*day));
    let odd = (from..end).filter(is_odd);
    odd.flat_map(|day| [day, day + 1]).filter(|day| (from + 1..end).contains(day)).collect()
}
