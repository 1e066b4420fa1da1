//! `takst check`.

use super::failure::{Exit, Failure};
use super::layout::count;
use super::out::{Look, Out};
use super::{diagnostics, tariffs};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use takst_dsl::diagnostic::Severity;

/// Say everything that is wrong with tariff files
///
/// A tariff without errors answers every case and can be used. A list named by `based on` is read from the folder of the
/// file that names it.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  takst check prices.tariff\n  takst check --format json tariffs/*.tariff"
)]
pub struct Check {
    /// Tariff files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Found {
    diagnostics: Vec<diagnostics::DiagnosticDoc>,
    files: usize,
    errors: usize,
    warnings: usize,
}

impl Check {
    /// Checks every file, also after one with errors.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let mut exit = Exit::Fine;
        let mut found = Found { diagnostics: Vec::new(), files: self.files.len(), errors: 0, warnings: 0 };
        let mut bad_files = 0;
        for path in &self.files {
            let checked = match tariffs::check(path) {
                Ok(checked) => checked,
                Err(failure) => {
                    exit = exit.max(failure.exit());
                    bad_files += 1;
                    out.failure(&failure);
                    continue;
                }
            };
            let how_many =
                |severity| checked.diagnostics().iter().filter(|found| found.severity == severity).count();
            found.errors += how_many(Severity::Error);
            found.warnings += how_many(Severity::Warning);
            if checked.has_errors() {
                exit = exit.max(Exit::Errors);
                bad_files += 1;
            }
            if out.json() {
                found.diagnostics.extend(diagnostics::json(checked.sources(), checked.diagnostics()));
            } else {
                let text =
                    diagnostics::human(checked.sources(), checked.diagnostics(), out.colour(), out.width());
                out.put(&text)?;
            }
        }
        if out.json() {
            out.document(&found)?;
        } else {
            let (look, text) = summary(&found, bad_files);
            let text = out.paint(look, &text);
            out.line(&text)?;
        }
        Ok(exit)
    }
}

fn summary(found: &Found, bad_files: usize) -> (Look, String) {
    let warnings = match found.warnings {
        0 => String::new(),
        some => format!(", {}", count(some, "warning")),
    };
    let files = count(found.files, "file");
    match (found.errors, bad_files) {
        (0, 0) if found.warnings > 0 => (Look::Warn, format!("{files}, no errors{warnings}")),
        (0, 0) => (Look::Good, format!("{files}, no errors")),
        (0, unread) => (Look::Bad, format!("{unread} of {files} could not be read{warnings}")),
        (errors, bad) if found.files == 1 || bad == found.files => {
            (Look::Bad, format!("{} in {}{warnings}", count(errors, "error"), count(bad, "file")))
        }
        (errors, bad) => (Look::Bad, format!("{} in {bad} of {files}{warnings}", count(errors, "error"))),
    }
}
