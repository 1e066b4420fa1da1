//! All versions of all tariff files, and which one counts when.

use super::Loaded;
use super::model::RunningSessions;
use super::report::{More as _, Place, Problems, Report};
use super::tariffs::Bundle;
use std::collections::BTreeMap;
use std::sync::Arc;
use takst_engine::Prepared;
use takst_engine::units::Instant;

/// The text of a tariff file from an instant on.
#[derive(Clone, Debug)]
pub struct Version {
    /// The path it is assigned by.
    pub name: String,
    /// SHA-256 of the compiled tariff; bills name it.
    pub version: String,
    /// Its sources as JSON ([`Bundle`]).
    pub bundle: Arc<str>,
    /// Ready for use.
    pub prepared: Arc<Prepared>,
    /// It counts from then on.
    pub from: Instant,
    /// When it was taken in. Of two versions that count at the same time the one taken in later wins.
    pub added: Instant,
}

impl Version {
    /// What it does with sessions that run when it comes into force, when its assignment does not say.
    #[must_use]
    pub fn running_sessions(&self) -> RunningSessions {
        if self.prepared.tariff().running_sessions_change {
            RunningSessions::Switch
        } else {
            RunningSessions::Keep
        }
    }

    /// Whether its list is over at `at`: sessions that begin then are not its own.
    #[must_use]
    pub fn is_over(&self, at: Instant) -> bool {
        self.prepared.tariff().valid_until.is_some_and(|until| until <= at)
    }
}

/// The time before all times: a file's first version counts from here on when its list has no `valid from`.
pub const BEGINNING: Instant = Instant(0);

/// All versions of all tariff files. What is the same is kept once.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    // In the order they were taken in.
    by_name: BTreeMap<String, Vec<Version>>,
    by_version: BTreeMap<String, Arc<Prepared>>,
}

impl Catalogue {
    /// Takes back a version from the database; call it in the order in which they were added. Whether the bundle still compiles to
    /// the same version: a newer program or a newer table of time zones can make another one of it, which then counts under the
    /// stored name.
    ///
    /// # Errors
    /// When the bundle cannot be read or does not compile any more.
    pub fn restore(
        &mut self,
        name: &str,
        version: &str,
        bundle: &str,
        from: Instant,
        added: Instant,
    ) -> Result<bool, String> {
        let prepared = match self.by_version.get(version) {
            Some(prepared) => Arc::clone(prepared),
            None => {
                let compiled = Bundle::from_json(bundle)?.compile();
                Arc::new(
                    compiled.map_err(|problems| format!("`{name}` does not compile any more: {problems}"))?,
                )
            }
        };
        let same = prepared.version() == version;
        self.by_version.insert(version.to_owned(), Arc::clone(&prepared));
        let version = Version {
            name: name.to_owned(),
            version: version.to_owned(),
            bundle: bundle.into(),
            prepared,
            from,
            added,
        };
        self.by_name.entry(name.to_owned()).or_default().push(version);
        Ok(same)
    }

    /// Takes in the tariff files of a set-up at `now`; what is new, to be stored. A file seen for the first time counts from its list's
    /// `valid from`. A text that has changed counts from the assignment's `changes_from`, or else from `now`, or from `valid from` when
    /// that is later: what was already charged stays as it is. Nothing is taken in when there is an error.
    ///
    /// # Errors
    /// A `changes_from` that has passed.
    pub fn take_in(&mut self, loaded: &Loaded, now: Instant) -> Result<Vec<Version>, Problems> {
        let mut report = Report::default();
        let mut new = Vec::new();
        for file in loaded.tariffs.values() {
            let last = self.by_name.get(&file.name).and_then(|versions| versions.last());
            let valid_from = file.prepared.tariff().valid_from.unwrap_or(BEGINNING);
            let from = match last {
                Some(last) if last.version == file.prepared.version() => continue,
                None => valid_from,
                Some(_) => {
                    let stated = loaded.changes.iter().find(|change| change.file == file.name);
                    if let Some(stated) = stated.filter(|stated| stated.at < now) {
                        over(stated, loaded, &mut report);
                        continue;
                    }
                    stated.map_or(now, |stated| stated.at).max(valid_from)
                }
            };
            let prepared = self.by_version.get(file.prepared.version()).unwrap_or(&file.prepared);
            new.push(Version {
                name: file.name.clone(),
                version: file.prepared.version().to_owned(),
                bundle: file.bundle.to_json().into(),
                prepared: Arc::clone(prepared),
                from,
                added: now,
            });
        }
        if report.has_errors() {
            return Err(report.finish());
        }
        for version in &new {
            self.by_version.insert(version.version.clone(), Arc::clone(&version.prepared));
            self.by_name.entry(version.name.clone()).or_default().push(version.clone());
        }
        Ok(new)
    }

    /// The version of a tariff file that counts at `at`: of those that have begun the one that was taken in last. None when its list
    /// is over: a text that it has replaced does not come back.
    #[must_use]
    pub fn at(&self, name: &str, at: Instant) -> Option<&Version> {
        let last = self.versions(name).iter().rev().find(|version| version.from <= at);
        last.filter(|version| !version.is_over(at))
    }

    /// All versions of a tariff file, in the order they were taken in.
    #[must_use]
    pub fn versions(&self, name: &str) -> &[Version] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The tariff with this version.
    #[must_use]
    pub fn version(&self, version: &str) -> Option<&Arc<Prepared>> {
        self.by_version.get(version)
    }

    /// The names of all tariff files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

/// From when a changed text of a tariff file is to count, as an assignment states it.
#[derive(Clone, Debug)]
pub(crate) struct ChangesFrom {
    /// The tariff file.
    pub file: String,
    /// When.
    pub at: Instant,
    /// Where it is stated.
    pub place: Place,
}

fn over(stated: &ChangesFrom, loaded: &Loaded, report: &mut Report) {
    let source = usize::try_from(stated.place.source).ok().and_then(|source| loaded.sources.get(source));
    let (name, text) = source.map(|source| (source.name.clone(), source.text.clone())).unwrap_or_default();
    let at = Place { source: report.source(name, text), span: stated.place.span };
    report
        .error("S057", at, format!("`{}` has changed, and this time has passed", stated.file))
        .advise("what was charged stays as it is: write a time to come, or leave `changes_from` out");
}
