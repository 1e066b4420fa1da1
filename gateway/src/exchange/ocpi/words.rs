//! Prices, hours, days and quantities as a person writes them in a tariff file.

use super::tariff::EVERY_DAY;
use rust_decimal::Decimal;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// An amount with at least two decimals.
pub(super) fn money(amount: Decimal) -> String {
    let amount = amount.normalize();
    let mut amount = if amount.is_zero() { Decimal::ZERO } else { amount };
    if amount.scale() < 2 {
        amount.rescale(2);
    }
    amount.to_string()
}

/// A text between plain quotes.
pub(super) fn quoted(text: &str) -> String {
    let plain = text.replace(['"', '“', '”'], "'");
    let shown: String = plain.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    format!("\"{}\"", shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A text on one line, for a comment.
pub(super) fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number of Wh.
pub(super) fn energy(watt_hours: i64) -> String {
    if watt_hours >= 1000 && watt_hours % 100 == 0 {
        return format!("{} kWh", Decimal::new(watt_hours, 3).normalize());
    }
    format!("{watt_hours} Wh")
}

/// A number of seconds.
pub(super) fn time(seconds: i64) -> String {
    match seconds {
        _ if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        _ if seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// A window of days (bit 0 Monday) and hours of the clock, every instant by itself: a night of Fridays has Friday's first
/// hours and its last ones, as OCPI has it, and not the first ones of Saturday.
pub(super) fn window(days: u8, hours: Option<(u16, u16)>) -> String {
    let days = runs(days);
    let hours: Vec<String> = match hours {
        None => vec![String::new()],
        Some((from, until)) if from < until => vec![clock_range(from, until)],
        // Over midnight. For all days it can be said at once.
        Some((from, until)) if days.is_empty() => vec![clock_range(from, until)],
        Some((from, until)) => vec![clock_range(0, until), clock_range(from, 1440)],
    };
    if days.is_empty() {
        return hours.concat();
    }
    let joined = |day: &String| {
        let with = hours.iter().map(|hours| format!("{day} {hours}").trim_end().to_owned());
        with.collect::<Vec<_>>().join(", ")
    };
    days.iter().map(joined).collect::<Vec<_>>().join(", ")
}

fn clock_range(from: u16, until: u16) -> String {
    format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
}

// Stretches of days; none: every day.
fn runs(days: u8) -> Vec<String> {
    let days = days & EVERY_DAY;
    if days == EVERY_DAY {
        return Vec::new();
    }
    let has = |day: usize| days >> (day % 7) & 1 == 1;
    let mut found = Vec::new();
    for first in (0..7).filter(|day| has(*day) && !has(day + 6)) {
        let last = (first..first + 7).take_while(|day| has(*day)).last().unwrap_or(first);
        let name = |day: usize| DAYS.get(day % 7).copied().unwrap_or_default();
        match last - first {
            0 => found.push(name(first).to_owned()),
            1 if last % 7 != 6 || first % 7 != 5 => {
                found.extend([name(first).to_owned(), name(last).to_owned()]);
            }
            _ => found.push(format!("{}-{}", name(first), name(last))),
        }
    }
    found
}

/// A name for a window.
pub(super) fn name(days: u8, hours: Option<(u16, u16)>) -> String {
    let day = match days & EVERY_DAY {
        EVERY_DAY => "",
        0b001_1111 => "weekday",
        0b110_0000 => "weekend",
        one if one.count_ones() == 1 => {
            let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
            usize::try_from(one.trailing_zeros())
                .ok()
                .and_then(|day| names.get(day))
                .copied()
                .unwrap_or_default()
        }
        _ => "some-days",
    };
    let Some((from, until)) = hours else {
        // The name of a day alone, or of days, is no name.
        return match day {
            "" => "every-day-long".to_owned(),
            "weekday" => "weekdays".to_owned(),
            "weekend" | "some-days" => day.to_owned(),
            one => format!("every-{one}"),
        };
    };
    let length = if from < until { until - from } else { 1440 - from + until };
    let hour = from / 60;
    let part = match () {
        () if from > until || (hour >= 21) || (from == 0 && until <= 480) => "night",
        () if length >= 7 * 60 && (5..=11).contains(&hour) => "day",
        () if until <= 13 * 60 => "morning",
        () if hour >= 16 => "evening",
        () if hour >= 11 => "afternoon",
        () => "hours",
    };
    match (day, part) {
        ("", "day") => "daytime".to_owned(),
        ("", part) => part.to_owned(),
        // Which days they are the period says itself.
        ("some-days", "day") => "daytime".to_owned(),
        ("some-days", part) => part.to_owned(),
        (day, "day") => format!("{day}-daytime"),
        (day, part) => format!("{day}-{part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_as_a_person_says_them() {
        for (days, hours, text) in [
            (EVERY_DAY, Some((480, 1200)), "08:00-20:00"),
            (EVERY_DAY, Some((1320, 360)), "22:00-06:00"),
            (0b001_1111, None, "Mon-Fri"),
            (0b110_0000, Some((0, 1440)), "Sat-Sun 00:00-24:00"),
            (0b001_0000, Some((1320, 360)), "Fri 00:00-06:00, Fri 22:00-24:00"),
            (0b100_0001, None, "Sun, Mon"),
            (
                0b010_1011,
                Some((540, 1080)),
                "Mon 09:00-18:00, Tue 09:00-18:00, Thu 09:00-18:00, Sat 09:00-18:00",
            ),
            (0b110_0011, None, "Sat-Tue"),
        ] {
            assert_eq!(window(days, hours), text);
        }
    }

    #[test]
    fn quantities_and_amounts() {
        assert_eq!(
            (energy(1), energy(500), energy(1500), energy(1234)),
            ("1 Wh".into(), "500 Wh".into(), "1.5 kWh".into(), "1234 Wh".into())
        );
        assert_eq!((time(300), time(7200), time(100)), ("5 min".into(), "2 h".into(), "100 s".into()));
        let text = |amount: &str| money(amount.parse().unwrap());
        assert_eq!(
            (text("0.3"), text("2"), text("0.12345"), text("-0")),
            ("0.30".into(), "2.00".into(), "0.12345".into(), "0.00".into())
        );
        assert_eq!(quoted("2 \"euro\"\n a  kWh"), "\"2 'euro' a kWh\"");
    }
}
