//! Public holidays of the four zones that random tariffs use, written down from the laws of their countries.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use chrono_tz::Tz;

/// Easter Sundays of 2009 to 2027 as published: month and day.
const EASTER: [(u32, u32); 19] = [
    (4, 12), // 2009
    (4, 4),
    (4, 24),
    (4, 8),
    (3, 31),
    (4, 20),
    (4, 5), // 2015
    (3, 27),
    (4, 16),
    (4, 1),
    (4, 21),
    (4, 12), // 2020
    (4, 4),
    (4, 17),
    (4, 9),
    (3, 31),
    (4, 20), // 2025
    (4, 5),
    (3, 28),
];

/// Days before or after Easter Sunday.
fn from_easter(date: NaiveDate) -> i64 {
    let at = usize::try_from(date.year() - 2009).expect("a year of the table");
    let (month, day) = EASTER[at];
    let easter = NaiveDate::from_ymd_opt(date.year(), month, day).unwrap();
    (date - easter).num_days()
}

/// The first such weekday from a day of the year on.
fn first_from(date: NaiveDate, weekday: Weekday, month: u32, day: u32) -> bool {
    let from = NaiveDate::from_ymd_opt(date.year(), month, day).unwrap();
    date.weekday() == weekday && date >= from && date < from + Days::new(7)
}

/// Whether a day is free by law all over the country of a zone.
#[must_use]
pub fn is_holiday(zone: Tz, date: NaiveDate) -> bool {
    const GOOD_FRIDAY: i64 = -2;
    const EASTER_DAY: i64 = 0;
    const EASTER_MONDAY: i64 = 1;
    const ASCENSION: i64 = 39;
    const WHIT_SUNDAY: i64 = 49;
    const WHIT_MONDAY: i64 = 50;
    let day = (date.month(), date.day());
    let movable = from_easter(date);
    match zone {
        Tz::Europe__Oslo => {
            [(1, 1), (5, 1), (5, 17), (12, 25), (12, 26)].contains(&day)
                || [-3, GOOD_FRIDAY, EASTER_DAY, EASTER_MONDAY, ASCENSION, WHIT_SUNDAY, WHIT_MONDAY]
                    .contains(&movable)
        }
        Tz::Europe__Helsinki => {
            [(1, 1), (1, 6), (5, 1), (12, 6), (12, 25), (12, 26)].contains(&day)
                || [GOOD_FRIDAY, EASTER_DAY, EASTER_MONDAY, ASCENSION, WHIT_SUNDAY].contains(&movable)
                // Midsummer Day and All Saints are Saturdays.
                || first_from(date, Weekday::Sat, 6, 20)
                || first_from(date, Weekday::Sat, 10, 31)
        }
        Tz::Europe__Amsterdam => {
            // The king's birthday, the day before if that is a Sunday; until 2013 the queen's on 30 April.
            let (month, birthday) = if date.year() < 2014 { (4, 30) } else { (4, 27) };
            let kings = NaiveDate::from_ymd_opt(date.year(), month, birthday).unwrap();
            let moved = kings.pred_opt().unwrap();
            let kings = if kings.weekday() == Weekday::Sun { moved } else { kings };
            [(1, 1), (12, 25), (12, 26)].contains(&day)
                || date == kings
                || day == (5, 5) && date.year() % 5 == 0
                || [EASTER_DAY, EASTER_MONDAY, ASCENSION, WHIT_SUNDAY, WHIT_MONDAY].contains(&movable)
        }
        _ => {
            [(1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2), (11, 15), (12, 25)].contains(&day)
                || movable == GOOD_FRIDAY
                || day == (11, 20) && date.year() >= 2024
        }
    }
}
