//! What holds where: pure answers from a set-up.

mod in_force;

pub use in_force::{At, InForce, Level};

use super::model::{
    Charger, Connector, Contract, Document, Driver, Effective, Feed, Habits, Seller, Site, Token, TokenKind,
    TokenState, UnknownPolicy, UnknownTokens,
};
use super::values::{Id, Zone};
use std::collections::{BTreeSet, HashMap};
use takst_engine::session::{self, Facts};
use takst_engine::units::Instant;

/// A checked set-up with its look-up tables. Derefs to its [`Document`].
#[derive(Clone, Debug)]
pub struct Setup {
    document: Document,
    sites: HashMap<String, usize>,
    // Identities and uids in lower case: letters in either case are the same.
    chargers: HashMap<String, usize>,
    tokens: HashMap<String, usize>,
    drivers: HashMap<String, usize>,
    // Assignments by what they are about, in the order of the files.
    by_charger: HashMap<String, Vec<usize>>,
    by_site: HashMap<String, Vec<usize>>,
    everywhere: Vec<usize>,
}

impl std::ops::Deref for Setup {
    type Target = Document;
    fn deref(&self) -> &Document {
        &self.document
    }
}

/// Set-ups are the same when their documents are.
impl PartialEq for Setup {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document
    }
}

/// What becomes of a charger that is not in the set-up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unknown<'a> {
    /// It is turned away.
    Refuse,
    /// It may connect and waits for approval, at this site when its identity tells.
    Hold(Option<&'a Site>),
    /// It works as this charger.
    Accept(Box<Charger>),
}

/// Whether a token may start a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TokenVerdict {
    /// Yes.
    Accepted,
    /// Nobody knows it, and here unknown ones are accepted.
    AcceptedUnknown,
    /// It, or its driver, is blocked.
    Blocked,
    /// It is no longer valid.
    Expired,
    /// Nobody knows it.
    Invalid,
    /// It stops sessions and starts none.
    MasterPass,
}

/// What is odd about one charger's firmware, with nothing left open. Times in the units of `crate::ocpp::Habits`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirmwareHabits {
    /// Minutes east of UTC for times without a zone.
    pub offset_min: i32,
    /// How many milliseconds before receipt a time may lie; none: as usual.
    pub oldest_ms: Option<i64>,
    /// How many milliseconds after receipt a time may lie; none: as usual.
    pub ahead_ms: Option<i64>,
    /// It says Wh and means kWh.
    pub wh_is_kwh: bool,
    /// Mend its broken JSON.
    pub repair: bool,
    /// It stands WebSocket pings.
    pub ping: bool,
}

impl Setup {
    /// Makes the look-up tables of a checked document.
    #[must_use]
    pub fn new(document: Document) -> Self {
        fn index<'a, T: 'a>(
            all: &'a [T],
            key: impl Fn(&'a T) -> &'a Id,
            fold: bool,
        ) -> HashMap<String, usize> {
            let folded = |id: &Id| if fold { id.to_lowercase() } else { id.to_string() };
            all.iter().enumerate().map(|(at, one)| (folded(key(one)), at)).collect()
        }
        let mut setup = Self {
            sites: index(&document.sites, |site| &site.id, false),
            chargers: index(&document.chargers, |charger| &charger.id, true),
            tokens: index(&document.tokens, |token| &token.uid, true),
            drivers: index(&document.drivers, |driver| &driver.id, false),
            by_charger: HashMap::new(),
            by_site: HashMap::new(),
            everywhere: Vec::new(),
            document,
        };
        for (at, assignment) in setup.document.tariffs.iter().enumerate() {
            let list = match (&assignment.charger, &assignment.site) {
                (Some(charger), _) => setup.by_charger.entry(charger.to_lowercase()).or_default(),
                (None, Some(site)) => setup.by_site.entry(site.to_string()).or_default(),
                (None, None) => &mut setup.everywhere,
            };
            list.push(at);
        }
        setup
    }

    /// The plain data.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The site with this id.
    #[must_use]
    pub fn site(&self, id: &str) -> Option<&Site> {
        self.document.sites.get(*self.sites.get(id)?)
    }

    /// The charger with this OCPP identity, letters in either case.
    #[must_use]
    pub fn charger(&self, identity: &str) -> Option<&Charger> {
        self.document.chargers.get(*self.chargers.get(&identity.to_lowercase())?)
    }

    /// The token with this uid, letters in either case.
    #[must_use]
    pub fn token(&self, uid: &str) -> Option<&Token> {
        self.document.tokens.get(*self.tokens.get(&uid.to_lowercase())?)
    }

    /// The driver with this key.
    #[must_use]
    pub fn driver(&self, id: &str) -> Option<&Driver> {
        self.document.drivers.get(*self.drivers.get(id)?)
    }

    /// The seller of a site.
    #[must_use]
    pub fn seller(&self, site: &Site) -> Option<&Seller> {
        self.document.sellers.iter().find(|seller| seller.id == site.seller)
    }

    /// The feed of this name, for this area or for none.
    #[must_use]
    pub fn feed(&self, name: &str, area: Option<&str>) -> Option<&Feed> {
        self.document.feeds.iter().find(|feed| feed.name == name && feed.area.as_deref() == area)
    }

    /// The zone of a charger's site.
    #[must_use]
    pub fn zone(&self, charger: &Charger) -> Zone {
        self.site(&charger.site).map_or(self.document.organisation.time_zone, |site| site.time_zone)
    }

    /// The metering point in front of a connector: its own, the charger's, or the site's.
    #[must_use]
    pub fn metering_point(
        &self,
        charger: &Charger,
        evse: Option<u32>,
        connector: Option<u32>,
    ) -> Option<String> {
        let own = charger.connector(evse, connector).and_then(|connector| connector.metering_point.as_ref());
        let site = || self.site(&charger.site).and_then(|site| site.metering_point.as_ref());
        own.or(charger.metering_point.as_ref()).or_else(site).cloned()
    }

    /// How many cars can charge at a site at once.
    #[must_use]
    pub fn places(&self, site: &Site) -> u32 {
        let evses = |charger: &Charger| {
            let evses: BTreeSet<u32> = charger.connectors.iter().map(|connector| connector.evse).collect();
            u32::try_from(evses.len().max(1)).unwrap_or(u32::MAX)
        };
        site.places.unwrap_or_else(|| {
            self.document.chargers.iter().filter(|charger| charger.site == site.id).map(evses).sum()
        })
    }

    /// The settings that hold for a charger: its own, its site's, the organisation's, the defaults.
    #[must_use]
    pub fn settings(&self, charger: &Charger) -> Effective {
        charger.settings.over(self.site_settings(self.site(&charger.site)))
    }

    /// The settings that hold at a site, or where no site is known.
    #[must_use]
    pub fn site_settings(&self, site: Option<&Site>) -> Effective {
        let all = self.document.settings.over(Effective::default());
        match site {
            Some(site) => site.settings.over(all),
            None => all,
        }
    }

    /// The security profile that a charger must come with.
    #[must_use]
    pub fn security_profile(&self, charger: &Charger) -> u32 {
        charger.security.profile.unwrap_or_else(|| self.settings(charger).security_profile)
    }

    /// What is odd about a charger: its own habits, then those of its make and model (the longest name that fits).
    #[must_use]
    pub fn habits(&self, charger: Option<&Charger>, vendor: &str, model: &str) -> FirmwareHabits {
        let (vendor, model) = (vendor.trim().to_lowercase(), model.trim().to_lowercase());
        let fits = self.document.models.iter().filter_map(|known| {
            let prefix = known.model.as_deref().unwrap_or_default().to_lowercase();
            (known.vendor.to_lowercase() == vendor && model.starts_with(&prefix))
                .then_some((prefix.len(), &known.habits))
        });
        let make = fits.max_by_key(|(length, _)| *length).map(|(_, habits)| habits);
        let own = charger.map(|charger| &charger.habits);
        fn first<T: Copy>(
            own: Option<&Habits>,
            make: Option<&Habits>,
            get: impl Fn(&Habits) -> Option<T>,
        ) -> Option<T> {
            own.and_then(&get).or_else(|| make.and_then(&get))
        }
        FirmwareHabits {
            offset_min: first(own, make, |habits| habits.time_offset).map_or(0, |offset| offset.0),
            oldest_ms: first(own, make, |habits| habits.oldest).map(super::TimeSpan::ms),
            ahead_ms: first(own, make, |habits| habits.ahead).map(super::TimeSpan::ms),
            wh_is_kwh: first(own, make, |habits| habits.wh_is_kwh).unwrap_or(false),
            repair: first(own, make, |habits| habits.repair).unwrap_or(false),
            ping: first(own, make, |habits| habits.ping).unwrap_or(true),
        }
    }

    /// What becomes of a charger that is not in the set-up: the site with the longest fitting prefix decides, else the organisation.
    #[must_use]
    pub fn unknown(&self, identity: &str) -> Unknown<'_> {
        let lower = identity.to_lowercase();
        let fits = self.document.sites.iter().filter_map(|site| {
            let rule = site.unknown_chargers.as_ref()?;
            let prefix = rule.prefix.as_deref().unwrap_or_default().to_lowercase();
            lower.starts_with(&prefix).then_some((prefix.len(), site, rule))
        });
        let Some((_, site, rule)) = fits.max_by_key(|(length, ..)| *length) else {
            return match self.document.organisation.unknown_chargers {
                UnknownPolicy::Refuse => Unknown::Refuse,
                UnknownPolicy::Hold | UnknownPolicy::Accept => Unknown::Hold(None),
            };
        };
        match (rule.policy, Id::new(identity)) {
            (UnknownPolicy::Refuse, _) => Unknown::Refuse,
            (UnknownPolicy::Accept, Some(id)) => {
                let connectors = rule.connector.clone().into_iter().collect();
                Unknown::Accept(Box::new(Charger::guest(id, site.id.clone(), connectors)))
            }
            (UnknownPolicy::Hold, _) | (UnknownPolicy::Accept, None) => Unknown::Hold(Some(site)),
        }
    }

    /// Whether a token may start a session at a charger at `at`. How many run on it already is not looked at.
    #[must_use]
    pub fn may_start(&self, charger: &Charger, uid: &str, at: Instant) -> TokenVerdict {
        let settings = self.settings(charger);
        let Some(token) = self.token(uid) else {
            let free = settings.free_vending && settings.free_vending_token.eq_ignore_ascii_case(uid);
            return match settings.unknown_tokens {
                _ if free => TokenVerdict::Accepted,
                UnknownTokens::Accept => TokenVerdict::AcceptedUnknown,
                UnknownTokens::Refuse => TokenVerdict::Invalid,
            };
        };
        let driver_blocked = token
            .driver
            .as_deref()
            .and_then(|driver| self.driver(driver))
            .is_some_and(|driver| driver.blocked);
        if token.status == TokenState::Blocked || driver_blocked {
            return TokenVerdict::Blocked;
        }
        let until =
            token.valid_until.as_ref().map(|until| until.instant(self.document.organisation.time_zone));
        if until.is_some_and(|until| until <= at) {
            return TokenVerdict::Expired;
        }
        if token.master_pass { TokenVerdict::MasterPass } else { TokenVerdict::Accepted }
    }

    /// How many sessions may run on a token at once.
    #[must_use]
    pub fn concurrent_transactions(&self, charger: &Charger, uid: &str) -> u32 {
        let settings = self.settings(charger);
        let own = self.token(uid).and_then(|token| token.concurrent_transactions);
        // Cars that charge without a token do not stand in each other's way.
        if settings.free_vending && settings.free_vending_token.eq_ignore_ascii_case(uid) {
            return u32::MAX;
        }
        own.unwrap_or(settings.concurrent_transactions)
    }

    /// The groups of a token and its driver, in the order of the set-up.
    #[must_use]
    pub fn groups(&self, token: &Token) -> Vec<String> {
        let driver = token.driver.as_deref().and_then(|driver| self.driver(driver));
        let of_driver = driver.map_or(&[][..], |driver| &driver.groups);
        let has = |group: &Id| token.groups.contains(group) || of_driver.contains(group);
        self.document
            .groups
            .iter()
            .map(|group| &group.id)
            .filter(|group| has(group))
            .map(Id::to_string)
            .collect()
    }

    /// What a tariff may ask about a session before it starts.
    #[must_use]
    pub fn facts(
        &self,
        charger: &Charger,
        evse: Option<u32>,
        connector: Option<u32>,
        uid: Option<&str>,
    ) -> Facts {
        let token = uid.and_then(|uid| self.token(uid));
        let plugged = charger.connector(evse, connector);
        let contract = token.map_or(Contract::AdHoc, Token::contract);
        Facts {
            site: Some(charger.site.to_string()),
            charger: Some(charger.id.to_string()),
            evse: plugged.map(|plugged| plugged.evse).or(evse).map(|evse| evse.to_string()),
            driver: token.and_then(|token| token.driver.as_ref()).map(Id::to_string),
            groups: token.map(|token| self.groups(token)).unwrap_or_default(),
            connector: plugged.map(Connector::fact),
            token: uid.map(|uid| session::Token {
                uid: Some(token.map_or_else(|| uid.to_owned(), |token| token.uid.to_string())),
                kind: token.map(|token| token.kind.as_str().to_owned()),
                issuer: token.and_then(|token| token.issuer.clone()),
            }),
            contract: Some(contract.into()),
            ..Facts::default()
        }
    }
}

impl Charger {
    /// A charger of which nothing is known but its identity, and that therefore cannot prove it.
    #[must_use]
    pub fn guest(id: Id, site: Id, connectors: Vec<Connector>) -> Self {
        Self {
            id,
            site,
            name: None,
            connectors,
            plan: None,
            metering_point: None,
            security: super::model::Security { profile: Some(0), ..Default::default() },
            habits: Habits::default(),
            settings: super::model::Settings::default(),
        }
    }

    /// The connector at an EVSE and connector number: of OCPP 1.6 the EVSE alone is known. Where nothing is said, the only one.
    #[must_use]
    pub fn connector(&self, evse: Option<u32>, connector: Option<u32>) -> Option<&Connector> {
        let mut fitting = self.connectors.iter().filter(|known| {
            evse.is_none_or(|evse| known.evse == evse)
                && connector.is_none_or(|connector| known.connector == connector)
        });
        let first = fitting.next()?;
        // Of several it is not known which.
        fitting.next().is_none().then_some(first)
    }
}

impl Connector {
    /// As a session has it.
    fn fact(&self) -> session::Connector {
        session::Connector {
            id: Some(self.connector.to_string()),
            plug: self.plug().map(|plug| match plug {
                super::Plug::Ac => session::Plug::Ac,
                super::Plug::Dc => session::Plug::Dc,
            }),
            kind: self.kind.clone(),
            max_power: self.max_power.map(|power| power.0),
            phases: self.phases.and_then(|phases| u8::try_from(phases).ok()),
        }
    }

    /// Alternating or direct current: as stated, or as its type tells.
    #[must_use]
    pub fn plug(&self) -> Option<super::Plug> {
        self.plug.or_else(|| plug_of(self.kind.as_deref()?))
    }
}

/// What a type of connector delivers, for those that everybody knows.
pub(crate) fn plug_of(kind: &str) -> Option<super::Plug> {
    let plain: String = kind.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    match plain.as_str() {
        "type1" | "type2" | "type3" | "schuko" | "cee" | "cee16" | "cee32" | "domestic" => {
            Some(super::Plug::Ac)
        }
        "ccs" | "ccs1" | "ccs2" | "combo" | "combo1" | "combo2" | "chademo" | "mcs" | "gbtdc" => {
            Some(super::Plug::Dc)
        }
        _ => None,
    }
}

impl Token {
    /// How its driver came: as stated, or as its kind tells.
    #[must_use]
    pub fn contract(&self) -> Contract {
        self.contract.unwrap_or(match self.kind {
            TokenKind::Sms | TokenKind::Payment | TokenKind::Free => Contract::AdHoc,
            _ => Contract::Direct,
        })
    }
}
