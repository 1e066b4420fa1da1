//! `takst export`.

mod ocpi;
mod ocpp21;

use super::Format as OutFormat;
use super::failure::{Exit, Failure};
use super::files;
use super::layout::count;
use super::out::Out;
use super::place::{self, Place};
use super::stream::Progress;
use crate::export::{ExportError, Follow, Format, Wanted, Zones, sessions};
use crate::store::ExportFilter;
use chrono::{NaiveDate, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, IsTerminal as _};
use std::path::{Path, PathBuf};
use takst_engine::input;
use takst_engine::units::Instant;

/// Take data out for other programs
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  takst export sessions --from 2026-03-01 --until 2026-04-01 --output march.csv\n  takst export ocpi city.tariff\n  takst export ocpp21 city.tariff"
)]
pub struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Sessions(Sessions),
    Ocpi(ocpi::Ocpi),
    Ocpp21(ocpp21::Ocpp21),
}

/// Take out sessions, oldest first
///
/// As jsonl each line is the document of a session, with all its readings, as `takst price --session` and `takst diff --sessions` read
/// it. csv and parquet are tables: a row for each session, with its energy, the number of its bill and what it came to. Works beside
/// a running gateway, in the same small memory however many sessions there are.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst export sessions --output all.jsonl
  takst export sessions --from 2026-03-01 -o march.csv
  takst export sessions --site otakaari-5 --from 2026-03-01 --until 2026-04-01 --format csv > march.csv
  takst price new.tariff --session all.jsonl")]
struct Sessions {
    #[command(flatten)]
    place: Place,
    /// Plugged in at this time or later: a date, or a time such as 2026-03-01T06:00:00+02:00
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Plugged in before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Of this site
    #[arg(long, value_name = "ID")]
    site: Option<String>,
    /// Of this charger
    #[arg(long, value_name = "ID")]
    charger: Option<String>,
    /// Of this organisation, where the database holds more than one
    #[arg(long, value_name = "ID")]
    org: Option<String>,
    /// What to write; without it the ending of the file tells, otherwise jsonl
    #[arg(long, value_name = "jsonl|csv|parquet", value_parser = format)]
    format: Option<OutFormat>,
    /// Into this file; without it to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn format(word: &str) -> Result<OutFormat, String> {
    match word {
        "jsonl" => Ok(OutFormat::Jsonl),
        "csv" => Ok(OutFormat::Csv),
        "parquet" => Ok(OutFormat::Parquet),
        _ => Err("it is jsonl, csv or parquet".to_owned()),
    }
}

impl Export {
    /// Writes what is wanted.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        match &self.what {
            What::Sessions(sessions) => sessions.run(out),
            What::Ocpi(tariff) => tariff.run(out),
            What::Ocpp21(tariff) => tariff.run(out),
        }
    }
}

/// A time of the command line: a date begins on the clock of the organisation.
fn time(text: &str, zone: Tz) -> Result<Instant, Failure> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        let local = zone.from_local_datetime(&date.and_time(NaiveTime::MIN));
        // Where a day begins an hour late, it begins with the first minute there is.
        let begins = local.earliest().or_else(|| {
            let later = date.and_time(NaiveTime::from_hms_opt(1, 0, 0)?);
            zone.from_local_datetime(&later).earliest()
        });
        if let Some(begins) = begins {
            return Ok(Instant(begins.timestamp_millis()));
        }
    }
    input::instant(text).map_err(|error| {
        Failure::Usage(format!(
            "{error}; write a date such as 2026-03-01, or a time such as 2026-03-01T06:00:00Z"
        ))
    })
}

impl Sessions {
    fn format(&self) -> Format {
        match self.format {
            Some(OutFormat::Csv) => return Format::Csv,
            Some(OutFormat::Parquet) => return Format::Parquet,
            Some(_) => return Format::Jsonl,
            None => {}
        }
        let ending = self.output.as_ref().and_then(|path| path.extension());
        match ending.map(|ending| ending.to_ascii_lowercase()) {
            Some(ending) if ending == "csv" => Format::Csv,
            Some(ending) if ending == "parquet" => Format::Parquet,
            _ => Format::Jsonl,
        }
    }

    fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let format = self.format();
        if format == Format::Parquet && self.output.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "a Parquet file is nothing for a terminal; name a file with --output".to_owned(),
            ));
        }
        place::run(async {
            let store = self.place.reader().await?;
            let org = place::organisation(&store, self.org.as_deref()).await?;
            let org = org.ok_or_else(|| place::no_organisation(self.org.as_deref()))?;
            let zones = Zones::read(&store, &org).await.map_err(|error| place::broken(&error))?;
            let at = |text: &Option<String>| {
                text.as_deref().map(|text| time(text, zones.organisation())).transpose()
            };
            let filter = ExportFilter {
                from: at(&self.from)?,
                until: at(&self.until)?,
                site: self.site.clone(),
                charger: self.charger.clone(),
            };
            let wanted = Wanted { org: &org, filter: &filter, zones: &zones };
            let mut told = Told { out, progress: Progress::new("sessions"), left_out: 0 };
            let output = self.output.as_deref().filter(|path| !files::is_stdin(path));
            let written = match output {
                Some(path) => {
                    let (part, file) = create(path)?;
                    match sessions(&store, &wanted, format, BufWriter::new(&file), &mut told).await {
                        Ok(written) => keep(&part, &file, path).map(|()| written),
                        Err(error) => {
                            let _ = std::fs::remove_file(&part);
                            Err(stopped(&error, &path.display().to_string()))
                        }
                    }
                }
                None => {
                    let to = BufWriter::with_capacity(1 << 16, std::io::stdout());
                    match sessions(&store, &wanted, format, to, &mut told).await {
                        // The reader has seen enough (`| head`).
                        Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {
                            return Ok(Exit::Fine);
                        }
                        done => done.map_err(|error| stopped(&error, "standard output")),
                    }
                }
            };
            told.progress.clear();
            let written = usize::try_from(written?).unwrap_or(usize::MAX);
            let left_out = told.left_out;
            if let Some(path) = output {
                out.message(&format!("{} in {}", count(written, "session"), path.display()));
            }
            store.close().await;
            if left_out > 0 {
                out.message(&format!("{} left out, see above", count(left_out, "session")));
                return Ok(Exit::Errors);
            }
            Ok(Exit::Fine)
        })
    }
}

fn stopped(error: &ExportError, to: &str) -> Failure {
    match error {
        ExportError::Store(error) => place::broken(error),
        ExportError::Write(error) => Failure::Io(format!("{to} cannot be written: {error}")),
    }
}

/// A file beside `path`; only when it is whole it gets the name.
fn create(path: &Path) -> Result<(PathBuf, File), Failure> {
    let mut part = path.to_path_buf().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = File::create(&part)
        .map_err(|error| Failure::Io(format!("{} cannot be written: {error}", path.display())))?;
    Ok((part, file))
}

fn keep(part: &Path, file: &File, path: &Path) -> Result<(), Failure> {
    let done = file.sync_all().and_then(|()| std::fs::rename(part, path));
    done.map_err(|error| Failure::Io(format!("{} cannot be written: {error}", path.display())))
}

struct Told<'a> {
    out: &'a mut Out,
    progress: Progress,
    left_out: usize,
}

impl Follow for Told<'_> {
    fn at(&mut self, written: u64) {
        self.progress.at(written);
    }

    fn left_out(&mut self, session: &str, why: &str) {
        self.progress.clear();
        self.left_out += 1;
        // The reason names the session already.
        let _ = session;
        self.out.message(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_begins_on_the_clock_of_the_organisation() {
        let at = |text: &str, zone: Tz| time(text, zone).map(takst_engine::calendar_time::utc_text).ok();
        assert_eq!(at("2026-03-01", Tz::Europe__Helsinki).as_deref(), Some("2026-02-28T22:00:00Z"));
        assert_eq!(at("2026-03-01T06:00:00+02:00", Tz::UTC).as_deref(), Some("2026-03-01T04:00:00Z"));
        // Here clocks went from 00:00 to 01:00.
        assert_eq!(at("2018-11-04", Tz::America__Sao_Paulo).as_deref(), Some("2018-11-04T03:00:00Z"));
        for text in ["", "yesterday", "2026-02-30", "2026-03-01 06:00"] {
            assert_eq!(at(text, Tz::UTC), None, "{text}");
        }
    }
}
