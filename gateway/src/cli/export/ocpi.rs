//! `takst export ocpi`.

use super::ocpp21::{indented, refused};
use crate::cli::failure::{Exit, Failure};
use crate::cli::out::Out;
use crate::cli::price::{book, pricing};
use crate::cli::tariffs;
use crate::cli::whom::{Whom, date};
use crate::clock;
use crate::exchange::ocpi::{Sent, Version, WantedOut as Wanted, export};
use clap::Args;
use std::path::PathBuf;
use takst_engine::calendar_time::LocalTime;
use takst_engine::units::Day;

/// Write a tariff as partners of OCPI take it (2.2.1 or 2.3.0)
///
/// It says the same, or it is refused with every line that OCPI has no words for: spot prices, idle fees and their grace, limits on one
/// charge, discounts, counters over several sessions, fees that are judged at plug-in. With --date and --prices a spot tariff goes out
/// with that day's prices. A group is said with --group, for a tariff over there is for whom it is given to.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst export ocpi city.tariff --party NL-ABC > tariff.json
  takst export ocpi city.tariff --group members --version 2.3.0
  takst export ocpi spot.tariff --date 2025-10-26 --prices spot-fi.json")]
pub struct Ocpi {
    /// The tariff file
    #[arg(value_name = "FILE")]
    tariff: PathBuf,
    #[command(flatten)]
    whom: Whom,
    /// The version of OCPI
    #[arg(long, value_name = "2.2.1|2.3.0", default_value = "2.2.1", value_parser = version)]
    version: Version,
    /// Country and party id of the operator, as in NL-ABC
    #[arg(long, value_name = "COUNTRY-PARTY", value_parser = party)]
    party: Option<(String, String)>,
    /// This day alone: spot prices, public holidays and yearly days can be said then
    #[arg(long, value_name = "DATE", value_parser = date, conflicts_with_all = ["from", "until"])]
    date: Option<Day>,
    /// From this day on; without it from today. What was before is left out
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<Day>,
    /// Before this day: public holidays and yearly days can be said then
    #[arg(long, value_name = "DATE", value_parser = date)]
    until: Option<Day>,
    /// Price feeds for --date; may be given more than once
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "date")]
    prices: Vec<PathBuf>,
    /// Its id over there; without it one that follows from what the tariff says
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

fn version(text: &str) -> Result<Version, String> {
    let version = Version::of(text).filter(|version| *version > Version::V211);
    version.ok_or_else(|| "it is 2.2.1 or 2.3.0".to_owned())
}

fn party(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(['*', '-', ' ']).filter(|(country, party)| {
        let plain = |text: &str| text.bytes().all(|letter| letter.is_ascii_alphanumeric());
        country.len() == 2 && (1..=3).contains(&party.len()) && plain(country) && plain(party)
    });
    let upper = |(country, party): (&str, &str)| (country.to_uppercase(), party.to_uppercase());
    parts.map(upper).ok_or_else(|| {
        "write two letters for the country and up to three for the party, as in NL-ABC".to_owned()
    })
}

impl Ocpi {
    /// Writes the tariff.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let prepared = tariffs::prepared(&self.tariff, out)?;
        let tariff = prepared.tariff();
        let facts = self.whom.facts(tariff)?;
        let now = clock::now();
        let today = || LocalTime::at(&tariff.zone, tariff.valid_from.unwrap_or(now).max(now).0).day;
        let from = self.date.or(self.from).unwrap_or_else(today);
        let until = self.date.map(|day| day.saturating_add(1)).or(self.until);
        if until.is_some_and(|until| until <= from) {
            return Err(Failure::Usage("--until: that day is not after the first one".to_owned()));
        }
        if self.id.as_ref().is_some_and(|id| id.is_empty() || id.chars().count() > 36) {
            return Err(Failure::Usage("--id: OCPI takes 1 to 36 characters".to_owned()));
        }
        let book = book(&self.prices, tariff)?;
        let pricing = pricing(&prepared, &book)?;
        let feeds = self.date.map(|_| &pricing);
        let wanted = Wanted { facts: &facts, from, until, id: self.id.as_deref(), feeds };
        let party = self.party.as_ref().map(|(country, party)| (country.as_str(), party.as_str()));
        match export(&prepared, &wanted, &Sent { version: self.version, party, updated: now }) {
            Ok(exported) => {
                if !out.json() {
                    exported.notes.iter().for_each(|note| out.hint(note));
                }
                out.line(&indented(&exported.json))?;
                Ok(Exit::Fine)
            }
            Err(wrong) => {
                refused(&wrong, out)?;
                Ok(Exit::Errors)
            }
        }
    }
}
