//! The cost price of a plant as a feed: one step a month, one area a site. So bills wait for it, are made with it, and are looked at again when
//! it changes, as with any other price. Absent: how it is worked out (`meters`).

use super::needs::{LoadError, Loaded, Publication, add_to, published};
use crate::store::{OrgId, PricePoint, Reader};
use takst_engine::exact::Num;
use takst_engine::input::{self, InputError};
use takst_engine::month::{cost_has_vat, uses_cost_price};
use takst_engine::tariff::Tariff;
use takst_engine::units::Instant;

/// The feed of cost prices without VAT; the area is the site.
pub const NET: &str = "cost price";
/// And of those with their VAT.
pub const WITH_VAT: &str = "cost price including VAT";

/// The feed that a tariff's `cost price` is taken from; none when no price of it asks for one.
#[must_use]
pub fn of(tariff: &Tariff) -> Option<&'static str> {
    uses_cost_price(tariff).then(|| if cost_has_vat(tariff) { WITH_VAT } else { NET })
}

/// When a session asks for the cost price: it is of the month in which the session ended, as in the settlement of a month.
#[must_use]
pub fn asked_at((from, until): (Instant, Instant)) -> Instant {
    Instant(until.0.max(from.0.saturating_add(1)) - 1)
}

/// The cost price of a site at that instant, in the tariff's currency; what it was taken from goes to `loaded`. `only`: none but these
/// publications, as when a bill is worked out again.
///
/// # Errors
/// When the storage fails, or it is in another currency than `currency`.
pub async fn load(
    reader: &mut Reader,
    org: &OrgId,
    (feed, site, currency): (&str, &str, &str),
    at: Instant,
    only: Option<&[Publication]>,
    loaded: &mut Loaded,
) -> Result<Option<Num>, LoadError> {
    let next = Instant(at.0.saturating_add(1));
    let mut points = published(reader, org, (feed, site), (at, next), only).await?;
    let Some(last) = points.last() else { return Ok(None) };
    let per_kwh = price(last, currency)?;
    // Costs that were entered in another currency first were put right since.
    points.retain(|point| money(point) == currency);
    loaded.publications.extend(points.iter().map(Publication::of));
    loaded.publications.sort();
    loaded.publications.dedup();
    // The bill's hash of its prices covers it too.
    add_to(&mut loaded.book, points)?;
    Ok(Some(per_kwh))
}

fn money(point: &PricePoint) -> &str {
    point.unit.split_once('/').map_or(point.unit.as_str(), |(money, _)| money)
}

fn price(point: &PricePoint, currency: &str) -> Result<Num, InputError> {
    let money = money(point);
    let unit = point.unit.split_once('/').map_or("", |(_, unit)| unit);
    if money != currency {
        let what =
            format!("the cost price of `{}` is in {money}, and the tariff counts in {currency}", point.area);
        return Err(InputError::new(what).help("enter the costs of the site in the currency of its tariff"));
    }
    let price = Num::from_decimal(input::decimal(&point.price).map_err(InputError::new)?);
    match unit {
        "MWh" => price.mul(Num::new(1, 3)).map_err(|error| InputError::new(error.to_string())),
        _ => Ok(price),
    }
}
