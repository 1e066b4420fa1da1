//! The set-up in force: what the files say, taken into the database, and answers to those who ask at work.
//!
//! A reload that does not check changes nothing: the old set-up stays in force and the mistakes are told.

mod change;
mod currencies;
mod exported;
mod fetched;
mod lists;
mod taken;
mod to_come;
mod watch;
mod ways;

use crate::billing::{NextList, Seller as BillSeller, Sellers, Tariffs};
use crate::chargers::model::TariffDocument;
use crate::desk::rules::{
    Asker, ChargerRules, EvseRules, House as HouseRules, Rules, Security, TariffChoice, Unknown,
};
use crate::feeds::Expected;
use crate::invoicing::{Kid, Terms};
use crate::link::{Make, Ways};
use crate::mail::Server;
use crate::ocpp::Dialect;
use crate::receipts::{About, Form, ReceiptError, html_about, json_about, text_about};
use crate::reminding;
use crate::sessions::Waits;
use crate::setup::{
    self, At, Catalogue, Charger, Document, Environment, Files, Judge, Loaded, Problems, Subprotocol,
};
use crate::store::{Bill, Error, OrgId, Session, Store};
use crate::teach::{ByEvse, Lesson};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use takst_engine::Prepared;
use takst_engine::session::Plug;
use takst_engine::units::Instant;

pub use change::{ChangeError, Changed, Wanted};
pub use fetched::{Fetched, ScheduledPoint};
use taken::Before;
pub use taken::Taken;
use ways::ways;

/// Where a set-up comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file or folder, read again when it changes.
    Path(PathBuf),
    /// Texts in the program: the demo.
    Texts(Files),
}

impl Source {
    fn read(&self) -> Result<Files, Problems> {
        match self {
            Source::Path(path) => Files::read(path),
            Source::Texts(files) => Ok(files.clone()),
        }
    }
}

/// Why a set-up was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The files are wrong.
    #[error("the set-up has errors:\n{0}")]
    Files(Problems),
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What a site's electricity comes through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plant {
    /// Its metering points, in order.
    pub points: Vec<String>,
    /// The site's clock.
    pub zone: chrono_tz::Tz,
}

struct State {
    loaded: Loaded,
    catalogue: Catalogue,
    // The texts as they were read, to see whether they have changed.
    texts: Vec<(String, String)>,
    // What tells this list of tokens from another.
    tokens: String,
}

/// The set-up in force.
pub struct House {
    org: OrgId,
    source: Source,
    store: Store,
    judge: Option<Arc<dyn Judge>>,
    state: RwLock<Arc<State>>,
    turn: tokio::sync::Mutex<()>,
    // How often another set-up has come into force.
    turns: AtomicU64,
    exported: exported::Kept,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").field("org", &self.org).field("source", &self.source).finish_non_exhaustive()
    }
}

impl House {
    /// Reads the set-up, checks it and takes it into the database. `judge` loads plugins and asks them about their settings.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub async fn open(
        source: Source,
        store: Store,
        judge: Option<Arc<dyn Judge>>,
        now: Instant,
    ) -> Result<(Arc<Self>, Taken), SetupError> {
        let (files, loaded) = read(&source, None, judge.clone()).await?;
        let org = OrgId::new(loaded.setup.document().organisation.id.as_str());
        let mut catalogue = Catalogue::default();
        let mut rows = store.read().await?.tariffs(&org).await?;
        rows.sort_by_key(|row| row.added_at);
        for row in rows {
            // A tariff that this program cannot compile any more stays in the database: its bills are there as they were.
            match catalogue.restore(&row.name, &row.version, &row.bundle, row.in_force_from, row.added_at) {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!(tariff = row.name, "this program compiles an older version differently");
                }
                Err(why) => tracing::warn!(tariff = row.name, why, "an older version cannot be used"),
            }
        }
        // What was changed while nobody looked is told too, and a token that was taken out meanwhile opens nothing.
        let before = store.read().await?.current_setup(&org).await?.and_then(|row| {
            let before = Document::from_json(&row.document);
            let before =
                before.inspect_err(|why| tracing::warn!(%why, "the set-up before cannot be compared with"));
            Some((before.ok()?, row.hash))
        });
        let before = before.map(|(before, hash)| Before::stored(&before, &hash, &loaded));
        let taken = taken::take_in(&store, &org, before, &loaded, &mut catalogue, taken::FILES, now).await?;
        let tokens = tokens(&loaded);
        let state = Arc::new(State { loaded, catalogue, texts: texts(&files), tokens });
        let (state, turn) = (RwLock::new(state), tokio::sync::Mutex::default());
        let (turns, exported) = (AtomicU64::new(0), exported::Kept::default());
        let house = Self { org, source, store, judge, state, turn, turns, exported };
        Ok((Arc::new(house), taken))
    }

    /// Reads the set-up again when its texts have changed; what was taken in, or nothing.
    ///
    /// # Errors
    /// See [`SetupError`]; then the old set-up stays in force.
    pub async fn reload(&self, now: Instant) -> Result<Option<Taken>, SetupError> {
        let _turn = self.turn.lock().await;
        let before = self.state();
        let (files, loaded) = read(&self.source, Some(before), self.judge.clone()).await?;
        self.accept(&files, loaded, taken::FILES, now).await
    }

    /// Whether the texts, those of tariffs too, have changed since they were read; cheap enough to ask every few seconds.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        let state = self.state();
        // What cannot be read now may be half written: the next look tells.
        let differ = |files: Files| texts(&files) != state.texts || state.loaded.lists_differ(&files);
        self.source.read().is_ok_and(differ)
    }

    /// Whose set-up it is.
    #[must_use]
    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// The set-up as JSON, without personal data and without secrets.
    #[must_use]
    pub fn document(&self) -> String {
        self.state().loaded.shown().to_string()
    }

    /// The clock of a site.
    #[must_use]
    pub fn zone(&self, site: &str) -> Option<chrono_tz::Tz> {
        self.state().loaded.setup.site(site).map(|site| site.time_zone.0)
    }

    /// The sites, each with the metering points of its plant and its clock: the site's own point, or those of its chargers and connectors
    /// where it has none.
    #[must_use]
    pub fn plants(&self) -> std::collections::BTreeMap<String, Plant> {
        let state = self.state();
        let document = state.loaded.setup.document();
        let plant = |site: &setup::Site| {
            let points: std::collections::BTreeSet<String> = match &site.metering_point {
                Some(point) => std::iter::once(point.clone()).collect(),
                None => {
                    let of_site = document.chargers.iter().filter(|charger| charger.site == site.id);
                    of_site
                        .flat_map(|charger| {
                            let connectors = charger.connectors.iter();
                            let own = connectors.map(|connector| connector.metering_point.as_ref());
                            own.chain([charger.metering_point.as_ref()]).flatten().cloned()
                        })
                        .collect()
                }
            };
            (site.id.to_string(), Plant { points: points.into_iter().collect(), zone: site.time_zone.0 })
        };
        document.sites.iter().map(plant).collect()
    }

    /// The bounds of the set-up on those of a server.
    pub fn bound(&self, options: &mut crate::serve::Options) {
        let state = self.state();
        let limits = &state.loaded.setup.document().limits;
        options.limits.accepts = limits.connects_per_second;
        options.limits.comings = limits.connects_per_charger;
        options.limits.failures_of_address = limits.wrong_passwords;
        options.stations.messages = limits.messages_per_second;
    }

    /// The sellers whose drivers are reminded of overdue bills without anybody asking for it.
    #[must_use]
    pub fn reminding(&self) -> Vec<reminding::Terms> {
        let state = self.state();
        let terms = |seller: &setup::Seller| {
            let (seller, due_days, after_days) =
                (seller.id.to_string(), seller.due_days, seller.remind_after_days?);
            Some(reminding::Terms { seller, due_days, after_days })
        };
        state.loaded.setup.document().sellers.iter().filter_map(terms).collect()
    }

    /// The mail server.
    #[must_use]
    pub fn mail(&self) -> Option<Arc<Server>> {
        self.state().loaded.mail.clone()
    }

    /// The receipt of a bill as text or as a page, with the words of its tariff and the name of its site.
    ///
    /// # Errors
    /// When the bill is not as the gateway writes bills.
    pub fn receipt(&self, bill: &Bill, form: Form) -> Result<String, ReceiptError> {
        let (site, versions) = crate::receipts::where_and_how(bill);
        let site = site.and_then(|site| self.site_name(&site));
        let find = |version: Option<String>| version.and_then(|version| self.prepared(&version));
        let mut tariffs = versions.into_iter().map(find);
        let tariff = tariffs.next().flatten();
        let later: Vec<_> = tariffs.collect();
        let about = About { tariff: tariff.as_deref(), later: &later, site: site.as_deref() };
        match form {
            Form::Text => text_about(bill, about),
            Form::Page => html_about(bill, about),
            Form::Json => json_about(bill, about),
        }
    }

    /// Requests of one API key a minute.
    #[must_use]
    pub fn api_requests(&self) -> u32 {
        self.state().loaded.setup.document().limits.api_requests
    }

    /// How long raw frames are kept, in milliseconds: the longest time of any site or charger.
    #[must_use]
    pub fn keep_frames_ms(&self) -> i64 {
        let state = self.state();
        let set_up = &state.loaded.setup;
        let chargers = set_up.document().chargers.iter().map(|charger| set_up.settings(charger));
        let all = chargers.chain([set_up.site_settings(None)]);
        all.map(|settings| settings.keep_frames_for.ms()).max().unwrap_or_default()
    }

    /// What people call a site.
    #[must_use]
    pub fn site_name(&self, site: &str) -> Option<String> {
        self.state().loaded.setup.site(site).map(|site| site.name.clone())
    }

    /// The sites of a seller; none when there is no such seller.
    #[must_use]
    pub fn sites_of(&self, seller: &str) -> Option<Vec<String>> {
        let state = self.state();
        let set_up = state.loaded.setup.document();
        set_up.sellers.iter().find(|one| one.id.as_str() == seller)?;
        let own = set_up.sites.iter().filter(|site| site.seller.as_str() == seller);
        Some(own.map(|site| site.id.to_string()).collect())
    }

    /// The site of a charger.
    #[must_use]
    pub fn site(&self, charger: &str) -> Option<String> {
        Some(Self::there(&self.state(), charger)?.site.to_string())
    }

    /// The folder that the set-up stands in; none: it is a part of the program.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        let Source::Path(path) = &self.source else { return None };
        Some(if path.is_dir() { path.clone() } else { path.parent().unwrap_or(path).to_owned() })
    }

    /// Folders in which price files appear, each with the currency to take of files that have several.
    #[must_use]
    pub fn feed_folders(&self) -> Vec<(PathBuf, String)> {
        let Some(base) = self.folder() else { return Vec::new() };
        let state = self.state();
        let feeds = &state.loaded.setup.document().feeds;
        let folder = |feed: &setup::Feed| {
            let files = feed.files.as_ref()?;
            Some((base.join(files.as_str()), feed.currency.clone().unwrap_or_else(|| self.currency())))
        };
        let mut folders: Vec<_> = feeds.iter().filter_map(folder).collect();
        folders.dedup_by(|a, b| a.0 == b.0);
        folders
    }

    /// The feeds that are expected by a time of day.
    #[must_use]
    pub fn expected_feeds(&self) -> Vec<Expected> {
        let state = self.state();
        let document = state.loaded.setup.document();
        let expected = |feed: &setup::Feed| {
            let zone = feed.time_zone.unwrap_or(document.organisation.time_zone);
            Some(Expected {
                feed: feed.name.to_string(),
                area: feed.area.clone().unwrap_or_default(),
                by_minute: feed.expected_by?.0,
                zone: takst_dsl::resolve::zone::table(zone.0),
                alert_after_ms: feed.alert_after.ms(),
            })
        };
        document.feeds.iter().filter_map(expected).collect()
    }

    /// The currency of most tariffs; euro without any.
    #[must_use]
    pub fn currency(&self) -> String {
        let state = self.state();
        let mut codes: Vec<&str> =
            state.loaded.tariffs.values().map(|file| file.prepared.tariff().currency.code.as_str()).collect();
        codes.sort_unstable();
        let most = codes.chunk_by(|a, b| a == b).max_by_key(|same| same.len());
        most.and_then(|same| same.first()).map_or_else(|| "EUR".to_owned(), |code| (*code).to_owned())
    }

    /// Whether what is paid through a plugin can be a seller's: it is not another one's alone.
    #[must_use]
    pub fn takes_through(&self, seller: &str, plugin: &str) -> bool {
        let state = self.state();
        let mut whose = state
            .loaded
            .setup
            .document()
            .sellers
            .iter()
            .filter(|known| known.payments.as_ref().is_some_and(|payments| *payments == plugin));
        let others = whose.clone().next().is_some();
        !others || whose.any(|known| known.id == *seller)
    }

    /// Whether a charger shows prices to drivers.
    #[must_use]
    pub fn shows_cost(&self, charger: &str) -> bool {
        let state = self.state();
        // A guest is asked nothing that it did not come for.
        let named = state.loaded.setup.charger(charger);
        named.is_some_and(|charger| state.loaded.setup.settings(charger).price_display)
    }

    /// Milliseconds between two costs on a charger's display at least.
    #[must_use]
    pub fn display_pause_ms(&self, charger: &str) -> i64 {
        let state = self.state();
        let named = state.loaded.setup.charger(charger);
        named.map_or(0, |charger| state.loaded.setup.settings(charger).price_display_pause.ms())
    }

    /// Whether a charger may be here: one that has been taken out of the set-up may not.
    #[must_use]
    pub fn keeps(&self, charger: &str) -> bool {
        let state = self.state();
        state.loaded.setup.charger(charger).is_some()
            || !matches!(state.loaded.setup.unknown(charger), setup::Unknown::Refuse)
    }

    fn state(&self) -> Arc<State> {
        match self.state.read() {
            Ok(state) => Arc::clone(&state),
            // Only a panic while it was swapped could have poisoned it, and a swap is one assignment.
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }

    // A charger of the files, or one that is let in as unknown.
    fn named(state: &State, identity: &str) -> Option<Charger> {
        if let Some(charger) = state.loaded.setup.charger(identity) {
            return Some(charger.clone());
        }
        match state.loaded.setup.unknown(identity) {
            setup::Unknown::Accept(charger) => Some(*charger),
            setup::Unknown::Refuse | setup::Unknown::Hold(_) => None,
        }
    }

    // The same; also one that waits at a site to be accepted, or was accepted there.
    fn there(state: &State, identity: &str) -> Option<Charger> {
        if let Some(charger) = Self::named(state, identity) {
            return Some(charger);
        }
        let setup::Unknown::Hold(Some(site)) = state.loaded.setup.unknown(identity) else { return None };
        let connectors = site.unknown_chargers.as_ref().and_then(|rule| rule.connector.clone());
        Some(Charger::guest(setup::Id::new(identity)?, site.id.clone(), connectors.into_iter().collect()))
    }

    fn rules(&self, state: &State, charger: &Charger) -> ChargerRules {
        let set_up = &state.loaded.setup;
        let settings = set_up.settings(charger);
        let Ways { habits, ping_s } = ways(state, Some(charger), &Make::default());
        let evse = |connector: &setup::Connector| EvseRules {
            evse: i64::from(connector.evse),
            connector: Some(connector.connector.to_string()),
            plug: connector.plug().map(|plug| match plug {
                setup::Plug::Ac => Plug::Ac,
                setup::Plug::Dc => Plug::Dc,
            }),
            kind: connector.kind.clone(),
            max_power: connector.max_power.map(|power| power.0),
            phases: connector.phases.and_then(|phases| u8::try_from(phases).ok()),
        };
        let known = set_up.charger(&charger.id).is_some();
        ChargerRules {
            org: self.org.clone(),
            id: charger.id.to_string(),
            named: known,
            site: Some(charger.site.to_string()),
            security: Security {
                // A guest has no password to show.
                profile: if known { u8::try_from(set_up.security_profile(charger)).unwrap_or(3) } else { 0 },
                user: charger.security.user.clone(),
                passwords: Vec::new(),
            },
            pinned: charger.security.subprotocol.map(dialect),
            assume_16: charger.security.assume_ocpp16_without_subprotocol,
            habits,
            ping_s,
            frames_kept: i64::from(settings.keep_frames),
            evses: charger.connectors.iter().map(evse).collect(),
            tells_price: known && settings.price_display,
            free_vend: settings.free_vending.then(|| settings.free_vending_token.to_string()),
            rejected: false,
        }
    }
}

// Reads and checks. Compiling tariffs and plugins takes its time: not where others wait.
async fn read(
    source: &Source,
    before: Option<Arc<State>>,
    judge: Option<Arc<dyn Judge>>,
) -> Result<(Files, Loaded), SetupError> {
    let source = source.clone();
    let work = move || {
        let files = source.read()?;
        let before = before.as_ref().map(|state| &state.loaded);
        let environment = Environment { before, judge: judge.as_deref(), ..Environment::default() };
        let loaded = files.load(&environment)?;
        Ok((files, loaded))
    };
    let read = tokio::task::spawn_blocking(work).await;
    read.unwrap_or_else(|_| Err(Problems::default())).map_err(SetupError::Files)
}

fn texts(files: &Files) -> Vec<(String, String)> {
    files.texts().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

const fn dialect(subprotocol: Subprotocol) -> Dialect {
    match subprotocol {
        Subprotocol::V16 => Dialect::V16,
        Subprotocol::V201 => Dialect::V201,
        Subprotocol::V21 => Dialect::V21,
    }
}

impl Rules for House {
    fn find(&self, identity: &str) -> Vec<Arc<ChargerRules>> {
        let state = self.state();
        Self::named(&state, identity)
            .map(|charger| Arc::new(self.rules(&state, &charger)))
            .into_iter()
            .collect()
    }

    fn charger(&self, org: &OrgId, charger: &str) -> Option<Arc<ChargerRules>> {
        if *org != self.org {
            return None;
        }
        let state = self.state();
        Self::there(&state, charger).map(|charger| Arc::new(self.rules(&state, &charger)))
    }

    fn ways(&self, _: &OrgId, charger: &str, make: &Make<'_>) -> Ways {
        let state = self.state();
        ways(&state, Self::there(&state, charger).as_ref(), make)
    }

    fn unknown(&self, identity: &str) -> Unknown {
        match self.state().loaded.setup.unknown(identity) {
            setup::Unknown::Refuse => Unknown::Refuse,
            setup::Unknown::Hold(_) => Unknown::Hold(self.org.clone()),
            setup::Unknown::Accept(_) => Unknown::Accept(self.org.clone()),
        }
    }

    fn most_held(&self) -> usize {
        usize::try_from(self.state().loaded.setup.document().limits.held_chargers).unwrap_or(usize::MAX)
    }

    fn house(&self, _: &OrgId, charger: &str) -> Arc<HouseRules> {
        let state = self.state();
        let set_up = &state.loaded.setup;
        let settings = match Self::there(&state, charger) {
            Some(charger) => set_up.settings(&charger),
            None => set_up.site_settings(None),
        };
        let ceiling = |amount: &setup::Amount| (amount.currency.to_string(), amount.minor);
        let usual = HouseRules::default();
        Arc::new(HouseRules {
            accept_unknown_tokens: settings.unknown_tokens == setup::UnknownTokens::Accept,
            sessions_per_token: usize::try_from(settings.concurrent_transactions).unwrap_or(1),
            ad_hoc_ceiling: settings.ad_hoc_ceiling.iter().map(ceiling).collect(),
            heartbeat_s: settings.heartbeat_interval.s(),
            signs_certificates: settings.sign_certificates,
            certificate_days: u32::try_from(settings.certificate_valid_for.s() / 86_400)
                .unwrap_or(365)
                .max(1),
            renew_before_ms: settings.certificate_renewal.ms(),
            organisation: set_up.document().organisation.name.clone(),
            waits: Waits { silent_ms: settings.offline_tolerance.ms(), ..usual.waits },
            ..usual
        })
    }

    fn proves(&self, _: &OrgId, charger: &str, password: &[u8]) -> Option<bool> {
        let state = self.state();
        let has = state.loaded.secrets.has(charger);
        has.then(|| state.loaded.secrets.check(charger, password))
    }

    fn tariff_at(&self, org: &OrgId, asked: &Asker<'_>, at: Instant) -> Option<TariffChoice> {
        if *org != self.org {
            return None;
        }
        let state = self.state();
        let charger = Self::there(&state, asked.charger)?;
        let evse = u32::try_from(asked.evse).ok();
        let place = At { charger: &charger, evse, connector: None, groups: asked.groups };
        let found = state.loaded.setup.tariff_at(&state.catalogue, place, at)?;
        let site = state.loaded.setup.site(&charger.site)?;
        Some(TariffChoice {
            name: found.version.name.clone(),
            prepared: Arc::clone(&found.version.prepared),
            seller: site.seller.to_string(),
        })
    }

    fn driver_tariff(
        &self,
        org: &OrgId,
        asked: &Asker<'_>,
        issuer: Option<&str>,
        at: Instant,
    ) -> Option<Arc<TariffDocument>> {
        self.own_tariff(org, asked, issuer, at)
    }
}

impl House {
    /// Whether the list of a version is over.
    #[must_use]
    pub fn is_over(&self, version: &str, at: Instant) -> bool {
        let state = self.state();
        let until = state.catalogue.version(version).and_then(|prepared| prepared.tariff().valid_until);
        until.is_some_and(|until| until <= at)
    }
}

impl Tariffs for House {
    fn prepared(&self, version: &str) -> Option<Arc<Prepared>> {
        self.state().catalogue.version(version).cloned()
    }

    fn turn(&self) -> u64 {
        self.turns.load(Ordering::Acquire)
    }

    fn next_lists(&self, org: &OrgId, session: &Session, until: Instant) -> Vec<NextList> {
        if *org == self.org { self.lists_to_come(session, until) } else { Vec::new() }
    }

    fn holds(&self, org: &OrgId, feed: &str) -> bool {
        *org == self.org && self.holds_feed(feed)
    }

    fn places(&self, org: &OrgId, site: &str) -> Option<u32> {
        let state = self.state();
        let site = state.loaded.setup.site(site).filter(|_| *org == self.org)?;
        Some(state.loaded.setup.places(site))
    }
}

impl Sellers for House {
    fn seller(&self, org: &OrgId, seller: &str) -> Option<BillSeller> {
        if *org != self.org {
            return None;
        }
        let state = self.state();
        let found = state.loaded.setup.document().sellers.iter().find(|known| known.id == *seller)?;
        let address = &found.address;
        let town = [address.postcode.clone(), address.city.clone()];
        let town = town.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let lines = [address.street.clone(), Some(town), address.country.clone()];
        Some(BillSeller {
            id: found.id.to_string(),
            name: found.name.clone(),
            company_number: found.company_number.clone(),
            vat_number: found.vat_number.clone(),
            address: lines.into_iter().flatten().filter(|line| !line.is_empty()).collect(),
            contact: [found.email.clone(), found.phone.clone()].into_iter().flatten().collect(),
            series: found.bill_series.clone().unwrap_or_default(),
            payments: found.payments.as_ref().map(ToString::to_string),
        })
    }

    fn instrument(&self, org: &OrgId, driver: &str) -> Option<String> {
        if *org != self.org {
            return None;
        }
        let state = self.state();
        let found = state.loaded.setup.document().drivers.iter().find(|known| known.id == *driver)?;
        found.instrument.clone()
    }

    fn mails_receipts(&self, org: &OrgId) -> bool {
        *org == self.org && self.mail().is_some_and(|mail| mail.receipts)
    }

    fn invoicing(&self, org: &OrgId, seller: &str, driver: &str) -> Option<Terms> {
        if *org != self.org {
            return None;
        }
        let state = self.state();
        let document = state.loaded.setup.document();
        let driver = document.drivers.iter().find(|known| known.id == *driver)?;
        if driver.pays_by != setup::PaysBy::Invoice {
            return None;
        }
        let seller = document.sellers.iter().find(|known| known.id == *seller)?;
        let invoices = seller.invoices.as_ref()?;
        let length = usize::try_from(invoices.kid_length).unwrap_or_default();
        let endpoint = invoices.payer_endpoint.as_ref().and_then(|text| text.split_once(':'));
        Some(Terms {
            channel: invoices.channel.as_ref().map(ToString::to_string),
            mail: state.loaded.mail.is_some(),
            due_days: seller.due_days,
            account: invoices.account.clone(),
            bic: invoices.bic.clone(),
            kid: invoices.kid.map(|check| Kid { mod11: check == setup::KidCheck::Mod11, length }),
            in_foretaksregisteret: invoices.in_foretaksregisteret,
            payer_endpoint: endpoint.map(|(scheme, id)| (scheme.to_owned(), id.to_owned())),
            country: seller.address.country.clone().unwrap_or_default(),
        })
    }
}

// A text that is another one when other tokens may charge.
fn tokens(loaded: &Loaded) -> String {
    let document = loaded.setup.document();
    let blocked = document.drivers.iter().filter(|driver| driver.blocked).map(|driver| driver.id.as_str());
    let blocked: Vec<&str> = blocked.collect();
    let text = serde_json::to_string(&(&document.tokens, blocked)).unwrap_or_default();
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl crate::teach::Lessons for House {
    fn lesson(&self, org: &OrgId, charger: &str) -> Option<Lesson> {
        let state = self.state();
        let named = state.loaded.setup.charger(charger).filter(|_| *org == self.org)?;
        let settings = state.loaded.setup.settings(named);
        let list = settings.tokens_offline == setup::TokensOffline::List;
        Some(Lesson {
            meter_values_s: settings.meter_value_interval.s(),
            tokens_offline: settings.tokens_offline,
            tokens: if list { state.tokens.clone() } else { String::new() },
        })
    }

    fn tariffs(&self, org: &OrgId, charger: &str, at: Instant) -> Option<ByEvse> {
        self.default_tariffs(org, charger, at)
    }
}

impl crate::campaigns::Sites for House {
    fn zone_of(&self, _: &OrgId, charger: &str) -> Option<chrono_tz::Tz> {
        let site = Self::there(&self.state(), charger)?.site;
        self.zone(site.as_str())
    }
}
