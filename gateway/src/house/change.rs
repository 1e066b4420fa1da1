//! Changing the set-up through the API: checked as a whole, written to the files, in force at once; all of it or nothing.

use super::taken::{self, Before};
use super::{House, SetupError, Source, State, Taken, texts, tokens};
use crate::setup::{Edit, EditError, Environment, Files, Judge, Loaded, Problems, Refusal, Thing};
use crate::store::{AuditEntry, Error, Lane};
use std::sync::Arc;
use takst_engine::prepared::hash_text;
use takst_engine::units::Instant;

/// A change, and whose it is.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is to change.
    pub edit: Edit,
    /// Only if the set-up is still one of these ([`House::tag`]).
    pub only_if: Option<Vec<String>>,
    /// Who wants it: a key of the API.
    pub by: String,
}

/// What came of a change.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What is different, who drivers are apart.
    pub taken: Taken,
    /// Whether the thing is new.
    pub is_new: bool,
    /// What is odd about the set-up now and was not before.
    pub warnings: Problems,
    /// The set-up as it is now.
    pub tag: String,
}

/// Why a change was not made. Then nothing is different.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The set-up stands in the program.
    #[error("this set-up is a part of the program and has no files to write to")]
    NoFiles,
    /// The files had errors before.
    #[error("the files of the set-up have errors already")]
    Broken(Problems),
    /// The set-up is another one than the change was made for; what it is now.
    #[error("the set-up has been changed by somebody else")]
    Stale(String),
    /// The edit itself.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The set-up would have errors.
    #[error("with this the set-up has errors")]
    Refused(Problems),
    /// A tariff file that is to go, and who uses it.
    #[error("`{0}` is used: {1}")]
    InUse(String, String),
    /// A file cannot be written.
    #[error("{0}")]
    Write(String),
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<SetupError> for ChangeError {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Files(problems) => Self::Refused(problems),
            SetupError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Refusal> for ChangeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Edit(error) => Self::Edit(error),
            Refusal::List(problems) => Self::Refused(problems),
        }
    }
}

impl House {
    /// What a section is now, as a word that changes with it: personal data has its own, the rest has one together.
    #[must_use]
    pub fn tag(&self, section: &str) -> String {
        tag(&self.state().loaded, section)
    }

    /// The things of a section, without secrets; see [`Loaded::section`].
    ///
    /// # Errors
    /// When there is no such section.
    pub fn section(&self, section: &str) -> Result<Vec<(String, serde_json::Value)>, EditError> {
        let found = self.state().loaded.section(section);
        found.ok_or_else(|| EditError::NoSection(section.to_owned()))
    }

    /// One thing, without secrets.
    ///
    /// # Errors
    /// When there is no such section or thing.
    pub fn thing(&self, thing: &Thing) -> Result<serde_json::Value, EditError> {
        self.state().loaded.thing(thing)
    }

    /// Makes a change.
    ///
    /// # Errors
    /// See [`ChangeError`]; then neither the files nor the set-up in force are different.
    pub async fn change(self: &Arc<Self>, wanted: Wanted, now: Instant) -> Result<Changed, ChangeError> {
        let house = Arc::clone(self);
        // Whoever asked may go away: a change that has begun goes on to its end.
        let work = tokio::spawn(async move {
            let _turn = house.turn.lock().await;
            house.make(wanted, now).await
        });
        work.await.map_err(|_| ended())?
    }

    /// Erases who a driver is, from the files and from the database. Sessions and bills keep his key. Whether there was anything;
    /// none when there is no such driver.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn erase(
        self: &Arc<Self>,
        driver: &str,
        by: &str,
        now: Instant,
    ) -> Result<Option<bool>, ChangeError> {
        let (house, driver, by) = (Arc::clone(self), driver.to_owned(), by.to_owned());
        let work = tokio::spawn(async move {
            let _turn = house.turn.lock().await;
            house.forget(driver, by, now).await
        });
        work.await.map_err(|_| ended())?
    }

    async fn make(&self, wanted: Wanted, now: Instant) -> Result<Changed, ChangeError> {
        let Wanted { edit, only_if, by } = wanted;
        let files = self.up_to_date(now).await?;
        let before = self.state();
        let (section, list) = match &edit {
            Edit::Merge(thing, _) | Edit::Replace(thing, _) | Edit::Remove(thing) => {
                (thing.section.clone(), None)
            }
            Edit::List(name, _) => (String::new(), Some(name.clone())),
        };
        let current = tag(&before.loaded, &section);
        if only_if.is_some_and(|tags| tags.iter().all(|tag| *tag != current)) {
            return Err(ChangeError::Stale(current));
        }
        let is_new = match &edit {
            Edit::Replace(thing, _) => before.loaded.thing(thing).is_err(),
            Edit::List(name, _) => !files.folder().join(name).exists(),
            Edit::Merge(..) | Edit::Remove(_) => false,
        };
        let (mut files, loaded) = edited(files, edit, Arc::clone(&before), self.judge.clone()).await?;
        if loaded.setup.document().organisation.id != before.loaded.setup.document().organisation.id {
            let why = "the id of the organisation is its key in the database and never changes";
            return Err(EditError::Value("id".to_owned(), why).into());
        }
        let mut taken = Taken::default();
        // What says the same in other words is not written, but for a tariff that is assigned nowhere yet.
        if !loaded.is_same(&before.loaded) {
            taken = self.put_in_force(&mut files, loaded, &by, now).await?;
        } else if let Some(list) = list.filter(|_| files.is_changed()) {
            self.keep(&mut files, taken::kept(&list, &by, now)).await?;
        }
        let after = self.state();
        let warnings = news(&after.loaded.warnings, &before.loaded.warnings);
        Ok(Changed { taken, is_new, warnings, tag: tag(&after.loaded, &section) })
    }

    async fn forget(&self, driver: String, by: String, now: Instant) -> Result<Option<bool>, ChangeError> {
        let mut found = false;
        let person = Thing { section: "person".to_owned(), id: driver.clone() };
        let before = self.state();
        // Personal data that is a part of the program is of nobody.
        if matches!(self.source, Source::Path(_)) {
            let files = self.up_to_date(now).await?;
            match edited(files, Edit::Remove(person), self.state(), self.judge.clone()).await {
                Ok((mut files, loaded)) => {
                    self.put_in_force(&mut files, loaded, &by, now).await?;
                    found = true;
                }
                Err(ChangeError::Edit(EditError::NoThing(..))) => {}
                Err(error) => return Err(error),
            }
        } else if before.loaded.thing(&person).is_ok() {
            return Err(ChangeError::NoFiles);
        }
        let known = self.state().loaded.setup.driver(&driver).is_some()
            || self.store.read().await?.driver(&self.org, &driver).await?.is_some();
        let (owner, subject) = (self.org.clone(), driver.clone());
        let unit = async move |tx: &mut crate::store::Tx| {
            let erased = tx.erase_person(&owner, &subject).await?;
            if erased {
                tx.audit(&owner, &taken::erased(&subject, &by, now)).await?;
            }
            Ok(erased)
        };
        let erased = self.store.write(Lane::org(&self.org), unit).await?;
        Ok((found || erased || known).then_some(found || erased))
    }

    // The files as they are now; what somebody has written into them is taken in first, as his change.
    async fn up_to_date(&self, now: Instant) -> Result<Files, ChangeError> {
        if !matches!(self.source, Source::Path(_)) {
            return Err(ChangeError::NoFiles);
        }
        let (source, before, judge) = (self.source.clone(), self.state(), self.judge.clone());
        let read = at_work(move || {
            let files = source.read()?;
            let loaded = check(&files, &before.loaded, judge.as_deref())?;
            Ok((files, loaded))
        });
        let (files, loaded) = read.await?.map_err(ChangeError::Broken)?;
        self.accept(&files, loaded, taken::FILES, now).await.map_err(|error| match error {
            SetupError::Files(problems) => ChangeError::Broken(problems),
            SetupError::Store(error) => ChangeError::Store(error),
        })?;
        Ok(files)
    }

    // Writes the files, then the database; when that fails the files are put back.
    async fn put_in_force(
        &self,
        files: &mut Files,
        loaded: Loaded,
        by: &str,
        now: Instant,
    ) -> Result<Taken, ChangeError> {
        // What the catalogue refuses is refused before anything is written.
        self.state().catalogue.clone().take_in(&loaded, now).map_err(ChangeError::Refused)?;
        let old = files.clone();
        files.save().map_err(ChangeError::Write)?;
        match self.accept(files, loaded, by, now).await {
            Ok(taken) => Ok(taken.unwrap_or_default()),
            Err(error) => Err(put_back(files, &old, error)),
        }
    }

    // Writes a file that counts nowhere yet.
    async fn keep(&self, files: &mut Files, entry: AuditEntry) -> Result<(), ChangeError> {
        let old = files.clone();
        files.save().map_err(ChangeError::Write)?;
        let owner = self.org.clone();
        let unit = async move |tx: &mut crate::store::Tx| tx.audit(&owner, &entry).await;
        let kept = self.store.write(Lane::org(&self.org), unit).await;
        kept.map_err(|error| put_back(files, &old, error))
    }

    /// Puts a checked set-up in force; what is different, or nothing when it says the same.
    pub(super) async fn accept(
        &self,
        files: &Files,
        loaded: Loaded,
        by: &str,
        now: Instant,
    ) -> Result<Option<Taken>, SetupError> {
        let before = self.state();
        let mut catalogue = before.catalogue.clone();
        let mut taken = None;
        if !loaded.is_same(&before.loaded) {
            let former = Before::of(&before.loaded, &loaded);
            taken = Some(
                taken::take_in(&self.store, &self.org, Some(former), &loaded, &mut catalogue, by, now)
                    .await?,
            );
        }
        // Comments and the places of things may be new all the same.
        let tokens = tokens(&loaded);
        let state = Arc::new(State { loaded, catalogue, texts: texts(files), tokens });
        if let Ok(mut place) = self.state.write() {
            *place = state;
        }
        if taken.is_some() {
            self.turns.fetch_add(1, std::sync::atomic::Ordering::Release);
        }
        Ok(taken)
    }
}

// The files as they were, after `error`.
fn put_back(files: &Files, old: &Files, error: impl Into<ChangeError>) -> ChangeError {
    if let Err(worse) = files.put_back(old) {
        tracing::error!(worse, "the files of the set-up are newer than what is in force");
    }
    error.into()
}

fn check(files: &Files, before: &Loaded, judge: Option<&dyn Judge>) -> Result<Loaded, Problems> {
    files.load(&Environment { before: Some(before), judge, ..Environment::default() })
}

// The texts with an edit in them, checked as a whole.
async fn edited(
    mut files: Files,
    edit: Edit,
    before: Arc<State>,
    judge: Option<Arc<dyn Judge>>,
) -> Result<(Files, Loaded), ChangeError> {
    let work = move || {
        files.apply(&edit, &before.loaded)?;
        let loaded = check(&files, &before.loaded, judge.as_deref()).map_err(ChangeError::Refused)?;
        Ok((files, loaded))
    };
    at_work(work).await?
}

fn tag(loaded: &Loaded, section: &str) -> String {
    if section != "person" {
        return loaded.hash();
    }
    let people = serde_json::to_string(&loaded.people).unwrap_or_default();
    hash_text(format!("{}\n{people}", loaded.hash()).as_bytes())
}

// Messages that were not there before.
fn news(after: &Problems, before: &Problems) -> Problems {
    let known: std::collections::HashSet<_> =
        before.diagnostics.iter().map(|found| (found.code, &found.message)).collect();
    let mut news = after.clone();
    news.diagnostics.retain(|found| !known.contains(&(found.code, &found.message)));
    news
}

pub(super) fn ended() -> ChangeError {
    ChangeError::Write("the change came to no end; see the gateway's log".to_owned())
}

// Reading and compiling many files takes its time: not where others wait.
async fn at_work<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ChangeError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ended())
}
