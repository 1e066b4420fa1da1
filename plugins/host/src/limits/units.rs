//! Sizes and spans of time as people write them: "32 MiB", "100 ms".

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::time::Duration;

/// A number of bytes. Written "32 MiB", "256 KiB", "100 B".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Size(pub u64);

impl Size {
    /// So many times 1,024 bytes.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count.saturating_mul(1024))
    }

    /// So many times 1,048,576 bytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count.saturating_mul(1024 * 1024))
    }

    /// As a length in memory.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_units(f, self.0, &SIZES)
    }
}

/// A span of time. Written "100 ms", "10 s", "5 min".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Span(pub Duration);

const SPANS: [(&str, u64); 4] = [("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_units(f, u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX), &SPANS)
    }
}

// For people: in the largest unit that it reaches, with one decimal where it is not whole.
fn in_units(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let exact = units.iter().find(|(_, unit)| value >= *unit && value.is_multiple_of(*unit));
    let near = units.iter().find(|(_, unit)| value >= *unit).or(units.last());
    let Some((name, unit)) = exact.filter(|(_, unit)| value / unit < 1_000).or(near) else { return Ok(()) };
    let whole = value / unit;
    match (value % unit).saturating_mul(10) / unit {
        0 => write!(f, "{whole} {name}"),
        tenth => write!(f, "{whole}.{tenth} {name}"),
    }
}

// For files: exactly, in the largest unit that divides it.
fn exactly(value: u64, units: &[(&str, u64)]) -> String {
    let unit = units.iter().find(|(_, unit)| value >= *unit && value.is_multiple_of(*unit)).or(units.last());
    unit.map(|(name, unit)| format!("{} {name}", value / unit)).unwrap_or_default()
}

fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        read(&text, &SIZES).map(Self).ok_or_else(|| {
            de::Error::custom(format!("`{text}` is not a size: write \"32 MiB\", \"256 KiB\" or \"100 B\""))
        })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        read(&text, &SPANS).map(|micros| Self(Duration::from_micros(micros))).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is not a span of time: write \"100 ms\", \"10 s\" or \"5 min\""
            ))
        })
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&exactly(self.0, &SIZES))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&exactly(u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX), &SPANS))
    }
}

/// As it stands in a TOML file: a number, or text in quotes.
pub(super) fn toml(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_read_and_written() {
        for (text, bytes) in [("32 MiB", 32 << 20), ("256 KiB", 262_144), ("100 B", 100), ("1GiB", 1 << 30)] {
            assert_eq!(read(text, &SIZES), Some(bytes), "{text}");
        }
        for wrong in
            ["", "32", "32 MB", "-1 MiB", "1.5 MiB", "99999999999999999999 B", "9999999999999999 GiB"]
        {
            assert_eq!(read(wrong, &SIZES), None, "{wrong}");
        }
        assert_eq!(Size::mib(32).to_string(), "32 MiB");
        assert_eq!(Size(1_153_434).to_string(), "1.1 MiB");
        assert_eq!(Size(0).to_string(), "0 B");
        assert_eq!(Span(Duration::from_millis(100)).to_string(), "100 ms");
        assert_eq!(Span(Duration::from_micros(1_234)).to_string(), "1.2 ms");
        assert_eq!(Span(Duration::from_secs(600)).to_string(), "10 min");
        assert_eq!(Span(Duration::from_secs(90)).to_string(), "90 s");
        for value in [1, 1_234, 61_000_000, 100_000, 0] {
            assert_eq!(read(&exactly(value, &SPANS), &SPANS), Some(value));
        }
    }
}
