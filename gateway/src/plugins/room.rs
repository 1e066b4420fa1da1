//! The plugins in force, as the set-up says, and how each of them stands.

use super::kept::Kept;
use super::space::Space;
use super::workshop::Workshop;
use crate::clock::now;
use crate::house::House;
use crate::invoicing::{Letter, NoLetter, letter};
use crate::setup::PluginFile;
use crate::store::{self, OrgId, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use takst_engine::units::Instant;
use takst_plugins::capability::Meters;
use takst_plugins::manifest::{Capability, HostName, Target};
use takst_plugins::model::calls::{Answer as CallAnswer, Call};
use takst_plugins::model::messages::Message as SentMessage;
use takst_plugins::model::meters::{File as MeterFile, Series, Span};
use takst_plugins::model::prices::{Document, Wanted};
use takst_plugins::plugin::Metrics;
use takst_plugins::{Context, Done, Failed, Plugin};

const RECEIVE: &str = "calls.receive";

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

/// A plugin that reads and writes meter values.
pub struct Metering<'a> {
    plugins: &'a Plugins,
    /// Its name here.
    pub name: String,
    /// Its version.
    pub version: String,
    meters: Meters,
}

impl Metering<'_> {
    /// Reads a file.
    ///
    /// # Errors
    /// What the plugin says, or why it was stopped.
    pub async fn read(&self, file: MeterFile) -> Result<Vec<Series>, Failed> {
        let done = self.meters.read(&Context::default(), file).await;
        self.plugins.note(&self.name, "meters.read", &done);
        done.result
    }

    /// Writes values in a form.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn write(&self, form: String, series: Vec<Series>) -> Result<MeterFile, Failed> {
        let done = self.meters.write(&Context::default(), form, series).await;
        self.plugins.note(&self.name, "meters.write", &done);
        done.result
    }

    /// Asks the other system for values.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn fetch(&self, span: Span) -> Result<Vec<Series>, Failed> {
        let done = self.meters.fetch(&Context::default(), span).await;
        self.plugins.note(&self.name, "meters.fetch", &done);
        done.result
    }

    /// What is wrong with the number of a metering point; nothing if it is right.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn check_point(&self, point: &str) -> Result<Option<String>, Failed> {
        let done = self.meters.check_point(&Context::default(), point).await;
        self.plugins.note(&self.name, "meters.check-point", &done);
        done.result
    }
}

/// All plugins of a gateway. Whoever calls one takes what is in force then; a change of the set-up is seen at the next call.
pub struct Plugins {
    workshop: Arc<Workshop>,
    house: Arc<House>,
    store: Store,
    kept: Kept,
    made: Mutex<Made>,
    older: Mutex<Older>,
    told: Mutex<BTreeMap<String, Told>>,
}

// Versions that were in force once and that payments may be bound to.
#[derive(Default)]
struct Older {
    // By name and sha256.
    all: BTreeMap<(String, String), Plugin>,
    // What nobody was bound to at the last look, by sha256: gone at the next.
    doubtful: BTreeSet<String>,
}

impl Plugins {
    /// Over this set-up.
    #[must_use]
    pub fn new(workshop: Arc<Workshop>, house: Arc<House>, store: Store) -> Self {
        let made = Mutex::new(Made { of: Arc::default(), all: Arc::default() });
        let (older, told) = (Mutex::default(), Mutex::default());
        Self { workshop, house, store, kept: Kept::default(), made, older, told }
    }

    /// Keeps code that payments are bound to in this folder, so that they can go on with it after an upgrade and a restart.
    #[must_use]
    pub fn keep_in(self, folder: PathBuf) -> Self {
        Self { kept: Kept::new(folder), ..self }
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
        self.set_aside(&made.all, &all);
        self.workshop.keep_only(&wanted);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| all.contains_key(name));
        *made = Made { of: wanted, all: Arc::new(all) };
        Arc::clone(&made.all)
    }

    // Another version that had a name stays for those who are bound to it, with its own settings, secrets and grant.
    fn set_aside(
        &self,
        before: &BTreeMap<String, Result<Plugin, String>>,
        now: &BTreeMap<String, Result<Plugin, String>>,
    ) {
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, plugin) in before {
            let Ok(plugin) = plugin else { continue };
            let sha256 = &plugin.code().sha256;
            let goes_on =
                now.get(name).is_some_and(|now| now.as_ref().is_ok_and(|now| now.code().sha256 == *sha256));
            let asked = [
                Capability::PaymentProvider,
                Capability::InvoiceChannel,
                Capability::Notifier,
                Capability::MeterExport,
            ];
            if !goes_on && asked.into_iter().any(|capability| plugin.able(capability).is_ok()) {
                older.all.insert((name.clone(), sha256.clone()), plugin.clone());
            }
        }
    }

    /// The plugin of this name, for something that is bound to its version from then on: its code is kept.
    #[must_use]
    pub fn get_kept(&self, name: &str) -> Option<Plugin> {
        let plugin = self.get(name).ok()?;
        if let Some(file) = self.house.plugins().get(name)
            && let Err(why) = self.kept.keep(&plugin.code().sha256, file)
        {
            // In this process it is there all the same; after an upgrade and a restart it is missed.
            tracing::warn!(plugin = name, why, "the code of a plugin could not be kept");
        }
        Some(plugin)
    }

    /// The plugin of this name with exactly this code: the one in force, one that was in force before, or one that was kept. The latter has
    /// the settings and secrets that the name has now.
    #[must_use]
    pub fn version(&self, name: &str, sha256: &str) -> Option<Plugin> {
        let of_it = |plugin: &Plugin| plugin.code().sha256 == sha256;
        if let Some(plugin) = self.get(name).ok().filter(of_it) {
            return Some(plugin);
        }
        let older = || self.older.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), sha256.to_owned());
        if let Some(plugin) = older().all.get(&key) {
            return Some(plugin.clone());
        }
        let file = Arc::clone(self.house.plugins().get(name)?);
        let read = self.kept.read(sha256).and_then(|package| {
            let Some(package) = package else { return Ok(None) };
            let space = Space::new(self.store.clone(), self.house.org().clone(), name);
            self.workshop.plugin(&file.with_code(package)?, Arc::new(space)).map(Some)
        });
        let plugin = read.unwrap_or_else(|why| {
            tracing::error!(plugin = name, why, "an older version of a plugin cannot be loaded");
            None
        })?;
        tracing::info!(plugin = name, version = %plugin.code().manifest.version, "payments go on with an older version of a plugin");
        older().all.insert(key, plugin.clone());
        Some(plugin)
    }

    /// Lets go of older versions that nobody is bound to, at the second look that finds it so. `bound`: the sha256 of those that are.
    pub fn drain(&self, bound: &BTreeSet<String>) {
        let in_force: BTreeSet<String> =
            self.in_force().values().flatten().map(|plugin| plugin.code().sha256.clone()).collect();
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        let all = older.all.keys().map(|(_, sha256)| sha256.clone()).chain(self.kept.all());
        let free: BTreeSet<String> =
            all.filter(|sha256| !bound.contains(sha256) && !in_force.contains(sha256)).collect();
        let doubtful = std::mem::replace(&mut older.doubtful, free.clone());
        for sha256 in free.intersection(&doubtful) {
            older.all.retain(|(_, known), _| known != sha256);
            self.kept.remove(sha256);
        }
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

    /// Whether calls from outside can go to this one.
    #[must_use]
    pub fn takes_calls(&self, name: &str) -> bool {
        self.get(name).is_ok_and(|plugin| plugin.calls().is_ok())
    }

    /// A driver's telephone number, where it is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn phone(&self, org: &OrgId, driver: &str) -> Result<Option<String>, store::Error> {
        let person = self.store.read().await?.person(org, driver).await?;
        Ok(person.and_then(|person| person.phone))
    }

    /// The telephone number, as in `+4791234567`, of the driver who makes this payment or saves this instrument: for a provider
    /// that is set up to ask him on his telephone (its setting `flow` is `push`), and where it is known with its country.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn payer_phone(
        &self,
        org: &OrgId,
        plugin: &Plugin,
        reference: &str,
    ) -> Result<Option<String>, store::Error> {
        if !plugin.settings().iter().any(|(name, value)| (name.as_str(), value.as_str()) == ("flow", "push"))
        {
            return Ok(None);
        }
        let mut reader = self.store.read().await?;
        let debtor = match reader.payment(org, reference).await? {
            Some(payment) => Some(payment.debtor),
            None => reader.instrument(org, reference).await?.map(|instrument| instrument.debtor),
        };
        drop(reader);
        // Others than drivers have keys of their own, which may read the same.
        let Some(driver) = debtor.as_deref().and_then(|debtor| debtor.strip_prefix("driver:")) else {
            return Ok(None);
        };
        let phone = self.phone(org, driver).await?;
        Ok(phone.and_then(|phone| crate::texts::digits(&phone)).map(|digits| format!("+{digits}")))
    }

    // What mail is made of.
    pub(super) fn mails(&self) -> (Arc<House>, Store) {
        (Arc::clone(&self.house), self.store.clone())
    }

    /// An invoice with all that goes to its channel.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn letter(&self, org: &OrgId, invoice: &str) -> Result<Letter, NoLetter> {
        letter(&mut self.store.read().await?, org, invoice).await
    }

    /// Sends a message once, whatever comes of it: for numbers that nobody here is to remember.
    ///
    /// # Errors
    /// It was not sent, or nobody knows; in words.
    pub async fn send_once(&self, name: &str, key: String, message: SentMessage) -> Result<(), String> {
        let messages = self.get(name)?.messages().map_err(|error| error.to_string())?;
        let done = messages.send(&Context::default(), key, message).await;
        self.note(name, "messages.send", &done);
        done.result.map(drop).map_err(|failed| failed.to_string())
    }

    /// The plugins that can and may do this, by their names here, each with what it is.
    #[must_use]
    pub fn able(&self, capability: Capability) -> Vec<(String, String)> {
        let all = self.in_force();
        let able = all.iter().filter_map(|(name, plugin)| Some((name, plugin.as_ref().ok()?)));
        let able = able.filter(|(_, plugin)| plugin.able(capability).is_ok());
        able.map(|(name, plugin)| (name.clone(), plugin.code().manifest.id.clone())).collect()
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

    /// The plugin that deals with meter values: the one of this name, or the only one there is.
    ///
    /// # Errors
    /// There is none, there are several, or it does not do that.
    pub fn meters(&self, name: Option<&str>) -> Result<Metering<'_>, String> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => {
                let able: Vec<String> =
                    self.able(Capability::MeterExport).into_iter().map(|(name, _)| name).collect();
                match <[String; 1]>::try_from(able) {
                    Ok([one]) => one,
                    Err(none) if none.is_empty() => {
                        return Err(
                            "no plugin for meter values is set up; add `[[plugin]]` with `id = \"elhub\"`"
                                .to_owned(),
                        );
                    }
                    Err(several) => {
                        return Err(format!("say which `plugin` is meant: {}", several.join(", ")));
                    }
                }
            }
        };
        let plugin = self.get(&name)?;
        let version = plugin.code().manifest.version.to_string();
        let meters = plugin.meters().map_err(|error| error.to_string())?;
        Ok(Metering { plugins: self, name, version, meters })
    }

    /// Hands a call from outside to a plugin.
    ///
    /// # Errors
    /// It takes none; what came of the call is inside.
    pub async fn receive(&self, name: &str, call: Call) -> Result<Done<CallAnswer>, String> {
        let calls = self.get(name)?.calls().map_err(|error| error.to_string())?;
        let done = calls.receive(&Context::default(), call).await;
        self.note(name, RECEIVE, &done);
        Ok(done)
    }

    /// The pages of a plugin may talk to these origins: the hosts that the plugin itself may call, without those inside a network.
    #[must_use]
    pub fn origins(&self, name: &str) -> Vec<String> {
        let Some(file) = self.house.plugins().get(name).cloned() else { return Vec::new() };
        let target = |host: &HostName, port| host.resolve(port, &file.settings);
        let asked: Vec<Target> =
            file.manifest.http.iter().filter_map(|rule| target(&rule.host, rule.port)).collect();
        let granted = file.grant.http.iter().filter(|rule| !rule.plain && rule.addresses.is_empty());
        let granted = granted.filter_map(|rule| target(&rule.host, rule.port));
        let both = granted
            .filter(|granted| {
                asked.iter().any(|asked| (&asked.host, asked.port) == (&granted.host, granted.port))
            })
            .map(|target| match target.port {
                443 => format!("https://{}", target.host),
                port => format!("https://{}:{port}", target.host),
            });
        let all: BTreeSet<String> = both.collect();
        all.into_iter().collect()
    }

    // Keeps and counts what came of a call.
    pub(super) fn note<T>(&self, name: &str, function: &'static str, done: &Done<T>) {
        let (result, trouble) = match &done.result {
            Ok(_) => ("ok", None),
            Err(failed) => {
                let said = matches!(failed, Failed::Said(_));
                let code = failed.code().to_owned();
                let trouble = Trouble { at: now(), code, detail: failed.to_string() };
                // What anybody can bring about from outside says nothing of how it stands.
                let trouble = Some(trouble).filter(|_| !(said && function == RECEIVE));
                (if said { "error" } else { "stopped" }, trouble)
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
