//! Public holidays by country, worked out from the law of each: whole days that are free by statute.
//!
//! Not among them: ordinary Sundays, half days (24 December in Iceland), days free by custom or collective agreement
//! (Christmas Eve in Sweden), and days that only some municipalities have. Operators add those by hand:
//! `period free-days: public holidays, 15 Aug`.

mod rules;

use rules::{Rule, When};
use std::ops::RangeInclusive;
use takst_engine::calendar::{day_number, weekday};
use takst_engine::units::Day;

/// The years for which a tariff needs them: the engine's calendar and the day before it.
pub const YEARS: RangeInclusive<i32> = 1999..=2099;

/// Every region that has rules: its code and its English name.
#[must_use]
pub fn regions() -> &'static [(&'static str, &'static str)] {
    &[
        ("AT", "Austria"),
        ("BE", "Belgium"),
        ("BR", "Brazil (national)"),
        ("DE-ALL", "Germany: only what all states share"),
        ("DE-BB", "Brandenburg"),
        ("DE-BE", "Berlin"),
        ("DE-BW", "Baden-Württemberg"),
        ("DE-BY", "Bavaria"),
        ("DE-HB", "Bremen"),
        ("DE-HE", "Hesse"),
        ("DE-HH", "Hamburg"),
        ("DE-MV", "Mecklenburg-Western Pomerania"),
        ("DE-NI", "Lower Saxony"),
        ("DE-NW", "North Rhine-Westphalia"),
        ("DE-RP", "Rhineland-Palatinate"),
        ("DE-SH", "Schleswig-Holstein"),
        ("DE-SL", "Saarland"),
        ("DE-SN", "Saxony"),
        ("DE-ST", "Saxony-Anhalt"),
        ("DE-TH", "Thuringia"),
        ("DK", "Denmark"),
        ("EE", "Estonia"),
        ("FI", "Finland"),
        ("FR", "France (without Alsace and Moselle)"),
        ("IS", "Iceland"),
        ("LU", "Luxembourg"),
        ("NL", "Netherlands"),
        ("NO", "Norway"),
        ("PL", "Poland"),
        ("SE", "Sweden"),
    ]
}

/// The region whose rules hold everywhere in a time zone. `None` for Germany, where they differ by state.
#[must_use]
pub fn region_of_zone(zone: &str) -> Option<&'static str> {
    Some(match zone {
        "Europe/Vienna" => "AT",
        "Europe/Brussels" => "BE",
        "America/Araguaina"
        | "America/Bahia"
        | "America/Belem"
        | "America/Boa_Vista"
        | "America/Campo_Grande"
        | "America/Cuiaba"
        | "America/Eirunepe"
        | "America/Fortaleza"
        | "America/Maceio"
        | "America/Manaus"
        | "America/Noronha"
        | "America/Porto_Velho"
        | "America/Recife"
        | "America/Rio_Branco"
        | "America/Santarem"
        | "America/Sao_Paulo" => "BR",
        "Europe/Copenhagen" => "DK",
        "Europe/Tallinn" => "EE",
        "Europe/Helsinki" => "FI",
        "Europe/Paris" => "FR",
        "Atlantic/Reykjavik" => "IS",
        "Europe/Luxembourg" => "LU",
        "Europe/Amsterdam" => "NL",
        "Europe/Oslo" | "Arctic/Longyearbyen" => "NO",
        "Europe/Warsaw" => "PL",
        "Europe/Stockholm" => "SE",
        _ => return None,
    })
}

/// The public holidays of some years, ascending. `None` when the region has no rules; `DE` alone has none, because
/// they differ by state (the codes that start with `DE-`).
#[must_use]
pub fn public_holidays(region: &str, years: RangeInclusive<i32>) -> Option<Vec<Day>> {
    let mut days: Vec<Day> = named(region, years)?.into_iter().map(|(day, _)| day).collect();
    days.dedup();
    Some(days)
}

/// The public holidays of some years with their names, ascending. Two may fall on one day.
#[must_use]
pub fn named(region: &str, years: RangeInclusive<i32>) -> Option<Vec<(Day, &'static str)>> {
    let rules = rules::of(region)?;
    let mut days = Vec::new();
    // The Gregorian calendar, and no more years than anybody prices.
    for year in (*years.start()).max(1900)..=(*years.end()).min(2200) {
        let valid = rules.iter().flat_map(|it| it.iter()).filter(|it| it.years.contains(&year));
        days.extend(valid.filter_map(|it| Some((date(it, year)?, it.name))));
    }
    days.sort_unstable();
    Some(days)
}

fn date(rule: &Rule, year: i32) -> Option<Day> {
    Some(match rule.when {
        When::On(month, of_month) => day_number(year, month, of_month),
        When::NotSunday(month, of_month) => {
            let day = day_number(year, month, of_month);
            if weekday(day) == 6 { day - 1 } else { day }
        }
        When::EveryFifthYear(month, of_month) => {
            (year % 5 == 0).then(|| day_number(year, month, of_month))?
        }
        When::Easter(offset) => easter_sunday(year) + offset,
        When::FirstFrom(on, month, of_month) => {
            let first = day_number(year, month, of_month);
            first + i32::from((7 + on - weekday(first)) % 7)
        }
    })
}

/// Easter Sunday of a year of the Gregorian calendar.
#[must_use]
pub fn easter_sunday(year: i32) -> Day {
    // The church's full moon: the epact of the 19-year cycle, corrected for left-out leap days and the moon's drift.
    let century = year.div_euclid(100);
    let golden = year.rem_euclid(19);
    let drift = century - century / 4 - (8 * century + 13) / 25;
    let epact = (19 * golden + drift + 15).rem_euclid(30);
    let late = epact == 29 || epact == 28 && golden > 10;
    let full_moon = day_number(year, 3, 21) + epact - i32::from(late);
    // The Sunday after it.
    full_moon + 7 - i32::from((weekday(full_moon) + 1) % 7)
}

#[cfg(test)]
mod tests;
