//! What a plugin brought, looked at before anything is kept. Pure. What it says of its files is not believed: order, times, figures and
//! sizes are checked here.

use crate::store::{LONGEST_VALUE_MS, MeterDirection, MeterQuality};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use takst_engine::calendar_time::{INSTANTS, utc_text};
use takst_engine::input;
use takst_engine::units::Instant;
use takst_plugins::model::meters::{Direction, Quality, Series, Value};

/// Most values at once: ten years of quarter-hours.
pub const MOST_VALUES: usize = 400_000;
/// The number of a metering point has at most so many characters; GS1 has 18.
const LONGEST_POINT: usize = 64;
/// No interval has more energy, in kWh: a thousand MW for a month.
const MOST_KWH: i64 = 1_000_000_000;

/// An interval's energy that can be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Good {
    pub from: Instant,
    pub until: Instant,
    pub kwh: String,
    pub quality: MeterQuality,
}

/// The values of a point that can be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Clean {
    pub point: String,
    pub direction: MeterDirection,
    /// In order, without overlaps; at least one.
    pub values: Vec<Good>,
    /// Spans of which it was said that nothing is known.
    pub missing: Vec<(Instant, Instant)>,
}

/// What of these series can be kept: all of it, or the error says what is wrong where.
pub(super) fn clean(all: Vec<Series>) -> Result<Vec<Clean>, String> {
    let count: usize = all.iter().map(|series| series.values.len()).sum();
    if count > MOST_VALUES {
        return Err(format!("{count} values at once; the most is {MOST_VALUES}, so split it by time"));
    }
    // A file may have a point in several pieces.
    let mut points: BTreeMap<(String, &'static str), (MeterDirection, Vec<Value>)> = BTreeMap::new();
    for series in all {
        let point = series.point;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        if point.is_empty() || point.len() > LONGEST_POINT || !point.chars().all(plain) {
            let shown: String = point.chars().take(LONGEST_POINT).collect();
            return Err(format!("`{shown}` is no number of a metering point"));
        }
        let direction = match series.direction {
            Direction::Consumption => MeterDirection::Consumption,
            Direction::Production => MeterDirection::Production,
        };
        let entry = points.entry((point, direction.as_str())).or_insert((direction, Vec::new()));
        entry.1.extend(series.values);
    }
    points.into_iter().map(|((point, _), (direction, values))| one(point, direction, values)).collect()
}

fn one(point: String, direction: MeterDirection, mut values: Vec<Value>) -> Result<Clean, String> {
    values.sort_by_key(|value| value.from);
    let mut clean = Clean { point, direction, values: Vec::with_capacity(values.len()), missing: Vec::new() };
    let mut end = i64::MIN;
    for value in values {
        let Value { from, until, kwh, quality } = value;
        let wrong = |what: &str| {
            let at = if INSTANTS.contains(&from) { utc_text(Instant(from)) } else { from.to_string() };
            Err(format!("metering point {}, the value from {at}: {what}", clean.point))
        };
        if !INSTANTS.contains(&from) || !INSTANTS.contains(&until) {
            return wrong("it lies outside the years 2000 to 2099");
        }
        if until <= from || until - from > LONGEST_VALUE_MS {
            return wrong("it ends before it begins, or is of more than two months");
        }
        if from < end {
            return wrong("it overlaps the one before");
        }
        end = until;
        let (from, until) = (Instant(from), Instant(until));
        let quality = match quality {
            Quality::Measured => MeterQuality::Measured,
            Quality::Estimated => MeterQuality::Estimated,
            Quality::Missing => {
                match clean.missing.last_mut().filter(|last| last.1 == from) {
                    Some(last) => last.1 = until,
                    None => clean.missing.push((from, until)),
                }
                continue;
            }
        };
        let energy = match input::decimal(&kwh) {
            Ok(energy) => energy.normalize(),
            Err(why) => return wrong(&why),
        };
        if energy.is_sign_negative() && !energy.is_zero() {
            return wrong("energy is never negative; what goes the other way is a series of its own");
        }
        if energy.scale() > 6 {
            return wrong("it has more than six decimals");
        }
        if energy > Decimal::from(MOST_KWH) {
            return wrong("it is more than any plant takes");
        }
        clean.values.push(Good { from, until, kwh: energy.to_string(), quality });
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_engine::input::instant;

    const HOUR: i64 = 3_600_000;

    fn value(hour: i64, hours: i64, kwh: &str, quality: Quality) -> Value {
        let start = instant("2026-10-25T00:00:00+02:00").unwrap().0;
        Value {
            from: start + hour * HOUR,
            until: start + (hour + hours) * HOUR,
            kwh: kwh.to_owned(),
            quality,
        }
    }

    fn series(values: Vec<Value>) -> Series {
        Series { point: "707057500012345678".to_owned(), direction: Direction::Consumption, values }
    }

    #[test]
    fn pieces_of_a_point_become_one_series_and_gaps_stay_gaps() {
        let first = series(vec![value(2, 1, "1.50", Quality::Estimated), value(3, 1, "0", Quality::Missing)]);
        let second = series(vec![value(4, 1, "0", Quality::Missing), value(0, 2, "007", Quality::Measured)]);
        let clean = clean(vec![first, second]).unwrap();
        let [one] = <[Clean; 1]>::try_from(clean).unwrap();
        let kept: Vec<_> = one.values.iter().map(|good| (good.kwh.as_str(), good.quality.as_str())).collect();
        assert_eq!(kept, [("7", "measured"), ("1.5", "estimated")]);
        let [(from, until)] = <[(Instant, Instant); 1]>::try_from(one.missing).unwrap();
        assert_eq!(until.0 - from.0, 2 * HOUR);
    }

    #[test]
    fn what_cannot_be_is_said_with_its_place() {
        let m = Quality::Measured;
        let wrong = |values: Vec<Value>| clean(vec![series(values)]).unwrap_err();
        for (values, part) in [
            (vec![value(0, 2, "1", m), value(1, 1, "1", m)], "overlaps the one before"),
            (vec![value(0, 0, "1", m)], "ends before it begins"),
            (vec![value(0, 24 * 63, "1", m)], "more than two months"),
            (vec![value(0, 1, "-1", m)], "never negative"),
            (vec![value(0, 1, "1,5", m)], "1,5"),
            (vec![value(0, 1, "0.1234567", m)], "more than six decimals"),
            (vec![value(0, 1, "1000000001", m)], "more than any plant takes"),
            (vec![value(24 * 366 * 80, 1, "1", m)], "2000 to 2099"),
        ] {
            let why = wrong(values);
            assert!(why.contains(part) && why.contains("707057500012345678"), "{why}");
        }
        let nameless = Series { point: "a b".to_owned(), ..series(Vec::new()) };
        assert!(clean(vec![nameless]).unwrap_err().contains("`a b` is no number"));
    }
}
