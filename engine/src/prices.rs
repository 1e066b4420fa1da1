//! Price feeds: steps of spot prices and other series, looked up by instant.

use crate::calendar_time::LocalTime;
use crate::exact::{Num, Overflow};
use crate::input::{self, InputError};
use crate::tariff::Zone;
use crate::units::{HOUR_MS, Instant};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One file of a price feed.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedFile {
    /// `spot` or the name that tariffs declare.
    pub feed: String,
    /// Price area.
    #[serde(default, deserialize_with = "input::some")]
    pub area: Option<String>,
    /// As in `EUR/MWh`, `NOK/kWh`, `NOK/EUR`.
    pub unit: String,
    /// Whether the prices contain VAT.
    #[serde(default)]
    pub vat_included: bool,
    /// Where it came from.
    #[serde(default, deserialize_with = "input::some")]
    pub source: Option<String>,
    /// When; a later one replaces an earlier one.
    #[serde(default, deserialize_with = "input::some_time")]
    pub published: Option<Instant>,
    /// Steps.
    pub prices: Vec<PriceStep>,
}

/// One step of a feed.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceStep {
    /// Start.
    #[serde(deserialize_with = "input::time")]
    pub from: Instant,
    /// End.
    #[serde(deserialize_with = "input::time")]
    pub to: Instant,
    /// In the file's unit.
    #[serde(deserialize_with = "input::plain")]
    pub price: Decimal,
}

/// One step as the engine uses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub from: i64,
    pub to: i64,
    pub value: Num,
    pub vat_included: bool,
}

/// A series without overlaps, ascending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    pub steps: Vec<Step>,
    pub currency_unit: String,
}

/// All known prices, by feed and area.
#[derive(Clone, Debug, Default)]
pub struct PriceBook {
    files: BTreeMap<(String, Option<String>), Vec<FeedFile>>,
    series: BTreeMap<(String, Option<String>), Series>,
    fingerprint: String,
}

impl PriceBook {
    /// Adds a price feed document.
    ///
    /// # Errors
    /// Bad JSON, an unknown unit, a step that ends before it starts, steps that overlap, too many digits.
    pub fn add_json(&mut self, text: &str) -> Result<(), InputError> {
        self.add(input::from_json(text)?)
    }

    /// Adds a file. Where files overlap in time, the one published later wins (the later added, when neither says).
    ///
    /// # Errors
    /// As [`Self::add_json`]; nothing is added then.
    pub fn add(&mut self, file: FeedFile) -> Result<(), InputError> {
        let key = (file.feed.clone(), file.area.clone());
        check(&file)?;
        let mut files = self.files.get(&key).cloned().unwrap_or_default();
        let place = files.partition_point(|other| other.published <= file.published);
        files.insert(place, file);
        let series = merge(&files)?;
        self.files.insert(key.clone(), files);
        self.series.insert(key, series);
        self.fingerprint = self.work_out_fingerprint();
        Ok(())
    }

    fn work_out_fingerprint(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        for ((feed, area), series) in &self.series {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{feed} {} {}", area.as_deref().unwrap_or("-"), series.currency_unit);
            for step in &series.steps {
                let _ = writeln!(
                    text,
                    "{} {} {} {}",
                    step.from,
                    step.to,
                    step.value.to_plain(),
                    step.vat_included
                );
            }
        }
        text
    }

    /// The series of a feed: the stated area, or the only area there is when none is stated.
    pub(crate) fn series(&self, feed: &str, area: Option<&str>) -> Option<&Series> {
        if let Some(series) = self.series.get(&(feed.to_owned(), area.map(str::to_owned))) {
            return Some(series);
        }
        if area.is_some() {
            // A file that names no area serves any.
            return self.series.get(&(feed.to_owned(), None));
        }
        let mut all = self.series.iter().filter(|((name, _), _)| name == feed);
        let first = all.next()?;
        all.next().is_none().then_some(first.1)
    }

    /// All steps in canonical order as text, for hashing what a bill was made from.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// Splits `EUR/MWh` into currency, unit and the decimal places by which the price per kWh is smaller.
fn unit_scale(unit: &str) -> Option<(&str, &str, u32)> {
    let (money, per) = unit.split_once('/')?;
    match per {
        "MWh" => Some((money, "kWh", 3)),
        _ if !money.is_empty() && !per.is_empty() => Some((money, per, 0)),
        _ => None,
    }
}

fn check(file: &FeedFile) -> Result<(), InputError> {
    if unit_scale(&file.unit).is_none() {
        return Err(InputError::new(format!("feed `{}`: unknown unit `{}`", file.feed, file.unit))
            .help("write for example EUR/MWh, NOK/kWh or NOK/EUR"));
    }
    for (index, step) in file.prices.iter().enumerate() {
        if step.to <= step.from {
            return Err(InputError::new(format!(
                "feed `{}`: price {index} ends before it starts",
                file.feed
            )));
        }
        if step.price.scale() > 12 {
            return Err(InputError::new(format!(
                "feed `{}`: price {index} has more than 12 decimals",
                file.feed
            )));
        }
    }
    Ok(())
}

fn merge(files: &[FeedFile]) -> Result<Series, InputError> {
    let mut steps: Vec<Step> = Vec::new();
    let mut currency_unit = String::new();
    for file in files {
        let Some((money, per, places)) = unit_scale(&file.unit) else { continue };
        let unit = format!("{money}/{per}");
        if !currency_unit.is_empty() && currency_unit != unit {
            return Err(InputError::new(format!(
                "feed `{}`: one file is in {currency_unit}, another in {unit}",
                file.feed
            ))
            .help("keep one currency per feed and area"));
        }
        currency_unit = unit;
        let mut fresh: Vec<Step> = file
            .prices
            .iter()
            .map(|step| {
                let price = step.price.normalize();
                let value = Num::new(price.mantissa(), price.scale() + places);
                Step { from: step.from.0, to: step.to.0, value, vat_included: file.vat_included }
            })
            .collect();
        fresh.sort_by_key(|step| step.from);
        if let Some([_, second]) = fresh.array_windows::<2>().find(|[first, second]| first.to > second.from) {
            return Err(InputError::new(format!(
                "feed `{}`: two prices overlap at {}",
                file.feed,
                crate::calendar_time::utc_text(Instant(second.from))
            )));
        }
        steps = overlay(&steps, &fresh);
    }
    Ok(Series { steps, currency_unit })
}

// `fresh` replaces `old` wherever both speak.
fn overlay(old: &[Step], fresh: &[Step]) -> Vec<Step> {
    if old.is_empty() {
        return fresh.to_vec();
    }
    let mut result = fresh.to_vec();
    for step in old {
        let mut from = step.from;
        let first = fresh.partition_point(|other| other.to <= step.from);
        for other in fresh.get(first..).unwrap_or_default().iter().take_while(|other| other.from < step.to) {
            if other.from > from {
                result.push(Step { from, to: other.from, ..*step });
            }
            from = other.to.max(from);
        }
        if from < step.to {
            result.push(Step { from, ..*step });
        }
    }
    result.sort_by_key(|step| step.from);
    result
}

/// A value and until when it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub value: Num,
    pub vat_included: bool,
    pub until: i64,
}

/// A missing price: from and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing {
    pub until: i64,
}

impl Series {
    /// The step that covers `at`. With `holds`, the last step before it.
    pub(crate) fn at(&self, at: i64, holds: bool, hint: &mut usize) -> Result<Found, Missing> {
        let covers = |index: usize| {
            self.steps.get(index).filter(|step| step.from <= at && at < step.to).map(|step| (index, *step))
        };
        let near = covers(*hint).or_else(|| covers(*hint + 1));
        let (index, step) = match near {
            Some(found) => found,
            None => {
                let next = self.steps.partition_point(|step| step.from <= at);
                let Some(index) = next.checked_sub(1) else {
                    return Err(Missing { until: self.steps.first().map_or(i64::MAX, |step| step.from) });
                };
                let Some(step) = self.steps.get(index) else { return Err(Missing { until: i64::MAX }) };
                let following = self.steps.get(next).map_or(i64::MAX, |step| step.from);
                if at >= step.to && !holds {
                    return Err(Missing { until: following });
                }
                (index, Step { to: if holds { following } else { step.to }, ..*step })
            }
        };
        *hint = index;
        let until =
            if holds { self.steps.get(index + 1).map_or(i64::MAX, |next| next.from) } else { step.to };
        Ok(Found { value: step.value, vat_included: step.vat_included, until })
    }

    /// Time-weighted mean over `from..to`; `None` when a part is missing.
    pub(crate) fn mean(&self, from: i64, to: i64, holds: bool) -> Option<Result<(Num, bool), Overflow>> {
        let mut at = from;
        let mut sum = Num::ZERO;
        let mut vat_included = None;
        let mut hint = self.steps.partition_point(|step| step.to <= from);
        while at < to {
            let found = self.at(at, holds, &mut hint).ok()?;
            if *vat_included.get_or_insert(found.vat_included) != found.vat_included {
                return None;
            }
            let until = found.until.min(to);
            let weighted = found.value.mul(Num::new(i128::from(until - at), 0));
            match weighted.and_then(|weighted| sum.add(weighted)) {
                Ok(total) => sum = total,
                Err(overflow) => return Some(Err(overflow)),
            }
            at = until;
        }
        let mean = sum.div(Num::new(i128::from(to - from), 0))?;
        Some(mean.map(|mean| (mean, vat_included.unwrap_or(false))))
    }
}

/// Start and end of the clock hour around `at` (UTC hours; every zone in use today changes price on them).
pub(crate) fn hour_around(at: i64) -> (i64, i64) {
    let from = at.div_euclid(HOUR_MS) * HOUR_MS;
    (from, from + HOUR_MS)
}

/// Start and end of the local month around `at`.
pub(crate) fn month_around(zone: &Zone, at: i64) -> (i64, i64) {
    let local = LocalTime::at(zone, at);
    let (year, month, _) = crate::calendar::civil(local.day);
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let start = crate::calendar_time::start_of_day(zone, crate::calendar::day_number(year, month, 1));
    let end = crate::calendar_time::start_of_day(zone, crate::calendar::day_number(next_year, next_month, 1));
    (start, end)
}
