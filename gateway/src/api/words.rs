//! Figures and times as outsiders read them: plain decimals, RFC 3339.

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use takst_engine::calendar_time::utc_text;
use takst_engine::exact::print_decimal;
use takst_engine::units::{Energy, Instant};

/// RFC 3339 on the clock of `zone`, or in UTC.
#[must_use]
pub fn time(zone: Option<Tz>, at: Instant) -> String {
    let digits = if at.0 % 1_000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    match zone.and_then(|zone| Some(DateTime::from_timestamp_millis(at.0)?.with_timezone(&zone))) {
        Some(local) => local.to_rfc3339_opts(digits, false),
        None => utc_text(at),
    }
}

/// kWh.
#[must_use]
pub fn energy(energy: Energy) -> String {
    print_decimal(i128::from(energy.0), 6, true)
}

/// Money with all its digits.
#[must_use]
pub fn money(minor: i64, digits: u8) -> String {
    print_decimal(i128::from(minor), u32::from(digits), false)
}

/// A time as it comes in: RFC 3339.
///
/// # Errors
/// In words.
pub fn read_time(text: &str) -> Result<Instant, String> {
    takst_engine::input::instant(text)
}

/// Whether a reason says anything: an audit log of dots helps nobody.
///
/// # Errors
/// In words.
pub fn reason(text: &str) -> Result<(), String> {
    let letters = text.chars().filter(|letter| letter.is_alphanumeric()).count();
    let length = text.trim().chars().count();
    if letters < 3 {
        return Err(format!(
            "`reason` is too short: it has {letters} letters and digits, and needs 3 at least; say in words why, for whoever reads the audit log"
        ));
    }
    if length > 500 {
        return Err(format!("`reason` has {length} characters, and the most is 500"));
    }
    Ok(())
}
