//! Reading and compiling tariff files, with the lists they are based on.

use super::diagnostics;
use super::failure::Failure;
use super::files;
use super::out::Out;
use std::path::Path;
use takst_dsl::compile::{Compiled, SourceFile, compile};
use takst_dsl::diagnostic::{Diagnostic, Severity};
use takst_dsl::parse;
use takst_engine::Prepared;

/// What became of a tariff file.
#[derive(Debug)]
pub enum Checked {
    /// The compiler has seen it.
    Compiled(Box<Compiled>),
    /// It is not text.
    NotText(SourceFile, Diagnostic),
}

impl Checked {
    /// All that is wrong.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Checked::Compiled(compiled) => &compiled.diagnostics,
            Checked::NotText(_, found) => std::slice::from_ref(found),
        }
    }

    /// The texts that diagnostics point into; a name is the path as it was given.
    pub fn sources(&self) -> &[SourceFile] {
        match self {
            Checked::Compiled(compiled) => &compiled.sources,
            Checked::NotText(source, _) => std::slice::from_ref(source),
        }
    }

    /// Whether the tariff cannot be used.
    pub fn has_errors(&self) -> bool {
        self.diagnostics().iter().any(|found| found.severity == Severity::Error)
    }

    /// Shows what is wrong where there are errors: text on standard error, or JSON.
    ///
    /// # Errors
    /// [`Failure::Shown`] when there were errors.
    pub fn refuse_errors(&self, out: &mut Out) -> Result<(), Failure> {
        if !self.has_errors() {
            return Ok(());
        }
        if out.json() {
            let name = self.sources().first().map_or("the tariff", |source| source.name.as_str());
            out.document(&serde_json::json!({
                "error": format!("{name} has errors"),
                "diagnostics": diagnostics::json(self.sources(), self.diagnostics()),
            }))?;
        } else {
            let text =
                diagnostics::human(self.sources(), self.diagnostics(), out.colour_messages(), out.width());
            out.message(text.trim_end());
        }
        Err(Failure::Shown)
    }
}

/// Reads and compiles a tariff file.
///
/// # Errors
/// Only when the file itself cannot be read; what is wrong in it is in the diagnostics.
pub fn check(path: &Path) -> Result<Checked, Failure> {
    let name = if files::is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() };
    let bytes = files::bytes(path, parse::MAX_FILE)?;
    let text = match parse::decode(&bytes) {
        Ok(text) => text.to_owned(),
        Err(found) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return Ok(Checked::NotText(SourceFile { name, text }, found));
        }
    };
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let compiled = compile(SourceFile { name, text }, &mut |wanted| base(&folder.join(wanted)));
    Ok(Checked::Compiled(Box::new(compiled)))
}

/// A list that another one is based on.
///
/// # Errors
/// Says why it cannot be read.
pub fn base(place: &Path) -> Result<SourceFile, String> {
    let bytes = files::bytes(place, parse::MAX_FILE).map_err(|failure| failure.to_string())?;
    let text = parse::decode(&bytes).map_err(|found| format!("`{}`: {}", place.display(), found.message))?;
    Ok(SourceFile { name: place.display().to_string(), text: text.to_owned() })
}

/// A tariff that can price; shows what is wrong with it otherwise.
///
/// # Errors
/// [`Failure::Shown`] when the file has errors.
pub fn prepared(path: &Path, out: &mut Out) -> Result<Prepared, Failure> {
    let checked = check(path)?;
    checked.refuse_errors(out)?;
    let shown = files::shown(path);
    match checked {
        Checked::Compiled(compiled) => match compiled.tariff {
            Some(tariff) => {
                Prepared::new(tariff).map_err(|error| Failure::Input(format!("`{shown}`: {error}")))
            }
            None => Err(Failure::Input(format!(
                "`{shown}` leaves prices to be set by each list; name a list that is based on it"
            ))),
        },
        Checked::NotText(..) => Err(Failure::Shown),
    }
}
