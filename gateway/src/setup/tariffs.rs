//! Tariff files of a set-up: compiled with the lists they are based on, bundled so that they can be compiled again without a disk.

use super::files::{self, Files, join};
use super::report::{More as _, Place, Problems, Report};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use takst_dsl::compile::{Compiled, SourceFile, compile};
use takst_dsl::diagnostic::{Diagnostic, Severity};
use takst_dsl::{parse, scenario};
use takst_engine::Prepared;

/// The sources of a tariff: enough to compile it again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Path of the file, relative to the set-up's folder.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The lists it is based on, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub based_on: Vec<BasedOn>,
}

/// A list that another one is based on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasedOn {
    /// Its path, relative to the folder of the bundle's file.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl Bundle {
    /// Reads a bundle from JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_json(text: &str) -> Result<Self, String> {
        takst_engine::input::from_json(text)
            .map_err(|error| format!("the bundle of a tariff cannot be read: {error}"))
    }

    /// The bundle as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts alone: nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Compiles it, without reading any file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn compile(&self) -> Result<Prepared, Problems> {
        let compiled = self.compiled();
        finish(compiled).map(|(prepared, _)| prepared).map_err(|stop| stop.problems)
    }

    fn compiled(&self) -> Compiled {
        let main = SourceFile { name: self.file.clone(), text: self.text.clone() };
        let folder = self.file.rsplit_once('/').map_or("", |(folder, _)| folder);
        compile(main, &mut |wanted| {
            let found = self.based_on.iter().find(|list| list.file == wanted);
            let list = found.ok_or("it is not in the bundle")?;
            Ok(SourceFile { name: join(folder, &list.file), text: list.text.clone() })
        })
    }
}

/// A tariff file that can price.
#[derive(Clone, Debug)]
pub struct TariffFile {
    /// The path it is assigned by, relative to the set-up's folder. What the catalogue and the database call its name.
    pub name: String,
    /// Its sources.
    pub bundle: Bundle,
    /// Ready for use; [`Prepared::version`] is its version.
    pub prepared: Arc<Prepared>,
    /// What is odd about it: warnings of the compiler, tests of its own that fail.
    pub warnings: Problems,
}

/// Why a tariff file cannot be used.
pub(crate) struct Stop {
    /// What is wrong, in words, behind the file's name.
    pub why: String,
    pub code: &'static str,
    pub help: String,
    /// What its compiler says; none when it could not be read.
    pub problems: Problems,
}

fn stop(code: &'static str, why: impl Into<String>, help: impl Into<String>) -> Stop {
    Stop { why: why.into(), code, help: help.into(), problems: Problems::default() }
}

/// Reads and compiles a tariff file of a set-up; `known` is what it was before: when no text has changed it is taken as it is.
pub(crate) fn load(
    files: &Files,
    name: &str,
    known: Option<&Arc<TariffFile>>,
) -> Result<Arc<TariffFile>, Stop> {
    // A set-up may be written by somebody who may not read this machine's files: what is no tariff is not read at all.
    if !name.ends_with(".tariff") {
        return Err(stop("S050", "is not a tariff file", "the name of a tariff file ends in `.tariff`"));
    }
    let text =
        text(files, name).map_err(|why| stop("S050", why, "check its name; it is relative to this file"))?;
    let text_of = |name: &str| self::text(files, name);
    let within = files::folder_of(name);
    if let Some(known) = known.filter(|known| known.bundle.file == name && is_current(files, &known.bundle)) {
        return Ok(Arc::clone(known));
    }
    let mut bundle = Bundle { file: name.to_owned(), text, based_on: Vec::new() };
    // Names as people know them, for messages.
    let shown = |name: &str| files::plain(&files.folder().join(name));
    let main = SourceFile { name: shown(name), text: bundle.text.clone() };
    let compiled = compile(main, &mut |wanted| {
        let place = join(within, wanted);
        if !place.ends_with(".tariff") {
            return Err("its name does not end in `.tariff`".to_owned());
        }
        let text = text_of(&place)?;
        bundle.based_on.push(BasedOn { file: wanted.to_owned(), text: text.clone() });
        Ok(SourceFile { name: shown(&place), text })
    });
    let (prepared, warnings) = finish(compiled)?;
    Ok(Arc::new(TariffFile { name: name.to_owned(), bundle, prepared: Arc::new(prepared), warnings }))
}

/// Whether the files still say what a bundle says.
pub(crate) fn is_current(files: &Files, bundle: &Bundle) -> bool {
    let within = files::folder_of(&bundle.file);
    let same = |name: &str, known: &str| text(files, name).is_ok_and(|text| text == known);
    same(&bundle.file, &bundle.text)
        && bundle.based_on.iter().all(|list| same(&join(within, &list.file), &list.text))
}

/// Whether a tariff file can be used, or be what others are based on.
pub(crate) fn check(files: &Files, name: &str) -> Result<(), Problems> {
    match load(files, name, None) {
        Ok(_) => Ok(()),
        // It leaves prices to the lists that are based on it.
        Err(stop) if stop.code == "S052" => Ok(()),
        Err(stop) => {
            let mut report = Report::default();
            report.embed(&stop.problems);
            if !report.has_errors() {
                let at = Place { source: report.source(name.to_owned(), String::new()), ..Place::default() };
                report.error(stop.code, at, format!("`{name}` {}", stop.why)).advise(stop.help);
            }
            Err(report.finish())
        }
    }
}

// As it stands on the disk, or as it is to be written there.
fn text(files: &Files, name: &str) -> Result<String, String> {
    match files.list(name) {
        Some(text) => Ok(text.to_owned()),
        None => read(&files.folder().join(name)),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = files::read(path, parse::MAX_FILE)
        .map_err(|error| format!("cannot be read: {}", files::why(&error)))?;
    parse::decode(&bytes).map(str::to_owned).map_err(|found| format!("cannot be read: {}", found.message))
}

// Ready for use, with what is odd about it.
fn finish(compiled: Compiled) -> Result<(Prepared, Problems), Stop> {
    let Compiled { tariff, diagnostics, sources, files, abstract_list, .. } = compiled;
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let mut problems = Problems { sources, diagnostics };
    if errors > 0 {
        let why = if errors == 1 { "has an error".to_owned() } else { format!("has {errors} errors") };
        return Err(Stop {
            problems,
            ..stop("S051", why, "its own messages follow; `takst check` shows them too")
        });
    }
    let Some(tariff) = tariff else {
        let (code, help) = if abstract_list {
            ("S052", "assign a list that is based on it")
        } else {
            ("S051", "`takst check` shows what is wrong")
        };
        return Err(Stop { problems, ..stop(code, "leaves prices to be set by each list", help) });
    };
    let prepared = Prepared::new(tariff)
        .map_err(|error| stop("S051", format!("cannot be used: {error}"), "simplify it"))?;
    for test in files.first().map(|file| scenario::run(file, &prepared)).unwrap_or_default() {
        let Some(failure) = test.failures.first() else { continue };
        let message = format!("the list's own test \"{}\" fails: {}", test.name, failure.message);
        let found = Diagnostic::warning("S062", 0, failure.span, message);
        problems.diagnostics.push(found.help("mend the prices or the test; `takst test` shows all of it"));
    }
    Ok((prepared, problems))
}
