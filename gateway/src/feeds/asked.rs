//! What a price document is held against: which prices somebody asks for, and in which currencies.

use super::cost;
use super::intake::{money, subject};
use crate::store::{self, OrgId, PricePoint, Tx};
use std::collections::BTreeMap;
use std::sync::Arc;
use takst_engine::input::InputError;

/// Which prices are asked for, and in which currencies: what a document is held against.
#[derive(Clone, Default)]
pub struct Asked {
    /// The document may bring the prices of this feed, and where an area is stated of this area, and no others. Prices that name no area
    /// are of the stated one.
    pub only: Option<(String, Option<String>)>,
    /// In which currencies (ISO 4217) a feed and area are asked for; none: whatever came first.
    pub currencies: Option<Currencies>,
    /// Of which feeds somebody lets a value count until the next one; none: nobody does.
    pub holds: Option<Holds>,
}

/// Whether a tariff lets a value of this feed count until the next one.
pub type Holds = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// In which currencies a feed and area are asked for; empty: nobody asks.
pub type Currencies = Arc<dyn Fn(&str, &str) -> Vec<String> + Send + Sync>;

/// The currencies that are asked for, of those feeds and areas of which somebody asks for any.
pub(super) type Wanted = BTreeMap<(String, String), Vec<String>>;

/// The currencies that are asked for of what is in a document.
///
/// # Errors
/// When it is in another one.
pub(super) fn wanted_currencies(
    all: &[Vec<PricePoint>],
    currencies: Option<&Currencies>,
) -> Result<Wanted, InputError> {
    let mut wanted = Wanted::new();
    let Some(currencies) = currencies else { return Ok(wanted) };
    for first in all.iter().filter_map(|points| points.first()) {
        let codes = currencies(&first.feed, &first.area);
        if codes.is_empty() {
            continue;
        }
        if let Some(other) = (all.iter().flatten())
            .filter(|point| (&point.feed, &point.area) == (&first.feed, &first.area))
            .find(|point| !codes.iter().any(|code| code == money(&point.unit)))
        {
            let (name, asked) = (subject(&first.feed, &first.area), codes.join(" or "));
            let error = InputError::new(format!(
                "feed `{name}`: this document is in {}, and tariffs and set-up ask for {asked}",
                other.unit
            ));
            return Err(error.help(format!("send it in {asked}; nothing of it was kept")));
        }
        wanted.insert((first.feed.clone(), first.area.clone()), codes);
    }
    Ok(wanted)
}

/// Whether somebody asks for these steps in a currency.
pub(super) fn is_wanted(wanted: &Wanted, points: &[PricePoint]) -> bool {
    points.first().is_some_and(|first| wanted.contains_key(&(first.feed.clone(), first.area.clone())))
}

/// Where nobody says which currency is meant, it is that of the prices before: one slip would stand in the way of the right prices for good.
pub(super) async fn as_before(tx: &mut Tx, org: &OrgId, points: &[PricePoint]) -> Result<(), store::Error> {
    let Some(first) = points.first() else { return Ok(()) };
    if is_by_hand(&first.feed) {
        return Ok(());
    }
    let units = tx.price_units(org, (&first.feed, &first.area)).await?;
    if units.is_empty() || units.iter().any(|unit| money(unit) == money(&first.unit)) {
        return Ok(());
    }
    Err(store::Error::refused(format!(
        "feed `{}`: this document is in {}, and the prices before are in {}; keep one currency per feed and area, or name the new one at its `[[feed]]` in the set-up (`currency`)",
        subject(&first.feed, &first.area),
        first.unit,
        units.join(", ")
    )))
}

/// Costs of a site are entered by hand, and a wrong currency can be put right.
pub(super) fn is_by_hand(feed: &str) -> bool {
    [cost::NET, cost::WITH_VAT].contains(&feed)
}
