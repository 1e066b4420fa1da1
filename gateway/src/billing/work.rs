//! What a session comes to, worked out from what is stored.

use super::Setup;
use super::counters::{Counted, Days, Scope, opening};
use super::lists::{Course, Followed, Later};
use super::occupancy;
use super::session::{session_text, span};
use crate::feeds::{LoadError, Loaded, Need, Publication, cost, is_in_use, load, needs};
use crate::store::{self, OccupancyChange, OrgId, Reader, Tx, WaitingFor};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use takst_engine::calendar_time::INSTANTS;
use takst_engine::document::{Document, inputs};
use takst_engine::lists::{SessionBill, price_lists};
use takst_engine::session::Session;
use takst_engine::tariff::Zone;
use takst_engine::units::Instant;
use takst_engine::{Prepared, PriceError, Standing};

/// A tariff with what billing wants to know of it.
pub(crate) struct Ready {
    pub prepared: Arc<Prepared>,
    pub needs: Vec<Need>,
    /// The feed of its cost price, if a price asks for one.
    pub cost: Option<&'static str>,
    pub counted: Counted,
}

impl Ready {
    pub fn of(prepared: Arc<Prepared>) -> Self {
        let tariff = prepared.tariff();
        let (needs, cost, counted) = (needs(tariff), cost::of(tariff), Counted::by(tariff));
        Self { prepared, needs, cost, counted }
    }

    pub fn zone(&self) -> &Zone {
        &self.prepared.tariff().zone
    }
}

/// Why a session could not be priced.
pub(super) enum Trouble {
    /// It will not be better by itself.
    Hold(String),
    Store(store::Error),
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// What a bill was made from: kept with it, so that it can be worked out again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Hashes {
    /// Version of the tariff; that of plug-in.
    pub tariff: String,
    /// The versions that took over while the session ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tariff_changes: Vec<Later>,
    /// Of the session document.
    pub session: String,
    /// Of the prices.
    pub prices: String,
    /// Of the opening counters.
    pub standing: String,
    /// Where the prices were taken from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publications: Vec<Publication>,
    /// Of a refund: what was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundTerms>,
    /// A person named the lists; they stay whatever is told of the session later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named: bool,
    /// Who decided, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Hashes {
    /// The lists that it was made with.
    pub(crate) fn followed(&self) -> Followed {
        Followed { first: self.tariff.clone(), later: self.tariff_changes.clone() }
    }
}

/// What a refund was asked to give back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefundTerms {
    /// Kinds or labels of charges; none: the whole bill.
    pub charges: Option<Vec<String>>,
    /// As it stands on the document.
    pub reason: String,
}

/// A session that is ready to be priced.
pub(super) struct Subject {
    pub stored: store::Session,
    pub session: Session,
    pub text: String,
    pub course: Course,
    pub days: Days,
    followed: Followed,
    /// How full its site was, where that was worked out and is not stored yet.
    pub occupancy: Vec<OccupancyChange>,
    /// Whose counters it reads, and their names.
    pub scopes: Vec<(Scope, String)>,
}

/// What it comes to.
pub(super) struct Worked {
    pub bill: SessionBill,
    pub document: Document,
    pub publications: Vec<Publication>,
    /// The plant's cost price is asked for, and nobody knows it yet.
    pub lacks_cost: bool,
    followed: Followed,
}

impl Worked {
    pub fn hashes(&self) -> Hashes {
        Hashes {
            tariff: self.followed.first.clone(),
            tariff_changes: self.followed.later.clone(),
            session: self.document.inputs.session.clone(),
            prices: self.document.inputs.prices.clone(),
            standing: self.document.inputs.standing.clone(),
            publications: self.publications.clone(),
            ..Hashes::default()
        }
    }
}

impl Subject {
    /// Reads a session and its parts. `followed`: other lists than its own.
    pub async fn read(
        reader: &mut Reader,
        org: &OrgId,
        setup: &Setup,
        stored: store::Session,
        followed: Option<Followed>,
    ) -> Result<Self, Trouble> {
        let followed = followed.or_else(|| Followed::of(&stored)).ok_or_else(|| {
            Trouble::Hold(
                "no tariff was in force where and when it began; assign one, or name one".to_owned(),
            )
        })?;
        let course = Course::of(&followed, |version| setup.ready(version));
        let course = course.map_err(|version| {
            Trouble::Hold(format!("its tariff ({version}) is not known any more; name another one"))
        })?;
        let mut parts = reader.session_parts(org, &stored.id).await?;
        let asks = course.each().map(|ready| ready.prepared.tariff()).find(|tariff| occupancy::asks(tariff));
        let worked_out = match asks {
            Some(tariff) => {
                occupancy::add(reader, org, (setup.tariffs.as_ref(), tariff), &stored, &mut parts).await?
            }
            None => false,
        };
        let session = crate::sessions::to_engine(&stored, &parts).map_err(Trouble::Hold)?;
        let (from, until) = span(&session);
        if !INSTANTS.contains(&from.0) || !INSTANTS.contains(&until.0) {
            return Err(Trouble::Hold("its times lie outside the years 2000 to 2099".to_owned()));
        }
        let text = session_text(&session);
        let days = Days::of(course.zone(), (from, until));
        let currency = course.first().prepared.tariff().currency.code.as_str();
        let seller = stored.seller.as_deref().unwrap_or_default();
        let counted = course.each().fold(Counted::default(), |all, ready| all.and(ready.counted));
        let scopes = counted.scopes(seller, currency, stored.driver.as_deref(), stored.site.as_deref());
        let occupancy = if worked_out { parts.occupancy } else { Vec::new() };
        Ok(Self { stored, session, text, course, days, followed, occupancy, scopes })
    }

    /// Keeps what was worked out beside what chargers reported: its bill is made from it.
    pub async fn keep(&self, tx: &mut Tx, org: &OrgId) -> Result<(), store::Error> {
        match self.occupancy.as_slice() {
            [] => Ok(()),
            rows => tx.put_occupancy(org, &self.stored.id, rows).await,
        }
    }

    /// The counters it opens with, of what stands in its scopes.
    pub fn opening(&self, stands: &[Standing]) -> Standing {
        let scopes = self.scopes.iter().map(|(scope, _)| *scope);
        let all: Vec<(Scope, Standing)> = scopes.zip(stands.iter().cloned()).collect();
        opening(&all, self.days)
    }

    /// Prices it. `only`: with no other prices than these.
    pub async fn price(
        &self,
        reader: &mut Reader,
        org: &OrgId,
        opening: &Standing,
        only: Option<&[Publication]>,
    ) -> Result<Worked, Trouble> {
        let course = &self.course;
        let trouble = |error| match error {
            LoadError::Store(error) => Trouble::Store(error),
            LoadError::Prices(error) => Trouble::Hold(error.to_string()),
        };
        let loaded = load(reader, org, &self.needs(), course.zone(), span(&self.session), only).await;
        let mut loaded = loaded.map_err(trouble)?;
        let per_kwh = match (self.cost(), self.stored.site.as_deref()) {
            (Some(feed), Some(site)) => {
                let of = (feed, site, course.first().prepared.tariff().currency.code.as_str());
                let at = cost::asked_at(span(&self.session));
                cost::load(reader, org, of, at, only, &mut loaded).await.map_err(trouble)?
            }
            _ => None,
        };
        let Loaded { book, publications } = loaded;
        let priced = course.with(&book, per_kwh, |lists| {
            let bill = price_lists(lists, &self.session, opening)?;
            let inputs = inputs(lists.first(), self.text.as_bytes(), opening);
            let document = bill.document(lists, &self.session, inputs);
            Ok((bill, document))
        });
        let (bill, document) = priced.map_err(|error| Trouble::Hold(in_words(&error)))?;
        let lacks_cost = self.cost().is_some() && per_kwh.is_none();
        Ok(Worked { bill, document, publications, lacks_cost, followed: self.followed.clone() })
    }

    /// The feeds that its lists ask for, each once.
    pub fn needs(&self) -> Vec<Need> {
        let mut all: Vec<Need> = Vec::new();
        for need in self.course.each().flat_map(|ready| &ready.needs) {
            if !all.contains(need) {
                all.push(need.clone());
            }
        }
        all
    }

    /// The feed of its cost price, if a price of its lists asks for one.
    pub fn cost(&self) -> Option<&'static str> {
        self.course.each().find_map(|ready| ready.cost)
    }

    /// Which prices are missing for the slices without one.
    pub async fn missing(
        &self,
        reader: &mut Reader,
        org: &OrgId,
        worked: &Worked,
    ) -> Result<Vec<WaitingFor>, store::Error> {
        let mut waiting: Vec<WaitingFor> = Vec::new();
        for need in &self.needs() {
            let mut spans: Vec<(Instant, Instant)> = Vec::new();
            for slice in worked.bill.pending() {
                let span = if need.month {
                    need.range(self.course.zone(), slice.from, slice.to)
                } else {
                    (slice.from, Instant(slice.to.0.max(slice.from.0 + 1)))
                };
                // Many slices ask for the mean of the same month.
                if spans.last() != Some(&span) {
                    spans.push(span);
                }
            }
            for (from, until) in spans {
                let areas = match &need.area {
                    Some(area) if is_in_use(reader, org, (&need.feed, area), (from, until)).await? => {
                        vec![area.clone()]
                    }
                    Some(area) => vec![area.clone(), String::new()],
                    None => vec![String::new()],
                };
                // A document that brings the last part of what is missing is waited for, be it the last part of a month or a hole in it.
                let until = match reader.last_gap(org, &need.feed, &areas, (from, until)).await? {
                    Some(end) => end,
                    None if need.area.is_some() => continue,
                    None => until,
                };
                let area = need.area.clone().unwrap_or_default();
                match waiting.iter_mut().find(|wait| wait.feed == need.feed && wait.area == area) {
                    Some(wait) => wait.until = wait.until.max(until),
                    None => waiting.push(WaitingFor { feed: need.feed.clone(), area, until }),
                }
            }
        }
        if let Some(feed) = self.cost().filter(|_| worked.lacks_cost) {
            // It comes with the costs of the month and the values of the plant's meters.
            let area = self.stored.site.clone().unwrap_or_default();
            let (_, until) = span(&self.session);
            waiting.push(WaitingFor { feed: feed.to_owned(), area, until });
        }
        Ok(waiting)
    }
}

// A session that lacks what its tariff asks for: where an operator finds it.
fn in_words(error: &PriceError) -> String {
    let PriceError::MissingFact { what, field } = error else { return error.to_string() };
    let why = match *field {
        "power[].a" => {
            "the charger did not report it while this tariff was in force; let it send `Current.Import`"
        }
        "occupancy" => "the set-up names no site of this charger with `places` or connectors",
        "connector.plug" => {
            "the set-up does not say it; add `plug` or `type` to the connector of the charger"
        }
        "connector.type" => "the set-up does not say it; add `type` to the connector of the charger",
        "connector.max_power_kw" => {
            "the set-up does not say it; add `max_power_kw` to the connector of the charger"
        }
        "site" => "the charger stood at no site of the set-up",
        _ => "nothing tells it of this session",
    };
    format!("the tariff asks for {what}, and {why}")
}
