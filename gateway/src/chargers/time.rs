//! A charger's own clock: the time it gave, and the time we take it for.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use takst_engine::units::{DAY_MS, Instant, MINUTE_MS};

/// Longest stretch that an offline charger may have waited with a report.
const OLDEST_MS: i64 = 2 * 366 * DAY_MS;
/// How far a charger's clock may run ahead.
const AHEAD_MS: i64 = 10 * MINUTE_MS;
/// The furthest a zone is from UTC.
const WIDEST_OFFSET_MIN: i32 = 18 * 60;

/// When something happened at a charger.
#[skip_serializing_none]
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StationTime {
    /// The time to count with: the charger's own, or the time of receipt when that is of no use (see `flaw`).
    pub at: Instant,
    /// What the charger wrote; none when it wrote nothing.
    pub sent: Option<String>,
    /// What was wrong with it.
    pub flaw: Option<TimeFlaw>,
}

/// What was wrong with a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFlaw {
    /// No zone was given; the charger's configured offset was taken.
    NoZone,
    /// Too long ago to be true (1970, a reset clock); the time of receipt stands in.
    TooOld,
    /// In the future; the time of receipt stands in.
    Future,
    /// No time can be read from it; the time of receipt stands in.
    Unreadable,
    /// None was given; the time of receipt stands in.
    Missing,
}

impl TimeFlaw {
    /// Whether the time of receipt stands in for the charger's own.
    #[must_use]
    pub const fn substituted(self) -> bool {
        !matches!(self, Self::NoZone)
    }
}

/// How a charger's times are to be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct TimeRules {
    /// Minutes east of UTC for times without a zone.
    pub offset_min: i32,
    /// How many milliseconds before receipt a time may lie.
    pub oldest_ms: i64,
    /// How many milliseconds after receipt a time may lie.
    pub ahead_ms: i64,
}

impl Default for TimeRules {
    fn default() -> Self {
        Self { offset_min: 0, oldest_ms: OLDEST_MS, ahead_ms: AHEAD_MS }
    }
}

impl StationTime {
    /// The time of receipt, because the charger gave none.
    #[must_use]
    pub const fn missing(received: Instant) -> Self {
        Self { at: received, sent: None, flaw: Some(TimeFlaw::Missing) }
    }

    /// Takes a charger's text for a time. Never fails: what is of no use is replaced by `received` and says so.
    #[must_use]
    pub fn take(text: &str, received: Instant, rules: &TimeRules) -> Self {
        let sent = Some(text.to_owned());
        let Some((at, zoned)) = read(text, rules.offset_min) else {
            return Self { at: received, sent, flaw: Some(TimeFlaw::Unreadable) };
        };
        if at.0 < received.0.saturating_sub(rules.oldest_ms) {
            return Self { at: received, sent, flaw: Some(TimeFlaw::TooOld) };
        }
        if at.0 > received.0.saturating_add(rules.ahead_ms) {
            return Self { at: received, sent, flaw: Some(TimeFlaw::Future) };
        }
        Self { at, sent, flaw: (!zoned).then_some(TimeFlaw::NoZone) }
    }
}

/// Reads a time as chargers write it: RFC 3339 with `T`, `t` or a blank, seconds optional, any number of decimals (also after
/// a comma), `Z`, `+hh:mm`, `+hhmm`, `+hh` or no zone. The second value is whether a zone was given. Decimals beyond the
/// millisecond are cut off.
#[must_use]
pub fn read(text: &str, offset_min: i32) -> Option<(Instant, bool)> {
    let mut rest = Digits(text.trim());
    let year = rest.number(4)?;
    rest.one_of(&['-', '/'])?;
    let month = rest.number(2)?;
    rest.one_of(&['-', '/'])?;
    let day = rest.number(2)?;
    rest.one_of(&['T', 't', ' '])?;
    let hour = rest.number(2)?;
    rest.one_of(&[':'])?;
    let minute = rest.number(2)?;
    let mut second = 0;
    let mut ms = 0;
    if rest.one_of(&[':']).is_some() {
        second = rest.number(2)?;
        if rest.one_of(&['.', ',']).is_some() {
            ms = rest.thousandths()?;
        }
    }
    let (offset, zoned) = rest.zone(offset_min)?;
    let date = chrono::NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    // A leap second is the last millisecond of its minute.
    let (second, ms) = if second == 60 { (59, 999) } else { (second, ms) };
    let local = date.and_hms_milli_opt(hour, minute, second, ms)?.and_utc().timestamp_millis();
    Some((Instant(local.checked_sub(i64::from(offset) * MINUTE_MS)?), zoned))
}

/// An instant as a charger is told: UTC with `Z` and milliseconds. Instants beyond the year 9999 are held there.
#[must_use]
pub fn write(at: Instant) -> String {
    const LAST: i64 = 253_402_300_799_999;
    chrono::DateTime::from_timestamp_millis(at.0.clamp(0, LAST))
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (head, tail) = self.0.split_at_checked(digits)?;
        if !head.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = tail;
        head.parse().ok()
    }

    fn one_of(&mut self, marks: &[char]) -> Option<()> {
        self.0 = self.0.strip_prefix(marks)?;
        Some(())
    }

    // What follows the decimal point, in thousandths.
    fn thousandths(&mut self) -> Option<u32> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (all, tail) = self.0.split_at_checked(digits)?;
        self.0 = tail;
        let kept: String = all.chars().chain("000".chars()).take(3).collect();
        if all.is_empty() { Some(0) } else { kept.parse().ok() }
    }

    fn zone(&mut self, unsaid: i32) -> Option<(i32, bool)> {
        let text = self.0.trim();
        if text.is_empty() {
            return Some((unsaid, false));
        }
        if matches!(text, "Z" | "z" | "UTC" | "GMT") {
            return Some((0, true));
        }
        let (sign, text) = match (text.strip_prefix('+'), text.strip_prefix(['-', '\u{2212}'])) {
            (Some(rest), _) => (1, rest),
            (_, Some(rest)) => (-1, rest),
            _ => return None,
        };
        let mut rest = Digits(text);
        let hours = rest.number(2)?;
        let _ = rest.one_of(&[':']);
        let minutes = if rest.0.is_empty() { 0 } else { rest.number(2)? };
        let offset = i32::try_from(hours.checked_mul(60)?.checked_add(minutes)?).ok()?;
        (rest.0.is_empty() && offset <= WIDEST_OFFSET_MIN && minutes < 60).then_some((sign * offset, true))
    }
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
