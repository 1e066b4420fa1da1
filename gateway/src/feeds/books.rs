//! The prices in use, ready in memory: swapped as a whole when a feed arrives.

use super::intake::all_prices;
use crate::store::{self, OrgId, Store};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use takst_engine::PriceBook;
use takst_engine::units::{DAY_MS, Instant};

/// How far back prices are kept in memory: a whole month for means of the month, and a long session.
const BACK: i64 = 62 * DAY_MS;

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

    /// Reads the prices anew. `earliest`: when the oldest session that still runs began.
    ///
    /// # Errors
    /// When the storage fails; what was there stays.
    pub async fn refresh(
        &self,
        store: &Store,
        org: &OrgId,
        now: Instant,
        earliest: Option<Instant>,
    ) -> Result<Arc<PriceBook>, store::Error> {
        let from = now.0.min(earliest.unwrap_or(now).0).saturating_sub(BACK);
        let book = Arc::new(all_prices(store, org, Instant(from)).await?);
        self.inner.write().unwrap_or_else(PoisonError::into_inner).insert(org.clone(), Arc::clone(&book));
        Ok(book)
    }
}
