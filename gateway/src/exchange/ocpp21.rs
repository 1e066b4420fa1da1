//! A compiled tariff as a charger of OCPP 2.1 takes it (`TariffType`). Prices are without tax, as the standard has them.

use super::tariff::{Dialect, Parts, Spoken, Work};
pub use super::tariff::{Unsayable, Wanted};
use crate::chargers::model::{ConditionalPrice, Prices, TariffDocument};
use takst_engine::Prepared;

/// The tariff for a charger.
///
/// # Errors
/// Everything that cannot be said, each with its line.
pub fn export(prepared: &Prepared, wanted: &Wanted<'_>) -> Result<TariffDocument, Vec<Unsayable>> {
    let work = Work::new(prepared, wanted, Dialect::Ocpp21);
    let Parts {
        energy,
        charging_time,
        idle_time,
        fixed,
        reservation_time,
        reservation_fixed,
        minimum,
        maximum,
    } = work.parts()?;
    let prices = |spoken: Option<Spoken>| {
        let Spoken { prices, taxes } = spoken?;
        let price = |(said, when): (super::tariff::Said, _)| ConditionalPrice { price: said.price, when };
        Some(Prices { prices: prices.into_iter().map(price).collect(), taxes: taxes.rates() })
    };
    let tariff = prepared.tariff();
    if let Some(until) = tariff.valid_until.filter(|_| wanted.until.is_none()) {
        let until = takst_engine::calendar_time::local_text(&tariff.zone, until);
        return Err(vec![Unsayable {
            place: tariff.file.clone(),
            line: "valid until".to_owned(),
            why: format!(
                "the list ends at {until}, and a tariff of OCPP 2.1 has no end: say with --until up to when its prices may be used"
            ),
        }]);
    }
    let price = |amount| crate::chargers::model::Price {
        excluding_tax: (!tariff.includes_vat).then_some(amount),
        including_tax: tariff.includes_vat.then_some(amount),
        taxes: Vec::new(),
    };
    let mut document = TariffDocument {
        id: String::new(),
        description: super::tariff::description(prepared),
        currency: tariff.currency.code.clone(),
        energy: prices(energy),
        valid_from: tariff.valid_from,
        charging_time: prices(charging_time),
        idle_time: prices(idle_time),
        fixed_fee: prices(fixed),
        reservation_time: prices(reservation_time),
        reservation_fixed: prices(reservation_fixed),
        minimum: minimum.map(price),
        maximum: maximum.map(price),
    };
    let text = serde_json::to_string(&document).unwrap_or_default();
    document.id = wanted.id.map_or_else(|| super::tariff::id(&tariff.file, &text, 36), str::to_owned);
    Ok(document)
}
