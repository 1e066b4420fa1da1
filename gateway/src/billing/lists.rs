//! Which lists a session follows: that of plug-in, on its row, and those that it went over to while it ran, in its document.
//!
//! What a session has gone over to stays. What came into force meanwhile is added by session time, not by receipt, while the session
//! has no bill: as it runs, and once more when it is billed, for what was told late. A bill keeps the lists that it was made with.

use super::Tariffs;
use super::work::Ready;
use crate::feeds::cost;
use crate::store::{self, NewEvent, OrgId, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use takst_engine::calendar_time::utc_text;
use takst_engine::exact::Num;
use takst_engine::lists::{Lists, can_take_over, fits, same_terms};
use takst_engine::tariff::Zone;
use takst_engine::units::Instant;
use takst_engine::{Prepared, PriceBook, PriceError, Pricing};

/// A list that comes into force where and for whom a session charges, and that says `change prices`.
#[derive(Clone, Debug)]
pub struct NextList {
    /// From then on.
    pub from: Instant,
    /// Its name in the set-up.
    pub name: String,
    /// The compiled tariff.
    pub prepared: Arc<Prepared>,
    /// Who would issue the bill of a session that begins then.
    pub seller: String,
}

/// A list that came into force while a session ran, as its document keeps it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PriceChange {
    /// From then on, in UTC.
    pub from: String,
    /// Title of the list.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Why the session keeps its list all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// The price table from then on, as one is kept of plug-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Value>,
}

impl PriceChange {
    /// From when on.
    #[must_use]
    pub fn from(&self) -> Option<Instant> {
        takst_engine::input::instant(&self.from).ok()
    }
}

/// A list that took over, as a bill keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Later {
    /// From then on, in UTC.
    pub from: String,
    /// Its version.
    pub version: String,
}

/// The versions that a session follows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Followed {
    /// That of plug-in.
    pub first: String,
    /// In order of time.
    pub later: Vec<Later>,
}

impl Followed {
    /// One list for all of the session.
    pub fn one(version: String) -> Self {
        Self { first: version, later: Vec::new() }
    }

    /// What a stored session follows so far; none without a tariff.
    pub fn of(session: &store::Session) -> Option<Self> {
        let later = changes(session).into_iter().filter(|change| change.kept.is_none());
        let later = later.map(|change| Later { from: change.from, version: change.version }).collect();
        Some(Self { first: session.tariff_version.clone()?, later })
    }
}

// The part of a session's document that this is about.
#[derive(Deserialize, Default)]
struct Document {
    #[serde(default)]
    price_changes: Vec<PriceChange>,
}

/// The lists that came into force while a session ran, as far as they have been noted.
#[must_use]
pub fn changes(session: &store::Session) -> Vec<PriceChange> {
    serde_json::from_str::<Document>(&session.document).unwrap_or_default().price_changes
}

// When a session last went over. A list that it kept its own for can be put right by a later one.
fn gone_over(noted: &[PriceChange]) -> Option<Instant> {
    noted.iter().filter(|change| change.kept.is_none()).filter_map(PriceChange::from).max()
}

/// What comes into force for a session from what is noted on until `until`, and whether it goes over to it. Of one instant that
/// is noted nothing is added, and nothing of a list that says what the one before it says: a file with another remark in it is a new
/// version, but no new price.
pub(crate) fn news(
    tariffs: &dyn Tariffs,
    org: &OrgId,
    session: &store::Session,
    until: Instant,
) -> Vec<(NextList, Option<String>)> {
    let Some(first) = session.tariff_version.as_deref().and_then(|version| tariffs.prepared(version)) else {
        return Vec::new();
    };
    let facts = crate::sessions::facts(session).unwrap_or_default();
    let book = PriceBook::default();
    let takes_over = |next: &NextList| {
        let pricing = Pricing::new(&next.prepared, &book)?;
        can_take_over(&pricing, &facts, session.plugged_in, next.from)
    };
    let noted = changes(session);
    let after = gone_over(&noted).unwrap_or(session.plugged_in).max(session.plugged_in);
    // One feed of cost prices is asked for a session: with VAT, or without.
    let followed = noted.iter().filter(|change| change.kept.is_none());
    let mut followed = followed.filter_map(|change| tariffs.prepared(&change.version));
    let mut feed = cost::of(first.tariff()).or_else(|| followed.find_map(|list| cost::of(list.tariff())));
    // What it follows so far; none when the set-up does not know that list any more.
    let last = noted.iter().rfind(|change| change.kept.is_none() && change.from() == gone_over(&noted));
    let mut now = match last {
        Some(change) => tariffs.prepared(&change.version),
        None => Some(Arc::clone(&first)),
    };
    let is_new = |next: &NextList| {
        let same = |change: &PriceChange| {
            change.from() == Some(next.from) && change.version == next.prepared.version()
        };
        next.from > after && next.from < until && !noted.iter().any(same)
    };
    let next = tariffs.next_lists(org, session, until).into_iter();
    next.filter(is_new)
        .filter_map(|next| {
            let asks = cost::of(next.prepared.tariff());
            let kept = match fits(first.tariff(), next.prepared.tariff()) {
                Err(unfit) => Some(unfit.to_string()),
                Ok(()) if asks.is_some() && feed.is_some() && asks != feed => {
                    Some("its cost price is with VAT where that of the list before is without, or the other way round".to_owned())
                }
                Ok(()) if session.seller.as_ref().is_some_and(|seller| *seller != next.seller) => {
                    Some("its bills are issued by another seller".to_owned())
                }
                Ok(()) => takes_over(&next).err().map(|error| error.to_string()),
            };
            if kept.is_none() {
                if now.as_ref().is_some_and(|now| same_terms(now.tariff(), next.prepared.tariff())) {
                    return None;
                }
                now = Some(Arc::clone(&next.prepared));
                feed = feed.or(asks);
            }
            Some((next, kept))
        })
        .collect()
}

/// Notes lists that have come into force in the document of a session, and tells of them. `session` is as it was read in this unit.
/// `stays`: one of them charges for what comes after the stop, so the session lasts to unplugging. Whether anything was new.
pub(crate) async fn note(
    tx: &mut Tx,
    org: &OrgId,
    session: &mut store::Session,
    (found, stays): (Vec<PriceChange>, bool),
    now: Instant,
) -> Result<bool, store::Error> {
    let mut known = changes(session);
    let noted = gone_over(&known);
    let is_new = |change: &PriceChange| {
        let later = change.from().is_some_and(|from| noted.is_none_or(|noted| from > noted));
        later && !known.iter().any(|known| known.from == change.from && known.version == change.version)
    };
    let found: Vec<PriceChange> = found.into_iter().filter(is_new).collect();
    if found.is_empty() {
        return Ok(false);
    }
    for change in &found {
        let PriceChange { from, name, version, kept, .. } = change;
        let mut told = json!({
            "session": session.id, "charger": session.charger, "from": from, "tariff": name, "version": version,
        });
        if let Some(told) = told.as_object_mut() {
            told.extend(session.driver.clone().map(|driver| ("driver".to_owned(), driver.into())));
            told.extend(kept.clone().map(|kept| ("reason".to_owned(), kept.into())));
        }
        let kind = if kept.is_none() { "session.price_changed" } else { "session.price_kept" };
        if let Some(reason) = kept {
            tracing::warn!(session = session.id, tariff = name, reason, "a running session keeps its tariff");
        }
        let (kind, subject, document) = (kind.to_owned(), session.id.clone(), told.to_string());
        tx.log_event(org, NewEvent { at: now, kind, subject, document });
    }
    known.extend(found);
    let corrupt =
        |error: serde_json::Error| store::Error::Corrupt(format!("session {}: {error}", session.id));
    let mut document: serde_json::Map<String, Value> =
        serde_json::from_str(&session.document).map_err(corrupt)?;
    document.insert("price_changes".to_owned(), serde_json::to_value(&known).map_err(corrupt)?);
    if let Some(begin) = document.get_mut("begin").and_then(Value::as_object_mut).filter(|_| stays) {
        begin.insert("after_stop".to_owned(), true.into());
    }
    session.document = Value::Object(document).to_string();
    tx.set_document(org, &session.id, &session.document).await?;
    Ok(true)
}

/// What is to be noted of a list that has come into force.
pub(crate) fn noted(next: &NextList, kept: Option<String>, shown: Option<Value>) -> PriceChange {
    PriceChange {
        from: utc_text(next.from),
        name: next.prepared.tariff().name.clone(),
        version: next.prepared.version().to_owned(),
        kept,
        shown,
    }
}

/// The lists that a session follows, ready to price it.
pub(crate) struct Course {
    first: Arc<Ready>,
    later: Vec<(Instant, Arc<Ready>)>,
}

impl Course {
    pub fn new(first: Arc<Ready>, later: Vec<(Instant, Arc<Ready>)>) -> Self {
        Self { first, later }
    }

    /// Of versions that are known; or the one that is not.
    pub fn of(followed: &Followed, ready: impl Fn(&str) -> Option<Arc<Ready>>) -> Result<Self, String> {
        let find = |version: &str| ready(version).ok_or_else(|| version.to_owned());
        let first = find(&followed.first)?;
        let mut later = Vec::with_capacity(followed.later.len());
        for one in &followed.later {
            let from = takst_engine::input::instant(&one.from).map_err(|_| one.version.clone())?;
            later.push((from, find(&one.version)?));
        }
        Ok(Self { first, later })
    }

    /// The list of plug-in.
    pub fn first(&self) -> &Arc<Ready> {
        &self.first
    }

    /// All of them.
    pub fn each(&self) -> impl Iterator<Item = &Arc<Ready>> {
        std::iter::once(&self.first).chain(self.later.iter().map(|(_, ready)| ready))
    }

    /// Those that take over.
    pub fn later(&self) -> &[(Instant, Arc<Ready>)] {
        &self.later
    }

    /// The list in force at an instant.
    pub fn at(&self, at: Instant) -> &Arc<Ready> {
        self.later.iter().rev().find(|(from, _)| *from <= at).map_or(&self.first, |(_, ready)| ready)
    }

    /// The clock of all of them.
    pub fn zone(&self) -> &Zone {
        self.first.zone()
    }

    /// Calls `what` with the lists and their prices; `cost`: what the plant's kWh costs, where that is known.
    ///
    /// # Errors
    /// When a price file is in another unit than a list needs, or as `what`.
    pub fn with<'p, T>(
        &'p self,
        book: &'p PriceBook,
        cost: Option<Num>,
        what: impl FnOnce(&Lists<'_>) -> Result<T, PriceError>,
    ) -> Result<T, PriceError> {
        let priced = |ready: &'p Ready| {
            let pricing = Pricing::new(&ready.prepared, book)?;
            Ok::<_, PriceError>(match cost {
                Some(cost) => pricing.with_cost_price(cost),
                None => pricing,
            })
        };
        let first = priced(&self.first)?;
        let mut later = Vec::with_capacity(self.later.len());
        for (from, ready) in &self.later {
            later.push((*from, priced(ready)?));
        }
        what(&later.iter().fold(Lists::new(&first), |lists, (from, pricing)| lists.then(*from, pricing)))
    }
}
