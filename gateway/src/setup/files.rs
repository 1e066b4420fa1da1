//! The files of a set-up: which belong to it, what is in them, and writing changes back. The only reading of the disk besides
//! tariffs and secrets.

use super::node::Node;
use super::read::Field;
use super::report::{More as _, Place, Problems, Report};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The file that changes through the API go to when what they are about stands nowhere yet.
pub const API_FILE: &str = "api.toml";
/// The same for who drivers are: personal data stands alone.
pub const PEOPLE_FILE: &str = "people.toml";

// What tells the folder of a plugin from one with a part of the set-up.
const PLUGIN: &str = takst_plugins::manifest::FILE;
const MOST_FILES: usize = 1_000;
const MOST_DEPTH: usize = 8;
const LARGEST: usize = 16 << 20;
const LARGEST_SUM: usize = 64 << 20;

/// A path in a set-up, relative to the set-up's own folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct FilePath(String);

impl FilePath {
    /// The path, with `/` between its parts.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for FilePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Field for FilePath {
    const WANTED: &'static str = "a path in quotes, relative to this file";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        String::read(node, report).map(|path| Self(report.beside(node.at.source, &path)))
    }
}

/// `path` as seen from `folder`, without `.` and with `..` resolved where possible.
pub(crate) fn join(folder: &str, path: &str) -> String {
    let path = path.replace('\\', "/");
    let whole = if path.starts_with('/') || folder.is_empty() { path } else { format!("{folder}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if whole.starts_with('/') { format!("/{joined}") } else { joined }
}

/// A path as messages show it.
pub(crate) fn plain(path: &Path) -> String {
    join("", &path.display().to_string())
}

/// The folder that a file stands in, seen from the set-up's folder.
pub(crate) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path seen from the set-up's folder, as a file in `folder` has to write it.
pub(crate) fn relative(folder: &str, path: &str) -> String {
    let path = join("", path);
    if path.starts_with('/') || folder.is_empty() {
        return path;
    }
    let (mut from, mut to) = (folder.split('/').peekable(), path.split('/').peekable());
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
    }
    let up = std::iter::repeat_n("..", from.count());
    up.chain(to).collect::<Vec<_>>().join("/")
}

/// Whether a path stays in the set-up's folder.
pub(crate) fn is_inside(path: &str) -> bool {
    let path = join("", path);
    let is_windows = path.contains(':');
    !path.is_empty() && !path.starts_with('/') && path.split('/').all(|part| part != "..") && !is_windows
}

/// The texts of a set-up.
#[derive(Clone, PartialEq, Eq)]
pub struct Files {
    /// Where relative paths start.
    folder: PathBuf,
    /// By path relative to the folder: the text now, and as it is on the disk.
    texts: BTreeMap<String, Text>,
    /// Tariff files that are to be written with them.
    lists: BTreeMap<String, Text>,
}

#[derive(Clone, PartialEq, Eq)]
struct Text {
    now: String,
    on_disk: Option<String>,
}

/// The names alone: the texts may hold hashes of passwords.
impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("folder", &self.folder).field("names", &self.texts.keys()).finish()
    }
}

impl Files {
    /// Reads the set-up at `path`: a file with those that it includes and `api.toml` and `people.toml` beside it, or all `*.toml` files
    /// below a folder.
    ///
    /// # Errors
    /// Files that are missing, too large, too many, or not text.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let mut reading =
            Reading { folder: PathBuf::new(), texts: BTreeMap::new(), sum: 0, report: Report::default() };
        if path.is_dir() {
            reading.folder = path.to_owned();
            reading.add_folder("", 0, None);
        } else {
            reading.folder = path.parent().map(Path::to_owned).unwrap_or_default();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            reading.add_file(&name, None);
            for beside in [API_FILE, PEOPLE_FILE] {
                if reading.folder.join(beside).is_file() {
                    reading.add_file(beside, None);
                }
            }
        }
        let Reading { folder, texts, report, .. } = reading;
        let problems = report.finish();
        if problems.has_errors() {
            return Err(problems);
        }
        let texts =
            texts.into_iter().map(|(name, text)| (name, Text { on_disk: Some(text.clone()), now: text }));
        Ok(Self { folder, texts: texts.collect(), lists: BTreeMap::new() })
    }

    /// A set-up of texts that are not on the disk, by path relative to `folder`.
    #[must_use]
    pub fn of_texts(folder: &Path, texts: &[(&str, &str)]) -> Self {
        let text = |(name, text): &(&str, &str)| {
            let text = Text { now: (*text).to_owned(), on_disk: None };
            (join("", name), text)
        };
        let texts = texts.iter().map(text).collect();
        Self { folder: folder.to_owned(), texts, lists: BTreeMap::new() }
    }

    /// Where relative paths start.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The texts by path relative to the folder.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.now.as_str()))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(|text| text.now.as_str())
    }

    pub(crate) fn put(&mut self, name: &str, now: String) {
        match self.texts.get_mut(name) {
            Some(text) => text.now = now,
            None => {
                self.texts.insert(name.to_owned(), Text { now, on_disk: None });
            }
        }
    }

    /// Takes an edit back: the text as it was, or none.
    pub(crate) fn put_or_forget(&mut self, name: &str, before: Option<String>) {
        match before {
            Some(before) => self.put(name, before),
            None => drop(self.texts.remove(name)),
        }
    }

    /// Puts a tariff file beside the set-up: it is checked with it, and written with it.
    ///
    /// # Errors
    /// When what stands there now is no UTF-8 text and so could not be put back.
    pub(crate) fn put_list(&mut self, name: &str, now: String) -> Result<(), String> {
        let on_disk = match std::fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Some(without_mark(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(why(&error)),
        };
        self.lists.insert(name.to_owned(), Text { now, on_disk });
        Ok(())
    }

    /// The text of a tariff file, on the disk or about to be written there.
    pub(crate) fn list(&self, name: &str) -> Option<&str> {
        self.lists.get(name).map(|text| text.now.as_str())
    }

    /// Whether there is anything to write.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.all().any(|(_, text)| text.is_changed())
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Text)> {
        self.texts.iter().chain(&self.lists)
    }

    /// Writes the texts that were changed, all or none.
    ///
    /// # Errors
    /// When a file has been changed by somebody else since it was read, or cannot be written; what was written before it is put back
    /// then.
    pub fn save(&mut self) -> Result<Vec<PathBuf>, String> {
        // All are looked at before the first is written.
        for (name, _) in self.all().filter(|(_, text)| text.is_changed()) {
            self.is_ours(name)?;
        }
        let mut written = Vec::new();
        let mut failed = None;
        for (name, text) in self.all().filter(|(_, text)| text.is_changed()) {
            let path = self.folder.join(name);
            match write(&path, &text.now) {
                Ok(()) => written.push((path, text)),
                Err(error) => {
                    failed = Some(format!("`{}` cannot be written: {error}", path.display()));
                    break;
                }
            }
        }
        if let Some(failed) = failed {
            return Err(match written.iter().find_map(|(path, text)| text.put_back(path).err()) {
                None => failed,
                Some(worse) => format!("{failed}; {worse}"),
            });
        }
        let written = written.into_iter().map(|(path, _)| path).collect();
        for text in self.texts.values_mut().chain(self.lists.values_mut()) {
            text.on_disk = Some(text.now.clone());
        }
        Ok(written)
    }

    /// Puts the files back as they were in `before`, after [`Self::save`].
    ///
    /// # Errors
    /// When one cannot be written.
    pub(crate) fn put_back(&self, before: &Self) -> Result<(), String> {
        for (name, text) in self.all() {
            let old = before.texts.get(name).or_else(|| before.lists.get(name));
            let on_disk = old.and_then(|old| old.on_disk.clone());
            if on_disk != text.on_disk {
                Text { now: text.now.clone(), on_disk }.put_back(&self.folder.join(name))?;
            }
        }
        Ok(())
    }

    // Whether a file is still as it was read.
    fn is_ours(&self, name: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        let known = self.texts.get(name).or_else(|| self.lists.get(name));
        let found = std::fs::read_to_string(&path).ok().map(without_mark);
        if known.is_some_and(|known| known.on_disk != found) {
            let path = path.display();
            return Err(format!("`{path}` was changed by somebody else; read the set-up again"));
        }
        Ok(())
    }
}

impl Text {
    fn is_changed(&self) -> bool {
        self.on_disk.as_deref() != Some(self.now.as_str())
    }

    fn put_back(&self, path: &Path) -> Result<(), String> {
        let done = match &self.on_disk {
            Some(text) => write(path, text),
            None => std::fs::remove_file(path),
        };
        done.map_err(|error| format!("`{}` cannot be put back: {error}", path.display()))
    }
}

// The mark that some editors put at the beginning is not part of a text.
fn without_mark(text: String) -> String {
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}

// A reader sees the old text or the new one, also after a power cut.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Ok(about) = std::fs::metadata(path) {
        file.as_file().set_permissions(about.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

struct Reading {
    folder: PathBuf,
    texts: BTreeMap<String, String>,
    sum: usize,
    report: Report,
}

impl Reading {
    // Where to point when a file is the trouble itself.
    fn place(&mut self, name: &str, from: Option<Place>) -> Place {
        from.unwrap_or_else(|| {
            let source = self.report.source(self.folder.join(name).display().to_string(), String::new());
            Place { source, ..Place::default() }
        })
    }

    fn fail(&mut self, code: &'static str, name: &str, from: Option<Place>, message: String, help: &str) {
        let at = self.place(name, from);
        self.report.error(code, at, message).advise(help);
    }

    fn add_folder(&mut self, name: &str, depth: usize, from: Option<Place>) {
        let path = self.folder.join(name);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("the folder `{}` cannot be read: {}", path.display(), why(&error));
                return self.fail("S001", name, from, message, "check its name and who may read it");
            }
        };
        let mut inside: Vec<(String, bool)> = entries
            .flatten()
            // A folder that is a link could lead back to where we are.
            .map(|entry| {
                (
                    entry.file_name().to_string_lossy().into_owned(),
                    entry.file_type().is_ok_and(|kind| kind.is_dir()),
                )
            })
            .filter(|(file, _)| !file.starts_with('.'))
            .collect();
        // A plugin has files of its own: its manifest and what it is made from.
        if depth > 0 && inside.iter().any(|(file, is_dir)| file == PLUGIN && !is_dir) {
            return;
        }
        inside.sort();
        for (file, is_dir) in inside {
            let inner = join(name, &file);
            if is_dir && depth < MOST_DEPTH {
                self.add_folder(&inner, depth + 1, from);
            } else if !is_dir && Path::new(&file).extension().is_some_and(|ending| ending == "toml") {
                self.add_file(&inner, from);
            }
        }
    }

    fn add_file(&mut self, name: &str, from: Option<Place>) {
        let name = join("", name);
        if self.texts.contains_key(&name) {
            return;
        }
        let path = self.folder.join(&name);
        if self.texts.len() >= MOST_FILES || self.sum > LARGEST_SUM {
            let message = format!("more than {MOST_FILES} files or {} MiB in all", LARGEST_SUM >> 20);
            return self.fail("S003", &name, from, message, "put what belongs together into one file");
        }
        let bytes = match read(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("`{}` cannot be read: {}", path.display(), why(&error));
                return self.fail("S001", &name, from, message, "check its name and who may read it");
            }
        };
        if bytes.len() > LARGEST {
            let message = format!("`{}` is larger than {} MiB", path.display(), LARGEST >> 20);
            return self.fail("S003", &name, from, message, "divide it into several files");
        }
        let Ok(text) = String::from_utf8(bytes) else {
            let message = format!("`{}` is not UTF-8 text", path.display());
            return self.fail("S002", &name, from, message, "save it as UTF-8");
        };
        let text = without_mark(text);
        self.sum += text.len();
        self.texts.insert(name.clone(), text.clone());
        self.include(&name, text);
    }

    // What a file includes, without reading the rest of it: what is wrong there is said later.
    fn include(&mut self, name: &str, text: String) {
        if !text.contains("include") {
            return;
        }
        let mut quiet = Report::default();
        let node = super::node::toml(&text, 0, &mut quiet);
        let Some(include) = node.get("include") else { return };
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let source = self.report.source(self.folder.join(name).display().to_string(), text);
        for entry in include.list() {
            let Some(wanted) = entry.text() else { continue };
            let wanted = join(&folder, wanted);
            let from = Some(Place { source, span: entry.at.span });
            if self.folder.join(&wanted).is_dir() {
                self.add_folder(&wanted, 1, from);
            } else {
                self.add_file(&wanted, from);
            }
        }
    }
}

/// The bytes of a file, at most one more than `limit`.
pub(crate) fn read(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    let about = std::fs::metadata(path)?;
    if about.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    // A pipe or device could be read for ever.
    if !about.is_file() {
        return Err(std::io::Error::other("it is no ordinary file"));
    }
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why something cannot be read, for people.
pub(crate) fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::IsADirectory => "it is a folder".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_its_file() {
        for (folder, path, joined) in [
            ("", "a.tariff", "a.tariff"),
            ("sites", "../tariffs/./a.tariff", "tariffs/a.tariff"),
            ("", "../../a.tariff", "../../a.tariff"),
            ("sites", "/etc/a.tariff", "/etc/a.tariff"),
            ("a/b", "..\\..\\..\\c", "../c"),
        ] {
            assert_eq!(join(folder, path), joined);
        }
    }

    #[test]
    fn a_path_is_written_for_its_file() {
        for (folder, path, written) in [
            ("", "a.tariff", "a.tariff"),
            ("sites", "tariffs/a.tariff", "../tariffs/a.tariff"),
            ("sites/oslo", "sites/a.tariff", "../a.tariff"),
            ("sites", "../a.tariff", "../../a.tariff"),
            ("sites", "/etc/a.tariff", "/etc/a.tariff"),
        ] {
            assert_eq!(relative(folder, path), written);
            assert_eq!(join(folder, written), path);
        }
        for (path, inside) in [
            ("a", true),
            ("a/../b", true),
            ("../a", false),
            ("a/../../b", false),
            ("/a", false),
            ("c:\\a", false),
        ] {
            assert_eq!(is_inside(path), inside, "{path}");
        }
    }
}
