//! Reading input JSON: plain decimals and RFC 3339 times in strings, unknown fields refused with the nearest known one.

mod words;

use crate::units::{Energy, Instant, micro};
use chrono::DateTime;
use rust_decimal::Decimal;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, Visitor};
use std::fmt;

/// Input that cannot be used: what, where, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}{message}{}", help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default())]
pub struct InputError {
    /// Where in the document: a path and line, ending in `: `, or empty.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl InputError {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { place: String::new(), message: message.into(), help: None }
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Reads a JSON document of a known shape.
///
/// # Errors
/// Says path, line and column; for an unknown field the nearest known one.
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, InputError> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(_) => Err(explain::<T>(text)),
    }
}

/// Longest JSON document read, bytes. A session of years with a reading a minute stays below.
pub const MAX_JSON: usize = 64 << 20;

#[cold]
fn explain<T: DeserializeOwned>(text: &str) -> InputError {
    let mut reader = serde_json::Deserializer::from_str(text);
    let failed = serde_path_to_error::deserialize::<_, T>(&mut reader);
    let (path, error) = match failed {
        Err(error) => (error.path().to_string(), error.into_inner()),
        // The document itself is fine, so something follows it.
        Ok(_) => (
            String::new(),
            match reader.end() {
                Err(error) => error,
                Ok(()) => return InputError::new("the document could not be read"),
            },
        ),
    };
    let (line, column) = (error.line(), error.column());
    let full = error.to_string();
    let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
    let place = if path.is_empty() || path == "." || path == "?" {
        format!("line {line}, column {column}: ")
    } else {
        format!("`{path}` (line {line}, column {column}): ")
    };
    let (message, help) = words::of(&message, text.trim().is_empty());
    InputError { place, message, help }
}

/// The known word nearest to `word`, when one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).clamp(1, 3);
    known
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

struct Text<F>(F, &'static str);

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

/// Reads a plain decimal: digits with an optional sign and point, nothing else.
///
/// # Errors
/// In words, with the offending text.
pub fn decimal(text: &str) -> Result<Decimal, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.ends_with(|last: char| last.is_ascii_digit());
    if !plain {
        return Err(format!("`{}` is not a plain decimal such as \"12.5\"", short(text)));
    }
    Decimal::from_str_exact(text).map_err(|_| format!("`{}` has too many digits", short(text)))
}

pub(crate) fn short(text: &str) -> String {
    if text.chars().count() <= 40 {
        return text.to_owned();
    }
    text.chars().take(40).chain("...".chars()).collect()
}

// Digits as a number; `None` for anything else, or more than 12 of them.
fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > 12 {
        return None;
    }
    let mut value = 0_i64;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

// A plain number of up to 12 digits before and 6 behind the point, in millionths.
fn micro_fast(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let point = bytes.iter().position(|byte| *byte == b'.').unwrap_or(bytes.len());
    let (whole, fraction) = bytes.split_at_checked(point)?;
    let millionths = match fraction.split_first() {
        None => 0,
        Some((_, fraction)) => {
            let up = [0, 100_000, 10_000, 1_000, 100, 10, 1].get(fraction.len()).filter(|up| **up > 0)?;
            digits(fraction)? * up
        }
    };
    (!whole.is_empty()).then_some(())?;
    Some(digits(whole)? * 1_000_000 + millionths)
}

// A register or power in millionths. The usual form is read in one pass: this runs for every reading of every session.
fn micro_text(text: &str) -> Result<i64, String> {
    if let Some(value) = micro_fast(text) {
        return Ok(value);
    }
    let value = decimal(text)?;
    if value.normalize().scale() > 6 {
        return Err(format!("`{}` has more than six decimals; round it to 0.000001", short(text)));
    }
    micro(value).ok_or_else(|| format!("`{}` is too large", short(text)))
}

/// serde: a decimal string in millionths.
pub(crate) fn micro_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_str(Text(micro_text, "a plain decimal in a string, as in \"12.5\""))
}

/// serde: an optional decimal string in millionths; null is refused.
pub(crate) fn some_micro<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    micro_value(deserializer).map(Some)
}

/// serde: kWh as a decimal string.
pub(crate) fn kwh<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Energy, D::Error> {
    micro_value(deserializer).map(Energy)
}

/// serde: a plain decimal string.
pub(crate) fn plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    deserializer.deserialize_str(Text(decimal, "a plain decimal in a string, as in \"12.5\""))
}

/// Reads an RFC 3339 time; what is finer than a millisecond is cut off.
///
/// # Errors
/// In words, with the offending text.
pub fn instant(text: &str) -> Result<Instant, String> {
    if let Some(instant) = instant_fast(text.as_bytes()) {
        return Ok(instant);
    }
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| format!("`{}` is not a time such as 2025-03-10T17:00:00+01:00", short(text)))?;
    Ok(Instant(time.timestamp_millis()))
}

// The usual form, `2025-03-10T17:00:00[.250](Z|+01:00)`; anything else is left to the whole parser.
pub(crate) fn instant_fast(text: &[u8]) -> Option<Instant> {
    let (date_time, rest) = text.split_first_chunk::<19>()?;
    let two = |a: u8, b: u8| {
        let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
        (a < 10 && b < 10).then(|| i64::from(a) * 10 + i64::from(b))
    };
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2] = *date_time
    else {
        return None;
    };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    let (hour, minute, second) = (two(h1, h2)?, two(i1, i2)?, two(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (ms, zone) = match *rest {
        [b'.', a, b, c, ref zone @ ..] => {
            let last = c.wrapping_sub(b'0');
            (two(a, b)? * 10 + (last < 10).then_some(i64::from(last))?, zone)
        }
        ref zone => (0, zone),
    };
    let offset = match *zone {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            if sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let (year, month, day) = (i32::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    let days = i64::from(crate::calendar::date(year, month, day)?);
    let minutes = days * 1440 + hour * 60 + minute - offset;
    Some(Instant((minutes * 60 + second) * 1000 + ms))
}

/// serde: an RFC 3339 time.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
    deserializer.deserialize_str(Text(instant, "a time in a string, as in \"2025-03-10T17:00:00+01:00\""))
}

/// serde: an optional time; null is refused.
pub(crate) fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Instant>, D::Error> {
    time(deserializer).map(Some)
}

/// serde: optional fields may be left out, never null.
pub(crate) fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_readers_agree_with_the_slow_ones() {
        for text in [
            "2025-03-10T17:00:00+01:00",
            "2000-02-29T00:00:00Z",
            "1999-12-31T23:59:59.999-03:30",
            "2024-02-29T12:00:00.5Z",
            "2023-02-29T12:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-03-10T24:00:00Z",
            "2025-03-10 17:00:00Z",
            "2025-03-10T17:00:00",
            "2025-03-10T17:00:00+0100",
            "2025-03-10T17:00:00.1234567Z",
            "9999-12-31T23:59:59Z",
            "",
        ] {
            let slow = DateTime::parse_from_rfc3339(text).ok().map(|time| Instant(time.timestamp_millis()));
            assert_eq!(instant(text).ok(), slow, "{text}");
        }
        for text in [
            "0",
            "12.5",
            "123456789012.654321",
            "1234567890123",
            "-3.25",
            "0.0000001",
            ".5",
            "5.",
            "1e3",
            "",
            "5,0",
            "00.10",
        ] {
            let slow = decimal(text).ok().filter(|value| value.normalize().scale() <= 6).and_then(micro);
            assert_eq!(micro_text(text).ok(), slow, "{text}");
        }
    }
}
