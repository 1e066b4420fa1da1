//! A partner's tariff as a tariff file.

mod names;
mod notes;
mod page;
mod total;
mod validity;
mod vat;

use super::country;
use super::json::At;
use super::lines::{Charge, Line, charges};
use super::tariff::{Tariff, document, id_of, tariff, tariffs, version_of};
use super::{Problem, Version};
use chrono_tz::Tz;
use page::Origin;
use takst_dsl::compile::{SourceFile, compile};
use takst_dsl::diagnostic::{Diagnostic, Severity};
use takst_dsl::format::format;

/// Which tariff is wanted, and what its document does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The version; none: as its fields tell.
    pub version: Option<Version>,
    /// IANA name of the time zone of its locations; none: that of its country, where there is one.
    pub zone: Option<&'a str>,
    /// The id, where the document has several tariffs.
    pub id: Option<&'a str>,
}

/// A tariff file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its text, laid out.
    pub text: String,
    /// The id over there.
    pub id: String,
    /// The version it was read as.
    pub version: Version,
    /// What a person should know: choices that were made, fields that are not known.
    pub notes: Vec<Problem>,
}

/// Makes a tariff file of an OCPI tariff.
///
/// # Errors
/// Everything that cannot be read, or cannot be said in a tariff file, with its place in the document.
pub fn import(text: &str, wanted: &Wanted<'_>) -> Result<Imported, Vec<Problem>> {
    let alone = |problem: Problem| vec![problem];
    let root = document(text).map_err(alone)?;
    let all = tariffs(&root).map_err(alone)?;
    let at = pick(&all, wanted.id).map_err(alone)?;
    let version = wanted.version.unwrap_or_else(|| version_of(at.node));
    let (mut notes, mut wrong) = (Vec::new(), Vec::new());
    let tariff = tariff(at, version, &mut notes)?;
    let charges = charges(&tariff, &mut notes, &mut wrong);
    let zone = match zone(&tariff, wanted.zone, &charges, &mut notes) {
        Ok(zone) => zone,
        Err(problem) => {
            wrong.push(problem);
            Tz::UTC
        }
    };
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut work = Work { tariff: &tariff, zone, charges, valid: Vec::new(), notes };
    work.open_questions();
    work.validity()?;
    work.split_by_vat()?;
    let text = work.text()?;
    Ok(Imported { text, id: tariff.id.clone(), version, notes: work.notes })
}

fn pick<'l, 'a>(all: &'l [At<'a>], id: Option<&str>) -> Result<&'l At<'a>, Problem> {
    let ids = || {
        let ids: Vec<String> = all.iter().take(20).map(|at| format!("`{}`", id_of(at))).collect();
        ids.join(", ")
    };
    match (all, id) {
        ([], _) => Err(Problem::new("", "the list has no tariff")),
        (_, Some(id)) => {
            let found = all.iter().find(|at| id_of(at).eq_ignore_ascii_case(id));
            found.ok_or_else(|| Problem::new("", format!("there is no tariff `{id}`; there are {}", ids())))
        }
        ([one], None) => Ok(one),
        (several, None) => {
            let message = format!("there are {} tariffs; say which one with --id: {}", several.len(), ids());
            Err(Problem::new("", message))
        }
    }
}

fn zone(
    tariff: &Tariff,
    wanted: Option<&str>,
    charges: &[Charge],
    notes: &mut Vec<Problem>,
) -> Result<Tz, Problem> {
    if let Some(wanted) = wanted {
        let message = || format!("there is no time zone `{wanted}`; write one such as Europe/Amsterdam");
        return wanted.parse().map_err(|_| Problem::new("--time-zone", message()));
    }
    if let Some(zone) = tariff.country.as_deref().and_then(country::zone)
        && let Ok(known) = zone.parse()
    {
        let message = format!("OCPI tariffs have no time zone; this is that of the country, {zone}");
        notes.push(Problem::new("country_code", message));
        return Ok(known);
    }
    let mut lines = charges.iter().flat_map(|charge| &charge.lines);
    let local = |line: &Line| !line.windows.is_empty() || line.dates != (None, None);
    if lines.any(local) {
        return Err(Problem::new(
            "",
            "the tariff goes by the local time of its locations, and OCPI tariffs have no time zone; say it with --time-zone, as in \
             --time-zone Europe/Madrid",
        ));
    }
    notes
        .push(Problem::new("", "OCPI tariffs have no time zone, and nothing here depends on one; it is UTC"));
    Ok(Tz::UTC)
}

struct Work<'t> {
    tariff: &'t Tariff,
    zone: Tz,
    charges: Vec<Charge>,
    // From when until when, as settings.
    valid: Vec<String>,
    notes: Vec<Problem>,
}

impl Work<'_> {
    fn note(&mut self, place: &str, message: impl Into<String>) {
        self.notes.push(Problem::new(place, message));
    }

    // The text. Lines that can never win are left out, with a note: the compiler finds them.
    fn text(&mut self) -> Result<String, Vec<Problem>> {
        let lines: usize = self.charges.iter().map(|charge| charge.lines.len() + 1).sum();
        for _ in 0..=lines {
            let page = self.page()?;
            let text = page.text();
            let source = SourceFile { name: "imported.tariff".to_owned(), text: text.clone() };
            let compiled = compile(source, &mut |_| Err(String::new()));
            let errors: Vec<&Diagnostic> =
                compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
            if errors.is_empty() {
                return format(&text).map_err(|error| vec![Problem::new("", error.to_string())]);
            }
            let from = |found: &&&Diagnostic| {
                let start = found.labels.first().and_then(|label| usize::try_from(label.span.start).ok())?;
                let line = text.get(..start)?.matches('\n').count();
                page.lines.get(line)?.1
            };
            // The last ones first, so that the places of the others stay.
            let mut dead: Vec<Origin> =
                errors.iter().filter(|found| found.code == "E302").filter_map(|found| from(&found)).collect();
            if dead.is_empty() {
                return Err(self.refused(&errors, &|found| from(&found)));
            }
            dead.sort_by_key(|from| match from {
                Origin::Line(charge, line) => (*charge, *line),
                Origin::Rest(charge) => (*charge, usize::MAX),
            });
            for dead in dead.into_iter().rev() {
                self.leave_out(dead);
            }
            self.charges.retain(|charge| charge.lines.iter().any(|line| line.price.is_some()));
        }
        Err(vec![Problem::new("", "its elements cannot be told apart")])
    }

    fn leave_out(&mut self, dead: Origin) {
        match dead {
            Origin::Rest(charge) => {
                if let Some(charge) = self.charges.get_mut(charge) {
                    charge.closed = true;
                }
            }
            Origin::Line(charge, line) => {
                let Some(charge) = self.charges.get_mut(charge).filter(|charge| line < charge.lines.len())
                else {
                    return;
                };
                let line = charge.lines.remove(line);
                if line.price.is_some() {
                    let message = "earlier elements answer first in every case, so this price never counts; it is left out";
                    self.note_once(&line.place, message);
                }
            }
        }
    }

    fn refused(&self, errors: &[&Diagnostic], from: &dyn Fn(&&Diagnostic) -> Option<Origin>) -> Vec<Problem> {
        let place = |found: &&Diagnostic| match from(found) {
            Some(Origin::Line(charge, line)) => {
                let line = self.charges.get(charge).and_then(|charge| charge.lines.get(line));
                line.map_or_else(String::new, |line| line.place.clone())
            }
            _ => String::new(),
        };
        let problem = |found: &&Diagnostic| {
            let help = found.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
            Problem::new(
                place(found),
                format!("this cannot be said in a tariff file: {}{help}", found.message),
            )
        };
        errors.iter().map(problem).collect()
    }

    fn note_once(&mut self, place: &str, message: &str) {
        let note = Problem::new(place, message);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
