//! Price files as their publishers give them: Takst's own JSON, ENTSO-E, Nord Pool, hvakosterstrommen.no.
//!
//! Which one it is follows from the text itself. Prices are read from the text, digit by digit, never through a float.

mod entsoe;
mod hvakosterstrommen;
mod nordpool;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny};
use serde_json::value::RawValue;
use std::path::Path;
use takst_engine::input::{self, InputError};
use takst_engine::prices::FeedFile;
use takst_engine::units::Instant;

/// Most steps of one file: ten years of quarter-hours.
const MOST_STEPS: usize = 400_000;

/// The feeds of a price file, one per area. A file that gives its prices in several currencies is read in `currency` where it
/// has that.
///
/// # Errors
/// A text that is none of the known formats, or one that breaks the rules of its format.
pub fn read(text: &str, path: &Path, currency: &str) -> Result<Vec<FeedFile>, InputError> {
    match text.trim_start().as_bytes().first() {
        Some(b'<') => entsoe::read(text),
        Some(b'[') => hvakosterstrommen::read(text, path, currency),
        Some(b'{') => match input::from_json::<Kind>(text)? {
            Kind { entries: Some(_), .. } => nordpool::read(text),
            Kind { feed: None, prices: None, unit: None, .. } => Err(unknown()),
            Kind { .. } => Ok(vec![input::from_json(text)?]),
        },
        _ => Err(unknown()),
    }
}

fn unknown() -> InputError {
    InputError::new("this is no price feed").help(
        "give JSON with `feed`, `unit` and `prices`, an ENTSO-E A44 document, a day of Nord Pool's data portal, or a day of \
         hvakosterstrommen.no",
    )
}

// What tells the JSON formats apart.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "multiAreaEntries")]
    entries: Option<IgnoredAny>,
    feed: Option<IgnoredAny>,
    prices: Option<IgnoredAny>,
    unit: Option<IgnoredAny>,
}

/// A number of a JSON document with all the digits that stand there.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Figure(Decimal);

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        figure(raw.get()).map(Self).map_err(D::Error::custom)
    }
}

/// An RFC 3339 time of a JSON document.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Moment(Instant);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        input::instant(&text).map(Self).map_err(D::Error::custom)
    }
}

// `1e-05` is a number too: programs that print floats write small prices so.
fn figure(text: &str) -> Result<Decimal, String> {
    let wrong = || format!("`{}` is no price", text.chars().take(40).collect::<String>());
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        None => (text, 0),
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().map_err(|_| wrong())?),
    };
    let value = input::decimal(digits).map_err(|_| wrong())?.normalize();
    let scale = i32::try_from(value.scale()).map_err(|_| wrong())?.checked_sub(exponent).ok_or_else(wrong)?;
    let shifted = match u32::try_from(scale) {
        Ok(scale) => Decimal::try_from_i128_with_scale(value.mantissa(), scale).ok(),
        Err(_) => 10_i128
            .checked_pow(scale.unsigned_abs())
            .and_then(|up| value.mantissa().checked_mul(up))
            .and_then(|whole| Decimal::try_from_i128_with_scale(whole, 0).ok()),
    };
    shifted.map(|value| value.normalize()).ok_or_else(wrong)
}

fn too_many() -> InputError {
    InputError::new(format!("more than {MOST_STEPS} prices in one file")).help("split it by year")
}

// What a file with an empty list says.
fn none_in_it(who: &str) -> InputError {
    InputError::new(format!("{who} gave no prices in this file"))
        .help("prices of the next day are published at about 13:00 CET; fetch it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let read = |text: &str| figure(text).map(|value| value.to_string());
        assert_eq!(read("0.53785").as_deref(), Ok("0.53785"));
        assert_eq!(read("1e-05").as_deref(), Ok("0.00001"));
        assert_eq!(read("-2.50E-3").as_deref(), Ok("-0.0025"));
        assert_eq!(read("1.5e2").as_deref(), Ok("150"));
        assert_eq!(read("0.1000000000000000000000000001").as_deref(), Ok("0.1000000000000000000000000001"));
        for wrong in ["", "-", "1e", "1e99", "1e-99999999999", "1e400", "0x10", "\"1\"", "null", "1 000"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_feed_is_told_what_would_be_one() {
        for text in ["", "\u{0}", "spot", "{}", r#"{"success": true, "data": {"ee": []}}"#, "Date;NO1\n"] {
            let error = read(text, Path::new("prices.json"), "EUR").unwrap_err();
            assert!(error.help.unwrap_or_default().contains("ENTSO-E A44"), "{text}");
        }
        let error = read(r#"{"feed": "spot", "unti": "EUR/MWh"}"#, Path::new("x"), "EUR").unwrap_err();
        assert_eq!(error.help.as_deref(), Some("did you mean `unit`?"));
    }
}
