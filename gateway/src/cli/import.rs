//! `takst import`.

use super::failure::{Exit, Failure};
use super::files;
use super::out::Out;
use crate::exchange::ocpi::{Problem, Version, Wanted, import};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// Take in what other systems say
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  takst import ocpi tariff.json > partner.tariff\n  takst import ocpi tariffs.json --id 12 --time-zone Europe/Madrid"
)]
pub struct Import {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Ocpi(Ocpi),
}

/// Write the tariff file of an OCPI tariff (2.1.1, 2.2.1, 2.3.0)
///
/// The document is a tariff, a list of them, a response with them in `data`, or a CDR that carries them. What comes out costs the same,
/// or it is refused with the place in the document. Notes on standard error say which choices were made where the standard is open, and
/// which fields are not known. Lines that begin with `//` are skipped.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst import ocpi tariff.json > partner.tariff
  takst import ocpi tariffs.json --id 12 --time-zone Europe/Madrid > twelve.tariff
  curl https://example.org/ocpi/2.2.1/tariffs | takst import ocpi - --id 12")]
struct Ocpi {
    /// The JSON document; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The time zone of the tariff's locations, as in Europe/Amsterdam; without it that of its country, where there is only one
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// The version of OCPI; without it the fields tell
    #[arg(long, value_name = "2.1.1|2.2.1|2.3.0", value_parser = version)]
    version: Option<Version>,
    /// The tariff, where the document has several
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

/// A version of the command line.
pub fn version(text: &str) -> Result<Version, String> {
    Version::of(text).ok_or_else(|| "it is 2.1.1, 2.2.1 or 2.3.0".to_owned())
}

impl Import {
    /// Writes what comes in.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        match &self.what {
            What::Ocpi(ocpi) => ocpi.run(out),
        }
    }
}

impl Ocpi {
    fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let text = files::text(&self.file)?;
        let wanted =
            Wanted { version: self.version, zone: self.time_zone.as_deref(), id: self.id.as_deref() };
        let said = |problem: &Problem| json!({ "place": problem.place, "message": problem.message });
        match import(&text, &wanted) {
            Ok(imported) => {
                if out.json() {
                    let notes: Vec<_> = imported.notes.iter().map(said).collect();
                    out.document(&json!({
                        "id": imported.id,
                        "version": imported.version.text(),
                        "tariff": imported.text,
                        "notes": notes,
                    }))?;
                } else {
                    for note in &imported.notes {
                        out.hint(&note.to_string());
                    }
                    out.put(&imported.text)?;
                }
                Ok(Exit::Fine)
            }
            Err(wrong) => {
                if out.json() {
                    let errors: Vec<_> = wrong.iter().map(said).collect();
                    out.document(&json!({ "errors": errors }))?;
                } else {
                    let name = files::shown(&self.file);
                    for problem in &wrong {
                        out.at(&name, &problem.to_string());
                    }
                }
                Ok(Exit::Errors)
            }
        }
    }
}
