//! Whose clock the days of a price area follow.

use chrono_tz::{Europe, Tz};

/// By the two letters that an area's name begins with; countries with one clock.
const CLOCKS: [(&str, Tz); 30] = [
    ("AT", Europe::Vienna),
    ("BE", Europe::Brussels),
    ("BG", Europe::Sofia),
    ("CH", Europe::Zurich),
    ("CZ", Europe::Prague),
    ("DE", Europe::Berlin),
    ("DK", Europe::Copenhagen),
    ("EE", Europe::Tallinn),
    ("ES", Europe::Madrid),
    ("FI", Europe::Helsinki),
    ("FR", Europe::Paris),
    ("GB", Europe::London),
    ("GR", Europe::Athens),
    ("HR", Europe::Zagreb),
    ("HU", Europe::Budapest),
    ("IE", Europe::Dublin),
    ("IT", Europe::Rome),
    ("LT", Europe::Vilnius),
    ("LU", Europe::Luxembourg),
    ("LV", Europe::Riga),
    ("NL", Europe::Amsterdam),
    ("NO", Europe::Oslo),
    ("PL", Europe::Warsaw),
    ("PT", Europe::Lisbon),
    ("RO", Europe::Bucharest),
    ("RS", Europe::Belgrade),
    ("SE", Europe::Stockholm),
    ("SI", Europe::Ljubljana),
    ("SK", Europe::Bratislava),
    ("UK", Europe::London),
];

/// The clock of an area: `NO1`, `FI`, `DE-LU`; none for one that is not named after its country.
#[must_use]
pub fn clock_of(area: &str) -> Option<Tz> {
    let (country, rest) = area.split_at_checked(2)?;
    // `NORTH` is not Norway.
    if rest.starts_with(|letter: char| letter.is_alphabetic()) {
        return None;
    }
    CLOCKS.iter().find(|(known, _)| known.eq_ignore_ascii_case(country)).map(|(_, zone)| *zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_follow_the_clock_of_their_country() {
        let name = |area| clock_of(area).map(Tz::name);
        assert_eq!(name("NO1"), Some("Europe/Oslo"));
        assert_eq!(name("fi"), Some("Europe/Helsinki"));
        assert_eq!(name("DE-LU"), Some("Europe/Berlin"));
        for other in ["", "N", "NORTH", "GER", "\u{e9}\u{e9}"] {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
