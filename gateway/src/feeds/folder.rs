//! A folder in which price files appear, looked at from time to time.

use super::asked::{Asked, Currencies, Holds};
use super::intake::{FeedError, MAX_FEED, Offered, Received, receive_asked};
use crate::clock;
use crate::store::{self, Alert, Lane, OrgId, Store};
use glob::Pattern;
use serde_json::json;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use takst_engine::units::Instant;

/// Most files that are remembered; a folder with more is a mistake.
const MOST_FILES: usize = 100_000;

/// A folder of price files, or those of its files that match a pattern.
pub struct Folder {
    path: PathBuf,
    // What a file must be called, when not all of them are meant.
    named: Option<Pattern>,
    currency: String,
    asked: Asked,
    // Size and time of change when it was seen last, and whether it was taken then.
    seen: HashMap<PathBuf, (u64, Option<SystemTime>, bool)>,
}

/// What came of a file.
#[derive(Debug)]
pub struct Taken {
    /// Its name.
    pub file: String,
    /// What was in it, or why it was not taken.
    pub result: Result<Received, FeedError>,
}

impl Folder {
    /// A folder, or a file; `*` in the last part of the path stands for anything. `currency` is that of files that give their
    /// prices in several.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, currency: impl Into<String>) -> Self {
        let mut path = path.into();
        let mut named = None;
        // What is not there yet is a folder, unless it is called like a file.
        if let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned())
            && (name.contains('*') || (is_feed(&path) && !path.is_dir()))
        {
            named = pattern(&name);
            path.pop();
        }
        Self { path, named, currency: currency.into(), asked: Asked::default(), seen: HashMap::new() }
    }

    /// The same, with the currencies in which feeds are asked for, and which of them hold their values.
    #[must_use]
    pub fn asking(mut self, currencies: Currencies, holds: Holds) -> Self {
        self.asked = Asked { currencies: Some(currencies), holds: Some(holds), ..self.asked };
        self
    }

    /// Whether a file has come that is not taken yet, because it may still be written.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.seen.values().any(|(.., taken)| !taken)
    }

    /// Takes the files that are new or have changed, by name. A file that is still being written is left for the next
    /// time: it is taken once it looks the same twice. What is wrong with a file becomes an incident, and is not tried again
    /// until the file changes.
    ///
    /// # Errors
    /// When the storage fails. A folder that cannot be read has no files; the log says so.
    pub async fn look(
        &mut self,
        store: &Store,
        org: &OrgId,
        now: Instant,
    ) -> Result<Vec<Taken>, store::Error> {
        let (path, named) = (self.path.clone(), self.named.clone());
        let listed = tokio::task::spawn_blocking(move || list(&path, named.as_ref())).await;
        let files = match listed {
            Ok(Ok(files)) => files,
            Ok(Err(error)) => {
                tracing::warn!(%error, folder = %self.path.display(), "the folder of price files cannot be read");
                return Ok(Vec::new());
            }
            Err(_) => return Ok(Vec::new()),
        };
        self.seen.retain(|path, _| files.iter().any(|(file, ..)| file == path));
        let mut taken = Vec::new();
        for (path, size, changed) in files {
            let settled = match self.seen.get(&path) {
                Some((before, at, true)) if (*before, *at) == (size, changed) => continue,
                Some((before, at, false)) => (*before, *at) == (size, changed),
                _ => false,
            };
            // What was last written a while ago is whole.
            let old = changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age.as_secs() >= 5);
            if !settled && !old {
                self.seen.insert(path, (size, changed, false));
                continue;
            }
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let result = match text(&path, size).await {
                Ok(text) => {
                    // A file keeps its time, so reading it again says nothing new.
                    let since = changed.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
                    let since = since.and_then(|since| i64::try_from(since.as_millis()).ok()).map(Instant);
                    // Nobody publishes in the future: such prices could never be replaced.
                    let published = since.map(|since| since.min(clock::now()));
                    let (name, currency) = (file.clone(), self.currency.clone());
                    let offered = Offered { text, name, currency, published };
                    receive_asked(store, org, offered, self.asked.clone(), now).await
                }
                Err(why) => Err(takst_engine::input::InputError::new(why).into()),
            };
            if let Err(FeedError::Store(error)) = &result
                && !matches!(error, store::Error::Refused(_))
            {
                // It stays untaken.
                return Err(error.clone());
            }
            self.seen.insert(path, (size, changed, true));
            note(store, org, &file, result.as_ref().err().map(ToString::to_string), now).await?;
            taken.push(Taken { file, result });
        }
        Ok(taken)
    }
}

type Listed = Vec<(PathBuf, u64, Option<SystemTime>)>;

// A `*` stands for anything, all else for itself.
fn pattern(name: &str) -> Option<Pattern> {
    let parts: Vec<_> = name.split('*').map(Pattern::escape).collect();
    Pattern::new(&parts.join("*")).ok()
}

// Whether a file is called like a price file.
fn is_feed(path: &Path) -> bool {
    let known =
        |ending: &std::ffi::OsStr| ["json", "xml"].iter().any(|known| ending.eq_ignore_ascii_case(known));
    path.extension().is_some_and(known)
}

fn list(folder: &Path, named: Option<&Pattern>) -> std::io::Result<Listed> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(MOST_FILES) {
        let entry = entry?;
        let path = entry.path();
        if !is_feed(&path) {
            continue;
        }
        if named.is_some_and(|named| !named.matches(&entry.file_name().to_string_lossy())) {
            continue;
        }
        let about = entry.metadata()?;
        if about.is_file() {
            files.push((path, about.len(), about.modified().ok()));
        }
    }
    files.sort();
    Ok(files)
}

async fn text(path: &Path, size: u64) -> Result<String, String> {
    if usize::try_from(size).map_or(true, |size| size > MAX_FEED) {
        return Err(format!("a price file of {size} bytes; the most is {MAX_FEED}"));
    }
    let bytes = tokio::fs::read(path).await.map_err(|error| format!("the file cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_owned())
}

// An incident for a file that is broken, and its end when a good one takes its place.
async fn note(
    store: &Store,
    org: &OrgId,
    file: &str,
    wrong: Option<String>,
    now: Instant,
) -> Result<(), store::Error> {
    let (org, file) = (org.clone(), file.to_owned());
    let lane = Lane::org(&org);
    store
        .write(lane, async move |tx| {
            let alert = Alert { subject: &file, kind: "feed.broken", severity: "warning" };
            let document = json!({ "file": file, "wrong": wrong });
            match &wrong {
                Some(_) => tx.raise(&org, alert, &document, now).await,
                None => tx.settle(&org, alert, &document, now).await,
            }
            .map(drop)
        })
        .await
}
