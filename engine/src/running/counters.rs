//! Counters over several sessions and the days they run on.

use crate::calendar_time::{month_key, month_text};
use crate::evaluate::who_text;
use crate::tariff::{Measure, Span, Time, Who};

pub(crate) fn period(measure: Measure, day: i32) -> i32 {
    match measure {
        Measure::Energy { span, .. } | Measure::Time { span, .. } => match span {
            Span::Session | Span::Bill => 0,
            Span::Day => day,
            Span::Month => month_key(day),
        },
        Measure::Power | Measure::Current | Measure::Occupancy => 0,
    }
}

/// The standing counter behind a measure over several sessions (kWh, or seconds); none for one session's own measures.
pub(crate) fn counter_name(measure: Measure, day: i32) -> Option<String> {
    let (what, span, who) = match measure {
        Measure::Energy { span, who } => ("energy", span, who),
        Measure::Time { time, span, who } => {
            let what = match time {
                Time::Connected => "connected time",
                Time::Charging => "charging time",
                Time::Parking | Time::ParkingInARow => "parking time",
                Time::Idle | Time::IdleInARow => "idle time",
            };
            (what, span, who)
        }
        Measure::Power | Measure::Current | Measure::Occupancy => return None,
    };
    (who != Who::Session).then(|| format!("{} {what} {}", who_text(who), span_text(span, day)))
}

pub(crate) fn span_text(span: Span, day: i32) -> String {
    match span {
        Span::Session | Span::Bill => "ever".into(),
        Span::Day => crate::calendar_time::day_text(day),
        Span::Month => month_text(day),
    }
}
