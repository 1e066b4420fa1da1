//! The files that are open, and what was found in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use takst_dsl::compile::{Compiled, SourceFile, compile};
use takst_dsl::coverage::{Covered, coverage};
use takst_dsl::diagnostic::{Diagnostic, Severity};
use takst_dsl::editor::{Document, Encoding, Ran};
use takst_dsl::lint::lint;
use takst_dsl::parse;
use takst_dsl::scenario::{self, TestResult};
use takst_engine::calendar_time::LocalTime;
use takst_engine::units::Day;
use takst_engine::{Prepared, PriceBook};
use tower_lsp_server::ls_types::{Position, Range, TextDocumentContentChangeEvent, Uri};

/// What the tests of a list came to.
pub struct Outcome {
    pub prepared: Prepared,
    pub results: Vec<TestResult>,
    pub covered: Vec<Covered>,
    pub book: PriceBook,
}

impl Outcome {
    pub fn ran(&self) -> Ran<'_> {
        Ran { prepared: &self.prepared, results: &self.results, covered: &self.covered, book: &self.book }
    }
}

/// An open file.
pub struct Open {
    pub document: Document,
    pub version: i32,
    /// None: it is not saved anywhere.
    pub path: Option<PathBuf>,
    pub compiled: Compiled,
    pub advice: Vec<Diagnostic>,
    /// The files that were asked for as its bases, found or not.
    wanted: BTreeSet<PathBuf>,
    /// None: nobody has asked since the last change. Some(None): it cannot price.
    outcome: Option<Option<Box<Outcome>>>,
}

impl Open {
    /// All that is wrong, then advice.
    pub fn found(&self) -> impl Iterator<Item = &Diagnostic> {
        self.compiled.diagnostics.iter().chain(&self.advice)
    }

    /// What the tests came to, if that was asked since the last change.
    pub fn known(&self) -> Option<&Outcome> {
        self.outcome.as_ref()?.as_deref()
    }

    /// Whether the list can be used.
    pub fn has_errors(&self) -> bool {
        self.compiled.diagnostics.iter().any(|found| found.severity == Severity::Error)
    }

    pub fn range(&self, span: takst_dsl::ast::Span, encoding: Encoding) -> Range {
        let ((line, character), (end_line, end_character)) = self.document.range(span, encoding);
        Range::new(Position::new(line, character), Position::new(end_line, end_character))
    }

    pub fn offset(&self, at: Position, encoding: Encoding) -> usize {
        self.document.offset(at.line, at.character, encoding)
    }
}

/// All open files, and what was agreed upon with the editor.
#[derive(Default)]
pub struct Workspace {
    pub encoding: Encoding,
    /// Folders in which other lists may stand.
    pub folders: Vec<PathBuf>,
    /// Price files for what an hour costs.
    pub prices: Vec<PathBuf>,
    /// A day to be taken for today.
    pub today: Option<Day>,
    open: BTreeMap<String, Open>,
}

impl Workspace {
    pub fn get(&self, uri: &Uri) -> Option<&Open> {
        self.open.get(uri.as_str())
    }

    /// Takes a text as what is in a file now. Returns the addresses of all files that were checked: this one, and those that
    /// stand on it.
    pub fn set(&mut self, uri: &Uri, text: String, version: i32) -> Vec<String> {
        let path = path_of(uri);
        let open = Open {
            document: Document::new(text),
            version,
            path: path.clone(),
            compiled: nothing(),
            advice: Vec::new(),
            wanted: BTreeSet::new(),
            outcome: None,
        };
        self.open.insert(uri.as_str().to_owned(), open);
        let mut checked = vec![uri.as_str().to_owned()];
        checked.extend(path.iter().flat_map(|path| self.standing_on(path)).filter(|it| it != uri.as_str()));
        checked.iter().for_each(|uri| self.check(uri));
        checked
    }

    /// Applies changes to an open file, as [`Workspace::set`]. A file that is not open stays so.
    pub fn change(
        &mut self,
        uri: &Uri,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) -> Vec<String> {
        let Some(open) = self.open.get(uri.as_str()) else { return Vec::new() };
        let mut document = open.document.clone();
        for change in changes {
            document = match change.range {
                None => Document::new(change.text),
                Some(range) => {
                    let at = |at: Position| document.offset(at.line, at.character, self.encoding);
                    document.replaced(at(range.start), at(range.end), &change.text)
                }
            };
        }
        self.set(uri, document.text().to_owned(), version)
    }

    /// Closes a file; from now on the disk counts.
    pub fn close(&mut self, uri: &Uri) -> Vec<String> {
        self.open.remove(uri.as_str());
        path_of(uri).map(|path| self.moved(&path)).unwrap_or_default()
    }

    /// A file on the disk is another one: checks what stands on it, and returns the addresses of that.
    pub fn moved(&mut self, path: &Path) -> Vec<String> {
        let checked = self.standing_on(&plain(path));
        checked.iter().for_each(|uri| self.check(uri));
        checked
    }

    /// Forgets what tests came to: other prices count now.
    pub fn forget_outcomes(&mut self) {
        self.open.values_mut().for_each(|open| open.outcome = None);
    }

    fn standing_on(&self, path: &Path) -> Vec<String> {
        let stands = self.open.iter().filter(|(_, open)| open.wanted.contains(path));
        stands.map(|(uri, _)| uri.clone()).collect()
    }

    fn check(&mut self, uri: &str) {
        let Some(open) = self.open.get(uri) else { return };
        let (compiled, wanted) = self.compile(open.path.as_deref(), uri, open.document.text().to_owned());
        let advice = lint(&compiled);
        if let Some(open) = self.open.get_mut(uri) {
            open.compiled = compiled;
            open.wanted = wanted;
            open.advice = advice;
            open.outcome = None;
        }
    }

    /// Compiles a text; also says which files it wanted to stand on.
    pub fn compile(&self, path: Option<&Path>, name: &str, text: String) -> (Compiled, BTreeSet<PathBuf>) {
        let mut wanted = BTreeSet::new();
        let name = path.map_or_else(|| name.to_owned(), |path| path.display().to_string());
        let folder = path.and_then(Path::parent).map(Path::to_owned);
        let compiled = compile(SourceFile { name, text }, &mut |base| {
            let Some(folder) = &folder else { return Err("this text is not saved in a folder yet".into()) };
            let path = plain(&folder.join(base));
            wanted.insert(path.clone());
            let text = self.text(&path)?;
            Ok(SourceFile { name: path.display().to_string(), text })
        });
        (compiled, wanted)
    }

    /// What is in a file: in the editor, else on the disk.
    pub fn text(&self, path: &Path) -> Result<String, String> {
        let here = self.open.values().find(|open| open.path.as_deref() == Some(path));
        match here {
            Some(open) => Ok(open.document.text().to_owned()),
            None => read(path),
        }
    }

    /// The address by which a file is known: the editor's own where it is open.
    pub fn uri(&self, path: &Path) -> Option<Uri> {
        let open = self.open.iter().find(|(_, open)| open.path.as_deref() == Some(path));
        match open {
            Some((uri, _)) => uri.parse().ok(),
            None => Uri::from_file_path(path),
        }
    }

    /// What the tests of a file come to; runs them if that was not done since the last change.
    pub fn run(&mut self, uri: &Uri) -> Option<&Outcome> {
        let outcome = match self.open.get(uri.as_str()) {
            Some(Open { outcome: Some(_), .. }) | None => None,
            Some(open) => Some(self.outcome(open).map(Box::new)),
        };
        let open = self.open.get_mut(uri.as_str())?;
        if let Some(outcome) = outcome {
            open.outcome = Some(outcome);
        }
        open.outcome.as_ref()?.as_deref()
    }

    fn outcome(&self, open: &Open) -> Option<Outcome> {
        let tariff = open.compiled.tariff.as_ref()?;
        let file = open.compiled.files.first()?;
        let prepared = Prepared::new(tariff.clone()).ok()?;
        let results = scenario::run(file, &prepared);
        let covered = coverage(&open.compiled, &results);
        let book = self.book(&prepared);
        Some(Outcome { prepared, results, covered, book })
    }

    /// Feed prices from the files that the editor named. A file that cannot be read is left out: the price is not known then.
    fn book(&self, prepared: &Prepared) -> PriceBook {
        let tariff = prepared.tariff();
        let spot = tariff.feeds.iter().find(|feed| feed.name == "spot").map(|feed| feed.unit.as_str());
        let currency = spot.and_then(|unit| unit.split('/').next()).unwrap_or(&tariff.currency.code);
        let mut book = PriceBook::default();
        for path in &self.prices {
            let feeds = std::fs::read_to_string(path).ok();
            let feeds = feeds.and_then(|text| crate::prices::read(&text, path, currency).ok());
            for feed in feeds.into_iter().flatten() {
                // A feed that does not fit the others is not known, like one that cannot be read.
                let _ = book.add(feed);
            }
        }
        book
    }

    /// The local day of a list.
    pub fn today(&self, open: &Open) -> Day {
        let now = i64::try_from(
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_millis()),
        )
        .unwrap_or_default();
        let zone = open.compiled.tariff.as_ref().map(|tariff| &tariff.zone);
        self.today.unwrap_or_else(|| zone.map_or(0, |zone| LocalTime::at(zone, now).day))
    }

    /// The tariff files around a path: those of its folder and of the editor's folders.
    pub fn files_around(&self, path: Option<&Path>) -> BTreeSet<PathBuf> {
        let mut found: BTreeSet<PathBuf> = self.open.values().filter_map(|open| open.path.clone()).collect();
        let own = path.and_then(Path::parent).map(Path::to_owned);
        for folder in self.folders.iter().chain(&own) {
            below(folder, MOST_DEPTH, &mut found);
        }
        found
    }
}

/// Folders inside folders that are looked into.
const MOST_DEPTH: usize = 6;
/// Files that are looked at: beyond that it is no folder of price lists.
const MOST_FILES: usize = 2_000;

fn below(folder: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if found.len() >= MOST_FILES {
            return;
        }
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir()
            && depth > 0
            && !hidden
            && entry.file_name() != "node_modules"
            && entry.file_name() != "target"
        {
            below(&path, depth - 1, found);
        } else if path.extension().is_some_and(|ending| ending == "tariff") {
            found.insert(plain(&path));
        }
    }
}

fn nothing() -> Compiled {
    Compiled {
        tariff: None,
        diagnostics: Vec::new(),
        sources: Vec::new(),
        files: Vec::new(),
        abstract_list: false,
        cases: Vec::new(),
        units: BTreeMap::new(),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let about = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("`{}` does not exist", path.display()),
        _ => format!("`{}`: {error}", path.display()),
    })?;
    if about.is_dir() {
        return Err(format!("`{}` is a folder", path.display()));
    }
    if about.len() > u64::try_from(parse::MAX_FILE).unwrap_or(u64::MAX) {
        return Err(format!("`{}` is too large", path.display()));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    parse::decode(&bytes)
        .map(str::to_owned)
        .map_err(|found| format!("`{}`: {}", path.display(), found.message))
}

/// The path of a file's address; none for texts that are no files.
pub fn path_of(uri: &Uri) -> Option<PathBuf> {
    if !uri.as_str().starts_with("file:") {
        return None;
    }
    uri.to_file_path().map(|path| plain(&path))
}

/// A path without `.` and `..`, so that one file has one path.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
