//! The plugins in force, as the set-up says, and how each of them stands.

use super::space::Space;
use super::workshop::Workshop;
use crate::clock::now;
use crate::house::House;
use crate::setup::PluginFile;
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use takst_engine::units::Instant;
use takst_plugins::model::prices::{Document, Wanted};
use takst_plugins::plugin::Metrics;
use takst_plugins::{Context, Done, Failed, Plugin};

/// The last thing that went wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// When.
    pub at: Instant,
    /// A short word that stays the same.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// What the last call used of a limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Used {
    /// `memory`, `fuel`, ...
    pub limit: &'static str,
    /// For people.
    pub used: String,
    /// For people.
    pub allowed: String,
    /// The share in percent.
    pub percent: u64,
}

/// How a plugin stands, in a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It can be called, and its last call was answered.
    Ready,
    /// Its last call failed or was stopped.
    Failing,
    /// It cannot be loaded.
    Broken,
}

impl State {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failing => "failing",
            Self::Broken => "broken",
        }
    }
}

/// A plugin, and how it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What it is made of.
    pub file: Arc<PluginFile>,
    /// In a word.
    pub state: State,
    /// The last thing that went wrong, if it was not too long ago: since the start.
    pub trouble: Option<Trouble>,
    /// Sums over all calls since its settings were last changed.
    pub metrics: Metrics,
    /// What the last call used.
    pub used: Vec<Used>,
}

#[derive(Default)]
struct Told {
    failing: bool,
    trouble: Option<Trouble>,
    used: Vec<Used>,
}

// The plugins of one reading of the set-up.
struct Made {
    of: Arc<BTreeMap<String, Arc<PluginFile>>>,
    all: Arc<BTreeMap<String, Result<Plugin, String>>>,
}

/// All plugins of a gateway. Whoever calls one takes what is in force then; a change of the set-up is seen at the next call.
pub struct Plugins {
    workshop: Arc<Workshop>,
    house: Arc<House>,
    store: Store,
    made: Mutex<Made>,
    told: Mutex<BTreeMap<String, Told>>,
}

impl Plugins {
    /// Over this set-up.
    #[must_use]
    pub fn new(workshop: Arc<Workshop>, house: Arc<House>, store: Store) -> Self {
        let made = Mutex::new(Made { of: Arc::default(), all: Arc::default() });
        Self { workshop, house, store, made, told: Mutex::default() }
    }

    // The code has been loaded when the set-up was checked, so this is quick.
    fn in_force(&self) -> Arc<BTreeMap<String, Result<Plugin, String>>> {
        let wanted = self.house.plugins();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&made.of, &wanted) {
            return Arc::clone(&made.all);
        }
        let mut all = BTreeMap::new();
        for (name, file) in wanted.iter() {
            // One that is as it was goes on counting.
            let kept = made.of.get(name).filter(|before| *before == file).and_then(|_| made.all.get(name));
            let plugin = match kept {
                Some(Ok(plugin)) => Ok(plugin.clone()),
                Some(Err(_)) | None => {
                    let space = Space::new(self.store.clone(), self.house.org().clone(), name);
                    self.workshop.plugin(file, Arc::new(space))
                }
            };
            if let Err(why) = &plugin {
                tracing::error!(plugin = name, why, "a plugin cannot be loaded");
            }
            all.insert(name.clone(), plugin);
        }
        self.workshop.keep_only(&wanted);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| all.contains_key(name));
        *made = Made { of: wanted, all: Arc::new(all) };
        Arc::clone(&made.all)
    }

    /// The plugin of this name.
    ///
    /// # Errors
    /// There is none, or it cannot be loaded.
    pub fn get(&self, name: &str) -> Result<Plugin, String> {
        match self.in_force().get(name) {
            Some(plugin) => plugin.clone(),
            None => Err(format!("there is no plugin `{name}` in the set-up")),
        }
    }

    /// Asks a source of prices for a day.
    ///
    /// # Errors
    /// It cannot be asked; what came of the call is inside.
    pub async fn fetch(&self, name: &str, wanted: Wanted) -> Result<Done<Vec<Document>>, String> {
        let plugin = self.get(name)?;
        let prices = plugin.prices().map_err(|error| error.to_string())?;
        let done = prices.fetch(&Context::default(), wanted).await;
        self.note(name, "prices.fetch", &done);
        Ok(done)
    }

    // Keeps and counts what came of a call.
    fn note<T>(&self, name: &str, function: &'static str, done: &Done<T>) {
        let (result, trouble) = match &done.result {
            Ok(_) => ("ok", None),
            Err(failed) => {
                let result = if matches!(failed, Failed::Said(_)) { "error" } else { "stopped" };
                let code = failed.code().to_owned();
                (result, Some(Trouble { at: now(), code, detail: failed.to_string() }))
            }
        };
        for warning in &done.warnings {
            tracing::warn!(plugin = name, "{warning}");
        }
        let plugin = || name.to_owned();
        metrics::counter!("takst_plugin_calls_total", "plugin" => plugin(), "function" => function, "result" => result)
            .increment(1);
        let wall = Duration::from_micros(done.usage.wall_us);
        metrics::histogram!("takst_plugin_call_seconds", "plugin" => plugin(), "function" => function)
            .record(wall);
        let used: Vec<Used> = done.usage.against(&done.limits).into_iter().map(Used::from).collect();
        for one in &used {
            let percent = u32::try_from(one.percent).unwrap_or(u32::MAX);
            metrics::gauge!("takst_plugin_limit_used_percent", "plugin" => plugin(), "limit" => one.limit)
                .set(percent);
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.entry(plugin()).or_default();
        told.failing = trouble.is_some();
        told.used = used;
        if trouble.is_some() {
            told.trouble = trouble;
        }
    }

    /// All plugins in order of their names, and how they stand.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        let all = self.in_force();
        let files = self.house.plugins();
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = |(name, file): (&String, &Arc<PluginFile>)| {
            let told = told.get(name);
            let failing = told.is_some_and(|told| told.failing);
            let (state, metrics, broken) = match all.get(name)? {
                Ok(plugin) if failing => (State::Failing, plugin.metrics(), None),
                Ok(plugin) => (State::Ready, plugin.metrics(), None),
                Err(why) => (State::Broken, Metrics::default(), Some(why)),
            };
            let broken =
                broken.map(|why| Trouble { at: now(), code: "load".to_owned(), detail: why.clone() });
            Some(Standing {
                file: Arc::clone(file),
                state,
                trouble: broken.or_else(|| told.and_then(|told| told.trouble.clone())),
                metrics,
                used: told.map(|told| told.used.clone()).unwrap_or_default(),
            })
        };
        files.iter().filter_map(standing).collect()
    }
}

impl From<(&'static str, String, String, u64)> for Used {
    fn from((limit, used, allowed, percent): (&'static str, String, String, u64)) -> Self {
        Self { limit, used, allowed, percent }
    }
}
