//! The prices in use, ready in memory: swapped as a whole when a feed arrives.

use super::needs::{HOLDS_BACK, add_to};
use crate::store::{self, OrgId, Store};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use takst_engine::PriceBook;
use takst_engine::calendar_time::INSTANTS;
use takst_engine::units::{DAY_MS, Instant};

/// How far back prices are kept in memory: a whole month for means of the month, and a long session.
pub(super) const BACK: i64 = 62 * DAY_MS;

/// The price books of all organisations. Copies share them.
#[derive(Clone, Default, Debug)]
pub struct Books {
    inner: Arc<RwLock<HashMap<OrgId, Arc<PriceBook>>>>,
}

impl Books {
    /// The prices of an organisation; none before the first [`Self::refresh`].
    #[must_use]
    pub fn of(&self, org: &OrgId) -> Arc<PriceBook> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).get(org).cloned().unwrap_or_default()
    }

    /// Reads the prices anew. `earliest`: when the oldest session that still runs began. `holds`: of which feeds a value counts until the
    /// next one, so that one of long ago can be the price of today.
    ///
    /// # Errors
    /// When the storage fails; what was there stays.
    pub async fn refresh(
        &self,
        store: &Store,
        org: &OrgId,
        now: Instant,
        earliest: Option<Instant>,
        holds: impl Fn(&str) -> bool + Send,
    ) -> Result<Arc<PriceBook>, store::Error> {
        let first = now.min(earliest.unwrap_or(now));
        let book = Arc::new(all_prices(store, org, first, holds).await?);
        self.inner.write().unwrap_or_else(PoisonError::into_inner).insert(org.clone(), Arc::clone(&book));
        Ok(book)
    }
}

// The prices as they stand that a session from `first` on can ask for, of all feeds. A feed that cannot be used is left out, with a warning
// in the log.
async fn all_prices(
    store: &Store,
    org: &OrgId,
    first: Instant,
    holds: impl Fn(&str) -> bool + Send,
) -> Result<PriceBook, store::Error> {
    let mut reader = store.read().await?;
    let mut book = PriceBook::default();
    let from = Instant(first.0.saturating_sub(BACK));
    let until = Instant(INSTANTS.end);
    for (feed, area) in reader.feeds(org).await? {
        let mut points = reader.prices(org, (&feed, &area), from, until).await?;
        if holds(&feed) && points.first().is_none_or(|point| point.from_at > from) {
            // As far back as for a bill.
            let far = Instant(first.0.saturating_sub(HOLDS_BACK));
            points.extend(reader.prices(org, (&feed, &area), far, from).await?.pop());
        }
        // They do not overlap: one publication for all.
        points.iter_mut().for_each(|point| point.published = Instant(0));
        points.sort_by_key(|point| (point.unit.clone(), point.vat_included, point.from_at));
        if let Err(error) = add_to(&mut book, points) {
            tracing::warn!(%error, feed, area, "stored prices cannot be used");
        }
    }
    Ok(book)
}
