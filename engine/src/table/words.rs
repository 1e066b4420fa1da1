//! What a table says in words.

use crate::tariff::{Measure, Per, Span, Time, Who};
use crate::units::MINUTE_MS;

// The word after the slash of a price.
pub(super) const fn per_text(per: Per) -> &'static str {
    match per {
        Per::Kwh => "kWh",
        Per::Hour => "h",
        Per::Minute => "min",
        Per::Session => "session",
        Per::Bill => "bill",
        Per::Charger => "charger",
        Per::Month => "month",
        Per::Kw => "kW",
        Per::One => "",
    }
}

fn plain(value: i64, places: u32) -> String {
    crate::exact::print_decimal(i128::from(value), places, true)
}

// An amount of a measure, as in `30 min` or `1 kWh`.
pub(super) fn quantity_text(measure: Measure, amount: i64) -> String {
    match measure {
        Measure::Energy { .. } => format!("{} kWh", plain(amount, 6)),
        Measure::Time { time, .. } => {
            let minutes = crate::exact::div_half_away(i128::from(amount) * 1000, i128::from(MINUTE_MS));
            let minutes = crate::exact::print_decimal(minutes, 3, true);
            let run = if matches!(time, Time::IdleInARow | Time::ParkingInARow) { " in a row" } else { "" };
            format!("{minutes} min{run}")
        }
        Measure::Power => format!("{} kW", plain(amount, 6)),
        Measure::Current => format!("{} A", plain(amount, 6)),
        Measure::Occupancy => format!("{} %", plain(amount, 4)),
    }
}

// The word before a threshold of a term.
pub(super) const fn beyond_word(measure: Measure) -> &'static str {
    match measure {
        Measure::Energy { .. } | Measure::Time { .. } => "after",
        Measure::Power | Measure::Current | Measure::Occupancy => "from",
    }
}

// As in `20 kWh of energy`.
pub(super) fn threshold_text(measure: Measure, threshold: i64) -> String {
    let quantity = quantity_text(measure, threshold);
    let (of, span, who) = match measure {
        Measure::Energy { span, who } => (" of energy", span, who),
        Measure::Time { time, span, who } => {
            let of = match time {
                Time::Connected => " of connected time",
                Time::Charging => " of charging time",
                Time::Parking | Time::ParkingInARow => " of parking time",
                Time::Idle | Time::IdleInARow => " of idle time",
            };
            (of, span, who)
        }
        Measure::Power | Measure::Current => return format!("{quantity} drawn"),
        Measure::Occupancy => return format!("{quantity} of the site in use"),
    };
    let span = match span {
        Span::Session | Span::Bill => "",
        Span::Day => " per day",
        Span::Month => " per month",
    };
    let who = match who {
        Who::Session => "",
        Who::Driver => " per driver",
        Who::Site => " per site",
    };
    format!("{quantity}{of}{span}{who}")
}
