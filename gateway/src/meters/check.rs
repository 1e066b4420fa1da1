//! What a plugin brought, looked at before anything is kept. Pure. What it says of its files is not believed: order, times, figures and
//! sizes are checked here.

use crate::store::{LONGEST_VALUE_MS, MeterDirection, MeterQuality};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use takst_engine::calendar_time::{INSTANTS, utc_text};
use takst_engine::input;
use takst_engine::units::{Instant, MINUTE_MS};
use takst_plugins::model::meters::{Direction, Quality, Series, Value};

/// Most values at once: ten years of quarter-hours.
pub const MOST_VALUES: usize = 400_000;
/// A value may end so long after now: clocks differ. Nobody has measured what comes after that.
const CLOCKS_DIFFER_MS: i64 = 5 * MINUTE_MS;
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

/// What of these series can be kept: all of it, or the error says what is wrong where. No value is of a time after `now`.
pub(super) fn clean(all: Vec<Series>, now: Instant) -> Result<Vec<Clean>, String> {
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
    points.into_iter().map(|((point, _), (direction, values))| one(point, direction, values, now)).collect()
}

fn one(
    point: String,
    direction: MeterDirection,
    mut values: Vec<Value>,
    now: Instant,
) -> Result<Clean, String> {
    values.sort_by_key(|value| value.from);
    let count = values.len();
    let to_come = |value: &Value| {
        value.quality != Quality::Missing && value.until > now.0.saturating_add(CLOCKS_DIFFER_MS)
    };
    // In order, so all that follow the first of them.
    let of_the_future = values.iter().filter(|value| to_come(value)).count();
    let mut clean = Clean { point, direction, values: Vec::with_capacity(values.len()), missing: Vec::new() };
    let mut end = i64::MIN;
    for (place, value) in values.into_iter().enumerate() {
        let is_to_come = to_come(&value);
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
        if is_to_come {
            let (until, row) = (utc_text(Instant(until)), place + 1);
            let others = match of_the_future {
                0 | 1 => String::new(),
                more => format!(" ({more} values of this point do)"),
            };
            return wrong(&format!(
                "it is number {row} of {count} and ends at {until}, after now, which is {}{others}: nobody has measured that yet, and nothing of the file was kept. Bring the values up to now, and the rest when its time is over",
                utc_text(now)
            ));
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

    fn later() -> Instant {
        instant("2099-12-31T00:00:00Z").unwrap()
    }

    #[test]
    fn nobody_has_measured_what_is_to_come() {
        let m = Quality::Measured;
        let start = instant("2026-10-25T00:00:00+02:00").unwrap();
        let at = |minutes: i64| Instant(start.0 + minutes * MINUTE_MS);
        let hours = |quality| vec![value(0, 1, "1", m), value(1, 1, "1", m), value(2, 1, "0", quality)];
        // Three hours are over, or nearly: a clock may be wrong by five minutes.
        for minutes in [180, 175] {
            assert_eq!(clean(vec![series(hours(m))], at(minutes)).unwrap()[0].values.len(), 3);
        }
        let why = clean(vec![series(hours(Quality::Estimated))], at(174)).unwrap_err();
        for part in [
            "707057500012345678",
            "from 2026-10-25T00:00:00Z",
            "number 3 of 3",
            "ends at 2026-10-25T01:00:00Z",
            "now, which is 2026-10-25T00:54:00Z",
        ] {
            assert!(why.contains(part), "{part}: {why}");
        }
        assert!(clean(vec![series(hours(m))], at(60)).unwrap_err().contains("(2 values of this point do)"));
        // That nothing is known of it is true.
        let gap = clean(vec![series(hours(Quality::Missing))], at(120)).unwrap();
        assert_eq!((gap[0].values.len(), gap[0].missing.len()), (2, 1));
    }

    #[test]
    fn pieces_of_a_point_become_one_series_and_gaps_stay_gaps() {
        let first = series(vec![value(2, 1, "1.50", Quality::Estimated), value(3, 1, "0", Quality::Missing)]);
        let second = series(vec![value(4, 1, "0", Quality::Missing), value(0, 2, "007", Quality::Measured)]);
        let clean = clean(vec![first, second], later()).unwrap();
        let [one] = <[Clean; 1]>::try_from(clean).unwrap();
        let kept: Vec<_> = one.values.iter().map(|good| (good.kwh.as_str(), good.quality.as_str())).collect();
        assert_eq!(kept, [("7", "measured"), ("1.5", "estimated")]);
        let [(from, until)] = <[(Instant, Instant); 1]>::try_from(one.missing).unwrap();
        assert_eq!(until.0 - from.0, 2 * HOUR);
    }

    #[test]
    fn what_cannot_be_is_said_with_its_place() {
        let m = Quality::Measured;
        let wrong = |values: Vec<Value>| clean(vec![series(values)], later()).unwrap_err();
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
        assert!(clean(vec![nameless], later()).unwrap_err().contains("`a b` is no number"));
    }
}
