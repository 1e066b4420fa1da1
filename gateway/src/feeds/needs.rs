//! Which prices a tariff asks for, and of which time.

use super::books::BACK;
use crate::store::{OrgId, PricePoint, Reader};
use takst_engine::PriceBook;
use takst_engine::calendar::{civil, day_number};
use takst_engine::calendar_time::{LocalTime, start_of_day};
use takst_engine::input::{self, InputError};
use takst_engine::prices::{FeedFile, PriceStep};
use takst_engine::tariff::{Tariff, Zone};
use takst_engine::units::{DAY_MS, HOUR_MS, Instant};

/// A feed that holds its value until the next one is looked up this far back.
pub(super) const HOLDS_BACK: i64 = 400 * DAY_MS;

/// A feed that a tariff uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Need {
    /// `spot`, ...
    pub feed: String,
    /// Its area; none: the only one there is.
    pub area: Option<String>,
    /// A value counts until the next one.
    pub holds: bool,
    /// The mean of the whole month is asked for.
    pub month: bool,
}

/// The feeds whose values can decide about an amount of this tariff.
#[must_use]
pub fn needs(tariff: &Tariff) -> Vec<Need> {
    let used = takst_engine::feeds::used(tariff);
    let feeds = used.into_iter().filter_map(|(index, month)| {
        let feed = tariff.feeds.get(usize::try_from(index).ok()?)?;
        Some(Need { feed: feed.name.clone(), area: feed.area.clone(), holds: feed.holds, month })
    });
    feeds.collect()
}

impl Need {
    /// From when until when prices are needed for a session of this time: whole hours, or whole months.
    #[must_use]
    pub fn range(&self, zone: &Zone, from: Instant, until: Instant) -> (Instant, Instant) {
        if self.month {
            let start = month_start(zone, from.0, 0);
            let end = month_start(zone, until.0.max(from.0 + 1) - 1, 1);
            return (Instant(start), Instant(end));
        }
        let (from, until) =
            (from.0.div_euclid(HOUR_MS), (until.0.max(from.0 + 1) + HOUR_MS - 1).div_euclid(HOUR_MS));
        (Instant(from * HOUR_MS), Instant(until * HOUR_MS))
    }
}

// The start of the local month around an instant, or of a later one.
fn month_start(zone: &Zone, at: i64, months_later: i32) -> i64 {
    let (year, month, _) = civil(LocalTime::at(zone, at).day);
    let months = year * 12 + i32::from(month) - 1 + months_later;
    let month = u8::try_from(months.rem_euclid(12) + 1).unwrap_or(1);
    start_of_day(zone, day_number(months.div_euclid(12), month, 1))
}

/// A publication of which a price was taken.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
pub struct Publication {
    /// `spot`, ...
    pub feed: String,
    /// Price area; empty when the feed has none.
    pub area: String,
    /// When it was published, ms UTC.
    pub published: Instant,
    /// When it arrived, ms UTC.
    pub received: Instant,
}

impl Publication {
    pub(super) fn of(point: &PricePoint) -> Self {
        Self {
            feed: point.feed.clone(),
            area: point.area.clone(),
            published: point.published,
            received: point.received_at,
        }
    }
}

/// Prices for one session, with the publications they were taken from.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The prices.
    pub book: PriceBook,
    /// Sorted.
    pub publications: Vec<Publication>,
}

/// Why prices could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The storage failed.
    #[error("{0}")]
    Store(#[from] crate::store::Error),
    /// What is stored cannot be used.
    #[error("stored prices cannot be used: {0}")]
    Prices(#[from] InputError),
}

/// The prices that a tariff needs for a session from `from` to `until`. `only`: none but these publications, as when a bill
/// is worked out again.
///
/// # Errors
/// When the storage fails, or prices of one area are in two currencies.
pub async fn load(
    reader: &mut Reader,
    org: &OrgId,
    needs: &[Need],
    zone: &Zone,
    (from, until): (Instant, Instant),
    only: Option<&[Publication]>,
) -> Result<Loaded, LoadError> {
    let mut loaded = Loaded::default();
    for need in needs {
        let (from, until) = need.range(zone, from, until);
        let from = if need.holds { Instant(from.0.saturating_sub(HOLDS_BACK)) } else { from };
        // A file that names no area serves every area.
        let areas = match &need.area {
            Some(area) => vec![String::new(), area.clone()],
            None => {
                let feeds = reader.feeds(org).await?;
                feeds.into_iter().filter(|(feed, _)| *feed == need.feed).map(|(_, area)| area).collect()
            }
        };
        let mut all = Vec::with_capacity(areas.len());
        for area in areas {
            let points = published(reader, org, (&need.feed, &area), (from, until), only).await?;
            all.push((area, points));
        }
        if only.is_none() && is_in_doubt(reader, org, need, (from, until), &all).await? {
            continue;
        }
        for (_, points) in all {
            loaded.publications.extend(points.iter().map(Publication::of));
            add_to(&mut loaded.book, points)?;
        }
    }
    loaded.publications.sort();
    loaded.publications.dedup();
    Ok(loaded)
}

/// Whether a feed has prices of an area around a session from `from` to `until`: then what is missing of them is late, and no other
/// area's stand in for them.
///
/// # Errors
/// When the storage fails.
pub async fn is_in_use(
    reader: &mut Reader,
    org: &OrgId,
    series: (&str, &str),
    (from, until): (Instant, Instant),
) -> Result<bool, crate::store::Error> {
    reader.has_prices(org, series, (Instant(from.0.saturating_sub(BACK)), until)).await
}

// Whether the only prices of this time are those of another area than is asked for, because its own are late.
async fn is_in_doubt(
    reader: &mut Reader,
    org: &OrgId,
    need: &Need,
    span: (Instant, Instant),
    all: &[(String, Vec<PricePoint>)],
) -> Result<bool, crate::store::Error> {
    let own = need.area.as_deref().unwrap_or_default();
    let empty = |points: &[PricePoint]| points.is_empty();
    if all.iter().all(|(_, points)| empty(points))
        || all.iter().any(|(area, points)| area == own && !empty(points))
    {
        return Ok(false);
    }
    // Without an area it is the only one there is: another one that is late is one too.
    let counts = |area: &str| area == own || need.area.is_none();
    for (area, _) in all.iter().filter(|(area, points)| empty(points) && counts(area)) {
        if is_in_use(reader, org, (&need.feed, area), span).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The steps of a feed that count, in the order of publication; or those of these publications, whether they still count or not.
pub(super) async fn published(
    reader: &mut Reader,
    org: &OrgId,
    series: (&str, &str),
    (from, until): (Instant, Instant),
    only: Option<&[Publication]>,
) -> Result<Vec<PricePoint>, crate::store::Error> {
    let Some(only) = only else { return reader.published_prices(org, series, from, until).await };
    let mut points = reader.all_published_prices(org, series, from, until).await?;
    points.retain(|point| only.binary_search(&Publication::of(point)).is_ok());
    Ok(points)
}

/// Adds published steps of one feed and area, given in the order of publication.
///
/// # Errors
/// Steps in two currencies, or that are no prices.
pub fn add_to(book: &mut PriceBook, points: Vec<PricePoint>) -> Result<(), InputError> {
    let mut files: Vec<FeedFile> = Vec::new();
    for point in points {
        let price = input::decimal(&point.price).map_err(InputError::new)?;
        let step = PriceStep { from: point.from_at, to: point.to_at, price };
        let same = files.last_mut().filter(|file| {
            file.published == Some(point.published)
                && file.unit == point.unit
                && file.vat_included == point.vat_included
        });
        match same {
            Some(file) => file.prices.push(step),
            None => files.push(FeedFile {
                feed: point.feed,
                area: Some(point.area).filter(|area| !area.is_empty()),
                unit: point.unit,
                vat_included: point.vat_included,
                source: None,
                published: Some(point.published),
                prices: vec![step],
            }),
        }
    }
    files.into_iter().try_for_each(|file| book.add(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_dsl::{SourceFile, compile};
    use takst_engine::input::instant;

    fn tariff(text: &str) -> Tariff {
        let head = "tariff \"T\"\n  currency: NOK\n  time zone: Europe/Oslo\n  spot area: NO1\n  prices: including VAT\n";
        let text = format!("{head}\nVAT: 25%\n\n{text}\n");
        let compiled = compile(SourceFile { name: "t.tariff".into(), text }, &mut |_| Err(String::new()));
        compiled.tariff.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
    }

    #[test]
    fn only_feeds_that_decide_are_needed() {
        assert_eq!(needs(&tariff("energy: 2 NOK/kWh")), []);
        let spot = Need { feed: "spot".into(), area: Some("NO1".into()), holds: false, month: false };
        assert_eq!(needs(&tariff("energy: spot + 0.50 NOK/kWh")), std::slice::from_ref(&spot));
        let zone = tariff("energy: 2 NOK/kWh").zone;
        let time = |text: &str| instant(text).unwrap();
        let range = |need: &Need, from: &str, until: &str| need.range(&zone, time(from), time(until));
        let (from, until) = range(&spot, "2026-10-24T23:50:00+02:00", "2026-10-25T02:10:00+01:00");
        assert_eq!((from, until), (time("2026-10-24T23:00:00+02:00"), time("2026-10-25T03:00:00+01:00")));
        let month = Need { month: true, ..spot };
        let (from, until) = range(&month, "2026-10-31T23:50:00+01:00", "2026-11-01T00:00:00+01:00");
        assert_eq!((from, until), (time("2026-10-01T00:00:00+02:00"), time("2026-11-01T00:00:00+01:00")));
        let (_, until) = range(&month, "2026-12-31T23:50:00+01:00", "2027-01-01T00:00:00.001+01:00");
        assert_eq!(until, time("2027-02-01T00:00:00+01:00"));
    }
}
