//! Figures and times as outsiders read them: plain decimals, RFC 3339.

use takst_engine::calendar_time::{INSTANTS, local_text, utc_text};
use takst_engine::exact::print_decimal;
use takst_engine::tariff::Zone;
use takst_engine::units::{Energy, Instant};

/// RFC 3339 on the clock of `zone`, or in UTC.
#[must_use]
pub fn time(zone: Option<&Zone>, at: Instant) -> String {
    match zone {
        Some(zone) if INSTANTS.contains(&at.0) => local_text(zone, at),
        _ => utc_text(at),
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
