//! A price list of 1,000 lines, as a large operator might keep: places, periods, dated parts, groups.

use std::fmt::Write as _;

/// Exactly 1,000 lines without an error or a warning.
pub fn long_list() -> String {
    let mut text = String::from(
        "tariff \"Long list\"
  currency: EUR
  time zone: Europe/Amsterdam
  prices: excluding VAT

VAT:
  19%  until 2018-12-31
  21%  from 2019-01-01

groups: members, employees, everyone else guests

period night: 22:00-06:00
period work: Mon-Fri 07:00-17:00 except public holidays

start fee: 0.50 EUR/session

idle fee after 15 min, at most 20.00 EUR/day:
  0.05 EUR/min  during 08:00-23:00
  free          otherwise
",
    );
    for place in 0..PLACES {
        let _ = write!(text, "\nchargers place-{place}: \"NL-{place}-1\", \"NL-{place}-2\"\n");
    }
    for part in 0..PARTS {
        let _ = write!(
            text,
            "
price part-{part}:
  0.0{:03} EUR/kWh  during Jan-Mar Mon-Fri 06:00-22:00
  0.0{:03} EUR/kWh  during Sat-Sun
  0.0{:03} EUR/kWh  until 2025-12-31
  0.0{:03} EUR/kWh  otherwise
",
            part + 104,
            part + 103,
            part + 102,
            part + 101
        );
    }
    text.push_str("\nenergy:\n");
    for place in 0..PLACES {
        let part = place % PARTS;
        let _ = write!(
            text,
            "  free  for employees at place-{place} during work
  0.{:03} EUR/kWh + part-{part}  for members at place-{place} during night
  0.{:03} EUR/kWh + part-{part}  for members at place-{place}
  0.{:03} EUR/kWh  at place-{place} during night
  0.{:03} EUR/kWh  at place-{place}
",
            place + 200,
            place + 240,
            place + 400,
            place + 440
        );
    }
    text.push_str("  0.59 EUR/kWh  otherwise\n");
    let mut number = 0;
    loop {
        let left = LINES.saturating_sub(text.lines().count());
        if left < 7 {
            text.extend(std::iter::repeat_n("# the end\n", left));
            return text;
        }
        number += 1;
        let _ = write!(
            text,
            "
test \"case {number}\"
  driver in members
  at charger \"NL-{}-1\"
  charge {number} kWh on AC from 2025-07-07 16:00 to 18:00
  idle until 19:00
  expect start fee 0.50 EUR
",
            number % PLACES
        );
    }
}

const LINES: usize = 1_000;
const PLACES: usize = 60;
const PARTS: usize = 40;
