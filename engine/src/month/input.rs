//! What a month is settled from: chargers, bills, sessions, meter values and costs.

use crate::calendar;
use crate::document::Document;
use crate::input::{self, InputError};
use crate::prepared::hash_text;
use crate::session::Session;
use crate::standing::Standing;
use crate::units::{Day, Energy, Instant};
use rust_decimal::Decimal;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A month of the civil calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct YearMonth {
    /// 2000 to 2099.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
}

impl YearMonth {
    /// Reads `2023-10`.
    ///
    /// # Errors
    /// In words, with the offending text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is not a month such as 2023-10", input::short(text));
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        let digits =
            |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(wrong());
        }
        let (year, month) = (year.parse().map_err(|_| wrong())?, month.parse().map_err(|_| wrong())?);
        // One month at both ends of the calendar stays free, so that every instant of the month is inside.
        if !(2000..=2099).contains(&year)
            || !(1..=12).contains(&month)
            || matches!((year, month), (2000, 1) | (2099, 12))
        {
            return Err(format!("{}; it lies between 2000-02 and 2099-11", wrong()));
        }
        Ok(Self { year, month })
    }

    /// The first day, and the first of the next month.
    #[must_use]
    pub fn days(self) -> (Day, Day) {
        let next = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        (calendar::day_number(self.year, self.month, 1), calendar::day_number(next.0, next.1, 1))
    }
}

impl std::fmt::Display for YearMonth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

fn year_month<'de, D: Deserializer<'de>>(deserializer: D) -> Result<YearMonth, D::Error> {
    let text = String::deserialize(deserializer)?;
    YearMonth::parse(&text).map_err(D::Error::custom)
}

fn some_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Day>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut parts = text.split('-');
    let (year, month, date) = (parts.next(), parts.next(), parts.next());
    let day = match (year, month, date, parts.next()) {
        (Some(year), Some(month), Some(date), None) => year
            .parse()
            .ok()
            .zip(month.parse().ok())
            .zip(date.parse().ok())
            .and_then(|((year, month), date)| calendar::date(year, month, date)),
        _ => None,
    };
    let day = day.filter(|day| crate::tariff::CALENDAR.contains(day));
    let wrong = || D::Error::custom(format!("`{}` is not a date such as 2023-10-05", input::short(&text)));
    day.map(Some).ok_or_else(wrong)
}

/// All that a month is settled from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonthInput {
    /// The site.
    pub site: String,
    /// Which month.
    #[serde(deserialize_with = "year_month")]
    pub month: YearMonth,
    /// The site's chargers; those that are not listed have no fees of their own.
    #[serde(default)]
    pub chargers: Vec<Charger>,
    /// Bills and corrections of the month as they were given out, in order of posting. Taken as they are.
    #[serde(default)]
    pub bills: Vec<Document>,
    /// Sessions in order of posting. One that also has a bill is not billed again: it only tells what a retroactive price
    /// changes.
    #[serde(default)]
    pub sessions: Vec<Session>,
    /// Meter values of the site.
    #[serde(default)]
    pub meters: Vec<Meter>,
    /// What the plant's electricity cost in the month.
    #[serde(default)]
    pub costs: Vec<Cost>,
    /// Driver to payer: who pays for a driver's sessions instead of himself.
    #[serde(default)]
    pub payers: BTreeMap<String, String>,
    /// Driver to reader: who gets a report of the sessions of a driver who pays himself.
    #[serde(default)]
    pub reports: BTreeMap<String, String>,
    /// Counters before the first bill and session.
    #[serde(default)]
    pub standing: MonthStanding,
    /// Hash of the document; set by [`MonthInput::from_json`].
    #[serde(skip)]
    pub hash: String,
}

impl MonthInput {
    /// Reads a month's input.
    ///
    /// # Errors
    /// Says which field is wrong and where; for an unknown field the nearest known one.
    pub fn from_json(text: &str) -> Result<Self, InputError> {
        let mut input: Self = input::from_json(text)?;
        input.hash = hash_text(text.as_bytes());
        Ok(input)
    }
}

/// A charger of the site.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charger {
    /// Its id.
    pub id: String,
    /// Its plan, which `with plan` asks.
    #[serde(default, deserialize_with = "input::some")]
    pub plan: Option<String>,
    /// Local day on which it was installed; unknown: before this month.
    #[serde(default, deserialize_with = "some_day")]
    pub installed: Option<Day>,
    /// Whose it is: who pays fees per charger that drivers pay.
    #[serde(default, deserialize_with = "input::some")]
    pub driver: Option<String>,
    /// That driver's groups, where no session of the month tells them.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// A metering point.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// Its id.
    pub metering_point: String,
    /// Hours, quarters, or the month's total in one.
    pub values: Vec<MeterValue>,
}

/// Energy through a metering point in a stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterValue {
    /// Start.
    #[serde(deserialize_with = "input::time")]
    pub from: Instant,
    /// End.
    #[serde(deserialize_with = "input::time")]
    pub to: Instant,
    /// From the grid.
    #[serde(rename = "import_kwh", deserialize_with = "input::kwh")]
    pub import: Energy,
    /// To the grid.
    #[serde(rename = "export_kwh", default, deserialize_with = "input::kwh")]
    pub export: Energy,
}

/// A cost of the plant.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// What for.
    pub label: String,
    /// Without VAT, in the tariff's currency.
    #[serde(deserialize_with = "input::plain")]
    pub net: Decimal,
    /// Percent.
    #[serde(deserialize_with = "input::plain")]
    pub vat_rate: Decimal,
}

/// Counters of a site and of its drivers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonthStanding {
    /// Those whose names start with `site`.
    #[serde(default)]
    pub site: Standing,
    /// All others, by driver.
    #[serde(default)]
    pub drivers: BTreeMap<String, Standing>,
}
