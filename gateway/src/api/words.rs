//! Figures and times as outsiders read them: plain decimals, RFC 3339.

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use serde_json::Value;
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

/// JSON as it goes out: what is not there is left out, never `null`.
#[must_use]
pub fn without_nulls(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            let each = std::mem::take(members).into_iter().filter(|(_, value)| !value.is_null());
            *members = each.map(|(name, value)| (name, without_nulls(value))).collect();
        }
        // In a list a place is a place.
        Value::Array(values) => {
            for value in values {
                *value = without_nulls(value.take());
            }
        }
        _ => {}
    }
    value
}

/// The same of a text that the gateway has written; `null` when it is none.
#[must_use]
pub fn document(text: &str) -> Value {
    serde_json::from_str(text).map(without_nulls).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_left_out() {
        let told = document(r#"{"a": null, "b": {"c": null, "d": 0}, "e": [null, {"f": null, "g": ""}]}"#);
        assert_eq!(told, serde_json::json!({ "b": { "d": 0 }, "e": [null, { "g": "" }] }));
        assert_eq!(document("no JSON"), Value::Null);
    }
}
