//! Windows to sets of local days and minutes, and all days of the calendar to classes that the tariff tells apart.

mod classes;
mod window;

pub use classes::{DayClasses, MOST_CLASSES, TooManyClasses};
pub use window::{CalendarError, Windows, Wrong, day, window};

use chrono::{NaiveDate, NaiveTime, Timelike};
use std::collections::BTreeMap;
use takst_engine::tariff::{CALENDAR, DayIs, DayTest};
use takst_engine::units::Day;

/// Minutes of a local day.
pub const DAY_MINUTES: u16 = 1440;

/// A set of days: questions of the engine joined by and, or, not.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum DayExpr {
    /// Every day.
    All,
    /// The days on which the test holds.
    Is(DayTest),
    /// The days in all of these; every day when there is none.
    And(Vec<DayExpr>),
    /// The days in any of these; no day when there is none.
    Or(Vec<DayExpr>),
    /// The other days.
    Not(Box<DayExpr>),
}

/// The same minutes of some days.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rect {
    /// The days.
    pub days: DayExpr,
    /// First minute of the day.
    pub from: u16,
    /// One past the last minute: more than `from`, at most 1440.
    pub to: u16,
}

/// A set of local minutes: the union of its rectangles.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Calendar {
    /// In any order, may overlap.
    pub rects: Vec<Rect>,
}

impl DayExpr {
    /// The days of one set, asked of the day itself.
    #[must_use]
    pub fn is(set: DayIs) -> Self {
        Self::Is(DayTest { back: 0, is: set })
    }

    /// No day.
    #[must_use]
    pub fn none() -> Self {
        Self::Or(Vec::new())
    }

    /// Whether this is [`DayExpr::none`] as written (other expressions may turn out to hold on no day).
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Or(any) if any.is_empty())
    }

    /// The days in all of `of`, flattened.
    #[must_use]
    pub fn and(of: impl IntoIterator<Item = Self>) -> Self {
        let mut all: Vec<Self> = Vec::new();
        for expr in of {
            match expr {
                Self::All => {}
                Self::And(more) => all.extend(more),
                Self::Or(any) if any.is_empty() => return Self::none(),
                other => all.push(other),
            }
        }
        distinct(&mut all);
        match all.pop() {
            None => Self::All,
            Some(only) if all.is_empty() => only,
            Some(last) => {
                all.push(last);
                Self::And(all)
            }
        }
    }

    /// The days in any of `of`, flattened. Single dates become one list, so that a hundred of them are one question.
    #[must_use]
    pub fn or(of: impl IntoIterator<Item = Self>) -> Self {
        let mut any: Vec<Self> = Vec::new();
        let mut dates: [Vec<Day>; 2] = Default::default();
        let mut add = |expr: Self, any: &mut Vec<Self>| match &expr {
            Self::Is(DayTest { back: back @ 0..=1, is: DayIs::Between(Some(first), Some(last)) })
                if first == last =>
            {
                let [today, before] = &mut dates;
                if *back == 0 { today.push(*first) } else { before.push(*first) }
            }
            _ => any.push(expr),
        };
        for expr in of {
            match expr {
                Self::All => return Self::All,
                Self::Or(more) => more.into_iter().for_each(|expr| add(expr, &mut any)),
                other => add(other, &mut any),
            }
        }
        for (back, mut days) in (0..).zip(dates) {
            days.sort_unstable();
            days.dedup();
            match days.as_slice() {
                [] => {}
                [day] => any.push(Self::Is(DayTest { back, is: DayIs::Between(Some(*day), Some(*day)) })),
                _ => any.push(Self::Is(DayTest { back, is: DayIs::OneOf(days) })),
            }
        }
        distinct(&mut any);
        if any.len() == 1 { any.pop().unwrap_or(Self::All) } else { Self::Or(any) }
    }

    /// The other days.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            Self::All => Self::none(),
            none if none.is_none() => Self::All,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Whether the day belongs to the set.
    #[must_use]
    pub fn holds(&self, day: Day) -> bool {
        match self {
            Self::All => true,
            Self::Is(test) => takst_engine::calendar::holds(test, day),
            Self::And(all) => all.iter().all(|expr| expr.holds(day)),
            Self::Or(any) => any.iter().any(|expr| expr.holds(day)),
            Self::Not(inner) => !inner.holds(day),
        }
    }

    /// The same question asked of the day before: the days after the days of this set.
    #[must_use]
    pub(crate) fn of_day_before(self) -> Self {
        match self {
            Self::All => Self::All,
            Self::Is(test) => Self::Is(DayTest { back: test.back.saturating_add(1), ..test }),
            Self::And(all) => Self::And(all.into_iter().map(Self::of_day_before).collect()),
            Self::Or(any) => Self::Or(any.into_iter().map(Self::of_day_before).collect()),
            Self::Not(inner) => Self::Not(Box::new(inner.of_day_before())),
        }
    }

    /// How many questions and joints there are, and how deep they are nested.
    fn size(&self) -> (usize, usize) {
        match self {
            Self::All | Self::Is(_) => (1, 1),
            Self::And(of) | Self::Or(of) => {
                let (size, depth) = of
                    .iter()
                    .map(Self::size)
                    .fold((0, 0), |(size, depth), (more, deep)| (size + more, depth.max(deep)));
                (size + 1, depth + 1)
            }
            Self::Not(inner) => {
                let (size, depth) = inner.size();
                (size + 1, depth + 1)
            }
        }
    }

    /// Days outside of which the set is empty, both included.
    fn bounds(&self) -> (Day, Day) {
        const EVER: (Day, Day) = (Day::MIN, Day::MAX);
        match self {
            Self::Is(test) => {
                let (first, last) = match &test.is {
                    DayIs::Between(first, last) => (first.unwrap_or(Day::MIN), last.unwrap_or(Day::MAX)),
                    DayIs::OneOf(days) => match (days.first(), days.last()) {
                        (Some(first), Some(last)) => (*first, *last),
                        _ => (0, -1),
                    },
                    _ => return EVER,
                };
                let back = i32::from(test.back);
                (first.saturating_add(back), last.saturating_add(back))
            }
            Self::And(all) => all.iter().fold(EVER, |(first, last), expr| {
                let (from, to) = expr.bounds();
                (first.max(from), last.min(to))
            }),
            Self::Or(any) => any.iter().fold((Day::MAX, Day::MIN), |(first, last), expr| {
                let (from, to) = expr.bounds();
                (first.min(from), last.max(to))
            }),
            Self::All | Self::Not(_) => EVER,
        }
    }

    /// Whether it holds on any day of the engine's calendar.
    fn ever_holds(&self) -> bool {
        let (first, last) = self.bounds();
        let (first, end) = (first.max(CALENDAR.start), last.saturating_add(1).min(CALENDAR.end));
        (first..end).any(|day| self.holds(day))
    }
}

/// Drops what stands there twice; keeps the order.
fn distinct(of: &mut Vec<DayExpr>) {
    if of.len() > 1 {
        let mut seen = std::collections::HashSet::new();
        of.retain(|expr| seen.insert(expr.clone()));
    }
}

impl Calendar {
    /// Every minute.
    #[must_use]
    pub fn always() -> Self {
        Self::of_days(DayExpr::All)
    }

    /// These days from midnight to midnight.
    #[must_use]
    pub fn of_days(days: DayExpr) -> Self {
        Self::of_rects([Rect { days, from: 0, to: DAY_MINUTES }])
    }

    /// From that local time on.
    #[must_use]
    pub fn from(date: NaiveDate, time: Option<NaiveTime>) -> Self {
        let (date, minute) = (day(date), time.map_or(0, minute));
        if minute == 0 {
            return Self::of_days(DayExpr::is(DayIs::Between(Some(date), None)));
        }
        let later = DayExpr::is(DayIs::Between(Some(date.saturating_add(1)), None));
        let that = DayExpr::is(DayIs::Between(Some(date), Some(date)));
        Self::of_rects([
            Rect { days: later, from: 0, to: DAY_MINUTES },
            Rect { days: that, from: minute, to: DAY_MINUTES },
        ])
    }

    /// Up to and including that day, or up to that local time (the minute itself excluded).
    #[must_use]
    pub fn until(date: NaiveDate, time: Option<NaiveTime>) -> Self {
        let date = day(date);
        let Some(time) = time else {
            return Self::of_days(DayExpr::is(DayIs::Between(None, Some(date))));
        };
        let earlier = DayExpr::is(DayIs::Between(None, Some(date.saturating_sub(1))));
        let that = DayExpr::is(DayIs::Between(Some(date), Some(date)));
        Self::of_rects([
            Rect { days: earlier, from: 0, to: DAY_MINUTES },
            Rect { days: that, from: 0, to: minute(time) },
        ])
    }

    /// The union of rectangles; empty ones are left out, those of the same minutes are joined.
    #[must_use]
    pub fn of_rects(rects: impl IntoIterator<Item = Rect>) -> Self {
        let mut by_minutes: BTreeMap<(u16, u16), Vec<DayExpr>> = BTreeMap::new();
        for rect in rects {
            let to = rect.to.min(DAY_MINUTES);
            if rect.from < to && !rect.days.is_none() {
                by_minutes.entry((rect.from, to)).or_default().push(rect.days);
            }
        }
        let rects =
            by_minutes.into_iter().map(|((from, to), days)| Rect { days: DayExpr::or(days), from, to });
        Self { rects: rects.collect() }
    }

    /// The minutes of any of these.
    #[must_use]
    pub fn union(of: impl IntoIterator<Item = Self>) -> Self {
        Self::of_rects(of.into_iter().flat_map(|it| it.rects))
    }

    /// The minutes of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let both = self.rects.iter().flat_map(|a| {
            other.rects.iter().filter_map(move |b| {
                let (from, to) = (a.from.max(b.from), a.to.min(b.to));
                (from < to).then(|| Rect { days: DayExpr::and([a.days.clone(), b.days.clone()]), from, to })
            })
        });
        Self::of_rects(both)
    }

    /// The minutes of this that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut edges: Vec<u16> =
            self.rects.iter().chain(&other.rects).flat_map(|it| [it.from, it.to]).collect();
        edges.sort_unstable();
        edges.dedup();
        let mut rects: Vec<Rect> = Vec::new();
        for (from, to) in edges.iter().zip(edges.iter().skip(1)) {
            let over = |of: &Self| {
                let over = of.rects.iter().filter(|it| it.from <= *from && *to <= it.to);
                DayExpr::or(over.map(|it| it.days.clone()))
            };
            let days = DayExpr::and([over(self), over(other).negate()]);
            match rects.last_mut() {
                Some(last) if last.to == *from && last.days == days => last.to = *to,
                _ => rects.push(Rect { days, from: *from, to: *to }),
            }
        }
        Self::of_rects(rects)
    }

    /// Whether that minute of that day belongs to it.
    #[must_use]
    pub fn holds(&self, day: Day, minute: u16) -> bool {
        self.rects.iter().any(|it| it.from <= minute && minute < it.to && it.days.holds(day))
    }

    /// Whether it holds at any time between 2000 and 2100.
    #[must_use]
    pub fn ever_holds(&self) -> bool {
        self.rects.iter().any(|it| it.days.ever_holds())
    }

    /// Those of its minutes that lie on these days.
    pub(crate) fn on(&self, days: &DayExpr) -> Self {
        Self::of_rects(
            self.rects.iter().map(|it| Rect { days: DayExpr::and([it.days.clone(), days.clone()]), ..*it }),
        )
    }

    /// How many questions it asks, and how deep they are nested.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.rects
            .iter()
            .map(|it| it.days.size())
            .fold((0, 0), |(size, depth), (more, deep)| (size + more, depth.max(deep)))
    }
}

fn minute(time: NaiveTime) -> u16 {
    u16::try_from(time.hour() * 60 + time.minute()).unwrap_or(DAY_MINUTES)
}
