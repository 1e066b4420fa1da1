//! Cells: conditions that do not overlap, and how they become the shortest list of prices that says the same.

use super::days::{DayPlan, Days, date};
use crate::chargers::model::{EvseKind, PriceConditions, Range};
use chrono::NaiveTime;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// What is measured, in the units of the engine: millionths of a kWh, kW and A, milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Axis {
    Energy,
    Current,
    Power,
    Time,
    ChargingTime,
    IdleTime,
}

/// What is said in a cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Said {
    /// Per unit of the other system, or once.
    pub price: Decimal,
    /// Billing step in the engine's unit (ms or millionths of a kWh).
    pub step: Option<i64>,
    /// Nothing is charged: something else than a price of zero where that is charged, or rounded.
    pub free: bool,
}

impl Said {
    /// Whether it need not be said where nothing else is.
    const fn is_nothing(&self) -> bool {
        self.free
    }
}

/// At least, and less than.
pub(super) type Interval = (Option<i64>, Option<i64>);

/// Conditions that all hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cell {
    pub evse: Option<EvseKind>,
    pub brand: Option<String>,
    pub days: Days,
    // Minutes of the local day, from and until; from beyond until: over midnight.
    pub minutes: (u16, u16),
    pub measured: BTreeMap<Axis, Interval>,
}

const DAY: (u16, u16) = (0, 1440);

impl Cell {
    /// No conditions but that it is one of these days.
    pub fn all(days: Days) -> Self {
        Self { evse: None, brand: None, days, minutes: DAY, measured: BTreeMap::new() }
    }

    pub fn is_measured(&self) -> bool {
        !self.measured.is_empty()
    }

    /// The part of it in which the minute of the day lies there.
    pub fn in_minutes(&self, from: u16, until: u16) -> Option<Self> {
        let minutes = (self.minutes.0.max(from), self.minutes.1.min(until));
        (minutes.0 < minutes.1).then(|| Self { minutes, ..self.clone() })
    }

    /// The part of it in which something measured lies there.
    pub fn within(&self, axis: Axis, (from, until): Interval) -> Option<Self> {
        let (known_from, known_until) = self.measured.get(&axis).copied().unwrap_or_default();
        // Nothing measured is below zero here.
        let from = from.filter(|from| *from > 0);
        let from = known_from.max(from);
        let until = match (known_until, until) {
            (Some(known), Some(until)) => Some(known.min(until)),
            (known, until) => known.or(until),
        };
        if until.is_some_and(|until| until <= from.unwrap_or_default()) {
            return None;
        }
        let mut cell = self.clone();
        if from.is_some() || until.is_some() {
            cell.measured.insert(axis, (from, until));
        }
        Some(cell)
    }
}

/// The prices of cells, as few as say it. `zero_too`: a price of nothing is said as well. `open`: where nothing is charged
/// nothing may be said.
pub(super) fn price_list(
    mut cells: Vec<(Cell, Said)>,
    plan: &DayPlan,
    zero_too: bool,
    open: bool,
) -> Vec<(Said, Option<Box<PriceConditions>>)> {
    merge(&mut cells, plan);
    let free = cells.iter().map(|(_, said)| *said).find(Said::is_nothing);
    let rest = match free {
        Some(free) if open => Some(free),
        _ => rest(&cells),
    };
    let only = cells.iter().all(|(_, price)| Some(*price) == rest);
    // First those that ask for a card: what follows is for all other cards too.
    cells.sort_by_key(|(cell, _)| cell.brand.is_none());
    let mut list = Vec::new();
    for (cell, price) in cells.iter().filter(|(cell, price)| cell.brand.is_some() || Some(*price) != rest) {
        list.extend(say(cell, plan).into_iter().map(|when| (*price, when)));
    }
    if let Some(rest) = rest.filter(|rest| !rest.is_nothing() || (zero_too && only)) {
        let all = Cell::all(plan.all());
        list.extend(say(&all, plan).into_iter().map(|when| (rest, when)));
    }
    list
}

// The price that is said last and without conditions. Of those with as many cells nothing, which need not be said at all, wins.
fn rest(cells: &[(Cell, Said)]) -> Option<Said> {
    // What is left for other cards must stay behind those that ask for one; a price that asks for a card has no place at the end.
    let prices = cells.iter().filter(|(cell, _)| cell.brand.is_none()).map(|(_, price)| *price);
    let count = |price: &Said| cells.iter().filter(|(_, other)| other == price).count();
    prices.max_by_key(|price| (count(price), price.is_nothing()))
}

// Joins cells of one price that differ in one condition only.
fn merge(cells: &mut Vec<(Cell, Said)>, plan: &DayPlan) {
    let all = plan.all();
    'again: loop {
        for one in 0..cells.len() {
            for other in one + 1..cells.len() {
                let (Some((a, price)), Some((b, same))) = (cells.get(one), cells.get(other)) else {
                    continue;
                };
                if price != same {
                    continue;
                }
                if let Some(joined) = join(a, b, &all) {
                    cells.remove(other);
                    if let Some((cell, _)) = cells.get_mut(one) {
                        *cell = joined;
                    }
                    continue 'again;
                }
            }
        }
        return;
    }
}

fn join(a: &Cell, b: &Cell, all: &Days) -> Option<Cell> {
    if a.brand != b.brand {
        return None;
    }
    let same_days = a.days == b.days;
    let (same_minutes, same_evse, same_measured) =
        (a.minutes == b.minutes, a.evse == b.evse, a.measured == b.measured);
    match (same_evse, same_days, same_minutes, same_measured) {
        (false, true, true, true) if a.evse.is_some() && b.evse.is_some() => {
            Some(Cell { evse: None, ..a.clone() })
        }
        // A window over midnight belongs to every day or to none.
        (true, false, true, true) if a.minutes.0 < a.minutes.1 => {
            Some(Cell { days: a.days.union(&b.days).copied().collect(), ..a.clone() })
        }
        (true, true, false, true) => {
            let (first, second) =
                if a.minutes <= b.minutes { (a.minutes, b.minutes) } else { (b.minutes, a.minutes) };
            let minutes = if first.1 == second.0 && first.0 < first.1 {
                (first.0, second.1)
            } else if first.0 == 0 && second.1 == 1440 && a.days == *all {
                (second.0, first.1)
            } else {
                return None;
            };
            Some(Cell { minutes, ..a.clone() })
        }
        (true, true, true, false) => {
            let axes: Vec<Axis> = a.measured.keys().chain(b.measured.keys()).copied().collect();
            let at = |cell: &Cell, axis: &Axis| cell.measured.get(axis).copied().unwrap_or_default();
            let mut differ = axes.iter().filter(|axis| at(a, axis) != at(b, axis));
            let axis = *differ.next()?;
            if differ.any(|other| *other != axis) {
                return None;
            }
            let (one, other) = (at(a, &axis), at(b, &axis));
            let whole = match () {
                () if one.1.is_some() && one.1 == other.0 => (one.0, other.1),
                () if other.1.is_some() && other.1 == one.0 => (other.0, one.1),
                () => return None,
            };
            let mut joined = a.clone();
            match whole {
                (None, None) => joined.measured.remove(&axis),
                whole => joined.measured.insert(axis, whole),
            };
            Some(joined)
        }
        _ => None,
    }
}

// The conditions of a cell; more than one where its days cannot be said at once. None: always.
fn say(cell: &Cell, plan: &DayPlan) -> Vec<Option<Box<PriceConditions>>> {
    let time = |minute: u16| {
        let minute = u32::from(minute) % 1440;
        NaiveTime::from_hms_opt(minute / 60, minute % 60, 0)
    };
    let of_day = cell.minutes != DAY;
    let milli = |value: i64| Decimal::new(value, 3).normalize();
    let range = |axis: Axis, unit: fn(i64) -> Decimal| {
        let (min, max) = cell.measured.get(&axis).copied().unwrap_or_default();
        Range { min: min.map(unit), max: max.map(unit) }
    };
    let span = |axis: Axis| {
        let (min, max) = cell.measured.get(&axis).copied().unwrap_or_default();
        crate::chargers::model::Span { min: min.map(|ms| ms / 1000), max: max.map(|ms| ms / 1000) }
    };
    let mut conditions = PriceConditions {
        from_time: of_day.then(|| time(cell.minutes.0)).flatten(),
        until_time: of_day.then(|| time(cell.minutes.1)).flatten(),
        evse_kind: cell.evse,
        energy: range(Axis::Energy, milli),
        current: range(Axis::Current, |value| Decimal::new(value, 6).normalize()),
        power: range(Axis::Power, milli),
        time: span(Axis::Time),
        charging_time: span(Axis::ChargingTime),
        idle_time: span(Axis::IdleTime),
        payment_brand: cell.brand.clone(),
        ..PriceConditions::default()
    };
    let mut said = Vec::new();
    for (stretch, days) in plan.say(&cell.days) {
        conditions.days = days;
        conditions.from_date = stretch.from.and_then(date);
        conditions.until_date = stretch.until.and_then(date);
        said.push((conditions != PriceConditions::default()).then(|| Box::new(conditions.clone())));
    }
    said
}
