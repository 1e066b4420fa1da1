//! Reading input JSON: plain decimals and RFC 3339 times in strings, unknown fields refused with the nearest known one.

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
    match unknown_field(&message) {
        Some((field, known)) => {
            let nearest = nearest(&field, known.iter().map(String::as_str));
            let help = match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            InputError { place, message: format!("unknown field `{field}`"), help: Some(help) }
        }
        None => InputError { place, message, help: None },
    }
}

fn unknown_field(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (field, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((field.to_owned(), known))
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

// A register or power in millionths, read in one pass: this runs for every reading of every session.
fn micro_text(text: &str) -> Result<i64, String> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, bytes),
    };
    let mut value: i64 = 0;
    let mut places: Option<u32> = None;
    let mut fits = !digits.is_empty() && digits.len() <= 18;
    for &byte in digits {
        if !fits {
            break;
        }
        match byte {
            b'0'..=b'9' if places.is_none_or(|places| places < 6) => {
                value = value * 10 + i64::from(byte - b'0');
                places = places.map(|places| places + 1);
            }
            b'.' if places.is_none() => places = Some(0),
            _ => fits = false,
        }
    }
    let edges =
        digits.first().is_some_and(u8::is_ascii_digit) && digits.last().is_some_and(u8::is_ascii_digit);
    if fits && edges {
        let up = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1].get(places.unwrap_or(0) as usize).copied();
        if let Some(value) = up.and_then(|up: i64| value.checked_mul(up)) {
            return Ok(if negative { -value } else { value });
        }
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
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| format!("`{}` is not a time such as 2025-03-10T17:00:00+01:00", short(text)))?;
    Ok(Instant(time.timestamp_millis()))
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
