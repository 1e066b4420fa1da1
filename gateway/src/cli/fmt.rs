//! `takst fmt`.

use super::failure::{Exit, Failure};
use super::layout::count;
use super::out::{Look, Out};
use super::{diagnostics, files};
use clap::Args;
use serde::Serialize;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use takst_dsl::compile::SourceFile;
use takst_dsl::format::{FormatError, format};
use takst_dsl::parse;

/// Bring tariff files into the canonical layout
///
/// A file is replaced as a whole or not at all, and only when its meaning and its comments stay what they were. Files that
/// cannot be read as tariffs are left alone. `-` reads standard input and writes standard output.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  takst fmt prices.tariff\n  takst fmt --check tariffs/*.tariff")]
pub struct Fmt {
    /// Change nothing; list the files that would change, and end with 1 when there are any
    #[arg(long)]
    check: bool,
    /// Tariff files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize, Default)]
struct Done {
    changed: Vec<String>,
    unchanged: Vec<String>,
    diagnostics: Vec<diagnostics::DiagnosticDoc>,
}

impl Fmt {
    /// Lays out every file, also after one with errors.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let mut exit = Exit::Fine;
        let mut done = Done::default();
        for path in &self.files {
            match self.file(path, out, &mut done) {
                Ok(()) => {}
                Err(failure) => {
                    exit = exit.max(failure.exit());
                    out.failure(&failure);
                }
            }
        }
        if self.check && !done.changed.is_empty() {
            exit = exit.max(Exit::Errors);
        }
        if self.files.iter().any(|path| files::is_stdin(path)) && !self.check {
            return Ok(exit);
        }
        if out.json() {
            out.document(&done)?;
            return Ok(exit);
        }
        for name in &done.changed {
            out.line(name)?;
        }
        let (changed, all) = (done.changed.len(), count(self.files.len(), "file"));
        let (look, text) = match (self.check, changed) {
            (_, 0) if exit == Exit::Fine => (Look::Good, format!("{all}, nothing to change")),
            (_, 0) => (Look::Bad, format!("{all}, nothing changed")),
            (true, _) => (Look::Bad, format!("{changed} of {all} would change")),
            (false, _) => (Look::Good, format!("{changed} of {all} changed")),
        };
        let text = out.paint(look, &text);
        out.line(&text)?;
        Ok(exit)
    }

    fn file(&self, path: &Path, out: &mut Out, done: &mut Done) -> Result<(), Failure> {
        let bytes = files::bytes(path, parse::MAX_FILE)?;
        let name = files::shown(path);
        let text = match parse::decode(&bytes) {
            Ok(text) => text,
            Err(found) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return refuse(&[SourceFile { name, text }], &[found], out, done);
            }
        };
        let tidy = match format(text) {
            Ok(tidy) => tidy,
            Err(FormatError::Syntax(found)) => {
                return refuse(&[SourceFile { name, text: text.to_owned() }], &found, out, done);
            }
            Err(error) => return Err(Failure::Input(format!("{name}: {error}"))),
        };
        if files::is_stdin(path) && !self.check {
            return out.put(&tidy);
        }
        if tidy == text {
            done.unchanged.push(name);
            return Ok(());
        }
        if !self.check {
            replace(path, &tidy)?;
        }
        done.changed.push(name);
        Ok(())
    }
}

fn refuse(
    sources: &[SourceFile],
    found: &[takst_dsl::diagnostic::Diagnostic],
    out: &mut Out,
    done: &mut Done,
) -> Result<(), Failure> {
    if out.json() {
        done.diagnostics.extend(diagnostics::json(sources, found));
    } else {
        let text = diagnostics::human(sources, found, out.colour_messages(), out.width());
        out.message(text.trim_end());
    }
    Err(Failure::Shown)
}

// A new file beside the old one takes its place in one step: a reader sees the old text or the new one. A link is followed,
// so that it stays a link.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::Io(format!("`{}` cannot be written: {error}", path.display()));
    let target = path.canonicalize().map_err(failed)?;
    let folder = target.parent().unwrap_or_else(|| Path::new("."));
    let rights = target.metadata().map_err(failed)?.permissions();
    if rights.readonly() {
        return Err(Failure::Io(format!("`{}` may not be written (read-only)", path.display())));
    }
    let mut fresh = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    fresh.write_all(text.as_bytes()).map_err(failed)?;
    fresh.as_file().set_permissions(rights).map_err(failed)?;
    fresh.as_file().sync_all().map_err(failed)?;
    fresh.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}
