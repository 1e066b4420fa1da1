//! Steps of price feeds. Nothing is overwritten: a later publication covers an earlier one, which stays for
//! looking up what a bill was made from.

use super::error::Error;
use super::record::{OrgId, Record as _, all, record};
use super::sql::{Reader, args};
use super::tx::Tx;
use std::collections::BTreeMap;
use takst_engine::units::{DAY_MS, Instant};

record! {
    /// One step of a feed, as published.
    PricePoint {
        /// `spot`, ...
        feed: String,
        /// Price area; empty when the feed has none.
        area: String,
        /// Start.
        from_at: Instant,
        /// End.
        to_at: Instant,
        /// When it was published; when it arrived, if the source does not say.
        published: Instant,
        /// A plain decimal in `unit`.
        price: String,
        /// As in `EUR/MWh`.
        unit: String,
        /// Whether VAT is in it.
        vat_included: bool,
        /// `entsoe`, `nordpool`, a file, ...
        source: String,
        /// When it arrived.
        received_at: Instant,
    }
}

/// No step is longer: a search backwards in time ends there.
const LONGEST_STEP: i64 = 400 * DAY_MS;

impl Tx {
    /// Keeps steps. A step that is there with the same publication time is replaced; how many were new or
    /// said something else than before: 0 means that no bill can change.
    ///
    /// # Errors
    /// [`Error::Refused`] when a step does not end after it starts, or lasts longer than 400 days.
    pub async fn put_prices(&mut self, org: &OrgId, points: &[PricePoint]) -> Result<u64, Error> {
        let head = format!("INSERT INTO price_point (org, {})", PricePoint::COLUMNS);
        let tail = "ON CONFLICT (org, feed, area, from_at, published) DO UPDATE
             SET to_at = excluded.to_at, price = excluded.price, unit = excluded.unit, vat_included = excluded.vat_included,
             source = excluded.source, received_at = excluded.received_at
             WHERE price_point.to_at <> excluded.to_at OR price_point.price <> excluded.price OR price_point.unit <> excluded.unit
             OR price_point.vat_included <> excluded.vat_included";
        // One statement cannot write a row twice; of two such steps the last one counts.
        let mut rows = BTreeMap::new();
        for point in points {
            let length = point.to_at.0.checked_sub(point.from_at.0);
            if !length.is_some_and(|length| (1..=LONGEST_STEP).contains(&length)) {
                return Err(Error::refused(format!(
                    "a step of the feed `{}` must end after it starts, within 400 days: {} to {} (ms)",
                    point.feed, point.from_at.0, point.to_at.0
                )));
            }
            rows.insert((&point.feed, &point.area, point.from_at, point.published), point.values());
        }
        // A year of quarter-hours is tens of thousands of steps, and others wait for the lane.
        self.insert_rows(org, &head, rows.into_values().collect(), tail).await
    }

    /// Lets nobody else change the prices of the organisation, or wait for them, until the commit. Whether anybody else could have since
    /// the unit began: a database with one writer knows that nobody did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_prices(&mut self, org: &OrgId) -> Result<bool, Error> {
        if self.reader.conn.is_sqlite() {
            return Ok(false);
        }
        self.advance(org, "prices", 0).await.map(|_| true)
    }

    /// Takes back the steps of a feed that lie in this time: they count for nobody any more but the bills that were made with them. How
    /// many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn withdraw_prices(
        &mut self,
        org: &OrgId,
        (feed, area): (&str, &str),
        (from, until): (Instant, Instant),
        at: Instant,
    ) -> Result<u64, Error> {
        let sql = "UPDATE price_point SET withdrawn_at = $6 WHERE org = $1 AND feed = $2 AND area = $3 AND from_at >= $4
                   AND to_at <= $5 AND withdrawn_at IS NULL";
        self.run(org, sql, args![feed, area, from, until, at]).await
    }
}

impl Reader {
    /// All steps that touch the time from `from` to `until`, of every publication; by publication, then by
    /// time. A price book takes them in this order. Without those that were taken back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn published_prices(
        &mut self,
        org: &OrgId,
        (feed, area): (&str, &str),
        from: Instant,
        until: Instant,
    ) -> Result<Vec<PricePoint>, Error> {
        self.steps(org, (feed, area), (from, until), " AND withdrawn_at IS NULL").await
    }

    /// The same with those that were taken back: what a bill may have been made from.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all_published_prices(
        &mut self,
        org: &OrgId,
        series: (&str, &str),
        from: Instant,
        until: Instant,
    ) -> Result<Vec<PricePoint>, Error> {
        self.steps(org, series, (from, until), "").await
    }

    async fn steps(
        &mut self,
        org: &OrgId,
        (feed, area): (&str, &str),
        (from, until): (Instant, Instant),
        which: &str,
    ) -> Result<Vec<PricePoint>, Error> {
        let sql = format!(
            "SELECT {} FROM price_point WHERE org = $1 AND feed = $2 AND area = $3 AND from_at < $5 AND from_at > $6 AND to_at > $4{which}
             ORDER BY published, from_at",
            PricePoint::COLUMNS
        );
        let earliest = from.0.saturating_sub(LONGEST_STEP).saturating_sub(1);
        all(&self.rows(org, &sql, args![feed, area, from, until, earliest]).await?)
    }

    /// The prices from `from` to `until` as they stand: ascending, without overlaps, a later publication in
    /// place of an earlier one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prices(
        &mut self,
        org: &OrgId,
        series: (&str, &str),
        from: Instant,
        until: Instant,
    ) -> Result<Vec<PricePoint>, Error> {
        Ok(covered(self.published_prices(org, series, from, until).await?))
    }

    /// The end of the last time from `from` to `until` of which none of these areas of a feed has a price; none where there is no such
    /// time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_gap(
        &mut self,
        org: &OrgId,
        feed: &str,
        areas: &[String],
        (from, until): (Instant, Instant),
    ) -> Result<Option<Instant>, Error> {
        let mut steps = Vec::new();
        for area in areas {
            steps.extend(self.prices(org, (feed, area), from, until).await?);
        }
        steps.sort_by_key(|step| step.to_at);
        let mut end = until;
        // Backwards from the end, over all that is known without a hole.
        for step in steps.iter().rev() {
            if step.to_at < end {
                return Ok(Some(end));
            }
            end = end.min(step.from_at);
        }
        Ok((end > from).then_some(end))
    }

    /// Whether a price of a feed and area begins at some time from `from` to `until`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_prices(
        &mut self,
        org: &OrgId,
        (feed, area): (&str, &str),
        (from, until): (Instant, Instant),
    ) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM price_point WHERE org = $1 AND feed = $2 AND area = $3 AND from_at >= $4 AND from_at < $5
                   AND withdrawn_at IS NULL LIMIT 1";
        Ok(self.row(org, sql, args![feed, area, from, until]).await?.is_some())
    }

    /// When the first step of a feed and area begins that begins at `at` or later; none where there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_price(
        &mut self,
        org: &OrgId,
        (feed, area): (&str, &str),
        at: Instant,
    ) -> Result<Option<Instant>, Error> {
        let sql = "SELECT MIN(from_at) FROM price_point WHERE org = $1 AND feed = $2 AND area = $3 AND from_at >= $4
                   AND withdrawn_at IS NULL";
        self.row(org, sql, args![feed, area, at]).await?.map_or(Ok(None), |row| row.get(0))
    }

    /// Up to when a feed has prices without a gap, from `from` on; `from` itself when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prices_known_until(
        &mut self,
        org: &OrgId,
        series: (&str, &str),
        from: Instant,
    ) -> Result<Instant, Error> {
        let mut known = from;
        // Day by day, so that years of prices are not read at once.
        loop {
            let window = Instant(known.0.saturating_add(7 * DAY_MS));
            let before = known;
            for step in self.prices(org, series, known, window).await? {
                if step.from_at <= known && step.to_at > known {
                    known = step.to_at;
                }
            }
            if known == before || known < window {
                return Ok(known);
            }
        }
    }

    /// The units in which there are prices of a feed and area.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn price_units(
        &mut self,
        org: &OrgId,
        (feed, area): (&str, &str),
    ) -> Result<Vec<String>, Error> {
        let sql =
            "SELECT DISTINCT unit FROM price_point WHERE org = $1 AND feed = $2 AND area = $3 ORDER BY unit";
        self.rows(org, sql, args![feed, area]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// The feeds and areas there are prices of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feeds(&mut self, org: &OrgId) -> Result<Vec<(String, String)>, Error> {
        let sql = "SELECT DISTINCT feed, area FROM price_point WHERE org = $1 ORDER BY feed, area";
        let rows = self.rows(org, sql, args![]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }
}

/// Lays steps over each other in their order: the last one is on top.
fn covered(points: Vec<PricePoint>) -> Vec<PricePoint> {
    let mut series: std::collections::BTreeMap<Instant, PricePoint> = std::collections::BTreeMap::new();
    for point in points {
        // Of what lies below: a step that began earlier and reaches in, and all that begin inside.
        let earlier = series.range(..point.from_at).next_back().map(|(from, _)| *from);
        let inside: Vec<Instant> = series.range(point.from_at..point.to_at).map(|(from, _)| *from).collect();
        for from in earlier.into_iter().chain(inside) {
            let Some(below) = series.remove(&from) else { continue };
            if below.from_at < point.from_at {
                let to_at = below.to_at.min(point.from_at);
                series.insert(below.from_at, PricePoint { to_at, ..below.clone() });
            }
            if below.to_at > point.to_at {
                series.insert(point.to_at, PricePoint { from_at: point.to_at, ..below });
            }
        }
        series.insert(point.from_at, point);
    }
    series.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(from: i64, to: i64, price: &str) -> PricePoint {
        PricePoint {
            feed: "spot".to_owned(),
            area: "FI".to_owned(),
            from_at: Instant(from),
            to_at: Instant(to),
            published: Instant(0),
            price: price.to_owned(),
            unit: "EUR/MWh".to_owned(),
            vat_included: false,
            source: "test".to_owned(),
            received_at: Instant(0),
        }
    }

    /// Painting single minutes is the same, only slower.
    #[test]
    fn later_steps_cover_earlier_ones_like_paint() {
        let mut seed = 7_u64;
        let mut random = |below: i64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..2000 {
            let mut paint = vec![None; 60];
            let mut points = Vec::new();
            for layer in 0..random(8) {
                let from = random(59);
                let to = from + 1 + random(59 - from);
                for minute in from..to {
                    paint[usize::try_from(minute).unwrap()] = Some(layer.to_string());
                }
                points.push(point(from, to, &layer.to_string()));
            }
            let mut shown = vec![None; 60];
            let mut end = i64::MIN;
            for step in covered(points) {
                assert!(step.from_at.0 >= end && step.to_at > step.from_at);
                end = step.to_at.0;
                for minute in step.from_at.0..step.to_at.0 {
                    shown[usize::try_from(minute).unwrap()] = Some(step.price.clone());
                }
            }
            assert_eq!(shown, paint);
        }
    }
}
