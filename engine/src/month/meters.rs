//! Energy that the site's meters saw: the month's total, its hours, its peaks.

use super::error::MonthError;
use super::input::{Meter, MeterValue};
use crate::calendar_time::{LocalTime, local_text};
use crate::exact::{Num, Overflow, print_decimal};
use crate::tariff::Zone;
use crate::units::{Day, HOUR_MS, Instant};
use std::collections::BTreeMap;

const GIVE_TOTAL: &str = "give one value for the whole month";
const NO_OTHER_WAY: &str = "ask the grid company for them";

/// The month on the meters' clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch<'a> {
    pub zone: &'a Zone,
    pub from: i64,
    pub to: i64,
}

impl Stretch<'_> {
    fn text(&self, at: i64) -> String {
        local_text(self.zone, Instant(at))
    }

    // Values of each metering point that lie in the month, in order, without overlap.
    fn points(
        &self,
        meters: &[Meter],
        needed_for: &str,
    ) -> Result<Vec<(String, Vec<MeterValue>)>, MonthError> {
        let mut points: BTreeMap<&str, Vec<MeterValue>> = BTreeMap::new();
        for meter in meters {
            let known = points.entry(&meter.metering_point).or_default();
            for value in &meter.values {
                self.check(&meter.metering_point, value)?;
                if value.from.0 < self.to && value.to.0 > self.from {
                    known.push(*value);
                }
            }
        }
        if points.is_empty() {
            let what = format!("{needed_for} needs meter values, and there are none");
            return Err(MonthError::input(what, "add `meters`"));
        }
        for (point, values) in &mut points {
            values.sort_by_key(|value| value.from);
            if let Some([_, second]) =
                values.array_windows::<2>().find(|[first, second]| first.to > second.from)
            {
                let what = format!("metering point {point} has two values at {}", self.text(second.from.0));
                return Err(MonthError::input(what, "keep one of them"));
            }
        }
        Ok(points.into_iter().map(|(point, values)| (point.to_owned(), values)).collect())
    }

    fn check(&self, point: &str, value: &MeterValue) -> Result<(), MonthError> {
        // Instants come from RFC 3339 texts, whose years have four digits: the arithmetic below cannot overflow.
        let (from, to) = (value.from.0, value.to.0);
        let wrong = if to <= from {
            "ends before it starts"
        } else if value.import.0 < 0 || value.export.0 < 0 {
            "is negative"
        } else if (from < self.from && to > self.from) || (from < self.to && to > self.to) {
            "runs over the edge of the month"
        } else {
            return Ok(());
        };
        let at = crate::calendar_time::utc_text(value.from);
        Err(MonthError::input(
            format!("the value of metering point {point} from {at} {wrong}"),
            "give the month's values only, with energy as positive numbers",
        ))
    }

    fn gap(&self, point: &str, from: i64, to: i64, instead: &'static str) -> MonthError {
        MonthError::Gap { point: point.to_owned(), from: self.text(from), to: self.text(to), instead }
    }

    /// Energy from the grid in the whole month, millionths of a kWh.
    pub fn total(&self, meters: &[Meter], needed_for: &str) -> Result<i64, MonthError> {
        let mut total = 0_i64;
        for (point, values) in self.points(meters, needed_for)? {
            let mut at = self.from;
            for value in &values {
                if value.from.0 > at {
                    return Err(self.gap(&point, at, value.from.0, GIVE_TOTAL));
                }
                at = value.to.0;
                total = total.checked_add(value.import.0).ok_or(Overflow)?;
            }
            if at < self.to {
                return Err(self.gap(&point, at, self.to, GIVE_TOTAL));
            }
        }
        Ok(total)
    }

    /// Energy from the grid by hour of the month (over all metering points), millionths of a kWh: so in an hour it is
    /// also the mean power in millionths of a kW. A day of 23 or 25 hours has as many.
    pub fn hours(&self, meters: &[Meter], needed_for: &str) -> Result<Vec<Hour>, MonthError> {
        let count = (self.to - self.from + HOUR_MS - 1) / HOUR_MS;
        let starts = (0..count).map(|hour| self.from + hour * HOUR_MS);
        let mut hours: Vec<Hour> =
            starts.map(|from| Hour { from, day: LocalTime::at(self.zone, from).day, energy: 0 }).collect();
        for (point, values) in self.points(meters, needed_for)? {
            let mut at = self.from;
            for value in &values {
                if value.from.0 > at {
                    return Err(self.gap(&point, at, value.from.0, NO_OTHER_WAY));
                }
                let index = (value.from.0 - self.from) / HOUR_MS;
                let hour = usize::try_from(index).ok().and_then(|index| hours.get_mut(index));
                match hour {
                    Some(hour) if value.to.0 <= hour.from + HOUR_MS => {
                        hour.energy = hour.energy.checked_add(value.import.0).ok_or(Overflow)?;
                    }
                    _ => {
                        let (from, to) = (self.text(value.from.0), self.text(value.to.0));
                        return Err(MonthError::input(
                            format!(
                                "the value of metering point {point} from {from} to {to} is not of one clock hour, and {needed_for} needs hours"
                            ),
                            "give a value for every hour or quarter",
                        ));
                    }
                }
                at = value.to.0;
            }
            if at < self.to {
                return Err(self.gap(&point, at, self.to, NO_OTHER_WAY));
            }
        }
        Ok(hours)
    }
}

/// An hour's energy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hour {
    pub from: i64,
    pub day: Day,
    // Millionths of a kWh.
    pub energy: i64,
}

/// The hours behind a power fee and their mean.
#[derive(Clone, Debug)]
pub(crate) struct Peaks {
    /// Highest first; of equal hours the earlier.
    pub hours: Vec<Hour>,
    /// kW, rounded half away from zero at 12 decimals.
    pub mean: Num,
    /// Whole millionths of a kW at or below the exact mean: what steps compare.
    pub floor: i64,
}

/// The `count` highest hours; on different days, each day's highest.
pub(crate) fn peaks(hours: &[Hour], count: u32, on_different_days: bool) -> Result<Peaks, MonthError> {
    let mut best: Vec<Hour> = hours.to_vec();
    best.sort_by_key(|hour| (std::cmp::Reverse(hour.energy), hour.from));
    if on_different_days {
        let mut days: Vec<Day> = Vec::new();
        best.retain(|hour| {
            let fresh = !days.contains(&hour.day);
            if fresh {
                days.push(hour.day);
            }
            fresh
        });
    }
    best.truncate(usize::try_from(count.max(1)).unwrap_or(usize::MAX));
    let sum: i128 = best.iter().map(|hour| i128::from(hour.energy)).sum();
    let number = i128::try_from(best.len()).map_err(|_| Overflow)?;
    let mean = Num::new(sum, 6).div(Num::new(number, 0)).unwrap_or(Ok(Num::ZERO))?;
    let floor = if number == 0 { 0 } else { sum.div_euclid(number) };
    Ok(Peaks { hours: best, mean, floor: i64::try_from(floor).map_err(|_| Overflow)? })
}

/// kWh or kW as text.
pub(crate) fn micro_text(value: i64) -> String {
    print_decimal(i128::from(value), 6, true)
}
