//! Times for people: days by name, clock times, spans.

use std::collections::{BTreeMap, BTreeSet};
use takst_engine::document::Document;

/// From plug-in to unplugging.
pub fn session_times(document: &Document) -> String {
    let from = format!("{}, {}", long_date(&document.from), clock(&document.from));
    match &document.to {
        Some(to) if day(to) == day(&document.from) => format!("{from} – {}", clock(to)),
        Some(to) => format!("{from} – {}, {}", long_date(to), clock(to)),
        None => format!("{}, from {}", long_date(&document.from), clock(&document.from)),
    }
}

/// `12:00 – 13:00`, with seconds where the minutes are the same.
pub fn span(from: &str, to: &str) -> String {
    let (start, end) = (clock(from), clock(to));
    if from == to {
        return start.to_owned();
    }
    if offset(from) != offset(to) {
        return format!("{start} – {end}{}", offset(to).trim_end_matches(":00"));
    }
    if start == end && day(from) == day(to) {
        return format!("{}–{}", seconds(from), to.get(17..19).unwrap_or(""));
    }
    // Slices end at local midnight, never after it.
    let end = if end == "00:00" && day(from) != day(to) { "24:00" } else { end };
    format!("{start} – {end}")
}

/// How the lines of a bill are dated: days are only named where they differ, the offset only on a day that has two.
pub struct Dates {
    first: String,
    changing: BTreeSet<String>,
}

impl Dates {
    /// For all lines of a bill.
    pub fn of(document: &Document) -> Self {
        let lines = document.lines.iter().flat_map(|line| [&line.from, &line.to]);
        let mut offsets: BTreeMap<&str, &str> = BTreeMap::new();
        let mut changing = BTreeSet::new();
        for at in lines.chain([&document.from]).chain(&document.to) {
            if *offsets.entry(day(at)).or_insert(offset(at)) != offset(at) {
                changing.insert(day(at).to_owned());
            }
        }
        let mut dates = Self { first: String::new(), changing };
        // The head of a month's document names no day.
        if document.month.is_none() {
            dates.first = dates.heading(&document.from);
        }
        dates
    }

    /// The heading of the first day; empty where none was given yet.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The day, and the offset where it matters.
    pub fn heading(&self, at: &str) -> String {
        let date = long_date(at);
        if self.changing.contains(day(at)) { format!("{date} (UTC{})", offset(at)) } else { date }
    }
}

/// `2025-03-10` of an RFC 3339 time.
pub fn day(at: &str) -> &str {
    at.get(..10).unwrap_or(at)
}

/// `09:09` of an RFC 3339 time.
pub fn clock(at: &str) -> &str {
    at.get(11..16).unwrap_or(at)
}

fn seconds(at: &str) -> &str {
    at.get(11..19).unwrap_or(at)
}

fn offset(at: &str) -> &str {
    match at.get(19..) {
        Some(rest) => rest.find(['+', '-', 'Z']).and_then(|from| rest.get(from..)).unwrap_or(rest),
        None => "",
    }
}

/// `6 h 47 min` between two times; `59 s` where it is less than a minute.
pub fn hours(from: &str, to: &str) -> String {
    let times = takst_engine::input::instant(from).ok().zip(takst_engine::input::instant(to).ok());
    if let Some(ms) =
        times.map(|(from, to)| to.0.saturating_sub(from.0)).filter(|ms| (0..60_000).contains(ms))
    {
        return format!("{} s", ms / 1_000);
    }
    match lasted(from, to).split_once(':') {
        Some(("0", minutes)) => format!("{} min", minutes.parse::<u32>().unwrap_or(0)),
        Some((hours, "00")) => format!("{hours} h"),
        Some((hours, minutes)) => format!("{hours} h {} min", minutes.trim_start_matches('0')),
        None => String::new(),
    }
}

/// `2025-03-10 17:00`.
pub fn date_minute(at: &str) -> String {
    format!("{} {}", day(at), clock(at))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month_name(number: u8) -> &'static str {
    usize::from(number).checked_sub(1).and_then(|index| MONTHS.get(index)).copied().unwrap_or("")
}

/// `March 2025` of `2025-03`, also where a day and a time follow.
pub fn long_month(at: &str) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let number = at.get(5..7).and_then(|month| month.parse::<usize>().ok());
    let name = number.and_then(|number| MONTHS.get(number.checked_sub(1)?));
    match (at.get(..4), name) {
        (Some(year), Some(name)) => format!("{name} {year}"),
        _ => at.to_owned(),
    }
}

/// The text with its RFC 3339 times as people write them.
pub fn with_dates(text: &str) -> String {
    let word = |word: &str| {
        let at = word.trim_end_matches([',', ';', '.', ')']);
        match takst_engine::input::instant(at) {
            Ok(_) => format!("{}, {}{}", long_date(at), clock(at), word.get(at.len()..).unwrap_or("")),
            Err(_) => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// `Mon 10 Mar 2025`.
pub fn long_date(at: &str) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let number = |range: std::ops::Range<usize>| at.get(range).and_then(|digits| digits.parse::<i32>().ok());
    let (Some(year), Some(month), Some(date)) = (number(0..4), number(5..7), number(8..10)) else {
        return day(at).to_owned();
    };
    let (Ok(month), Ok(date)) = (u8::try_from(month), u8::try_from(date)) else { return day(at).to_owned() };
    let days = takst_engine::calendar::day_number(year, month, date);
    // 1970-01-01 was a Thursday.
    let weekday =
        usize::try_from((days + 3).rem_euclid(7)).ok().and_then(|index| DAYS.get(index)).unwrap_or(&"");
    format!("{weekday} {date} {} {year}", month_name(month))
}

/// `6:47`, hours and minutes between two RFC 3339 times.
pub fn lasted(from: &str, to: &str) -> String {
    let (Ok(from), Ok(to)) = (takst_engine::input::instant(from), takst_engine::input::instant(to)) else {
        return String::new();
    };
    let minutes = (to.0 - from.0) / 60_000;
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(long_date("2023-09-25T09:09:44+03:00"), "Mon 25 Sep 2023");
        assert_eq!(clock("2023-09-25T09:09:44.500+03:00"), "09:09");
        assert_eq!(offset("2023-09-25T09:09:44.500+03:00"), "+03:00");
        assert_eq!(long_month("2023-10"), "October 2023");
        assert_eq!(long_month("2023-13"), "2023-13");
        assert_eq!(
            with_dates(
                "mean 17 kW of 18 kW at 2024-02-06T18:00:00+02:00, 16 kW at 2024-02-07T18:00:00+02:00"
            ),
            "mean 17 kW of 18 kW at Tue 6 Feb 2024, 18:00, 16 kW at Wed 7 Feb 2024, 18:00"
        );
        assert_eq!(hours("2025-10-26T01:00:00+02:00", "2025-10-26T01:00:59.900+02:00"), "59 s");
        assert_eq!(hours("2025-10-26T01:00:00+02:00", "2025-10-26T01:01:59+02:00"), "1 min");
        assert_eq!(lasted("2025-10-26T01:00:00+02:00", "2025-10-26T03:00:00+01:00"), "3:00");
    }
}
