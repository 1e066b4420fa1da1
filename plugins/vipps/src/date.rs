//! Days on Norway's clock.

use takst_plugin_sdk::clock;

const DAY_MS: i64 = 86_400_000;

/// The day so many days after today, "2026-03-29".
pub fn in_days(days: i64) -> String {
    let now = clock::now();
    let ahead = clock::offset(now, "Europe/Oslo").map_or(0, i64::from);
    day(now.saturating_add(ahead.saturating_mul(1_000)).div_euclid(DAY_MS).saturating_add(days))
}

/// A day by its number since 1970-01-01, in the Gregorian calendar: counted in eras of 400 years that begin on 1 March.
fn day(number: i64) -> String {
    let shifted = number + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::testing;

    #[test]
    fn days_have_their_dates() {
        for (number, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (19_782, "2024-02-29"),
            (20_512, "2026-02-28"),
            (20_513, "2026-03-01"),
            (47_541, "2100-03-01"),
            (47_540, "2100-02-28"),
        ] {
            assert_eq!(day(number), date);
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_norway() {
        testing::reset();
        // 2026-07-01T22:00:00Z: the second of July there.
        testing::set_clock(1_782_943_200_000);
        assert_eq!((in_days(0), in_days(30)), ("2026-07-02".to_owned(), "2026-08-01".to_owned()));
        testing::set_clock(1_782_943_199_999);
        assert_eq!(in_days(0), "2026-07-01");
    }
}
