//! `takst lint`.

use super::failure::{Exit, Failure};
use super::layout::count;
use super::out::{Look, Out};
use super::tariffs::{self, Checked};
use super::{diagnostics, files, price};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use takst_dsl::compile::Compiled;
use takst_dsl::diagnostic::{Diagnostic, Severity};
use takst_dsl::lint::{Market, lint, lint_with};
use takst_engine::Prepared;

/// Give advice on tariff files that are right
///
/// Nothing of it stops a list from being used. What each piece of advice means, and how to say that it is fine, stands in
/// dsl/LINTS.md. Files with errors are checked only.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  takst lint prices.tariff\n  takst lint --prices spot.json spot.tariff\n  takst lint --strict --format json tariffs/*.tariff"
)]
pub struct Lint {
    /// End with 1 also when there is advice and no error
    #[arg(long)]
    strict: bool,
    /// Price files: lines that follow a market are looked at on their days too; may be given more than once
    #[arg(long, value_name = "FILE", num_args = 1)]
    prices: Vec<PathBuf>,
    /// Tariff files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Found {
    diagnostics: Vec<diagnostics::DiagnosticDoc>,
    files: usize,
    errors: usize,
    advice: usize,
}

impl Lint {
    /// Looks at every file, also after one with errors.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let mut exit = Exit::Fine;
        let mut found = Found { diagnostics: Vec::new(), files: self.files.len(), errors: 0, advice: 0 };
        let mut unread = 0;
        for path in &self.files {
            let checked = match tariffs::check(path) {
                Ok(checked) => checked,
                Err(failure) => {
                    exit = exit.max(failure.exit());
                    unread += 1;
                    out.failure(&failure);
                    continue;
                }
            };
            let wrong =
                |severity| checked.diagnostics().iter().filter(|one| one.severity == severity).count();
            let errors = wrong(Severity::Error);
            let advice = match &checked {
                Checked::Compiled(compiled) if errors == 0 => self.advice(compiled)?,
                _ => Vec::new(),
            };
            found.errors += errors;
            found.advice += advice.len();
            if errors > 0 || (self.strict && !advice.is_empty()) {
                exit = exit.max(Exit::Errors);
            }
            // Errors are shown, since they are why there is no advice; warnings are for `check`.
            let mut all: Vec<_> =
                checked.diagnostics().iter().filter(|one| one.severity == Severity::Error).cloned().collect();
            all.extend(advice);
            if out.json() {
                found.diagnostics.extend(diagnostics::json(checked.sources(), &all));
            } else {
                let text = diagnostics::human(checked.sources(), &all, out.colour(), out.width());
                out.put(&text)?;
                if let Checked::Compiled(compiled) = &checked
                    && compiled.abstract_list
                    && errors == 0
                {
                    out.hint(&format!(
                        "{} leaves prices to be set by each list; the lists based on it get advice",
                        files::shown(path)
                    ));
                }
            }
        }
        if out.json() {
            out.document(&found)?;
        } else {
            let files = count(found.files, "file");
            let (look, text) = match (found.errors, found.advice) {
                (0, 0) if unread > 0 => (Look::Bad, format!("{unread} of {files} could not be read")),
                (0, 0) => (Look::Good, format!("{files}, no advice")),
                (0, 1) => (Look::Warn, format!("1 piece of advice on {files}")),
                (0, some) => (Look::Warn, format!("{some} pieces of advice on {files}")),
                (errors, _) => (Look::Bad, format!("{} in {files}", count(errors, "error"))),
            };
            let text = out.paint(look, &text);
            out.line(&text)?;
        }
        Ok(exit)
    }

    fn advice(&self, compiled: &Compiled) -> Result<Vec<Diagnostic>, Failure> {
        let Some(tariff) = compiled.tariff.as_ref().filter(|_| !self.prices.is_empty()) else {
            return Ok(lint(compiled));
        };
        let prepared = Prepared::new(tariff.clone()).map_err(|error| Failure::Input(error.to_string()))?;
        let book = price::book(&self.prices, tariff)?;
        let days = price::days(&self.prices, tariff)?;
        Ok(lint_with(compiled, Some(&Market { prepared: &prepared, book: &book, days })))
    }
}
