#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use takst_engine::calendar::civil;

fn text(day: Day) -> String {
    let (_, month, of_month) = civil(day);
    format!("{month:02}-{of_month:02}")
}

/// The whole year, as `MM-DD` words.
fn year_is(region: &str, year: i32, days: &str) {
    let found: Vec<String> = public_holidays(region, year..=year).unwrap().into_iter().map(text).collect();
    assert_eq!(found.join(" "), days, "{region} {year}");
}

fn has(region: &str, year: i32, month: u8, of_month: u8) -> bool {
    public_holidays(region, year..=year).unwrap().contains(&day_number(year, month, of_month))
}

#[test]
fn easter_falls_on_known_dates() {
    let known = [
        (1818, 3, 22),
        (1943, 4, 25),
        (1954, 4, 18),
        (1961, 4, 2),
        (1981, 4, 19),
        (1999, 4, 4),
        (2000, 4, 23),
        (2001, 4, 15),
        (2008, 3, 23),
        (2011, 4, 24),
        (2016, 3, 27),
        (2018, 4, 1),
        (2019, 4, 21),
        (2020, 4, 12),
        (2021, 4, 4),
        (2022, 4, 17),
        (2023, 4, 9),
        (2024, 3, 31),
        (2025, 4, 20),
        (2026, 4, 5),
        (2027, 3, 28),
        (2028, 4, 16),
        (2029, 4, 1),
        (2030, 4, 21),
        (2038, 4, 25),
        (2049, 4, 18),
        (2076, 4, 19),
        (2099, 4, 12),
        (2285, 3, 22),
    ];
    for (year, month, day) in known {
        assert_eq!(easter_sunday(year), day_number(year, month, day), "{year}");
    }
    for year in 1900..=2200 {
        let (_, month, day) = civil(easter_sunday(year));
        assert_eq!(weekday(easter_sunday(year)), 6);
        assert!((month == 3 && day >= 22) || (month == 4 && day <= 25), "{year}");
    }
}

#[test]
fn whole_years_of_the_nordic_countries() {
    year_is("NO", 2024, "01-01 03-28 03-29 03-31 04-01 05-01 05-09 05-17 05-19 05-20 12-25 12-26");
    year_is("NO", 2025, "01-01 04-17 04-18 04-20 04-21 05-01 05-17 05-29 06-08 06-09 12-25 12-26");
    // Ascension Day on 1 May.
    year_is("NO", 2008, "01-01 03-20 03-21 03-23 03-24 05-01 05-11 05-12 05-17 12-25 12-26");
    year_is("SE", 2025, "01-01 01-06 04-18 04-20 04-21 05-01 05-29 06-06 06-08 06-21 11-01 12-25 12-26");
    year_is("SE", 2004, "01-01 01-06 04-09 04-11 04-12 05-01 05-20 05-30 05-31 06-26 11-06 12-25 12-26");
    year_is("SE", 2005, "01-01 01-06 03-25 03-27 03-28 05-01 05-05 05-15 06-06 06-25 11-05 12-25 12-26");
    year_is("FI", 2025, "01-01 01-06 04-18 04-20 04-21 05-01 05-29 06-08 06-21 11-01 12-06 12-25 12-26");
    year_is("DK", 2023, "01-01 04-06 04-07 04-09 04-10 05-05 05-18 05-28 05-29 12-25 12-26");
    year_is("DK", 2024, "01-01 03-28 03-29 03-31 04-01 05-09 05-19 05-20 12-25 12-26");
    year_is(
        "IS",
        2025,
        "01-01 04-17 04-18 04-20 04-21 04-24 05-01 05-29 06-08 06-09 06-17 08-04 12-25 12-26",
    );
    year_is("EE", 2025, "01-01 02-24 04-18 04-20 05-01 06-08 06-23 06-24 08-20 12-24 12-25 12-26");
}

#[test]
fn whole_years_of_the_low_countries_france_and_brazil() {
    year_is("NL", 2024, "01-01 03-31 04-01 04-27 05-09 05-19 05-20 12-25 12-26");
    // 27 April 2025 is a Sunday; every fifth year has Liberation Day.
    year_is("NL", 2025, "01-01 04-20 04-21 04-26 05-05 05-29 06-08 06-09 12-25 12-26");
    year_is("NL", 2013, "01-01 03-31 04-01 04-30 05-09 05-19 05-20 12-25 12-26");
    assert!(has("NL", 2006, 4, 29) && !has("NL", 2006, 4, 30));
    year_is("BE", 2025, "01-01 04-21 05-01 05-29 06-09 07-21 08-15 11-01 11-11 12-25");
    year_is("LU", 2025, "01-01 04-21 05-01 05-09 05-29 06-09 06-23 08-15 11-01 12-25 12-26");
    year_is("FR", 2025, "01-01 04-21 05-01 05-08 05-29 06-09 07-14 08-15 11-01 11-11 12-25");
    year_is("BR", 2023, "01-01 04-07 04-21 05-01 09-07 10-12 11-02 11-15 12-25");
    year_is("BR", 2025, "01-01 04-18 04-21 05-01 09-07 10-12 11-02 11-15 11-20 12-25");
}

#[test]
fn whole_years_of_central_europe() {
    year_is("AT", 2025, "01-01 01-06 04-21 05-01 05-29 06-09 06-19 08-15 10-26 11-01 12-08 12-25 12-26");
    year_is(
        "PL",
        2018,
        "01-01 01-06 04-01 04-02 05-01 05-03 05-20 05-31 08-15 11-01 11-11 11-12 12-25 12-26",
    );
    year_is(
        "PL",
        2025,
        "01-01 01-06 04-20 04-21 05-01 05-03 06-08 06-19 08-15 11-01 11-11 12-24 12-25 12-26",
    );
    let shared = "01-01 04-18 04-21 05-01 05-29 06-09 10-03 12-25 12-26";
    year_is("DE-ALL", 2025, shared);
    year_is("DE-ALL", 2017, "01-01 04-14 04-17 05-01 05-25 06-05 10-03 10-31 12-25 12-26");
    let north = "01-01 04-18 04-21 05-01 05-29 06-09 10-03 10-31 12-25 12-26";
    for state in ["DE-HB", "DE-HH", "DE-NI", "DE-SH"] {
        year_is(state, 2025, north);
        assert!(has(state, 2017, 10, 31) && !has(state, 2016, 10, 31));
    }
    year_is("DE-BW", 2025, "01-01 01-06 04-18 04-21 05-01 05-29 06-09 06-19 10-03 11-01 12-25 12-26");
    year_is("DE-BY", 2025, "01-01 01-06 04-18 04-21 05-01 05-29 06-09 06-19 10-03 11-01 12-25 12-26");
    year_is("DE-HE", 2025, "01-01 04-18 04-21 05-01 05-29 06-09 06-19 10-03 12-25 12-26");
    year_is("DE-NW", 2025, "01-01 04-18 04-21 05-01 05-29 06-09 06-19 10-03 11-01 12-25 12-26");
    year_is("DE-RP", 2025, "01-01 04-18 04-21 05-01 05-29 06-09 06-19 10-03 11-01 12-25 12-26");
    year_is("DE-SL", 2025, "01-01 04-18 04-21 05-01 05-29 06-09 06-19 08-15 10-03 11-01 12-25 12-26");
    year_is("DE-SN", 2025, "01-01 04-18 04-21 05-01 05-29 06-09 10-03 10-31 11-19 12-25 12-26");
    year_is("DE-ST", 2025, "01-01 01-06 04-18 04-21 05-01 05-29 06-09 10-03 10-31 12-25 12-26");
    year_is("DE-TH", 2025, "01-01 04-18 04-21 05-01 05-29 06-09 09-20 10-03 10-31 12-25 12-26");
    year_is("DE-MV", 2025, "01-01 03-08 04-18 04-21 05-01 05-29 06-09 10-03 10-31 12-25 12-26");
    year_is("DE-BB", 2025, "01-01 04-18 04-20 04-21 05-01 05-29 06-08 06-09 10-03 10-31 12-25 12-26");
    year_is("DE-BE", 2025, "01-01 03-08 04-18 04-21 05-01 05-08 05-29 06-09 10-03 12-25 12-26");
    year_is("DE-BE", 2018, "01-01 03-30 04-02 05-01 05-10 05-21 10-03 12-25 12-26");
}

#[test]
fn days_changed_with_the_law() {
    assert!(has("DE-BE", 2020, 5, 8) && has("DE-BE", 2028, 6, 17) && !has("DE-BE", 2021, 5, 8));
    assert!(has("DE-BE", 2019, 3, 8) && !has("DE-BB", 2019, 3, 8));
    assert!(has("DE-MV", 2023, 3, 8) && !has("DE-MV", 2022, 3, 8));
    assert!(has("DE-TH", 2019, 9, 20) && !has("DE-TH", 2018, 9, 20));
    assert!(has("DE-BY", 2017, 10, 31) && !has("DE-BY", 2018, 10, 31));
    // The Wednesday before 23 November, also when that is a Wednesday itself.
    assert!(has("DE-SN", 2022, 11, 16) && !has("DE-SN", 2022, 11, 23) && has("DE-SN", 2023, 11, 22));
    assert!(has("BR", 2024, 11, 20) && !has("BR", 2023, 11, 20));
    assert!(has("LU", 2019, 5, 9) && !has("LU", 2018, 5, 9));
    assert!(has("PL", 2011, 1, 6) && !has("PL", 2010, 1, 6) && !has("PL", 2024, 12, 24));
    assert!(has("EE", 2005, 12, 24) && !has("EE", 2004, 12, 24));
}

#[test]
fn every_region_has_rules_and_every_zone_a_region() {
    let codes: Vec<&str> = regions().iter().map(|(code, _)| *code).collect();
    assert!(codes.is_sorted());
    for code in &codes {
        let days = public_holidays(code, YEARS).unwrap();
        assert!(days.is_sorted_by(|a, b| a < b), "{code}");
        assert!(days.len() >= 101 * 8, "{code}");
    }
    assert_eq!(public_holidays("DE", YEARS), None);
    assert_eq!(public_holidays("no", YEARS), None);
    assert_eq!(
        public_holidays("NO", i32::MIN..=i32::MAX).unwrap().len(),
        public_holidays("NO", 1900..=2200).unwrap().len()
    );
    for zone in chrono_tz::TZ_VARIANTS {
        if let Some(region) = region_of_zone(zone.name()) {
            assert!(codes.contains(&region));
        }
    }
    assert_eq!(region_of_zone("Europe/Oslo"), Some("NO"));
    assert_eq!(region_of_zone("America/Sao_Paulo"), Some("BR"));
    assert_eq!(region_of_zone("Europe/Berlin"), None);
}
