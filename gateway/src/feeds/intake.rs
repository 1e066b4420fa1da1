//! A price document is read, compared with what stands, and kept.

use super::asked::{Asked, Holds, as_before, is_by_hand, is_wanted, wanted_currencies};
use super::needs::HOLDS_BACK;
use crate::prices;
use crate::store::{self, Incident, Lane, NewEvent, OrgId, PricePoint, Store, Tx, WaitingFor, new_id};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use takst_engine::PriceBook;
use takst_engine::calendar_time::{INSTANTS, utc_text};
use takst_engine::input::{self, InputError};
use takst_engine::prices::FeedFile;
use takst_engine::units::{DAY_MS, Instant, MINUTE_MS};

/// Largest price document, bytes: ten years of quarter-hours as ENTSO-E writes them.
pub const MAX_FEED: usize = 64 << 20;

/// How far ahead of the gateway's clock a publication may lie, milliseconds: clocks differ a little.
const AHEAD_MS: i64 = 10 * MINUTE_MS;

/// Why a price document was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// It is no price document, or contradicts itself or what is known.
    #[error("{0}")]
    Input(#[from] InputError),
    /// The storage failed.
    #[error("{0}")]
    Store(#[from] store::Error),
}

/// What came of a document.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Received {
    /// One for each feed and area.
    pub series: Vec<SeriesReceived>,
    /// How many bills that waited can be looked at again.
    pub woken: usize,
}

impl Received {
    /// Whether it said anything new.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.series.iter().any(|series| series.kept > 0)
    }

    /// Times whose known prices are other ones now.
    pub fn changed(&self) -> impl Iterator<Item = (&SeriesReceived, (Instant, Instant))> {
        self.series.iter().flat_map(|series| series.changed.iter().map(move |span| (series, *span)))
    }
}

/// What came of one feed and area.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SeriesReceived {
    /// `spot`, ...
    pub feed: String,
    /// Price area; empty when the feed has none.
    pub area: String,
    /// First instant with a price in the document, ms UTC.
    pub from: Instant,
    /// The end of its last step, ms UTC.
    pub until: Instant,
    /// Steps that were kept; 0 when all of them stood there already.
    pub kept: u64,
    /// Spans of time whose known price is another one now, ms UTC.
    pub changed: Vec<(Instant, Instant)>,
}

/// A price document: an ENTSO-E, Nord Pool or hvakosterstrommen file, or our own JSON.
#[derive(Clone, Debug)]
pub struct Offered {
    /// As it came.
    pub text: String,
    /// The file's name, or what else tells where it came from.
    pub name: String,
    /// The currency to take of a document that has several.
    pub currency: String,
    /// When it was published, if the document does not say; none: when it arrived.
    pub published: Option<Instant>,
}

/// Takes a price document in. What is the same as before changes nothing. A later publication covers an earlier one, which is
/// kept.
///
/// # Errors
/// When it cannot be read, was published in the future, is in another currency than the prices before, or the storage fails.
pub async fn receive(
    store: &Store,
    org: &OrgId,
    offered: Offered,
    now: Instant,
) -> Result<Received, FeedError> {
    receive_asked(store, org, offered, Asked::default(), now).await
}

/// [`receive`] of a document that is held against what is asked for.
///
/// # Errors
/// As [`receive`]; also when it is not what was asked for.
pub async fn receive_asked(
    store: &Store,
    org: &OrgId,
    offered: Offered,
    asked: Asked,
    now: Instant,
) -> Result<Received, FeedError> {
    if offered.text.len() > MAX_FEED {
        let error = InputError::new(format!("a price document of {} bytes", offered.text.len()));
        return Err(error.help(format!("the most is {MAX_FEED}; split it by year")).into());
    }
    let (org, name) = (org.clone(), offered.name.clone());
    // A year of quarter-hours takes its time to read.
    let read = tokio::task::spawn_blocking(move || read(&offered, asked.only.as_ref(), now)).await;
    let all = read.map_err(|_| InputError::new("the document could not be read"))??;
    let wanted = wanted_currencies(&all, asked.currencies.as_ref())?;
    let lane = Lane::org(&org);
    let holds = asked.holds;
    let received = store.write(lane, async move |tx| {
        for points in all.iter().filter(|points| !is_wanted(&wanted, points)) {
            as_before(tx, &org, points).await?;
        }
        publish(tx, &org, &all, holds.as_ref(), &name, now).await
    });
    Ok(received.await?)
}

/// Keeps steps, each list of one feed and area in the order of publication; wakes the bills that wait for them and tells which known prices
/// are other ones now. `holds`: of which feeds a value counts until the next one, somewhere. `name`: where they came from, for people.
pub(crate) async fn publish(
    tx: &mut Tx,
    org: &OrgId,
    all: &[Vec<PricePoint>],
    holds: Option<&Holds>,
    name: &str,
    now: Instant,
) -> Result<Received, store::Error> {
    let mut received = Received::default();
    for points in all {
        let holds = points.first().is_some_and(|first| holds.is_some_and(|holds| holds(&first.feed)));
        if let Some(series) = keep(tx, org, points, holds, now).await? {
            received.series.push(series);
        }
    }
    if received.is_news() {
        received.woken = wake(tx, org, &received.series).await?;
        for series in received.series.iter().filter(|series| series.kept > 0) {
            log(tx, org, series, name, now).await?;
        }
    }
    Ok(received)
}

// The steps of a document by feed and area, in the order of publication.
fn read(
    offered: &Offered,
    only: Option<&(String, Option<String>)>,
    now: Instant,
) -> Result<Vec<Vec<PricePoint>>, InputError> {
    let mut series: Vec<Vec<PricePoint>> = Vec::new();
    for file in prices::read(&offered.text, Path::new(&offered.name), &offered.currency)? {
        check(&file)?;
        let stated = only.and_then(|(_, area)| area.clone());
        let area = file.area.clone().or(stated.clone()).unwrap_or_default();
        if let Some((wanted, _)) = only
            && (&file.feed != wanted || stated.as_ref().is_some_and(|stated| *stated != area))
        {
            let (has, wanted) = (subject(&file.feed, &area), subject(wanted, &stated.unwrap_or_default()));
            let error =
                InputError::new(format!("there are prices of `{has}` in it, and `{wanted}` was asked for"));
            return Err(error.help(
                "name the feed and area that the document is about; without an area all of it is taken",
            ));
        }
        if let Some(said) = file.published.filter(|said| said.0 > now.0.saturating_add(AHEAD_MS)) {
            let error = InputError::new(format!("`published` ({}) lies in the future", utc_text(said)));
            return Err(error.help(
                "no later document could ever take its place; say when it was published, or leave `published` out",
            ));
        }
        let is = |points: &Vec<PricePoint>| {
            points.first().is_some_and(|point| (&point.feed, &point.area) == (&file.feed, &area))
        };
        let known = series.iter().position(is).unwrap_or(series.len());
        if known == series.len() {
            series.push(Vec::new());
        }
        let Some(points) = series.get_mut(known) else { continue };
        // A document with two resolutions of one area counts as two publications, the finer one later.
        let later = points.last().map_or(Instant(i64::MIN), |point| Instant(point.published.0 + 1));
        let published = file.published.or(offered.published).unwrap_or(now).max(later);
        if !INSTANTS.contains(&published.0) {
            let said = utc_text(published);
            return Err(InputError::new(format!("`published` ({said}) lies outside the years 2000 to 2099")));
        }
        let source = file.source.clone().unwrap_or_else(|| "file".to_owned());
        let mut steps = file.prices;
        steps.sort_by_key(|step| step.from);
        points.extend(steps.into_iter().map(|step| PricePoint {
            feed: file.feed.clone(),
            area: area.clone(),
            from_at: step.from,
            to_at: step.to,
            published,
            price: step.price.normalize().to_string(),
            unit: file.unit.clone(),
            vat_included: file.vat_included,
            source: source.clone(),
            received_at: now,
        }));
    }
    Ok(series)
}

// What a price book refuses is refused here, and times that no session can have.
fn check(file: &FeedFile) -> Result<(), InputError> {
    let outside = |step: &&takst_engine::prices::PriceStep| {
        !INSTANTS.contains(&step.from.0)
            || !INSTANTS.contains(&step.to.0)
            || step.to.0 - step.from.0 > 400 * DAY_MS
    };
    if let Some(step) = file.prices.iter().find(outside) {
        let error = InputError::new(format!("feed `{}`: a price from {}", file.feed, utc_text(step.from)));
        return Err(error.help("prices lie between 2000 and 2099, and none holds for more than 400 days"));
    }
    PriceBook::default().add(file.clone())
}

async fn keep(
    tx: &mut Tx,
    org: &OrgId,
    points: &[PricePoint],
    holds: bool,
    now: Instant,
) -> Result<Option<SeriesReceived>, store::Error> {
    let Some(first) = points.first() else { return Ok(None) };
    let from = points.iter().map(|point| point.from_at).min().unwrap_or(first.from_at);
    let until = points.iter().map(|point| point.to_at).max().unwrap_or(first.to_at);
    let name = (first.feed.as_str(), first.area.as_str());
    let all = tx.all_published_prices(org, name, from, until).await?;
    let other_money = |point: &&PricePoint| money(&point.unit) != money(&first.unit);
    if let Some(other) = all.iter().find(other_money).filter(|_| !is_by_hand(&first.feed)) {
        return Err(store::Error::refused(format!(
            "feed `{}` {}: this document is in {}, and the prices before are in {}; keep one currency per feed and area",
            first.feed, first.area, first.unit, other.unit
        )));
    }
    let mut before = tx.prices(org, name, from, until).await?;
    before.retain(|point| !other_money(&point));
    let mut series = SeriesReceived {
        feed: first.feed.clone(),
        area: first.area.clone(),
        from,
        until,
        kept: 0,
        changed: Vec::new(),
    };
    if changes(&before, points, true).is_empty() {
        return Ok(Some(series));
    }
    // What was published once is never written over: a bill can have been made from it.
    let known: BTreeSet<Instant> = all.iter().map(|point| point.published).collect();
    let mut fresh = points.to_vec();
    if fresh.iter().any(|point| known.contains(&point.published)) {
        let contradicts = |point: &PricePoint| {
            let same =
                |other: &&PricePoint| (other.published, other.from_at) == (point.published, point.from_at);
            all.iter().find(same).is_some_and(|other| !alike(other, point))
        };
        let came_before = |point: &PricePoint| {
            let same = |other: &PricePoint| {
                other.from_at == point.from_at && other.published >= point.published && alike(other, point)
            };
            all.iter().any(same)
        };
        if fresh.iter().all(came_before) {
            return Ok(Some(series));
        }
        if fresh.iter().any(contradicts) {
            let newest = known.last().copied().unwrap_or(now);
            let later = (newest.0 + 1).max(now.0) - first.published.0;
            fresh.iter_mut().for_each(|point| point.published.0 += later);
        } else {
            let stands = |point: &PricePoint| {
                let same =
                    |other: &PricePoint| (other.published, other.from_at) == (point.published, point.from_at);
                all.iter().any(same)
            };
            fresh.retain(|point| !stands(point));
        }
    }
    let far = Instant(from.0.saturating_sub(HOLDS_BACK));
    let held = if holds { tx.prices(org, name, far, until).await? } else { Vec::new() };
    series.kept = tx.put_prices(org, &fresh).await?;
    let after = tx.prices(org, name, from, until).await?;
    series.changed = changes(&before, &after, false);
    if holds {
        let now_held = tx.prices(org, name, far, until).await?;
        let mut changed = changes(&held_on(held, until), &held_on(now_held, until), false);
        // Where there was no step of its own a bill was made with the value before; of times to come there is none yet.
        let known =
            |span: &(Instant, Instant)| series.changed.iter().any(|one| one.0 < span.1 && one.1 > span.0);
        changed.retain(|span| span.0 < now || known(span));
        series.changed = changed;
    }
    Ok(Some(series))
}

// Steps each of which counts until the next one, the last one until `until`.
fn held_on(mut steps: Vec<PricePoint>, until: Instant) -> Vec<PricePoint> {
    let ends: Vec<Instant> = steps.iter().skip(1).map(|step| step.from_at).chain([until]).collect();
    for (step, end) in steps.iter_mut().zip(ends) {
        step.to_at = step.to_at.max(end);
    }
    steps
}

pub(super) fn money(unit: &str) -> &str {
    unit.split_once('/').map_or(unit, |(money, _)| money)
}

// Whether two steps say the same price; `EUR/MWh` and `EUR/kWh` can.
fn alike(one: &PricePoint, other: &PricePoint) -> bool {
    let price = |point: &PricePoint| {
        let thousand = rust_decimal::Decimal::from(1000);
        let value = input::decimal(&point.price).ok()?;
        let per_kwh = if point.unit.ends_with("/MWh") { value.checked_div(thousand)? } else { value };
        Some(per_kwh.normalize())
    };
    one.vat_included == other.vat_included && one.to_at == other.to_at && price(one) == price(other)
}

// Spans in which `after` says another price than `before`; with `new` also those of which `before` says nothing. Both lists
// are without overlaps but for several publications in `after`, of which any will do.
fn changes(before: &[PricePoint], after: &[PricePoint], new: bool) -> Vec<(Instant, Instant)> {
    let mut edges: BTreeSet<Instant> = BTreeSet::new();
    for point in before.iter().chain(after) {
        edges.extend([point.from_at, point.to_at]);
    }
    let sorted = |points: &[PricePoint]| {
        let mut sorted: Vec<PricePoint> = points.to_vec();
        sorted.sort_by_key(|point| (point.from_at, point.published));
        sorted
    };
    let (before, after) = (sorted(before), sorted(after));
    let at = |points: &[PricePoint], at: Instant| {
        let next = points.partition_point(|point| point.from_at <= at);
        points.get(..next)?.iter().rev().take(2).find(|point| point.to_at > at).cloned()
    };
    let edges: Vec<Instant> = edges.into_iter().collect();
    let mut spans: Vec<(Instant, Instant)> = Vec::new();
    for [from, until] in edges.array_windows::<2>() {
        let differs = match (at(&before, *from), at(&after, *from)) {
            (_, None) => false,
            (None, Some(_)) => new,
            (Some(one), Some(other)) => {
                let until = other.to_at;
                !alike(&PricePoint { to_at: until, ..one }, &other)
            }
        };
        if !differs {
            continue;
        }
        match spans.last_mut().filter(|last| last.1 == *from) {
            Some(last) => last.1 = *until,
            None => spans.push((*from, *until)),
        }
    }
    spans
}

// Bills that wait for these prices can be made now, or wait for less.
async fn wake(tx: &mut Tx, org: &OrgId, all: &[SeriesReceived]) -> Result<usize, store::Error> {
    // Whoever begins to wait meanwhile sees these prices, or is seen here.
    tx.lock_prices(org).await?;
    let mut woken = 0;
    for WaitingFor { feed, area, .. } in tx.awaited_feeds(org).await? {
        for series in all.iter().filter(|series| series.kept > 0 && series.feed == feed) {
            // A tariff without an area takes the only one there is, and a file without one is for all.
            if area == series.area || area.is_empty() || series.area.is_empty() {
                // What needs more than this has a part of it now.
                woken += tx.wake_previews(org, (&feed, &area), series.until).await?;
            }
        }
    }
    Ok(usize::try_from(woken).unwrap_or(usize::MAX))
}

async fn log(
    tx: &mut Tx,
    org: &OrgId,
    series: &SeriesReceived,
    name: &str,
    now: Instant,
) -> Result<(), store::Error> {
    let SeriesReceived { feed, area, from, until, kept, changed } = series;
    let subject = subject(feed, area);
    let span = |(from, until): &(Instant, Instant)| json!([utc_text(*from), utc_text(*until)]);
    let document = json!({
        "feed": feed, "area": area, "from": utc_text(*from), "until": utc_text(*until), "steps": kept,
        "file": name, "changed": changed.iter().map(span).collect::<Vec<_>>(),
    })
    .to_string();
    let event = |kind: &str| NewEvent {
        at: now,
        kind: kind.to_owned(),
        subject: subject.clone(),
        document: document.clone(),
    };
    tx.log_event(org, event("feed.received"));
    if changed.is_empty() {
        return Ok(());
    }
    tell_changed(tx, org, (feed, area), *from, changed, name, now).await?;
    tx.log_event(org, event("incident.opened"));
    Ok(())
}

// Which bills that concerns is looked up afterwards; the alert stands until somebody has decided about them.
async fn tell_changed(
    tx: &mut Tx,
    org: &OrgId,
    (feed, area): (&str, &str),
    from: Instant,
    changed: &[(Instant, Instant)],
    name: &str,
    now: Instant,
) -> Result<(), store::Error> {
    let subject = subject(feed, area);
    let incident = Incident {
        id: new_id(),
        charger: None,
        // Several months of a cost price can change at the same moment, and each is a matter of its own.
        subject: format!("{subject} {} {}", utc_text(from), utc_text(now)),
        kind: "feed.changed".to_owned(),
        severity: "warning".to_owned(),
        opened_at: now,
        closed_at: None,
        document: json!({ "feed": feed, "area": area, "changed": changed, "file": name }).to_string(),
    };
    tx.open_incident(org, &incident).await.map(drop)
}

/// Has the bills looked at that were made with a price of this time: it is another one now, or may be.
pub(crate) async fn changed(
    tx: &mut Tx,
    org: &OrgId,
    (feed, area): (&str, &str),
    span: (Instant, Instant),
    name: &str,
    now: Instant,
) -> Result<(), store::Error> {
    tell_changed(tx, org, (feed, area), span.0, &[span], name, now).await?;
    let document = json!({ "feed": feed, "area": area, "from": utc_text(span.0), "until": utc_text(span.1), "file": name });
    let (kind, subject) = ("incident.opened".to_owned(), subject(feed, area));
    tx.log_event(org, NewEvent { at: now, kind, subject, document: document.to_string() });
    Ok(())
}

/// What events and incidents call a feed.
pub(super) fn subject(feed: &str, area: &str) -> String {
    if area.is_empty() { feed.to_owned() } else { format!("{feed} {area}") }
}
