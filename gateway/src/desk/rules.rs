//! What the desk asks others: the set-up for its rules, live pricing for costs, price feeds for the price that is shown.

use super::Certified;
use crate::chargers::model::{Message, TariffDocument};
use crate::link::{Make, Ways};
use crate::ocpp::{Dialect, Habits};
use crate::sessions::{Touched, Waits};
use crate::store::OrgId;
use futures_util::future::BoxFuture;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use takst_engine::session::Plug;
use takst_engine::tariff::Contract;
use takst_engine::units::{DAY_MS, Instant};
use takst_engine::{Prepared, PriceBook};

/// The set-up, as far as the desk needs it. Every answer is that of the set-up in force at the moment of the question.
pub trait Rules: Send + Sync + 'static {
    /// The chargers with this identity, letters in either case; the exact spelling first. More than one when organisations share it.
    fn find(&self, identity: &str) -> Vec<Arc<ChargerRules>>;

    /// A charger of an organisation. Also one that the set-up does not name but let in as unknown.
    fn charger(&self, org: &OrgId, charger: &str) -> Option<Arc<ChargerRules>>;

    /// What is particular about a charger of this make, as it names itself when it boots; for all that may come, named or not.
    fn ways(&self, org: &OrgId, charger: &str, _make: &Make<'_>) -> Ways {
        let rules = self.charger(org, charger).unwrap_or_else(|| Arc::new(ChargerRules::guest(org, charger)));
        Ways { habits: rules.habits.clone(), ping_s: rules.ping_s }
    }

    /// What becomes of a charger that nobody named.
    fn unknown(&self, identity: &str) -> Unknown;

    /// Whether `password` is the one that the set-up keeps for a charger, beside those of its [`Security`]; none when it keeps none.
    /// May take some milliseconds.
    fn proves(&self, _org: &OrgId, _charger: &str, _password: &[u8]) -> Option<bool> {
        None
    }

    /// Who may charge at a charger, and how sessions end there.
    fn house(&self, org: &OrgId, charger: &str) -> Arc<House>;

    /// How many unknown chargers may wait for approval at once.
    fn most_held(&self) -> usize {
        1_000
    }

    /// The tariff that is in force for `asked` at `at`.
    fn tariff_at(&self, org: &OrgId, asked: &Asker<'_>, at: Instant) -> Option<TariffChoice>;

    /// A driver's own tariff in the words of OCPP 2.1, for all EVSEs of the charger (`asked.evse` does not matter). None where he has
    /// the one that the charger holds for everybody, where EVSEs differ, or where it cannot be said.
    fn driver_tariff(
        &self,
        _org: &OrgId,
        _asked: &Asker<'_>,
        _issuer: Option<&str>,
        _at: Instant,
    ) -> Option<Arc<TariffDocument>> {
        None
    }
}

/// What becomes of a charger that nobody named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// It is turned away.
    Refuse,
    /// It may connect and is kept waiting (`Pending`) until somebody decides.
    Hold(OrgId),
    /// It may work at once.
    Accept(OrgId),
}

/// One charger, as it is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChargerRules {
    /// Whose it is.
    pub org: OrgId,
    /// Its id.
    pub id: String,
    /// The set-up names it, in just these letters.
    pub named: bool,
    /// Where it stands.
    pub site: Option<String>,
    /// How it has to prove who it is.
    pub security: Security,
    /// The only protocol it may speak.
    pub pinned: Option<Dialect>,
    /// It offers no subprotocol and speaks 1.6.
    pub assume_16: bool,
    /// What is particular about its firmware, whatever its make; see [`Rules::ways`].
    pub habits: Habits,
    /// Seconds between pings; none where the charger does not stand them.
    pub ping_s: Option<u64>,
    /// How many raw frames are kept.
    pub frames_kept: i64,
    /// Its EVSEs (1.6: connectors).
    pub evses: Vec<EvseRules>,
    /// Drivers are told the price on its display before they start.
    pub tells_price: bool,
    /// Everybody may charge here: the token that stands for everybody.
    pub free_vend: Option<String>,
    /// It may not work: it is told `Rejected`.
    pub rejected: bool,
}

impl ChargerRules {
    /// A charger that the set-up does not name.
    #[must_use]
    pub fn guest(org: &OrgId, id: &str) -> Self {
        Self {
            org: org.clone(),
            id: id.to_owned(),
            named: false,
            site: None,
            security: Security::default(),
            pinned: None,
            assume_16: false,
            habits: Habits::default(),
            ping_s: Some(60),
            frames_kept: 1000,
            evses: Vec::new(),
            tells_price: false,
            free_vend: None,
            rejected: false,
        }
    }

    /// What is known of one of its EVSEs.
    #[must_use]
    pub fn evse(&self, evse: i64) -> Option<&EvseRules> {
        self.evses.iter().find(|known| known.evse == evse)
    }
}

/// An EVSE of a charger; in OCPP 1.6 a connector.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EvseRules {
    /// Its number.
    pub evse: i64,
    /// Id of its connector on bills.
    pub connector: Option<String>,
    /// AC or DC.
    pub plug: Option<Plug>,
    /// `Type2`, `CCS`, ...
    pub kind: Option<String>,
    /// Rated power, millionths of a kW.
    pub max_power: Option<i64>,
    /// Phases.
    pub phases: Option<u8>,
}

/// How a charger has to prove who it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Security {
    /// 0: not at all; 1: password; 2: password over TLS; 3: client certificate.
    pub profile: u8,
    /// The user name of Basic authentication; none: its identity.
    pub user: Option<String>,
    /// Its passwords, any of which is right: the text itself, of which the charger may also send the bytes that it spells in hex, or the
    /// other way round.
    pub passwords: Vec<String>,
}

/// Who may charge, and how sessions end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct House {
    /// A token that is not on the list may charge, as an ad-hoc driver.
    pub accept_unknown_tokens: bool,
    /// How many sessions a token may have at once; 0: any number.
    pub sessions_per_token: usize,
    /// The group whose tokens may stop any session (`MasterPassGroupId`).
    pub master_group: Option<String>,
    /// At this cost an ad-hoc session is stopped, in minor units, by currency (ISO 4217). What standing costs after that is not limited.
    pub ad_hoc_ceiling: Vec<(String, i64)>,
    /// Seconds between heartbeats.
    pub heartbeat_s: i64,
    /// Seconds until a charger that waits to be accepted asks again.
    pub retry_s: i64,
    /// How long is waited for what.
    pub waits: Waits,
    /// What a connector of unknown power may give, millionths of a kW.
    pub assumed_power: i64,
    /// Languages of drivers, best first.
    pub languages: Vec<String>,
    /// Requests of chargers for a certificate are signed, where there is an authority.
    pub signs_certificates: bool,
    /// How many days such a certificate is good for.
    pub certificate_days: u32,
    /// A charger is asked to renew it so many milliseconds before its end.
    pub renew_before_ms: i64,
    /// Who runs the chargers (O of a certificate's subject).
    pub organisation: Option<String>,
}

impl Default for House {
    fn default() -> Self {
        Self {
            accept_unknown_tokens: false,
            sessions_per_token: 1,
            master_group: None,
            ad_hoc_ceiling: Vec::new(),
            heartbeat_s: 300,
            retry_s: 60,
            waits: Waits::default(),
            assumed_power: 500_000_000,
            languages: Vec::new(),
            signs_certificates: true,
            certificate_days: 365,
            renew_before_ms: 30 * DAY_MS,
            organisation: None,
        }
    }
}

/// Who wants to charge where.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The site.
    pub site: Option<&'a str>,
    /// The charger.
    pub charger: &'a str,
    /// The EVSE.
    pub evse: i64,
    /// The driver's groups.
    pub groups: &'a [String],
    /// How he comes.
    pub contract: Contract,
}

/// A tariff for a session.
#[derive(Clone, Debug)]
pub struct TariffChoice {
    /// Its name in the set-up.
    pub name: String,
    /// The compiled tariff; its version is the session's.
    pub prepared: Arc<Prepared>,
    /// Who issues the bill.
    pub seller: String,
}

/// The cost of a session so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Tax included.
    pub total: Decimal,
    /// For the charger's display.
    pub message: Option<Message>,
    /// The same in other languages.
    pub more: Vec<Message>,
}

/// Who knows what a session costs.
pub trait CostSource: Send + Sync + 'static {
    /// The cost of a session so far; all of it once it has ended. None when it is not known.
    fn cost(&self, org: &OrgId, session: &str) -> Option<Cost>;
}

/// Who is told that a session has changed.
pub trait SessionSink: Send + Sync + 'static {
    /// A commit has touched a session. The answer to the charger waits for this, so that its cost is up to date: be quick.
    fn touched<'a>(&'a self, org: &'a OrgId, session: &'a str, touched: Touched) -> BoxFuture<'a, ()>;
}

/// Who has the price feeds.
pub trait Prices: Send + Sync + 'static {
    /// The prices known now.
    fn book(&self, org: &OrgId) -> Arc<PriceBook>;
}

/// Nobody: no costs, no feeds, nothing is told. For tests and for chargers without prices.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl CostSource for Nobody {
    fn cost(&self, _: &OrgId, _: &str) -> Option<Cost> {
        None
    }
}

impl SessionSink for Nobody {
    fn touched<'a>(&'a self, _: &'a OrgId, _: &'a str, _: Touched) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Prices for Nobody {
    fn book(&self, _: &OrgId) -> Arc<PriceBook> {
        Arc::default()
    }
}

/// What the desk has learnt of a charger (column `profile`).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Learnt {
    /// A password that was set on the charger by command, as SHA-256 in hex.
    pub password: Option<String>,
    /// The charger has come back with it: older ones are worth nothing.
    pub password_seen: bool,
    /// The tariffs that it was told (2.1), by EVSE; 0 is all of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tariffs: BTreeMap<i64, ToldTariff>,
    /// The certificate that was signed for it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certified>,
}

/// A tariff that a charger was told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToldTariff {
    /// Its id.
    pub id: String,
    /// What the charger answered.
    pub status: String,
    /// It has not booted since.
    pub heard: bool,
}

impl ToldTariff {
    /// Whether the charger took it.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.status == "Accepted"
    }
}
