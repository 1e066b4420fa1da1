//! `takst export ocpp21`.

use crate::cli::failure::{Exit, Failure};
use crate::cli::out::Out;
use crate::cli::price::{book, pricing};
use crate::cli::tariffs;
use crate::cli::whom::{Whom, date};
use crate::clock;
use crate::exchange::ocpp21::{Unsayable, Wanted, export};
use crate::ocpp::tariff_json;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use takst_engine::calendar_time::LocalTime;
use takst_engine::units::Day;

/// Write a tariff as a charger of OCPP 2.1 takes it (TariffType, as in SetDefaultTariff)
///
/// It says the same, or it is refused with every line that OCPP 2.1 has no words for: spot prices (but for one day, with --date and --prices), limits on one
/// charge, discounts,
/// steps, counters over several sessions. Prices are without tax, with at most 12 decimals where they had to be divided. An unknown
/// plug becomes a condition (AC or DC). Idle fee and parking time both are its time without charging. Coupons and charges of the
/// month are not a charger's business.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst export ocpp21 city.tariff > tariff.json
  takst export ocpp21 city.tariff --group members --plug DC
  takst export ocpp21 city.tariff --date 2026-12-24
  takst export ocpp21 spot.tariff --date 2025-10-26 --prices spot-fi.json")]
pub struct Ocpp21 {
    /// The tariff file
    #[arg(value_name = "FILE")]
    tariff: PathBuf,
    #[command(flatten)]
    whom: Whom,
    /// This day alone: spot prices, public holidays and yearly days can be said then
    #[arg(long, value_name = "DATE", value_parser = date, conflicts_with_all = ["from", "until"])]
    date: Option<Day>,
    /// Price feeds for --date; may be given more than once
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "date")]
    prices: Vec<PathBuf>,
    /// From this day on; without it from today. What was before is left out
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<Day>,
    /// Before this day: public holidays and yearly days can be said then
    #[arg(long, value_name = "DATE", value_parser = date)]
    until: Option<Day>,
    /// Its id over there; without it one that follows from what the tariff says
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

impl Ocpp21 {
    /// Writes the tariff.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let prepared = tariffs::prepared(&self.tariff, out)?;
        let tariff = prepared.tariff();
        let facts = self.whom.facts(tariff)?;
        let today = || {
            let now = clock::now();
            LocalTime::at(&tariff.zone, tariff.valid_from.unwrap_or(now).max(now).0).day
        };
        let from = self.date.or(self.from).unwrap_or_else(today);
        let until = self.date.map(|day| day.saturating_add(1)).or(self.until);
        if until.is_some_and(|until| until <= from) {
            return Err(Failure::Usage("--until: that day is not after the first one".to_owned()));
        }
        if self.id.as_ref().is_some_and(|id| id.is_empty() || id.chars().count() > 60) {
            return Err(Failure::Usage("--id: OCPP 2.1 takes 1 to 60 characters".to_owned()));
        }
        let book = book(&self.prices, tariff)?;
        let pricing = pricing(&prepared, &book)?;
        let feeds = self.date.map(|_| &pricing);
        let wanted = Wanted { facts: &facts, from, until, id: self.id.as_deref(), feeds };
        match export(&prepared, &wanted) {
            Ok(document) => {
                let text = tariff_json(&document).map_err(|error| Failure::Input(error.to_string()))?;
                out.line(&indented(&text))?;
                Ok(Exit::Fine)
            }
            Err(wrong) => {
                refused(&wrong, out)?;
                Ok(Exit::Errors)
            }
        }
    }
}

/// Shows every line that cannot be said.
pub(super) fn refused(wrong: &[Unsayable], out: &mut Out) -> Result<(), Failure> {
    if out.json() {
        let one =
            |error: &Unsayable| json!({ "place": error.place, "line": error.line, "message": error.why });
        return out.document(&json!({ "errors": wrong.iter().map(one).collect::<Vec<_>>() }));
    }
    for error in wrong {
        out.at(&error.place, &format!("`{}`: {}", error.line, error.why));
    }
    Ok(())
}

/// Compact JSON over several lines, with fields and digits as they are.
pub(super) fn indented(compact: &str) -> String {
    let (mut text, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    for sign in compact.chars() {
        if quoted {
            text.push(sign);
            quoted = escaped || sign != '"';
            escaped = !escaped && sign == '\\';
            continue;
        }
        match sign {
            '{' | '[' => {
                depth += 1;
                text.push(sign);
                line(&mut text, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(sign);
            }
            ',' => {
                text.push(sign);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => {
                quoted = sign == '"';
                text.push(sign);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::indented;

    #[test]
    fn fields_and_digits_stay_as_they_are() {
        let text = indented(r#"{"b":[0.10,{"a":"x\"},:"}],"a":"\\"}"#);
        assert_eq!(
            text,
            "{\n  \"b\": [\n    0.10,\n    {\n      \"a\": \"x\\\"},:\"\n    }\n  ],\n  \"a\": \"\\\\\"\n}"
        );
    }
}
